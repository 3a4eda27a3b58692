//! Trying a handler.

use serde_json::{Value, json};

use crate::fake::SCRIPT;
use crate::handlers::{hello, line, receipt};

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

#[tokio::test]
async fn without_a_script_the_answer_is_a_page_with_head_body_log_and_receipt_as_text() {
    let (api, mut alice) = hello("owner");
    let stream = events(&[
        json!({ "event": "log", "line": line(0, 3, SCRIPT) }),
        json!({ "event": "head", "status": 418, "headers": [["x-a", SCRIPT]] }),
        // `<b>hi</b>\n`
        json!({ "event": "body", "bytes": "PGI+aGk8L2I+Cg==" }),
        json!({ "event": "end", "receipt": receipt(json!({ "kind": "bad_output", "message": SCRIPT })) }),
    ]);
    api.streams("POST /api/v1/handlers/hello/invoke", "application/x-ndjson", &stream);
    let filled = [
        ("method", "POST"),
        ("path", "/x"),
        ("headers", "accept: text/html"),
        ("body", "tea"),
        ("version", "3"),
    ];
    let page = alice.send("/handlers/hello/try", &filled).await;
    page.is(200)
        .says("Status 418")
        .says("&#60;b&#62;hi&#60;/b&#62;")
        .says("x-a: &#60;script&#62;")
        .says("bad output");
    page.says_no("<b>hi").says_no("<script>").says("<option value=\"3\" selected>").says(">tea</textarea>");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let asked = json!({
        "method": "POST", "path": "/x", "headers": [["accept", "text/html"]], "body_base64": "dGVh", "version": 3,
    });
    assert_eq!(api.told("POST /api/v1/handlers/hello/invoke"), asked);
}

#[tokio::test]
async fn what_is_no_text_is_shown_in_hexadecimal() {
    let (api, mut alice) = hello("owner");
    let stream = events(&[
        json!({ "event": "head", "status": 200, "headers": [] }),
        json!({ "event": "body", "bytes": "AGFzbf8=" }),
        json!({ "event": "end", "receipt": receipt(json!({ "kind": "ok" })) }),
    ]);
    api.streams("POST /api/v1/handlers/hello/invoke", "application/x-ndjson", &stream);
    alice.send("/handlers/hello/try", &[]).await.is(200).says("0000  00 61 73 6d ff").says("5 B, no text");
}

#[tokio::test]
async fn a_run_that_is_cut_off_is_an_error() {
    let (api, mut alice) = hello("owner");
    let stream = events(&[json!({ "event": "head", "status": 200, "headers": [] })]);
    api.streams("POST /api/v1/handlers/hello/invoke", "application/x-ndjson", &stream);
    alice
        .send("/handlers/hello/try", &[("path", "/y")])
        .await
        .is(502)
        .says("interrupted")
        .says("value=\"/y\"");
}

#[tokio::test]
async fn for_the_script_events_are_passed_on_and_errors_have_the_apis_shape() {
    let (api, mut alice) = hello("owner");
    let stream = events(&[json!({ "event": "head", "status": 200, "headers": [] })]);
    api.streams("POST /api/v1/handlers/hello/invoke", "application/x-ndjson", &stream);
    let page = alice.send("/handlers/hello/try/stream", &[]).await;
    assert_eq!((page.status, page.body.as_str()), (200, stream.as_str()));
    assert_eq!(page.headers["content-type"], "application/x-ndjson");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let page = alice.send("/handlers/hello/try/stream", &[("headers", "nonsense")]).await;
    assert_eq!(page.headers["content-type"], "application/json");
    let error: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(error["error"]["code"], "invalid", "{error}");
}
