//! Output and requests that nobody would write on purpose. The seeds are fixed, so a failure repeats.

use std::collections::BTreeMap;

use wasmcloud_cgi::{Answer, Context, Variables, escape, resolve_target};
use wasmcloud_wire::limits::LOG_LINE_CHARS_MAX;
use wasmcloud_wire::{InvocationId, RequestHead};

use crate::output::parse;
use crate::variables::request;

const ROUNDS: u64 = 3_000;

/// SplitMix64: small, and every seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Words in any order, now and then with a byte changed.
    fn bytes(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.below(14) {
            bytes.extend_from_slice(words[self.below(words.len())]);
        }
        if !bytes.is_empty() && self.below(4) == 0 {
            let at = self.below(bytes.len());
            bytes[at] = self.next() as u8;
        }
        bytes
    }
}

const OUTPUT: [&[u8]; 28] = [
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b":",
    b": ",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"Status",
    b"Status: 404 x\n",
    b"Location: ",
    b"/a",
    b"https://a/",
    b"Content-Type: a/b\n",
    b"Content-Length: ",
    b"5\n",
    b"Set-Cookie: a=b; Domain=",
    b"hello.example\r\n",
    b"Connection: x-a\n",
    b"X-A: b\n",
    b"X-B: c\r\n",
    b"HTTP/1.1 200 OK\n",
    b"%0a",
    b"HTTP/",
];

const TARGET: [&[u8]; 16] = [
    b"/",
    b"/",
    b"/.",
    b"/..",
    b"%2e",
    b"%2F",
    b"%00",
    b"%",
    b"a",
    b"?",
    b"#",
    b"%ff",
    b"\xc3\xa9",
    b"..",
    b"//",
    b"%41",
];

#[test]
fn no_output_makes_an_answer_that_http_could_not_carry() {
    let mut random = Random(1);
    let mut answers = 0;
    for _ in 0..ROUNDS {
        let output = random.bytes(&OUTPUT);
        let (head, is_redirect) = match parse(&output) {
            Ok((Answer::Document(head), body)) => {
                assert!(output.ends_with(&body));
                (head, false)
            }
            Ok((Answer::Redirect(head), _)) => (head, true),
            Ok((Answer::LocalRedirect { target }, _)) => {
                assert!(
                    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{target:?}"
                );
                continue;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.len() < 2_000 && !message.contains(char::is_control), "{message:?}");
                continue;
            }
        };
        answers += 1;
        assert!((200..=599).contains(&head.status) && (!is_redirect || head.status == 302), "{head:?}");
        for (name, value) in &head.headers {
            assert!(
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'),
                "{name:?}"
            );
            assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
            assert!(!["content-length", "connection", "status"].contains(&name.as_str()), "{name}");
            assert!(
                name != "set-cookie" || !value.contains("Domain=h") || value.contains("Domain=hello.example")
            );
        }
    }
    assert!(answers > ROUNDS / 50, "{answers} answers are too few to prove anything");
}

#[test]
fn no_target_makes_a_path_with_dots_or_nul() {
    let (mut random, env) = (Random(2), BTreeMap::new());
    let context =
        Context { env: &env, forward_authorization: false, run_id: InvocationId::new(), worker_id: "w" };
    let mut paths = 0;
    for _ in 0..ROUNDS {
        let mut target = String::from("/");
        target.push_str(&String::from_utf8_lossy(&random.bytes(&TARGET)));
        let build = |target: &str| {
            Variables::new(&RequestHead { target: target.into(), ..request() }, None, &context)
                .map(|variables| variables.get("PATH_INFO").unwrap().to_vec())
        };
        let resolved = resolve_target(&target);
        assert_eq!(resolve_target(&resolved), resolved, "resolved once and for all: {target}");
        let Ok(path) = build(&target) else { continue };
        paths += 1;
        assert!(path.starts_with(b"/") && !path.contains(&0), "{target}");
        assert!(
            path.split(|&byte| byte == b'/').all(|segment| segment != b"." && segment != b".."),
            "{target}"
        );
    }
    assert!(paths > ROUNDS / 10, "{paths} paths are too few to prove anything");
}

#[test]
fn no_text_makes_a_log_line_that_is_not_one() {
    let mut random = Random(3);
    for _ in 0..ROUNDS {
        let text = random.bytes(&OUTPUT);
        let line = escape(&text);
        assert!(line.chars().count() <= LOG_LINE_CHARS_MAX && !line.contains(char::is_control), "{line:?}");
    }
}
