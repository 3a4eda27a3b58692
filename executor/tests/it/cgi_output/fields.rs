//! Status, fields and line ends.

use super::{all, documents};
use crate::app::TestExecutor;
use crate::kinds::KINDS;

#[tokio::test]
async fn line_ends_may_be_lf_or_crlf() {
    for output in ["Content-Type: text/x\n\nbody\r\n", "Content-Type: text/x\r\n\r\nbody\r\n"] {
        for (kind, answer) in documents(output).await {
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/x")), "{kind:?}");
            assert_eq!((answer.text(), answer.header("content-length")), ("body\r\n", Some("6")), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_status_and_every_field_reach_the_client_each_cookie_in_its_own() {
    let output = "Status: 201 Created\r\nContent-Type: application/json\r\nX-Greeting: hello\r\nVary: Accept\r\n\
                  Vary: Cookie\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; HttpOnly\r\n\r\n{}";
    for (kind, answer, recorded) in all(|kind| kind.prints(output)).await {
        assert_eq!((answer.status, answer.text()), (201, "{}"), "{kind:?}");
        assert_eq!(answer.header("x-greeting"), Some("hello"), "{kind:?}");
        assert_eq!(answer.all("vary"), ["Accept", "Cookie"], "{kind:?}");
        assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "b=2; HttpOnly"], "{kind:?}");
        assert_eq!(recorded.receipt.status, Some(201), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_the_connections_or_the_hosts_is_stripped() {
    let documents = documents(
        "Content-Type: text/plain\nConnection: close, X-Private\nX-Private: 1\nTransfer-Encoding: gzip\n\
         X-Sendfile: /etc/passwd\nX-Accel-Redirect: /secret\nAlt-Svc: h3\nStrict-Transport-Security: max-age=1\n\
         Keep-Alive: 5\nUpgrade: h2c\nWasmcloud-Invocation: forged\nX-Kept: yes\n\nbody",
    )
    .await;
    for (kind, answer) in documents {
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "connection",
            "x-private",
            "transfer-encoding",
            "x-sendfile",
            "x-accel-redirect",
            "alt-svc",
            "strict-transport-security",
            "keep-alive",
            "upgrade",
        ] {
            assert!(!names.contains(&name), "{kind:?}: {name} in {names:?}");
        }
        assert_eq!((answer.header("x-kept"), answer.text()), (Some("yes"), "body"), "{kind:?}");
        // There is one, and it is an invocation's id.
        answer.invocation();
    }
}

#[tokio::test]
async fn the_panels_cookies_are_not_a_programs_to_set() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let output = "Set-Cookie: __Host-wasmcloud=mine; Secure; Path=/\nSet-Cookie: __Host-a=1; Secure; Path=/\n\
             Content-Type: text/plain\n\nx";
        let (answer, _) = app.try_out(kind.name(), &kind.prints(output), |_| ()).await;
        assert_eq!(answer.all("set-cookie"), ["__Host-a=1; Secure; Path=/"], "{kind:?}");
    }
}

#[tokio::test]
async fn a_cookie_stays_with_its_own_host() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let output = format!(
            "Set-Cookie: a=1; Domain=.localhost; Path=/\nSet-Cookie: b=2; Domain={}.localhost\n\
             Content-Type: text/plain\n\nx",
            kind.name()
        );
        let (answer, _) = app.try_out(kind.name(), &kind.prints(&output), |_| ()).await;
        let own = format!("b=2; Domain={}.localhost", kind.name());
        assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", &own], "{kind:?}");
    }
}
