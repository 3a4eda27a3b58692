use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::user::User;

const INVOCATION: &str = "01936a3e-0000-7000-8000-000000000009";

fn receipt(outcome: &Value) -> Value {
    json!({
        "invocation": INVOCATION, "handler": null, "version": 1,
        "digest": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "abi": "olin",
        "executor": "e", "trigger": "invoke", "method": "POST", "path": "/", "started_at": 951782400000i64,
        "wall_us": 1234, "gas": 56789, "memory_peak_bytes": 65536, "host_calls": {"io_get_stdout": 1}, "urls": [],
        "bytes_in": 3, "bytes_out": 5, "log_lines": 1, "log_lines_dropped": 0, "status": 200, "outcome": outcome,
    })
}

fn line(text: &str) -> Value {
    json!({
        "invocation": INVOCATION, "seq": 0, "at": 951782400000i64, "level": 6, "source": "stderr", "text": text,
    })
}

fn events(outcome: &Value) -> Answer {
    let events = [
        json!({"event": "log", "line": line("steeping")}),
        json!({"event": "head", "status": 200, "headers": [["content-type", "text/plain"]]}),
        json!({"event": "body", "bytes": "aGVs"}),
        json!({"event": "body", "bytes": "bG8="}),
        json!({"event": "end", "receipt": receipt(outcome)}),
    ];
    Answer::new(200, events.iter().map(|event| format!("{event}\n")).collect::<String>())
}

#[test]
fn invoke_shows_the_answer_on_stdout_and_the_rest_on_stderr() {
    let api = Api::start([("POST /api/v1/handlers/hello/invoke", events(&json!({"kind": "ok"})))]);
    let done = User::logged_in_at(&api.url)
        .run(&["invoke", "hello", "--data", "tea", "--path", "/a?b", "-H", "X-Kind: green", "--version", "2"])
        .good();
    assert_eq!(done.stdout, "hello");
    done.says("stderr info: steeping")
        .says("receipt 200, ok, 1.234 ms, 56 789 gas")
        .says("io_get_stdout × 1");
    let request: Value = serde_json::from_slice(&api.request().body).unwrap();
    assert_eq!(
        request,
        json!({"path": "/a?b", "headers": [["x-kind", "green"]], "body_base64": "dGVh", "version": 2})
    );
}

#[test]
fn an_invocation_that_failed_exits_with_7() {
    let trap = json!({"kind": "trap", "message": "unreachable in main"});
    let api = Api::start([("POST /api/v1/handlers/hello/invoke", events(&trap))]);
    let done = User::logged_in_at(&api.url).run(&["invoke", "hello"]).code(7);
    done.says("trapped: unreachable in main");
}

#[test]
fn invoke_as_json_gives_the_events_one_a_line() {
    let api = Api::start([("POST /api/v1/handlers/hello/invoke", events(&json!({"kind": "ok"})))]);
    let done = User::logged_in_at(&api.url).run(&["invoke", "hello", "--json"]).good();
    let kinds: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(kinds, ["log", "head", "body", "body", "end"]);
    assert_eq!(done.stderr, "");
}

#[test]
fn invoke_can_show_the_answers_head() {
    let api = Api::start([("POST /api/v1/handlers/hello/invoke", events(&json!({"kind": "ok"})))]);
    let done = User::logged_in_at(&api.url).run(&["invoke", "hello", "--include"]).good();
    assert_eq!(done.stdout, "HTTP/1.1 200\ncontent-type: text/plain\n\nhello");
}

#[test]
fn the_body_comes_from_stdin_or_a_file_or_is_not_there() {
    let answers = || ("POST /api/v1/handlers/hello/invoke", events(&json!({"kind": "ok"})));
    let api = Api::start([answers(), answers(), answers(), answers()]);
    let user = User::logged_in_at(&api.url);
    let file = format!("@{}", user.file("body", "tea"));
    user.run_with_input(&["invoke", "hello"], "tea").good();
    user.run(&["invoke", "hello", "--data", &file]).good();
    user.run(&["invoke", "hello"]).good();
    user.run(&["invoke", "hello", "--data", ""]).good();
    let bodies: Vec<Value> = api
        .requests()
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["body_base64"].clone())
        .collect();
    assert_eq!(bodies, [json!("dGVh"), json!("dGVh"), Value::Null, json!("")]);
}

