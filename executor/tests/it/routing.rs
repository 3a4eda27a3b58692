//! Which handler a request is for, and what the program is told of its address.

use tempfile::TempDir;
use wasmcloud_executor::Edge;
use wasmcloud_wire::VersionNumber;

use crate::app::{TestExecutor, WORKER_ID};
use crate::bodies::variables;
use crate::client::Answer;
use crate::control::Control;
use crate::wasm::{fixture, prints};

async fn with_env() -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("env")).await;
    app
}

async fn get(app: &TestExecutor, host: &str, target: &str) -> Answer {
    app.raw(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
}

#[tokio::test]
async fn a_host_names_a_handler_with_any_port_in_any_case_and_with_a_final_dot() {
    let app = with_env().await;
    for (host, name, port) in [
        ("hello.localhost", "hello.localhost", "80"),
        ("hello.localhost:3001", "hello.localhost", "3001"),
        ("HELLO.LocalHost", "hello.localhost", "80"),
        ("hello.localhost.", "hello.localhost", "80"),
        ("Hello.LOCALHOST.:8080", "hello.localhost", "8080"),
    ] {
        let answer = get(&app, host, "/a/b?c").await;
        assert_eq!(answer.status, 404, "the fixture looks for a variable called c");
        let answer = get(&app, host, "/a/b").await;
        let seen = variables(answer.text());
        assert_eq!((seen["SERVER_NAME"], seen["SERVER_PORT"]), (name, port), "{host}");
        assert_eq!((seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["REQUEST_URI"]), ("", "/a/b", "/a/b"));
        assert_eq!(seen["HTTP_HOST"], host);
    }
}

#[tokio::test]
async fn a_program_is_told_what_cgi_owes_it_and_nothing_else() {
    let app = with_env().await;
    let request = "GET / HTTP/1.1\r\nhost: hello.localhost\r\naccept: a\r\naccept: b\r\ncookie: x=1\r\ncookie: y=2; __Host-wasmcloud=panels\r\n\
                   proxy: evil\r\nauthorization: Bearer secret\r\nuser-agent: test\r\n\r\n";
    let answer = app.raw(request).await;
    let seen = variables(answer.text());
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("QUERY_STRING", ""),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("HTTP_ACCEPT", "a, b"),
        ("HTTP_COOKIE", "x=1; y=2"),
        ("HTTP_USER_AGENT", "test"),
        ("WORKER_ID", WORKER_ID),
        ("RUN_ID", &answer.invocation().to_string()),
    ] {
        assert_eq!(seen[name], value, "{name}");
    }
    assert!(seen["SERVER_SOFTWARE"].starts_with("wasmcloud/"));
    for name in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "PATH_TRANSLATED", "HTTPS", "AUTH_TYPE", "REMOTE_USER"] {
        assert!(!seen.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn authorization_reaches_a_handler_that_asks_for_it() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &fixture("env"), |deployment| deployment.forward_authorization = true).await;
    let request = "GET / HTTP/1.1\r\nhost: hello.localhost\r\nauthorization: Bearer secret\r\n\r\n";
    assert_eq!(variables(app.raw(request).await.text())["HTTP_AUTHORIZATION"], "Bearer secret");
}

#[tokio::test]
async fn a_handlers_own_environment_never_overrides_cgi() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &fixture("env"), |deployment| {
        for (name, value) in
            [("OWN", "mine"), ("SERVER_NAME", "evil"), ("HTTP_HOST", "evil"), ("RUN_ID", "evil")]
        {
            deployment.env.insert(name.to_owned(), value.to_owned());
        }
    })
    .await;
    assert_eq!(app.get("hello", "/?OWN").await.text(), "mine");
    for name in ["SERVER_NAME", "HTTP_HOST", "RUN_ID"] {
        assert_ne!(app.get("hello", &format!("/?{name}")).await.text(), "evil");
    }
}

