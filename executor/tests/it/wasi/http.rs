//! `wasi:http`: what a program sees of a request, and what a client sees of its answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Event, InvokeError, Invoker as _, Level, Outcome, Source};

use super::languages::guest;
use super::proxy::{Proxy, answers, proxy};
use crate::app::{TestExecutor, call, request_head, within};
use crate::local::{a_run, ran};

/// A program that is deployed as `hello`.
async fn with(program: Proxy) -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &program.build()).await;
    app
}

async fn echoed(app: &TestExecutor, request: &[u8]) -> Value {
    let answer = app.raw(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_program_as_it_was_sent_less_what_is_not_its_business() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &guest("echo")).await;
    let request =
        b"PUT /a/b%20c?d=e&d=f HTTP/1.1\r\nHost: hello.localhost\r\nX-Tea: green\r\nX-Tea: black\r\n\
        X-Latin: caf\xe9\r\nAuthorization: Basic eDp5\r\nProxy-Authorization: Basic eDp5\r\nKeep-Alive: 5\r\n\
        Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nWasmcloud-Depth: 1\r\nContent-Length: 3\r\n\r\nabc";
    let mut seen = echoed(&app, request).await;
    let headers: BTreeMap<String, String> = serde_json::from_value(seen["headers"].take()).unwrap();
    let expected = [("content-length", "3"), ("x-latin", "caf\u{e9}"), ("x-tea", "green, black")];
    assert_eq!(headers, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    for (part, value) in [("method", "PUT"), ("path", "/a/b%20c"), ("query", "d=e&d=f"), ("body", "abc")] {
        assert_eq!(seen[part], value);
    }
}

#[tokio::test]
async fn authorization_reaches_a_program_only_if_its_handler_opts_in() {
    let app = TestExecutor::start().await;
    let request = b"GET / HTTP/1.1\r\nhost: hello.localhost\r\nauthorization: Basic eDp5\r\n\r\n";
    for (forward, seen) in [(false, Value::Null), (true, Value::from("Basic eDp5"))] {
        app.deploy_with("hello", &guest("echo"), |deployment| deployment.forward_authorization = forward)
            .await;
        assert_eq!(echoed(&app, request).await["headers"]["authorization"], seen);
    }
}

#[tokio::test]
async fn a_program_knows_the_scheme_the_authority_and_the_path_below_its_address() {
    // Options of texts: whether there is one, where it lies, its length.
    let app = with(
        proxy()
            .answer(200)
            .code("(call $request_authority (global.get $in) (i32.const 128))")
            .shows(132)
            .code("(call $request_path (global.get $in) (i32.const 128))")
            .shows(132)
            .code("(call $request_scheme (global.get $in) (i32.const 128))")
            .number("http", "(i32.load8_u (i32.const 132))")
            .finish(),
    )
    .await;
    assert_eq!(app.get("hello", "/a?b").await.text(), "hello.localhost/a?bhttp0000\n");
    let there = app.raw("GET /a HTTP/1.1\r\nhost: Hello.localhost.:8080\r\n\r\n").await;
    assert_eq!(there.text(), "hello.localhost:8080/ahttp0000\n");
    let by_path = app.raw("GET /~hello/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(by_path.text(), "127.0.0.1/ahttp0000\n");
}

#[tokio::test]
async fn a_request_that_http_cannot_carry_is_refused() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &answers("never")).await;
    for (method, target) in [("A B", "/"), ("GET", "/a b"), ("GET", "/\u{7f}")] {
        let mut call = call(&deployment, "/");
        call.request = request_head(method, target);
        let refused = within("an answer", app.executor.invoke(call)).await;
        assert!(matches!(refused, Err(InvokeError::BadRequest(_))), "{method:?} {target:?}");
    }
}

#[tokio::test]
async fn an_answer_has_its_status_each_of_its_fields_and_its_length() {
    let app = with(
        proxy()
            .field("content-type", "text/plain")
            .field("set-cookie", "a=1; Domain=localhost")
            .field("set-cookie", "b=2")
            .field("x-latin", b"caf\xe9")
            .field("connection", "x-hop")
            .field("transfer-encoding", "chunked")
            .field("strict-transport-security", "max-age=1")
            .field("content-length", "5")
            .answer(418)
            .write("hello")
            .finish(),
    )
    .await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.text(), answer.complete), (418, "hello", true));
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header("x-latin"), Some("caf\u{e9}"));
    assert_eq!(answer.header("content-length"), Some("5"));
    for gone in ["connection", "transfer-encoding", "strict-transport-security"] {
        assert_eq!(answer.header(gone), None);
    }
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!((receipt.outcome, receipt.status, receipt.bytes_out), (Outcome::Ok, Some(418), 5));
}

