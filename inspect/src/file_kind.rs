//! What kind of file it is.

use wasmcloud_wire::Refusal;
use wasmparser::Parser;

/// First bytes of files that people upload by mistake.
const MISTAKES: &[(&[u8], &str, &str)] = &[
    (b"\x7fELF", "a native Linux program or a precompiled module (ELF)", "build for a WebAssembly target"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first: `gunzip`"),
    (b"PK\x03\x04", "a zip archive", "unpack it first: `unzip`"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first: `unzstd`"),
    (b"MZ", "a Windows program", "build for a WebAssembly target"),
    (b"\xcf\xfa\xed\xfe", "a macOS program", "build for a WebAssembly target"),
    (b"wasmer-universal", "a module that wasmer compiled", "upload the module that it was made from"),
    (b"#!", "a script", "compile the program to WebAssembly"),
    (b"<!", "an HTML page", "check where the file was downloaded from"),
    (
        b"(module",
        "WebAssembly text",
        "turn it into a binary: `wasm-tools parse`; `wasmcloud create` does so by itself",
    ),
    (
        b"(component",
        "a component as WebAssembly text",
        "turn it into a binary: `wasm-tools parse`; `wasmcloud create` does so by itself",
    ),
    (
        b"package ",
        "a text of interfaces (WIT)",
        "upload the compiled .wasm file of a program that implements it",
    ),
];

/// What a file of WebAssembly is, from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Module,
    Component,
}

/// What the section of a file is called in which wasmtime keeps what it was compiled for.
const WASMTIME_SECTION: &[u8] = b".wasmtime.engine";

/// Tells modules from components, and refuses what is neither.
pub(crate) fn check(bytes: &[u8]) -> Result<FileKind, Refusal> {
    if Parser::is_core_wasm(bytes) {
        return Ok(FileKind::Module);
    }
    if Parser::is_component(bytes) {
        return Ok(FileKind::Component);
    }
    if bytes.is_empty() {
        return Err(Refusal::new("not_wasm", "the file is empty", "upload a compiled .wasm file"));
    }
    if bytes.starts_with(b"\x7fELF")
        && bytes.windows(WASMTIME_SECTION.len()).any(|window| window == WASMTIME_SECTION)
    {
        return Err(Refusal::new(
            "not_wasm",
            "the file is a program that wasmtime compiled (.cwasm), not a WebAssembly module",
            "upload the .wasm file that it was made from",
        ));
    }
    for (magic, what, hint) in MISTAKES {
        if bytes.starts_with(magic) {
            return Err(Refusal::new(
                "not_wasm",
                format!("the file is {what}, not a WebAssembly module"),
                *hint,
            ));
        }
    }
    if let Some(version) = bytes.strip_prefix(b"\0asm".as_slice()) {
        let version = version.get(..4).map_or_else(|| "cut off".to_owned(), |bytes| format!("{bytes:?}"));
        return Err(Refusal::new(
            "not_wasm",
            format!("the file begins like WebAssembly, but its version field is {version}"),
            "build the module again; the file may be cut off",
        ));
    }
    Err(Refusal::new(
        "not_wasm",
        "the file is not a WebAssembly module: it does not begin with `\\0asm`",
        "upload a compiled .wasm file",
    ))
}
