//! Addresses that two servers could read in two ways are refused.

use crate::app::TestExecutor;
use crate::client::Answer;
use crate::wasm::prints;

async fn with_hello() -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\nhello")).await;
    app
}

async fn get(app: &TestExecutor, host: &str, target: &str) -> Answer {
    app.raw(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
}

#[tokio::test]
async fn a_host_with_credentials_or_an_impossible_port_or_two_final_dots_is_400() {
    let app = with_hello().await;
    for host in [
        "user@hello.localhost",
        "user:pw@hello.localhost",
        "@hello.localhost",
        "hello.localhost@hello.localhost",
        "hello.localhost:65536",
        "hello.localhost:99999",
        "hello.localhost:+80",
        "hello.localhost:8o",
        "hello.localhost:80:80",
        "hello.localhost..",
        "hello.localhost..:80",
        ".",
        ":80",
        "hello.localhost/",
        "hello.localhost?",
        "",
    ] {
        let answer = get(&app, host, "/").await;
        assert_eq!((answer.status, answer.error().code.as_str()), (400, "bad_host"), "{host}");
    }
    for host in ["hello.localhost:65535", "hello.localhost:", "hello.localhost.:080", "HELLO.localhost."] {
        assert_eq!(get(&app, host, "/").await.text(), "hello", "{host}");
    }
}

#[tokio::test]
async fn a_target_that_names_another_host_than_the_host_field_is_400() {
    let app = with_hello().await;
    app.deploy("other", &prints("A: b\n\nother")).await;
    for (target, host) in [
        ("http://hello.localhost/", "other.localhost"),
        ("http://other.localhost/", "hello.localhost"),
        ("http://hello.localhost:81/", "hello.localhost"),
        ("http://hello.localhost/", "hello.localhost:8080"),
        ("http://user:pw@hello.localhost/", "hello.localhost"),
        ("http://hello.localhost../", "hello.localhost"),
    ] {
        let answer = get(&app, host, target).await;
        assert_eq!((answer.status, answer.error().code.as_str()), (400, "bad_host"), "{target} {host}");
    }
    for (target, host) in [
        ("http://hello.localhost/", "hello.localhost"),
        ("http://HELLO.localhost./x", "hello.LOCALHOST:80"),
        ("http://hello.localhost:3001/", "hello.localhost:3001"),
    ] {
        assert_eq!(get(&app, host, target).await.text(), "hello", "{target} {host}");
    }
}

#[tokio::test]
async fn an_encoded_tilde_is_a_tilde() {
    let app = with_hello().await;
    for target in ["/%7Ehello/", "/%7ehello/x?y", "/a/../%7Ehello/"] {
        assert_eq!(get(&app, "127.0.0.1", target).await.text(), "hello", "{target}");
    }
    let moved = get(&app, "127.0.0.1", "/%7Ehello?a=b").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("/~hello/?a=b")));
}

#[tokio::test]
async fn a_hint_never_suggests_a_name_that_cannot_be_one() {
    let app = with_hello().await;
    for host in ["x.localhost", "a.b.localhost", "h_llo.localhost", "v3--.localhost", "admin.localhost"] {
        let error = get(&app, host, "/").await.error();
        assert!(!error.hint.contains("create"), "{host}: {}", error.hint);
    }
    let error = get(&app, "v9--hello.localhost", "/").await.error();
    assert!(error.hint.contains("wasmcloud versions hello"), "{}", error.hint);
    let error = get(&app, "nobody.localhost", "/").await.error();
    assert!(error.hint.contains("wasmcloud create FILE --name nobody"), "{}", error.hint);
}

#[tokio::test]
async fn an_answer_with_more_than_100_fields_is_502() {
    let app = TestExecutor::start().await;
    let answer = |fields: usize| prints(&("X-A: b\n".repeat(fields) + "\nfits"));
    app.deploy("hello", &answer(100)).await;
    assert_eq!(app.get("hello", "/").await.text(), "fits");
    let (refused, recorded) = app.try_out("hello", &answer(101), |_| ()).await;
    assert_eq!((refused.status, refused.error().code.as_str()), (502, "bad_output"));
    recorded.line("too many fields");
}
