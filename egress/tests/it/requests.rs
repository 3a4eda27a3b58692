//! What a server is sent, and what comes back.

use bytes::Bytes;
use http::{Method, Request};
use wasmcloud_egress::{EgressError, OutboundLimits, Redirects, Usage};

use crate::harness::{Reply, Server, fetch, get, loopback, ok, session, session_of, settings};

#[tokio::test]
async fn a_request_is_framed_by_the_host() {
    let server = Server::start(|_| ok("done")).await;
    let session = session(OutboundLimits::default());
    let request = Request::post(server.named("a.example", "/p?q=1"))
        .header("Host", "other.example")
        .header("Content-Length", "99")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close, X-Secret-Hop")
        .header("X-Secret-Hop", "1")
        .header("Keep-Alive", "1")
        .header("Upgrade", "h2c")
        .header("Proxy-Authorization", "Basic x")
        .header("Expect", "100-continue")
        .header("X-Kept", "yes")
        .body(Bytes::from_static(b"abc"))
        .unwrap();
    session.http(request, Redirects::Follow).await.unwrap();
    let seen = server.requests().remove(0).to_lowercase();
    assert!(seen.starts_with("post /p?q=1 http/1.1\r\n") && seen.ends_with("\r\n\r\nabc"), "{seen}");
    for line in
        [format!("host: a.example:{}", server.port()), "content-length: 3".into(), "x-kept: yes".into()]
    {
        assert_eq!(seen.matches(&line).count(), 1, "{line} in {seen}");
    }
    for gone in ["other.example", "chunked", "secret-hop", "keep-alive", "upgrade", "proxy-", "expect"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[tokio::test]
async fn the_host_names_itself_and_stamps_what_it_must() {
    let server = Server::start(|_| ok("")).await;
    let fields = [("wasmcloud-depth".parse().unwrap(), "2".parse().unwrap())].into_iter().collect();
    let session = session(OutboundLimits::default()).stamped(fields);
    let request = Request::get(server.url("/")).header("Wasmcloud-Depth", "0").body(Bytes::new()).unwrap();
    session.http(request, Redirects::Follow).await.unwrap();
    let seen = server.requests().remove(0).to_lowercase();
    assert!(seen.contains("user-agent: wasmcloud\r\n"), "{seen}");
    assert!(seen.contains("wasmcloud-depth: 2\r\n") && !seen.contains("depth: 0"), "{seen}");
}

#[tokio::test]
async fn an_answer_arrives_as_it_was_sent() {
    let reply = b"HTTP/1.1 418 Short\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\n\x1f\x8b\x08\r\n0\r\n\r\n";
    let server = Server::start(move |_| Reply::Send(reply.to_vec())).await;
    let session = session(OutboundLimits::default());
    let answer = session.http(get(&server.url("/")), Redirects::Follow).await.unwrap();
    assert_eq!(answer.status(), 418);
    let fields = answer.headers().clone();
    assert_eq!(fields["content-encoding"], "gzip");
    assert_eq!(fields.get_all("set-cookie").iter().count(), 2);
    assert!(!fields.contains_key("transfer-encoding") && !fields.contains_key("connection"));
    assert_eq!(answer.into_body().collect().await.unwrap(), &b"\x1f\x8b\x08"[..]);

    // Nothing was learned from it: no cookie goes back.
    session.http(get(&server.url("/")), Redirects::Follow).await.unwrap();
    assert!(!server.requests()[1].to_lowercase().contains("cookie"));
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let server = Server::start(|_| ok("")).await;
    let session = session(OutboundLimits::default());
    for method in [Method::POST, Method::PUT, Method::GET, Method::DELETE] {
        let request = Request::builder().method(method).uri(server.url("/")).body(Bytes::new()).unwrap();
        session.http(request, Redirects::Follow).await.unwrap();
    }
    let lengths: Vec<bool> =
        server.requests().iter().map(|text| text.to_lowercase().contains("content-length: 0\r\n")).collect();
    assert_eq!(lengths, [true, true, false, false]);
}

#[tokio::test]
async fn connections_are_reused_within_an_invocation_and_not_beyond_it() {
    let server = Server::start(|_| ok("x")).await;
    let egress = wasmcloud_egress::Egress::with_resolver(settings(), loopback()).unwrap();
    let policy = std::sync::Arc::new(wasmcloud_egress::Policy::allow_all().unwrap());
    for invocation in 1..=2 {
        let session = egress.session(policy.clone());
        for _ in 0..3 {
            fetch(&session, &server.named("a.example", "/")).await.unwrap();
        }
        assert_eq!(server.accepted(), invocation);
    }
}

#[tokio::test]
async fn what_was_used_is_counted() {
    let server = Server::start(|_| ok("four")).await;
    let session = session(OutboundLimits::default());
    let request = Request::post(server.url("/a")).body(Bytes::from_static(b"abc")).unwrap();
    session.http(request, Redirects::Follow).await.unwrap().into_body().collect().await.unwrap();
    fetch(&session, &server.url("/b")).await.unwrap();
    fetch(&session, &server.url("/b")).await.unwrap();
    let urls = vec![server.url("/a"), server.url("/b")];
    assert_eq!(session.usage(), Usage { requests: 3, bytes_sent: 3, bytes_received: 12, urls });
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_refused_with_its_reason() {
    let session = session_of(settings(), loopback());
    let send = async |request: http::request::Builder| {
        session.http(request.body(Bytes::new()).unwrap(), Redirects::Follow).await.err().unwrap().to_string()
    };
    assert!(send(Request::get("/path")).await.contains("not a whole URL"));
    assert!(send(Request::connect("http://a.example/")).await.contains("CONNECT"));
    assert!(send(Request::get("http://a.example/").header("x", "y".repeat(40_000))).await.contains("header"));
    assert!(send(Request::get("http://u:p@a.example/")).await.contains("user name"));
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_breaks_off_is_the_far_sides_fault() {
    let server = Server::start(|request| match request.contains("/garbage") {
        true => Reply::Send(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        false => Reply::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
    })
    .await;
    let session = session(OutboundLimits::default());
    for path in ["/garbage", "/broken"] {
        let error = fetch(&session, &server.url(path)).await.unwrap_err();
        assert!(matches!(error, EgressError::Protocol { .. }), "{path}: {error}");
    }
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = fetch(&session, &format!("http://{closed}/")).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}
