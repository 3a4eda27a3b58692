use super::*;

fn module() -> Vec<u8> {
    wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#,
    )
    .unwrap()
}

fn with(files: &[(&str, &[u8])]) -> Result<Vec<u8>, FilesError> {
    let files: Vec<(String, Vec<u8>)> =
        files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    append(&module(), &files)
}

/// A module with a section of files that nothing checked.
fn raw(content: &[u8]) -> Vec<u8> {
    let mut bytes = module();
    write_custom(FILES_SECTION, content, &mut bytes);
    bytes
}

#[test]
fn files_come_back_in_the_order_of_their_paths() {
    let bytes = with(&[("pages/b.html", b"<b>"), ("a.txt", b""), ("pages/a.html", &[0, 255])]).unwrap();
    let files = read(&bytes).unwrap();
    let listed: Vec<(&str, &[u8])> = files.iter().map(|file| (file.path, file.bytes)).collect();
    assert_eq!(listed, [("a.txt", &b""[..]), ("pages/a.html", &[0, 255]), ("pages/b.html", b"<b>")]);
    let inspection = crate::inspect(&bytes, &wasmcloud_wire::Limits::default()).unwrap();
    assert_eq!(inspection.files[1], ShippedFile { path: "pages/a.html".to_owned(), size_bytes: 2 });
    assert!(read(&module()).unwrap().is_empty());
}

#[test]
fn files_take_the_place_of_those_that_were_there() {
    let once = with(&[("old", b"1")]).unwrap();
    let twice = append(&once, &[("new".to_owned(), b"2".to_vec())]).unwrap();
    assert_eq!(read(&twice).unwrap(), [File { path: "new", bytes: b"2" }]);
    assert_eq!(append(&twice, &[]).unwrap(), module());
    // The same files make the same bytes, in whatever order they are given.
    assert_eq!(with(&[("a", b"1"), ("b", b"2")]), with(&[("b", b"2"), ("a", b"1")]));
}

#[test]
fn a_component_has_files_beside_it_too() {
    let component = wat::parse_str(
        r#"(component (core module (memory 1)) (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#,
    )
    .unwrap();
    let bytes = append(&component, &[("a".to_owned(), b"x".to_vec())]).unwrap();
    assert_eq!(crate::inspect(&bytes, &wasmcloud_wire::Limits::default()).unwrap().files.len(), 1);
}

#[test]
fn paths_that_could_lead_elsewhere_are_refused() {
    let long_part = "x".repeat(PATH_PART_BYTES_MAX + 1);
    let long = ["y".repeat(200).as_str(); 6].join("/");
    for path in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a\\b",
        "a\0b",
        long_part.as_str(),
        long.as_str(),
    ] {
        let error = with(&[(path, b"")]).unwrap_err();
        assert!(matches!(error, FilesError::Path { .. }), "{path:?}: {error}");
        // Nor does anyone get one in by hand.
        let content = write(&[File { path, bytes: b"" }]);
        let refused = read(&raw(&content)).unwrap_err();
        assert_eq!(refused.code, "invalid_section", "{path:?}");
    }
    for path in ["a", "...", "a b/ü.txt", &long_part[1..], ".hidden/..x"] {
        with(&[(path, b"")]).unwrap();
    }
}

#[test]
fn two_files_at_one_place_are_refused() {
    assert_eq!(with(&[("a", b""), ("a", b"")]), Err(FilesError::Twice("a".to_owned())));
    for other in ["a-b", "a.b"] {
        assert_eq!(
            with(&[("x/a", b""), ("x/a/b", b""), (&format!("x/{other}"), b"")]),
            Err(FilesError::Twice("x/a".to_owned()))
        );
    }
    with(&[("a", b""), ("ab", b""), ("a.b/c", b"")]).unwrap();
}

#[test]
fn files_are_bounded_in_number_and_size() {
    let many: Vec<(String, Vec<u8>)> = (0..=FILES_MAX).map(|n| (format!("{n}"), Vec::new())).collect();
    assert_eq!(append(&module(), &many), Err(FilesError::TooMany(FILES_MAX + 1)));
    append(&module(), &many[1..]).unwrap();
    let large = [("large".to_owned(), vec![0; UPLOAD_BYTES_MAX])];
    assert!(matches!(append(&module(), &large), Err(FilesError::TooLarge { .. })));
    assert_eq!(append(b"hello world", &[]), Err(FilesError::Module));
}

#[test]
fn a_section_that_is_damaged_is_refused_whatever_is_left_of_it() {
    let content = write(&[File { path: "a/b", bytes: b"one" }, File { path: "c", bytes: b"two" }]);
    for len in 0..content.len() {
        assert_eq!(read(&raw(&content[..len])).unwrap_err().code, "invalid_section", "{len}");
    }
    for at in 0..content.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = content.clone();
            damaged[at] = value;
            let _ = read(&raw(&damaged));
        }
    }
    for content in [&[2, 0][..], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f], &[1, 1, 1, 0xff, 0], &[1, 0, 0]] {
        assert_eq!(read(&raw(content)).unwrap_err().code, "invalid_section", "{content:?}");
    }
    let mut twice = with(&[("a", b"")]).unwrap();
    write_custom(FILES_SECTION, &write(&[]), &mut twice);
    assert!(read(&twice).unwrap_err().message.contains("twice"));
}

#[test]
fn a_program_that_has_no_files_in_its_abi_may_ship_none() {
    let olin = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
    let bytes = append(&olin, &[("a".to_owned(), Vec::new())]).unwrap();
    let refused = crate::inspect(&bytes, &wasmcloud_wire::Limits::default()).unwrap_err();
    assert!(refused.message.contains("speaks olin"), "{refused}");
}