#[tokio::test]
async fn a_body_that_disagrees_with_its_length_is_cut_and_the_log_says_so() {
    for (declared, sent, complete) in [("10", "hello", false), ("3", "hel", true)] {
        let app = with(proxy().field("content-length", declared).answer(200).write("hello").finish()).await;
        let answer = app.get("hello", "/").await;
        assert_eq!((answer.status, answer.text(), answer.complete), (200, sent, complete), "{answer:?}");
        let recorded = app.recorded(&answer).await;
        recorded.line(&format!("Content-Length is {declared}, but the program's body has another length"));
        assert!(matches!(recorded.receipt.outcome, Outcome::BadOutput { .. }), "{:?}", recorded.receipt);
        assert_eq!(recorded.receipt.status, Some(200));
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none_whatever_the_program_writes() {
    let cases =
        [("HEAD", 200, Some("5")), ("GET", 204, None), ("GET", 205, Some("0")), ("GET", 304, Some("5"))];
    for (method, status, length) in cases {
        for writes in [true, false] {
            let program = proxy().field("content-length", "5").answer(status);
            let app = with(if writes { program.write("hello").finish() } else { program.finish() }).await;
            let answer = app.request(method, "hello", "/", None).await;
            assert_eq!((answer.status, answer.text()), (status, ""));
            assert_eq!(answer.header("content-length"), length, "{method} {status}");
            let recorded = app.recorded(&answer).await;
            assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{method} {status}: {:?}", recorded.texts());
        }
    }
}

#[tokio::test]
async fn trailers_reach_the_client_and_whoever_invokes() {
    let mut program = proxy().field("trailer", "x-sum").answer(200).write("hello");
    let (name, value) = (program.text("x-sum"), program.text("42"));
    let program = program.code(&format!(
        "(local.set $n (call $fields))
         (call $fields_append (local.get $n) {name} {value} (i32.const 0))
         (call $stream_drop (global.get $stream))
         (call $body_finish (global.get $body) (i32.const 1) (local.get $n) (i32.const 0))"
    ));
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &program.build()).await;
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\nte: trailers\r\n\r\n").await;
    let answer = client.answer(false).await;
    assert_eq!((answer.text(), answer.complete), ("hello", true));
    assert_eq!(client.trailers, [("x-sum".to_owned(), "42".to_owned())]);

    let events = within("an answer", app.executor.invoke(call(&deployment, "/"))).await.unwrap();
    let events: Vec<Event> = within("the end", events.collect()).await;
    let trailers = events.iter().find_map(|event| match event {
        Event::Trailers { fields } => Some(fields.clone()),
        _ => None,
    });
    assert_eq!(trailers, Some(vec![("x-sum".to_owned(), "42".to_owned())]));
}

#[tokio::test]
async fn a_program_may_answer_before_it_has_read_the_request() {
    let app = with(proxy().answer(200).write("early").finish()).await;
    let mut client = app.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: hello.localhost\r\ncontent-length: 1000000\r\n\r\n").await;
    let answer = client.answer(false).await;
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "early", true));
    assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_program_that_gives_no_answer_or_an_error_is_502_and_the_log_says_which() {
    for (program, code, line) in [
        (proxy(), "bad_output", "the program ended without an answer"),
        (proxy().call("fail", "", &["no tea"]), "bad_output", "no tea"),
        (proxy().answer(103), "bad_output", "the program answered with status 103"),
        (proxy().trap(), "failed", "unreachable"),
    ] {
        let app = with(program).await;
        let answer = app.get("hello", "/").await;
        assert_eq!((answer.status, answer.error().code.as_str()), (502, code), "{line}");
        let recorded = app.recorded(&answer).await;
        assert!(recorded.texts().iter().any(|text| text.contains(line)), "{:?}", recorded.texts());
        assert_eq!(recorded.receipt.status, Some(502));
    }
}

#[tokio::test]
async fn a_trap_after_the_head_leaves_a_truncated_answer() {
    let app = with(proxy().answer(200).write("part").trap()).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "part", false));
    let receipt = app.recorded(&answer).await.receipt;
    assert!(matches!(receipt.outcome, Outcome::Trap { .. }), "{:?}", receipt.outcome);
    assert_eq!(receipt.status, Some(200));
}

#[tokio::test]
async fn several_programs_answer_at_once_on_one_thread() {
    let app = with(proxy().answer(200).write("begun").pause(600_000)).await;
    let mut clients = Vec::new();
    for running in 1..=8 {
        let mut client = app.connect().await;
        client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
        client.head(false).await;
        assert_eq!(client.part().await.unwrap(), b"begun");
        assert_eq!(app.executor.running(), running);
        clients.push(client);
    }
}

