//! The modules that are run. All greet as `examples/hello.wat` does.

/// A module and its name in the report.
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub wasm: Vec<u8>,
}

/// Bytes of data of the module that has much of it.
const DATA_BYTES: usize = 20 << 20;
const PAGE_BYTES: usize = 64 << 10;

/// Everything that is measured, the plain one first.
///
/// # Errors
///
/// A module's text cannot be turned into bytes.
pub fn all() -> Result<Vec<Module>, wat::Error> {
    let texts = [
        ("hello", include_str!("../../examples/hello.wat").to_owned()),
        ("grow", greets(1, "", GROWS)),
        ("data", greets(DATA_BYTES / PAGE_BYTES + 1, &data(), READS)),
    ];
    texts.into_iter().map(|(name, text)| Ok(Module { name, wasm: wat::parse_str(text)? })).collect()
}

/// Grows its memory by a page, and writes to that.
const GROWS: &str = "(i32.store (i32.shl (memory.grow (i32.const 1)) (i32.const 16)) (i32.const 1))";

/// Reads a word at the end of its data.
const READS: &str = "(drop (i32.load (i32.const 20971516)))";

fn greets(pages: usize, data: &str, first: &str) -> String {
    format!(
        r#"(module
            (import "cwa" "io_get_stdout" (func $stdout (result i32)))
            (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
            (import "cwa" "log_write" (func $log (param i32 i32 i32)))
            (memory (export "memory") {pages})
            {data}
            (data (i32.const 0) "Content-Type: text/plain; charset=utf-8\n\nHello from wasmcloud!\n")
            (data (i32.const 128) "said hello")
            (func (export "_start")
                {first}
                (drop (call $write (call $stdout) (i32.const 0) (i32.const 63)))
                (call $log (i32.const 6) (i32.const 128) (i32.const 10))))"#
    )
}

/// A segment without a page of zeroes, so that no engine can leave a part of it out.
fn data() -> String {
    let text = "all of this has to be in memory ".repeat(DATA_BYTES / 32);
    format!(r#"(data (i32.const 0) "{text}")"#)
}