#[tokio::test]
async fn a_pinned_version_answers_whatever_is_live() {
    let app = TestExecutor::start().await;
    for text in ["one", "two", "three"] {
        app.deploy("hello", &prints(&format!("A: b\n\n{text}"))).await;
    }
    for (host, text) in
        [("hello", "three"), ("v1--hello", "one"), ("v2--hello", "two"), ("v3--hello", "three")]
    {
        let answer = app.get(host, "/").await;
        assert_eq!(answer.text(), text, "{host}");
        let receipt = app.recorded(&answer).await.receipt;
        let version = ["one", "two", "three"].iter().position(|known| *known == text).unwrap() as u32 + 1;
        assert_eq!(receipt.version, VersionNumber(version));
    }
    let answer = app.raw("GET /~v2--hello/ HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(answer.text(), "two");
    let answer = app.get("v4--hello", "/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (404, "handler_not_found"));
    // Asking for a version that does not exist takes nothing from the handler.
    assert_eq!(app.get("hello", "/").await.text(), "three");
}

#[tokio::test]
async fn below_a_tilde_a_path_names_a_handler() {
    let app = with_env().await;
    let answer = get(&app, "127.0.0.1:3001", "/~hello/a%20b/c").await;
    let seen = variables(answer.text());
    assert_eq!((seen["SCRIPT_NAME"], seen["PATH_INFO"]), ("/~hello", "/a b/c"));
    assert_eq!((seen["REQUEST_URI"], seen["SERVER_NAME"]), ("/~hello/a%20b/c", "127.0.0.1"));
    assert_eq!(app.recorded(&answer).await.receipt.path, "/a%20b/c");
}

#[tokio::test]
async fn a_tilde_address_without_its_slash_is_moved() {
    let app = with_env().await;
    for (target, to) in [("/~hello", "/~hello/"), ("/~hello?a=b", "/~hello/?a=b")] {
        let answer = get(&app, "127.0.0.1", target).await;
        assert_eq!((answer.status, answer.header("location")), (308, Some(to)));
    }
}

#[tokio::test]
async fn dots_never_lead_from_one_handler_to_another_unnoticed() {
    let app = with_env().await;
    app.deploy("other", &prints("A: b\n\nother")).await;
    for target in ["/~hello/../~other/", "/~hello/%2e%2e/~other/", "/~hello/./.%2E/~other/x"] {
        assert_eq!(get(&app, "127.0.0.1", target).await.text(), "other", "{target}");
    }
    // By host there is one handler, and its path never climbs above its root.
    let answer = get(&app, "hello.localhost", "/a/../../%2e%2e/b/./c").await;
    assert_eq!(variables(answer.text())["PATH_INFO"], "/b/c");
}

#[tokio::test]
async fn a_path_with_nul_or_half_an_escape_is_400() {
    let app = with_env().await;
    for (target, part) in [("/a%00b", "NUL"), ("/a%0", "%25"), ("/a%zz", "hexadecimal")] {
        for target in [target.to_owned(), format!("/~hello{target}")] {
            let host = if target.starts_with("/~") { "127.0.0.1" } else { "hello.localhost" };
            let answer = get(&app, host, &target).await;
            assert_eq!((answer.status, answer.error().code.as_str()), (400, "bad_request"), "{target}");
            assert!(answer.error().message.contains(part), "{}", answer.error().message);
        }
    }
}

#[tokio::test]
async fn unknown_names_are_404_and_say_how_to_create_them() {
    let app = with_env().await;
    let answer = app.get("nobody", "/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (404, "handler_not_found"));
    assert!(answer.error().message.contains("nobody") && answer.error().hint.contains("--name nobody"));
    for host in ["a.b.localhost", "x.localhost", "admin.localhost", "v3--.localhost", "h_llo.localhost"] {
        let answer = get(&app, host, "/").await;
        assert_eq!((answer.status, answer.error().code.as_str()), (404, "handler_not_found"), "{host}");
    }
    let answer = get(&app, "127.0.0.1", "/~nobody/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (404, "handler_not_found"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn hosts_that_are_no_handlers_are_404_and_say_where_handlers_are() {
    let app = with_env().await;
    for host in ["example.com", "localhost", "hellolocalhost", "127.0.0.1", "[::1]:80"] {
        let answer = get(&app, host, "/").await;
        assert_eq!((answer.status, answer.error().code.as_str()), (404, "not_a_handler"), "{host}");
        assert!(answer.error().hint.contains("handlers answer at NAME.localhost;"));
    }
}

#[tokio::test]
async fn tilde_addresses_are_off_where_the_operator_did_not_turn_them_on() {
    let cache = TempDir::new().unwrap();
    let edge = Edge { domain: "example.org".to_owned(), by_path: false, trusted_proxies: Default::default() };
    let app = TestExecutor::start_with(cache.path(), Control::default(), edge).await;
    app.deploy("hello", &prints("A: b\n\nhello")).await;
    assert_eq!(get(&app, "hello.example.org", "/").await.text(), "hello");
    assert_eq!(get(&app, "127.0.0.1", "/~hello/").await.status, 404);
    assert_eq!(get(&app, "hello.localhost", "/").await.status, 404);
}

#[tokio::test]
async fn an_edge_domain_may_be_written_in_any_case_and_with_a_final_dot() {
    let cache = TempDir::new().unwrap();
    let edge =
        Edge { domain: "Example.ORG.".to_owned(), by_path: false, trusted_proxies: Default::default() };
    let app = TestExecutor::start_with(cache.path(), Control::default(), edge).await;
    app.deploy("hello", &prints("A: b\n\nhello")).await;
    assert_eq!(get(&app, "hello.example.org", "/").await.text(), "hello");
}

#[tokio::test]
async fn http_1_0_needs_no_host_where_a_path_says_it() {
    let app = with_env().await;
    let answer = app.raw("GET /~hello/ HTTP/1.0\r\n\r\n").await;
    let seen = variables(answer.text());
    assert_eq!((seen["SERVER_NAME"], seen["SERVER_PROTOCOL"]), ("127.0.0.1", "HTTP/1.0"));
    assert_eq!(seen["SERVER_PORT"], app.addr.port().to_string());
    let answer = app.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (404, "not_a_handler"));
}

#[tokio::test]
async fn an_absolute_target_names_the_host() {
    let app = with_env().await;
    let answer = app.raw("GET http://hello.localhost/x HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    assert_eq!(variables(answer.text())["PATH_INFO"], "/x");
}

#[tokio::test]
async fn methods_keep_their_case_and_need_not_be_known() {
    let app = with_env().await;
    for method in ["GET", "PATCH", "PROPFIND", "get", "X-Odd!"] {
        let answer = app.request(method, "hello", "/?REQUEST_METHOD", None).await;
        assert_eq!(answer.text(), method);
    }
}

#[tokio::test]
async fn requests_that_name_no_path_are_refused() {
    let app = with_env().await;
    assert_eq!(app.request("OPTIONS", "hello", "*", None).await.status, 400);
    let answer = app.raw("CONNECT hello.localhost:80 HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    assert_eq!(answer.status, 501);
}
