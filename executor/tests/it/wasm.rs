//! Modules: the fixtures in `examples/fixtures`, and small ones made on the spot.

/// A fixture by its name.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../examples/fixtures/{name}.wat", env!("CARGO_MANIFEST_DIR"));
    wat::parse_file(path).unwrap()
}

pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Every function of the ABI under a short name.
pub fn imports(module: &str) -> String {
    const FUNCTIONS: [(&str, &str, &str); 21] = [
        ("env_get", "get", "(param i32 i32 i32 i32) (result i32)"),
        ("io_get_stdin", "stdin", "(result i32)"),
        ("io_get_stdout", "stdout", "(result i32)"),
        ("io_get_stderr", "stderr", "(result i32)"),
        ("log_write", "log", "(param i32 i32 i32)"),
        ("random_i32", "random_i32", "(result i32)"),
        ("random_u32", "random_u32", "(result i32)"),
        ("random_i64", "random_i64", "(result i64)"),
        ("random_u64", "random_u64", "(result i64)"),
        ("resource_open", "open", "(param i32 i32) (result i32)"),
        ("resource_read", "read", "(param i32 i32 i32) (result i32)"),
        ("resource_write", "write", "(param i32 i32 i32) (result i32)"),
        ("resource_flush", "flush", "(param i32) (result i32)"),
        ("resource_close", "close", "(param i32)"),
        ("runtime_exit", "exit", "(param i32)"),
        ("runtime_spec_major", "major", "(result i32)"),
        ("runtime_spec_minor", "minor", "(result i32)"),
        ("runtime_name", "name", "(param i32 i32) (result i32)"),
        ("runtime_msleep", "sleep", "(param i32)"),
        ("startup_arg_len", "arg_len", "(result i32)"),
        ("startup_arg_at", "arg_at", "(param i32 i32 i32) (result i32)"),
    ];
    let mut text: String = FUNCTIONS
        .iter()
        .map(|(name, short, ty)| format!("(import {module:?} {name:?} (func ${short} {ty}))\n"))
        .collect();
    text.push_str(&format!("(import {module:?} \"time_now\" (func $now (result i64)))\n"));
    text
}

/// A program of one page with this data at 1024 and this body.
pub fn program(data: &str, start: &str) -> Vec<u8> {
    program_of("cwa", data, start)
}

pub fn program_of(module: &str, data: &str, start: &str) -> Vec<u8> {
    let (imports, data) = (imports(module), escaped(data));
    wat(&format!(
        r#"(module {imports}
          (memory (export "memory") 1)
          (data (i32.const 1024) "{data}")
          (func $_start (export "_start") (local $i i32) (local $out i32) {start}))"#
    ))
}

/// A program that writes this and ends.
pub fn prints(output: &str) -> Vec<u8> {
    prints_then(output, "")
}

/// A program that writes this in one piece, then does something else; `$out` is its standard output.
pub fn prints_then(output: &str, then: &str) -> Vec<u8> {
    let length = output.len();
    program(
        output,
        &format!(
            "(local.set $out (call $stdout))
             (drop (call $write (local.get $out) (i32.const 1024) (i32.const {length}))) {then}"
        ),
    )
}

/// A program that logs `begun`, sleeps for longer than any test waits, and answers.
pub fn sleeps() -> Vec<u8> {
    program(
        "begunContent-Type: text/plain\n\nslept\n",
        "(call $log (i32.const 6) (i32.const 1024) (i32.const 5))
         (call $sleep (i32.const 600000))
         (drop (call $write (call $stdout) (i32.const 1029) (i32.const 32)))",
    )
}

/// Text as a string of the WebAssembly text format.
pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{byte:02x}"),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\{byte:02x}"),
        })
        .collect()
}
