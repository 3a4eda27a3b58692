//! The examples in other languages and for WASI, deployed as their compilers made them, and called as
//! `examples/calls.toml` says. `cargo xtask guests` builds them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;

use reqwest::Method;
use serde::Deserialize;

use super::examples::{allow, module, platform, server};
use crate::platform::Shape;

/// `examples/calls.toml`, which explains each of these.
#[derive(Deserialize)]
struct Calls {
    program: Vec<Program>,
    call: BTreeMap<String, Call>,
}

#[derive(Deserialize)]
struct Program {
    name: String,
    abi: String,
    language: String,
    calls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Call {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    status: u16,
    content_type: String,
    text: Option<String>,
    contains: Option<String>,
    json: Option<BTreeMap<String, String>>,
}

/// The programs that the tests below call.
const CALLED: [&str; 11] = [
    "assemblyscript-cgi",
    "c-cgi",
    "echo",
    "go-cgi",
    "javascript-http",
    "python-http",
    "rust-cgi",
    "rust-cli",
    "rust-http",
    "wasi-http-stream",
    "zig-cgi",
];

every_shape![
    a_command_in_assemblyscript_answers,
    a_command_in_c_answers,
    an_echo_answers_with_the_request_as_json,
    a_command_in_go_answers,
    a_component_in_javascript_answers,
    a_component_in_python_answers,
    a_command_in_rust_answers,
    a_command_component_in_rust_answers,
    a_component_in_rust_answers,
    a_component_that_streams_answers,
    a_command_in_zig_answers,
];

fn a_command_in_assemblyscript_answers(shape: Shape) {
    answers_as_written(shape, "assemblyscript-cgi");
}

fn a_command_in_c_answers(shape: Shape) {
    answers_as_written(shape, "c-cgi");
}

fn an_echo_answers_with_the_request_as_json(shape: Shape) {
    answers_as_written(shape, "echo");
}

fn a_command_in_go_answers(shape: Shape) {
    answers_as_written(shape, "go-cgi");
}

fn a_component_in_javascript_answers(shape: Shape) {
    answers_as_written(shape, "javascript-http");
}

fn a_component_in_python_answers(shape: Shape) {
    answers_as_written(shape, "python-http");
}

fn a_command_in_rust_answers(shape: Shape) {
    answers_as_written(shape, "rust-cgi");
}

fn a_command_component_in_rust_answers(shape: Shape) {
    answers_as_written(shape, "rust-cli");
}

fn a_component_in_rust_answers(shape: Shape) {
    answers_as_written(shape, "rust-http");
}

fn a_component_that_streams_answers(shape: Shape) {
    answers_as_written(shape, "wasi-http-stream");
}

fn a_command_in_zig_answers(shape: Shape) {
    answers_as_written(shape, "zig-cgi");
}

#[test]
fn every_program_of_the_list_is_called() {
    let mut names: Vec<String> = calls().program.into_iter().map(|program| program.name).collect();
    names.sort();
    assert_eq!(names, CALLED);
}

fn calls() -> Calls {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/calls.toml");
    toml::from_str(&std::fs::read_to_string(list).unwrap()).unwrap()
}

#[track_caller]
fn answers_as_written(shape: Shape, name: &str) {
    assert!(CALLED.contains(&name));
    let Calls { program, call } = calls();
    let program = program.into_iter().find(|program| program.name == name).unwrap();
    let port = server(tea);
    let tea = format!("http://127.0.0.1:{port}/");
    let filled = |text: &str| text.replace("{language}", &program.language).replace("{url}", &tea);

    let platform = platform(shape);
    let file = module(name);
    let inspected = platform.admin().run(&["inspect", &file, "--json"]).good().json();
    assert_eq!(inspected["abi"], program.abi.as_str());
    let handler = platform.admin().create("example", &file);
    allow(&handler, &platform, &format!("^http://127\\.0\\.0\\.1:{port}/"));
    for named in &program.calls {
        let call = &call[named];
        let url = format!("{}{}", handler.url.trim_end_matches('/'), filled(&call.path));
        let method = Method::from_bytes(call.method.as_bytes()).unwrap();
        let reply = platform.web().send(method, &url, &call.headers, call.body.clone());
        let said = reply.text();
        if reply.status != call.status {
            let log = handler.log_of(&reply.invocation());
            panic!("{named}: {} instead of {}: {said}\n{log:#?}", reply.status, call.status);
        }
        let kind = reply.headers["content-type"].to_str().unwrap();
        assert_eq!(kind.split(';').next(), Some(&*call.content_type), "{named}");
        if let Some(text) = &call.text {
            assert_eq!(said, filled(text), "{named}");
        }
        if let Some(part) = &call.contains {
            assert!(said.contains(&filled(part)), "{named}: {said}");
        }
        if let Some(fields) = &call.json {
            let answered: serde_json::Value = serde_json::from_str(&said).unwrap();
            for (field, value) in fields {
                assert_eq!(answered[field], filled(value), "{named}: {field}");
            }
        }
    }
}

/// Answers `tea` to one request.
fn tea(mut connection: TcpStream) {
    let lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let head = lines.map(Result::unwrap).take_while(|line| !line.is_empty());
    assert!(head.count() > 0);
    write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntea").unwrap();
}
