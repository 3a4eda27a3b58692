//! Answers with the request: its method, its path and its query on the first line, then its body.
//!
//! Build it with `cargo build --release --target wasm32-unknown-unknown`, then
//! `wasmcloud create target/wasm32-unknown-unknown/release/olin_echo.wasm --name echo`.

use std::io;

use olin::{cgi, log};

fn main() -> io::Result<()> {
    let request = cgi::Request::read()?;
    log::info(&format!("{} {} with {} bytes", request.method, request.path, request.body.len()));

    let mut answer = format!("{} {}", request.method, request.path);
    if !request.query.is_empty() {
        answer.push('?');
        answer.push_str(&request.query);
    }
    answer.push('\n');

    let mut answer = answer.into_bytes();
    answer.extend_from_slice(&request.body);
    cgi::respond(200, "text/plain; charset=utf-8", &answer)
}

olin::entry!(main);
