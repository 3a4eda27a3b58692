//! What a file is when it is no core module.

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
        "turn it into a binary: `wat2wasm`; `wasmcloud create` does so by itself",
    ),
];

/// Refuses what is no core module.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if Parser::is_core_wasm(bytes) {
        return Ok(());
    }
    if Parser::is_component(bytes) {
        return Err(Refusal::new(
            "unsupported_feature",
            "the file is a WebAssembly component; this server runs core modules that speak the Olin ABI",
            "build a core module: target wasm32-unknown-unknown with the `olin` crate",
        ));
    }
    if bytes.is_empty() {
        return Err(Refusal::new("not_wasm", "the file is empty", "upload a compiled .wasm file"));
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
