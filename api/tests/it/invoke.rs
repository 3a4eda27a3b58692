//! Invoking through the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::json;
use wasmcloud_wire::limits::REQUEST_BODY_BYTES_MAX;
use wasmcloud_wire::{Event, HandlerId, InvocationId, InvokeError, Trigger, VersionNumber};

use crate::app::{Answer, TestApp, module, receipt};

async fn next_event(response: &mut reqwest::Response) -> Option<Event> {
    let part = response.chunk().await.unwrap()?;
    Some(serde_json::from_slice(&part).unwrap())
}

#[tokio::test]
async fn events_arrive_as_they_happen() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let happens = app.invoker.next_invocation();
    let request = alice.request("POST", "/api/v1/handlers/hello/invoke").json(&json!({}));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let head =
        Event::Head { status: 200, headers: vec![("content-type".to_owned(), "text/plain".to_owned())] };
    let body = Event::Body { bytes: Bytes::from_static(b"hello\n") };
    let end = Event::End { receipt: Box::new(receipt(HandlerId::new(), InvocationId::new())) };
    // Each is sent only after the one before was received.
    for event in [head, body, end] {
        happens.send(event.clone()).unwrap();
        assert_eq!(next_event(&mut response).await, Some(event));
    }
    drop(happens);
    assert_eq!(next_event(&mut response).await, None);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_invocation() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let happens = app.invoker.next_invocation();
    let request = alice.request("POST", "/api/v1/handlers/hello/invoke").json(&json!({}));
    let response = request.send().await.unwrap();
    drop(response);
    drop(alice);
    happens.closed().await;
}

#[tokio::test]
async fn the_request_is_what_was_asked_for() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let deployed = alice.has_handler("hello").await;
    let asked = json!({
        "method": "PUT",
        "path": "/a%20b?c=d",
        "headers": [["X-One", "1"], ["X-One", "2"]],
        "body_base64": BASE64.encode([0, 255]),
    });
    assert_eq!(alice.post("/api/v1/handlers/hello/invoke", asked).await.status, 200);
    assert_eq!(alice.post("/api/v1/handlers/hello/invoke", json!({})).await.status, 200);
    assert_eq!(alice.post("/api/v1/handlers/hello/invoke", json!({"body_base64": ""})).await.status, 200);
    let calls = app.invoker.calls();
    let [asked, plain, empty] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(asked.deployment.handler, deployed.handler.id);
    assert_eq!(asked.trigger, Trigger::Invoke);
    assert_eq!((asked.request.method.as_str(), asked.request.target.as_str()), ("PUT", "/a%20b?c=d"));
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        asked.request.headers,
        [field("x-one", "1"), field("x-one", "2"), field("host", "hello.localhost:3001")]
    );
    assert_eq!(asked.body.as_deref(), Some([0, 255].as_slice()));
    assert_eq!((asked.request.server_name.as_str(), asked.request.server_port), ("hello.localhost", 3001));
    assert_eq!(asked.request.remote_addr, "127.0.0.1");
    assert_eq!(
        (plain.request.method.as_str(), plain.request.target.as_str(), &plain.body),
        ("GET", "/", &None)
    );
    assert_eq!((empty.request.method.as_str(), empty.body.as_deref()), ("POST", Some([].as_slice())));
}

#[tokio::test]
async fn the_depth_of_calls_is_that_of_the_request_to_the_api() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let invoke = async |depths: &[&str], said: &[[&str; 2]]| {
        let mut request =
            alice.request("POST", "/api/v1/handlers/hello/invoke").json(&json!({"headers": said}));
        for depth in depths {
            request = request.header("Wasmcloud-Depth", *depth);
        }
        Answer::of(request).await
    };
    let said = [["Wasmcloud-Depth", "1"], ["wasmcloud-depth", "9"]];
    for (depths, said, passed_on) in
        [(&[][..], &[][..], &[][..]), (&[], &said, &[]), (&["4"], &[], &["4"]), (&["2", "3"], &said, &["3"])]
    {
        assert_eq!(invoke(depths, said).await.status, 200);
        let headers = app.invoker.calls().pop().unwrap().request.headers;
        let found: Vec<&str> = headers
            .iter()
            .filter(|(name, _)| name == "wasmcloud-depth")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(found, passed_on, "{depths:?} {said:?}");
    }
    let calls = app.invoker.calls().len();
    for too_deep in [&["5"][..], &["0", "6"], &["many"], &["-1"]] {
        let answer = invoke(too_deep, &[["wasmcloud-depth", "0"]]).await;
        assert!(answer.error(508, "call_depth").contains("5 handlers"), "{too_deep:?}");
    }
    assert_eq!(app.invoker.calls().len(), calls, "nothing was run");
}

#[tokio::test]
async fn any_version_can_be_invoked() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    assert_eq!(alice.update("hello", module("two")).await.status, 201);
    assert_eq!(alice.post("/api/v1/handlers/hello/invoke", json!({"version": 1})).await.status, 200);
    let call = app.invoker.calls().pop().unwrap();
    assert_eq!(call.deployment.version, VersionNumber(1));
    assert_eq!(call.request.server_name, "v1--hello.localhost");
    let missing = alice.post("/api/v1/handlers/hello/invoke", json!({"version": 9})).await;
    missing.error(404, "version_not_found");
}

#[tokio::test]
async fn what_http_cannot_carry_is_refused() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    for body in [
        json!({"method": "GE T"}),
        json!({"path": "no-slash"}),
        json!({"path": "/a\r\nb"}),
        json!({"path": format!("/{}", "a".repeat(9_000))}),
        json!({"headers": [["x-a", "b\r\nc: d"]]}),
        json!({"headers": [["bad name", "b"]]}),
        json!({"headers": vec![["x-a", "b"]; 101]}),
        json!({"body_base64": "not base64!"}),
    ] {
        alice.post("/api/v1/handlers/hello/invoke", &body).await.error(422, "invalid");
    }
    assert!(app.invoker.calls().is_empty());
}

#[tokio::test]
async fn the_largest_body_fits_and_one_byte_more_does_not() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let invoke = |bytes: usize| {
        let body = json!({"body_base64": BASE64.encode(vec![b'x'; bytes])});
        let alice = alice.clone();
        async move { alice.post("/api/v1/handlers/hello/invoke", body).await }
    };
    assert_eq!(invoke(REQUEST_BODY_BYTES_MAX).await.status, 200);
    invoke(REQUEST_BODY_BYTES_MAX + 1).await.error(413, "body_too_large");
    assert_eq!(app.invoker.calls().len(), 1);
}

#[tokio::test]
async fn a_limit_that_is_hit_says_when_to_try_again() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    for (executor_full, status, code) in [(false, 429, "too_many_invocations"), (true, 503, "executor_full")]
    {
        let busy = InvokeError::Busy {
            message: "32 invocations at once".to_owned(),
            executor_full,
            retry_after_s: 2,
        };
        *app.invoker.invokes_with.lock().unwrap() = Some(Err(busy));
        let answer = alice.post("/api/v1/handlers/hello/invoke", json!({})).await;
        assert_eq!(answer.error(status, code), "32 invocations at once");
        assert_eq!(answer.header("retry-after"), Some("2"));
    }
    let gone = InvokeError::Unavailable("connection to 10.0.0.7 refused".to_owned());
    *app.invoker.invokes_with.lock().unwrap() = Some(Err(gone));
    let answer = alice.post("/api/v1/handlers/hello/invoke", json!({})).await;
    answer.error(503, "executor_unavailable");
    assert!(!answer.text().contains("10.0.0.7"));
}