#[test]
fn an_answer_that_breaks_off_is_no_success() {
    let head = format!("{}\n", json!({"event": "head", "status": 200, "headers": []}));
    let api = Api::start([("POST /api/v1/handlers/hello/invoke", Answer::new(200, head))]);
    User::logged_in_at(&api.url).run(&["invoke", "hello"]).code(6).says("broke off");
}

#[test]
fn logs_are_printed_oldest_first_with_what_was_asked_for() {
    let lines = Answer::json(&json!({"lines": [line("one"), line("two")]}));
    let api = Api::start([("GET /api/v1/handlers/hello/logs", lines)]);
    let done = User::logged_in_at(&api.url)
        .run(&["logs", "hello", "-n", "2", "--since", "2000-02-29", "--invocation", INVOCATION])
        .good();
    let texts: Vec<&str> = done.stdout.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(api.request().query, format!("limit=2&since=951782400000&invocation={INVOCATION}"));
}

fn sse(id: u32, name: &str, data: &Value) -> String {
    format!("id: {id}-0\nevent: {name}\ndata: {data}\n\n")
}

#[test]
fn a_followed_log_goes_on_where_the_connection_was_lost() {
    let first = Answer::new(200, sse(7, "line", &line("one")) + "id: 8-0\nevent: line\ndata: {\"cut");
    let second =
        Answer::new(200, sse(8, "line", &line("two")) + &sse(9, "receipt", &receipt(&json!({"kind": "ok"}))));
    let api = Api::start([
        ("GET /api/v1/handlers/hello/logs", first),
        ("GET /api/v1/handlers/hello/logs", second.stays_open()),
    ]);
    let done = User::logged_in_at(&api.url)
        .run(&["logs", "hello", "--follow", "--invocation", INVOCATION])
        .good()
        .says("connection lost");
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{done:?}");
    assert!(
        lines[0].ends_with("one") && lines[1].ends_with("two") && lines[2].contains("receipt"),
        "{done:?}"
    );
    let requests = api.requests();
    assert!(requests[0].query.ends_with("follow=true"), "{requests:?}");
    assert_eq!(requests[0].header("last-event-id"), None);
    assert_eq!(requests[1].header("last-event-id"), Some("7-0"));
}

#[test]
fn following_ends_when_the_server_refuses() {
    let api = Api::start([
        ("GET /api/v1/handlers/hello/logs", Answer::new(200, sse(7, "line", &line("one")))),
        ("GET /api/v1/handlers/hello/logs", Answer::error(401, "unauthorized")),
    ]);
    User::logged_in_at(&api.url).run(&["logs", "hello", "--follow"]).code(3).says("unauthorized");
}

#[test]
fn ctrl_c_ends_following() {
    let open = Answer::new(200, sse(7, "line", &line("one"))).stays_open();
    let api = Api::start([("GET /api/v1/handlers/hello/logs", open)]);
    let user = User::logged_in_at(&api.url);
    let mut child = user.command(&["logs", "hello", "--follow", "--json"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["event"], "log");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(130), ""));
}

#[test]
fn invocations_are_listed_and_one_is_shown_whole() {
    let api = Api::start([
        (
            "GET /api/v1/handlers/hello/invocations",
            Answer::json(&json!({"receipts": [receipt(&json!({"kind": "ok"}))]})),
        ),
        (
            "GET /api/v1/handlers/hello/invocations/01936a3e-0000-7000-8000-000000000009",
            Answer::json(&json!({"receipt": receipt(&json!({"kind": "ok"})), "lines": [line("steeping")]})),
        ),
    ]);
    let user = User::logged_in_at(&api.url);
    let list = user.run(&["invocations", "hello", "-n", "5"]).good();
    assert!(list.stdout.contains(INVOCATION) && list.stdout.contains("1.234 ms"), "{list:?}");
    assert_eq!(api.request().query, "limit=5");
    let one = user.run(&["invocations", "hello", INVOCATION]).good();
    assert!(one.stdout.contains("56 789 gas") && one.stdout.contains("steeping"), "{one:?}");
}
