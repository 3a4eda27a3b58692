//! The CGI variables as programs of every kind see them: items 1 to 9 of the checklist, over real HTTP. What each
//! variable is made of has its own tests in `cgi/`.

use std::collections::BTreeMap;

use crate::app::{DOMAIN, TestExecutor, WORKER_ID};
use crate::bodies::variables;
use crate::kinds::{KINDS, Kind, WASI_KINDS};

/// What a program of this kind sees of a request with this head, its host left out.
async fn seen(app: &TestExecutor, kind: Kind, head: &str) -> BTreeMap<String, String> {
    let (first, fields) = head.split_once('\n').unwrap_or((head, ""));
    let fields = fields.replace('\n', "\r\n");
    let host = format!("host: {}.{DOMAIN}\r\n", kind.name());
    let answer = app.raw(format!("{first} HTTP/1.1\r\n{host}{fields}\r\n")).await;
    assert_eq!(answer.status, 200, "{kind:?} {head:?}: {answer:?}");
    variables(answer.text()).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn with_settings(settings: &[(&str, &str)], forward_authorization: bool) -> TestExecutor {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy_with(kind.name(), &kind.shows_environment(), |deployment| {
            let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            deployment.env = settings.collect();
            deployment.forward_authorization = forward_authorization;
        })
        .await;
    }
    app
}

/// Programs of these kinds are given all variables that there are; that of Olin asks for those that it knows.
fn knows(kind: Kind, name: &str) -> bool {
    kind != Kind::Olin || !name.starts_with("HTTP_X_") && !name.starts_with("OWN_")
}

#[tokio::test]
async fn a_program_knows_the_request_the_server_and_its_own_run() {
    let app = with_settings(&[], false).await;
    // That of Olin answers a query with one variable alone.
    for kind in WASI_KINDS {
        let seen =
            seen(&app, kind, "GET /some/p%61th?a=%20b\ncontent-type: text/x\naccept: a\naccept: b\n").await;
        let host = format!("{}.{DOMAIN}", kind.name());
        for (name, value) in [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", &host),
            ("HTTP_HOST", &host),
            ("SERVER_PORT", "80"),
            ("REQUEST_METHOD", "GET"),
            ("QUERY_STRING", "a=%20b"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/some/path"),
            ("REQUEST_URI", "/some/p%61th?a=%20b"),
            ("CONTENT_TYPE", "text/x"),
            ("HTTP_ACCEPT", "a, b"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("WORKER_ID", WORKER_ID),
        ] {
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{kind:?}: {name} in {seen:?}");
        }
        assert!(seen["SERVER_SOFTWARE"].starts_with("wasmcloud"), "{kind:?}: {seen:?}");
        for name in ["CONTENT_LENGTH", "PATH_TRANSLATED", "HTTPS"] {
            assert!(!seen.contains_key(name), "{kind:?}: {name} in {seen:?}");
        }
    }
}

#[tokio::test]
async fn without_a_query_every_kind_sees_the_same() {
    let app = with_settings(&[], false).await;
    let mut all = Vec::new();
    for kind in KINDS {
        let head =
            "OPTIONS /p%C3%A4th/..%2f/x\naccept: a\naccept: b\ncookie: a=1\ncookie: b=2\nuser-agent: test\n";
        let mut seen = seen(&app, kind, head).await;
        assert_eq!(seen["REQUEST_METHOD"], "OPTIONS", "{kind:?}");
        assert_eq!(seen["QUERY_STRING"], "", "{kind:?}");
        assert_eq!(seen["HTTP_COOKIE"], "a=1; b=2", "{kind:?}");
        assert_eq!(seen["HTTP_ACCEPT"], "a, b", "{kind:?}");
        // These differ from one request to the next.
        for name in ["RUN_ID", "HTTP_HOST", "SERVER_NAME"] {
            assert!(seen.remove(name).is_some_and(|value| !value.is_empty()), "{kind:?}: {name}");
        }
        all.push(seen);
    }
    assert_eq!(all[1], all[2], "both WASI kinds are given the same");
    assert_eq!(all[0], all[1], "and the names that a program of Olin asks for are all that there are");
}

#[tokio::test]
async fn fields_that_could_be_taken_for_something_else_reach_no_program() {
    let app = with_settings(&[], false).await;
    for kind in KINDS {
        let head = "GET /\nproxy: http://evil.example\nx_under_score: 1\nx.dot: 2\nx-good: 3\nauthorization: Basic eA==\n";
        let seen = seen(&app, kind, head).await;
        for name in [
            "HTTP_PROXY",
            "HTTP_X_UNDER_SCORE",
            "HTTP_X.DOT",
            "HTTP_AUTHORIZATION",
            "AUTH_TYPE",
            "REMOTE_USER",
        ] {
            assert_eq!(seen.get(name), None, "{kind:?}: {name}");
        }
        if knows(kind, "HTTP_X_GOOD") {
            assert_eq!(seen["HTTP_X_GOOD"], "3", "{kind:?}");
        }
    }
}

#[tokio::test]
async fn credentials_reach_a_program_whose_handler_opted_in() {
    let app = with_settings(&[], true).await;
    for kind in KINDS {
        let seen = seen(&app, kind, "GET /\nauthorization: Basic eA==\n").await;
        assert_eq!(seen.get("HTTP_AUTHORIZATION").map(String::as_str), Some("Basic eA=="), "{kind:?}");
        assert!(!seen.contains_key("AUTH_TYPE") && !seen.contains_key("REMOTE_USER"), "{kind:?}");
    }
}

#[tokio::test]
async fn settings_reach_a_program_and_override_no_variable_of_the_request() {
    let settings = [
        ("OWN_KEY", "own value"),
        ("REQUEST_METHOD", "FORGED"),
        ("QUERY_STRING", "forged"),
        ("HTTP_ACCEPT", "forged"),
        ("HTTP_X_NEW", "forged"),
        ("CONTENT_LENGTH", "7"),
    ];
    let app = with_settings(&settings, false).await;
    for kind in KINDS {
        let seen = seen(&app, kind, "GET /\n").await;
        assert_eq!((seen["REQUEST_METHOD"].as_str(), seen["QUERY_STRING"].as_str()), ("GET", ""), "{kind:?}");
        for name in ["HTTP_ACCEPT", "HTTP_X_NEW", "CONTENT_LENGTH"] {
            assert_eq!(seen.get(name), None, "{kind:?}: {name}");
        }
        if knows(kind, "OWN_KEY") {
            assert_eq!(seen["OWN_KEY"], "own value", "{kind:?}");
        }
    }
}
