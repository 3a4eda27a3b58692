//! FILE on the command line: a module, as a binary, as text, or on standard input.

use std::io::Read;
use std::path::Path;

use wasmcloud_wire::Limits;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

use crate::exit::Exit;
use crate::failure::Failure;

/// Most of the text parser's explanation that is shown; it quotes the line at fault.
const EXPLANATION_CHARS_MAX: usize = 1_000;

/// Reads a module: `.wasm`, WebAssembly text, or `-` for standard input. What cannot be a module is
/// refused here, before anything is sent; whether it can run is the server's to say.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if file == Path::new("-") { read_stdin()? } else { read_file(file)? };
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    if bytes.len() > UPLOAD_BYTES_MAX {
        return Err(too_large(&name, None));
    }
    if bytes.is_empty() {
        return Err(Failure::new(
            Exit::Module,
            "not_wasm",
            format!("{name} is empty"),
            "build the program again: the file should be a .wasm module",
        ));
    }
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let is_text = file.extension().is_some_and(|extension| extension == "wat")
        || wat::Detect::from_bytes(&bytes) == wat::Detect::WasmText;
    if is_text {
        return assemble(file, &name, &bytes);
    }
    // What is no WebAssembly at all is refused in inspection's own words: it knows common mistakes.
    wasmcloud_inspect::inspect(&bytes, &Limits::default()).map_err(|mut refusal| {
        refusal.message = format!("{name}: {}", refusal.message);
        Failure::from(refusal)
    })?;
    Ok(bytes)
}

fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let problem = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; it is relative to the folder that you are in",
            std::io::ErrorKind::PermissionDenied => "check the file's permissions",
            _ => "",
        };
        Failure::new(Exit::Failure, "file", format!("cannot read {}: {error}", file.display()), hint)
    };
    let metadata = std::fs::metadata(file).map_err(problem)?;
    if metadata.is_dir() {
        return Err(Failure::new(
            Exit::Failure,
            "file",
            format!("{} is a folder", file.display()),
            "name the .wasm file in it; cargo leaves it under target/wasm32-unknown-unknown/release/",
        ));
    }
    if metadata.len() > UPLOAD_BYTES_MAX as u64 {
        return Err(too_large(&file.display().to_string(), Some(metadata.len())));
    }
    // One byte more than the limit is enough to see that the limit is passed, whatever kind of file.
    read_all(std::fs::File::open(file).map_err(problem)?).map_err(problem)
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    read_all(std::io::stdin().lock()).map_err(|error| {
        Failure::new(Exit::Failure, "file", format!("cannot read standard input: {error}"), "")
    })
}

fn read_all(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(UPLOAD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(name: &str, bytes: Option<u64>) -> Failure {
    let size = bytes.map_or_else(|| format!("more than {UPLOAD_BYTES_MAX}"), |bytes| bytes.to_string());
    Failure::new(
        Exit::Module,
        "over_limit",
        format!("{name} has {size} bytes; the upload limit is {UPLOAD_BYTES_MAX}"),
        "build in release mode and strip debug information (`strip = true` in Cargo's release profile)",
    )
}

/// Turns text into a binary; the explanation has line and column.
fn assemble(file: &Path, name: &str, text: &[u8]) -> Result<Vec<u8>, Failure> {
    let path = if file == Path::new("-") { Path::new("<stdin>") } else { file };
    wat::Parser::new().parse_bytes(Some(path), text).map(std::borrow::Cow::into_owned).map_err(|error| {
        let explanation: String = error.to_string().chars().take(EXPLANATION_CHARS_MAX).collect();
        Failure::new(
            Exit::Module,
            "invalid_text",
            format!("{name} is no valid WebAssembly text: {explanation}"),
            "correct the text at that line and column",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Problem;

    fn refused(name: &str, bytes: &[u8]) -> Problem {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        problem(read(&file).unwrap_err())
    }

    fn problem(failure: Failure) -> Problem {
        match failure {
            Failure::Problem(problem) => *problem,
            other => panic!("no problem: {other:?}"),
        }
    }

    #[test]
    fn text_becomes_a_binary_whatever_the_file_is_called() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.wat", "a.wasm", "a"] {
            let file = folder.path().join(name);
            std::fs::write(&file, ";; a comment first\n(module (func (export \"_start\")))").unwrap();
            assert!(read(&file).unwrap().starts_with(b"\0asm"), "{name}");
        }
    }

    #[test]
    fn text_with_a_mistake_is_refused_with_line_and_column() {
        let problem = refused("a.wat", b"(module\n  (func (oops)))");
        assert_eq!((problem.exit, problem.code.as_str()), (Exit::Module, "invalid_text"));
        assert!(problem.message.contains("a.wat:2:10"), "{}", problem.message);
    }

    #[test]
    fn what_is_no_webassembly_is_refused_with_what_it_is() {
        for (bytes, word) in [
            (&b"\x7fELF\x02"[..], "native"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"hello", "not a WebAssembly module"),
            (b"", "empty"),
        ] {
            let problem = refused("a.wasm", bytes);
            assert_eq!((problem.exit, problem.code.as_str()), (Exit::Module, "not_wasm"), "{word}");
            assert!(
                problem.message.contains(word) && problem.message.contains("a.wasm"),
                "{}",
                problem.message
            );
            assert!(!problem.hint.is_empty(), "{word}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("big.wasm");
        std::fs::File::create(&file).unwrap().set_len(UPLOAD_BYTES_MAX as u64 + 1).unwrap();
        let problem = problem(read(&file).unwrap_err());
        assert_eq!(problem.code, "over_limit");
        assert!(problem.message.contains("33554433") && problem.message.contains("33554432"), "{problem:?}");
    }

    #[test]
    fn a_missing_file_and_a_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = problem(read(&folder.path().join("none.wasm")).unwrap_err());
        assert!(missing.message.contains("none.wasm") && missing.exit == Exit::Failure, "{missing:?}");
        assert!(problem(read(folder.path()).unwrap_err()).message.contains("is a folder"));
    }
}
