//! Every error has one shape, and what went wrong inside stays inside.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wasmcloud_wire::limits::JSON_BODY_BYTES_MAX;

use crate::app::{Answer, TestApp};

#[tokio::test]
async fn an_address_without_anything_is_404_for_every_method() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    for path in ["/api", "/api/v1", "/api/v2/handlers", "/api/v1/handlers/a/b/c", "/internal/v1"] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            alice.send(method, path, "").await.error(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_405_and_says_which_it_takes() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        ("GET", "/api/v1/login", "POST"),
        ("POST", "/api/v1/whoami", "GET, HEAD"),
        ("PUT", "/api/v1/handlers/hello", "DELETE, GET, HEAD, PATCH"),
        ("DELETE", "/api/v1/handlers", "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
    ] {
        let answer = app.anonymous().send(method, path, "").await;
        answer.error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    app.anonymous().send("BREW", "/api/v1/handlers", "").await.error(405, "method_not_allowed");
}

#[tokio::test]
async fn a_form_cannot_change_the_method() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let request = alice.request("POST", "/api/v1/handlers/hello");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body("_method=delete");
    Answer::of(request).await.error(405, "method_not_allowed");
}

#[tokio::test]
async fn json_that_cannot_be_read_says_where_it_is_wrong() {
    let app = TestApp::start().await;
    for (body, status, code, where_) in [
        ("", 400, "malformed_json", "line 1 column 0"),
        ("{\"username\":", 400, "malformed_json", "line 1 column 12"),
        ("{\n\"username\" \"alice\"}", 400, "malformed_json", "line 2"),
        ("[]", 422, "invalid_body", "line 1"),
        ("{\"username\":\"alice\"}", 422, "invalid_body", "password"),
        ("{\"username\":1,\"password\":\"x\"}", 422, "invalid_body", "line 1 column 13"),
        ("{\"username\":\"a\",\"password\":\"x\",\"admin\":true}", 422, "invalid_body", "admin"),
        ("{\"username\":\"\u{fffd}\",\"password\":\"x\"} trailing", 400, "malformed_json", "trailing"),
    ] {
        let message = app.anonymous().send("POST", "/api/v1/login", body).await.error(status, code);
        assert!(message.contains(where_), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_body_above_its_limit_is_413() {
    let app = TestApp::start().await;
    let body = vec![b' '; JSON_BODY_BYTES_MAX + 1];
    app.anonymous().send("POST", "/api/v1/login", body).await.error(413, "body_too_large");
}

#[tokio::test]
async fn a_failure_of_ours_says_nothing_about_its_cause() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    app.store.close().await;
    for path in ["/api/v1/handlers", "/readyz", "/api/v1/readyz"] {
        let answer = alice.get(path).await;
        answer.error(503, "unavailable");
        let text = answer.text().to_lowercase();
        for inside in ["sql", "pool", "database", "store"] {
            assert!(!text.contains(inside), "{path}: {text}");
        }
    }
    let internal = app.executor().get("/internal/v1/resolve/hello").await;
    internal.error(503, "unavailable");
    let body = json!({"username": "alice", "password": "not the password"});
    app.anonymous().post("/api/v1/login", body).await.error(503, "unavailable");
    // The process is alive all the same.
    assert_eq!(alice.get("/healthz").await.good::<Value>(200), json!({"status": "ok"}));
}

#[tokio::test]
async fn every_answer_carries_its_request_id_and_is_kept_by_nobody() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let mut ids = Vec::new();
    for path in ["/healthz", "/readyz", "/api/v1/whoami", "/api/v1/nothing", "/api/v1/handlers/none"] {
        let answer = alice.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!(distinct, ids);
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_answer() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let whole = alice.get("/api/v1/whoami").await;
    let head = alice.send("HEAD", "/api/v1/whoami", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
}

/// One request in raw bytes, on a connection of its own.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn field_names_may_be_written_in_any_case() {
    let app = TestApp::start().await;
    let token = app.user("alice").await.token.unwrap();
    for name in ["authorization", "Authorization", "AUTHORIZATION"] {
        let request = format!(
            "GET /api/v1/whoami HTTP/1.1\r\nhOsT: x\r\n{name}: Bearer {token}\r\nCONNECTION: close\r\n\r\n"
        );
        let answer = raw(&app, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {answer}");
        assert!(answer.ends_with('}') && answer.contains("\"alice\""), "{name}: {answer}");
    }
}

#[tokio::test]
async fn odd_targets_are_answered_in_the_one_shape() {
    let app = TestApp::start().await;
    for target in [
        "/api/v1//whoami",
        "/api/%00",
        "/api/v1/handlers/%ff",
        "/api/v1/handlers/%2e%2e",
        "/api/a|b",
        "/api/[x]",
    ] {
        let answer =
            raw(&app, &format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((400..500).contains(&status), "{target}: {head}");
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{target}: {answer}"));
        assert!(body["error"]["code"].is_string(), "{target}: {body}");
    }
}

#[tokio::test]
async fn what_is_not_the_apis_is_the_panels_and_says_no_more_than_a_page_does() {
    let app = TestApp::start().await;
    for (target, wanted) in [
        ("/", 303),
        ("//", 303),
        ("/etc/passwd", 404),
        ("/%00", 404),
        ("/a|b", 404),
        ("/[x]", 404),
        ("/%61pi/v1", 404),
    ] {
        let answer =
            raw(&app, &format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted} ")), "{target}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{target}: {answer}");
    }
}
