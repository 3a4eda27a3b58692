//! Items 14 and 17: how much of a body passes.

use wasmcloud_cgi::{Ending, Framing};

use crate::output::answer;

/// What passes of a body that comes in pieces of these sizes.
fn pass(header: &str, method: &str, pieces: &[usize]) -> (Vec<usize>, Option<u64>, Ending) {
    let mut framing = Framing::new(&answer(header), method);
    let passed: Vec<_> = pieces.iter().map(|&bytes| framing.pass(bytes)).collect();
    assert!(framing.has_body() || passed.iter().all(|&bytes| bytes == 0));
    (passed, framing.content_length(), framing.ending())
}

#[test]
fn item_14_head_drops_the_body_and_keeps_its_length() {
    let declared = "Content-Type: a/b\nContent-Length: 5";
    assert_eq!(pass(declared, "HEAD", &[5]), (vec![0], Some(5), Ending::Complete));
    assert_eq!(pass(declared, "HEAD", &[]), (vec![], Some(5), Ending::Complete));
    assert_eq!(pass("Content-Type: a/b", "HEAD", &[5]), (vec![0], None, Ending::Complete));
    assert_eq!(pass("Content-Type: a/b", "head", &[5]), (vec![5], None, Ending::Complete), "another method");
}

#[test]
fn item_14_a_body_longer_than_declared_is_cut_off() {
    for (pieces, passed) in [
        (&[5][..], &[5][..]),
        (&[2, 3], &[2, 3]),
        (&[9], &[5]),
        (&[3, 3, 3], &[3, 2, 0]),
        (&[5, 0, 1], &[5, 0, 0]),
    ] {
        let written = pieces.iter().sum::<usize>() as u64;
        let ending = if written > 5 { Ending::Long { declared: 5, written } } else { Ending::Complete };
        assert_eq!(pass("Content-Length: 5", "GET", pieces), (passed.to_vec(), Some(5), ending));
    }
    let ending = Ending::Long { declared: 0, written: 1 };
    assert_eq!(pass("Content-Length: 0", "POST", &[1]), (vec![0], Some(0), ending));
}

#[test]
fn item_14_without_a_declared_length_everything_passes() {
    assert_eq!(pass("Content-Type: a/b", "GET", &[1 << 20, 7]), (vec![1 << 20, 7], None, Ending::Complete));
}

#[test]
fn item_14_answers_that_have_no_body_get_none() {
    for (header, length) in [
        ("Status: 204\nContent-Length: 5", None),
        ("Status: 304\nContent-Length: 5", None),
        ("Status: 205\nContent-Length: 5", Some(0)),
        ("Location: https://example.com/\nContent-Length: 5", Some(0)),
        ("Location: /x", Some(0)),
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(pass(header, method, &[5]), (vec![0], length, Ending::Complete), "{method} {header}");
        }
    }
}

#[test]
fn item_17_a_body_shorter_than_declared_is_told_apart() {
    let ending = Ending::Short { declared: 5, written: 4 };
    assert_eq!(pass("Content-Length: 5", "GET", &[1, 3]), (vec![1, 3], Some(5), ending));
}