#[tokio::test]
async fn a_program_has_its_handlers_own_settings_and_nothing_else() {
    let mut program = proxy().answer(200);
    for function in ["config", "config_rc"] {
        for key in ["API_KEY", "MISSING"] {
            let key = program.text(key);
            program = program
                .code(&format!("(call ${function} {key} (i32.const 128))"))
                .number("some", "(i32.load8_u (i32.const 132))");
        }
        program = program.code(&format!("(call ${function} (i32.const 0) (i32.const 0) (i32.const 128))"));
    }
    let key = program.text("API_KEY");
    let program = program
        .code(&format!("(call $config {key} (i32.const 128))"))
        .shows(136)
        .code("(call $environment (i32.const 128))")
        .number(" env", "(i32.load (i32.const 132))")
        .code("(call $config_all (i32.const 128))")
        .number(" all", "(i32.load (i32.const 136))")
        .finish();
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &program.build(), |deployment| {
        deployment.env.insert("API_KEY".to_owned(), "tea".to_owned());
        deployment.env.insert("B".to_owned(), "2".to_owned());
    })
    .await;
    let found = "some0001\nsome0000\nsome0001\nsome0000\n";
    assert_eq!(app.get("hello", "/").await.text(), format!("{found}tea env0002\n all0002\n"));
}

#[tokio::test]
async fn what_a_program_logs_has_its_level_and_its_standard_streams_are_in_the_log_too() {
    let mut program = proxy();
    for (function, level) in [("log", 0), ("log", 2), ("log_draft", 3), ("log_draft", 5)] {
        let (context, message) = (program.text("orders"), program.text(format!("level {level}")));
        program = program.code(&format!("(call ${function} (i32.const {level}) {context} {message})"));
    }
    for stream in ["stdout", "stderr"] {
        let line = program.text(format!("to {stream}\n"));
        program = program.code(&format!("(call $stream_write (call ${stream}) {line} (i32.const 128))"));
    }
    let app = with(program.answer(200).write("fine").finish()).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), "fine");
    let recorded = app.recorded(&answer).await;
    let lines: Vec<(Level, Source, &str)> =
        recorded.lines.iter().map(|line| (line.level, line.source, line.text.as_str())).collect();
    let expected = [
        (Level::DEBUG, Source::Log, "orders: level 0"),
        (Level::INFO, Source::Log, "orders: level 2"),
        (Level::WARNING, Source::Log, "orders: level 3"),
        (Level::ERROR, Source::Log, "orders: level 5"),
        (Level::INFO, Source::Stderr, "to stdout"),
        (Level::INFO, Source::Stderr, "to stderr"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn sockets_files_and_terminals_are_there_to_be_imported_and_refused() {
    let mut program = proxy().answer(200);
    for call in [
        "(call $tcp (i32.const 0) (i32.const 128))",
        "(call $tcp (i32.const 1) (i32.const 128))",
        "(call $udp (i32.const 0) (i32.const 128))",
    ] {
        // `access-denied` is 1.
        program = program
            .code(call)
            .number("fail", "(i32.load8_u (i32.const 128))")
            .number("code", "(i32.load8_u (i32.const 132))");
    }
    let app = with(
        program
            .code("(call $preopens (i32.const 128))")
            .number("dirs", "(i32.load (i32.const 132))")
            .code("(call $terminal (i32.const 128))")
            .number("term", "(i32.load8_u (i32.const 128))")
            .finish(),
    )
    .await;
    let answer = app.get("hello", "/").await;
    let denied = "fail0001\ncode0001\n".repeat(3);
    assert_eq!(answer.text(), format!("{denied}dirs0000\nterm0000\n"));
    let recorded = app.recorded(&answer).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
    let line = recorded.line("the program tried to open a socket");
    assert!(line.text.ends_with("use wasi:http") && line.level == Level::WARNING, "{line:?}");
}

#[tokio::test]
async fn a_run_prints_the_status_the_fields_and_the_body() {
    let program = proxy().field("content-type", "text/plain").field("x-tea", "green").answer(201);
    let ran_once = ran(a_run(&program.write("hello").finish().build())).await;
    assert_eq!(ran_once.output, "Status: 201\ncontent-type: text/plain\nx-tea: green\n\nhello");
    assert_eq!((ran_once.receipt.outcome, ran_once.receipt.status), (Outcome::Ok, None));
    let body = Some(Bytes::from_static(b"as it is"));
    let request = request_head("POST", "/a?b");
    let echoed = ran(Run { body, request, ..a_run(&guest("echo")) }).await;
    let (head, json) = echoed.output.split_once("\n\n").unwrap();
    assert!(head.starts_with("Status: 200\n"), "{head}");
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&json["body"], &json["query"]), (&Value::from("as it is"), &Value::from("b")));
    let failed = ran(a_run(&proxy().trap().build())).await;
    assert_eq!(failed.output, "");
    assert!(matches!(failed.receipt.outcome, Outcome::Trap { .. }), "{:?}", failed.receipt.outcome);
}
