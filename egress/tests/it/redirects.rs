//! A redirect must pass what the first URL had to pass.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use wasmcloud_egress::{Egress, EgressError, OutboundLimits, Policy, Redirects};

use crate::harness::{Server, fetch, get, loopback, ok, redirect, says, session, session_of, settings};

/// A server that sends everybody to the URL in the request's `X-To`.
async fn sending(status: u16) -> Server {
    Server::start(move |request| {
        let to =
            request.lines().find_map(|line| line.to_lowercase().strip_prefix("x-to: ").map(str::to_owned));
        to.map_or_else(|| ok("arrived"), |to| redirect(status, &to))
    })
    .await
}

fn to(server: &Server, location: &str) -> Request<Bytes> {
    Request::get(server.named("a.example", "/start")).header("X-To", location).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_not_followed() {
    let server = sending(302).await;
    let names = says(|name, _| {
        Some(vec![if name == "a.example" { [127, 0, 0, 1].into() } else { [10, 0, 0, 1].into() }])
    });
    let session = session_of(settings(), names);
    for location in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0x7f.0.0.2/",
        "http://[::1]/",
        "//192.168.0.1/",
        "http://inside.example/",
    ] {
        let error = session.http(to(&server, location), Redirects::Follow).await.err().unwrap();
        let EgressError::Redirect { error, .. } = error.clone() else {
            // A name's address is known only when it is connected to.
            assert!(matches!(error, EgressError::Address { .. }), "{location}: {error}");
            continue;
        };
        assert!(matches!(*error, EgressError::Address { .. }), "{location}: {error}");
        assert!(error.is_refusal());
    }
    assert_eq!(server.requests().len(), 7, "each began, none went on");
}

#[tokio::test]
async fn a_redirect_out_of_the_policy_is_not_followed_and_says_how_it_could_be() {
    let server = sending(307).await;
    let policy = Policy::new([server.named("a.example", "")], [""; 0]).unwrap();
    let egress = Egress::with_resolver(settings(), loopback()).unwrap();
    let session = egress.session(Arc::new(policy));
    let location = server.named("b.example", "/x");
    let error = session.http(to(&server, &location), Redirects::Follow).await.err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with(&format!("{} redirects to {location}:", server.named("a.example", "/start")))
    );
    assert_eq!(error.denial().unwrap().url, location);
    assert!(error.hint().unwrap().contains(r"^http://b\.example"), "{:?}", error.hint());
    for location in
        ["file:///etc/passwd", "gopher://a.example/", "javascript:alert(1)", "http://u@a.example/"]
    {
        let error = session.http(to(&server, location), Redirects::Follow).await.err().unwrap();
        assert!(matches!(error, EgressError::Redirect { .. }), "{location}: {error}");
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_redirect_is_followed_as_a_browser_would() {
    for (status, method, body) in
        [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "abc"), (308, "POST", "abc")]
    {
        let server = Server::start(move |request| match request.contains("/start") {
            true => redirect(status, "../end?x=1#part"),
            false => ok("arrived"),
        })
        .await;
        let request = Request::post(server.url("/deep/start"))
            .header("Content-Type", "text/plain")
            .header("Authorization", "secret")
            .body(Bytes::from_static(b"abc"))
            .unwrap();
        let answer = session(OutboundLimits::default()).http(request, Redirects::Follow).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), "arrived", "{status}");
        let last = server.requests().remove(1);
        assert!(last.starts_with(&format!("{method} /end?x=1 HTTP/1.1")), "{status}: {last}");
        assert!(last.ends_with(&format!("\r\n\r\n{body}")), "{status}: {last}");
        assert_eq!(last.to_lowercase().contains("content-type"), !body.is_empty(), "{status}: {last}");
        assert!(last.contains("secret"), "the same origin keeps its secret");
    }
}

#[tokio::test]
async fn secrets_do_not_go_to_another_origin() {
    let there = Server::start(|_| ok("")).await;
    let location = there.named("b.example", "/");
    let here = Server::start(move |_| redirect(307, &location)).await;
    let request = Request::get(here.named("a.example", "/"))
        .header("Authorization", "Bearer secret")
        .header("Cookie", "session=secret")
        .header("X-Other", "kept")
        .body(Bytes::new())
        .unwrap();
    session(OutboundLimits::default()).http(request, Redirects::Follow).await.unwrap();
    let seen = there.requests().remove(0);
    assert!(!seen.contains("secret") && seen.contains("kept"), "{seen}");
}

#[tokio::test]
async fn a_redirect_that_goes_around_ends() {
    let server = Server::start(|_| redirect(302, "/again")).await;
    let session = session(OutboundLimits::default());
    let error = fetch(&session, &server.url("/")).await.unwrap_err();
    assert_eq!(error, EgressError::TooManyRedirects { url: server.url("/"), max: 10 });
    assert_eq!((server.requests().len(), session.usage().requests), (11, 11));
}

#[tokio::test]
async fn a_program_may_have_redirects_returned() {
    let server = Server::start(|_| redirect(302, "http://10.0.0.1/")).await;
    let answer =
        session(OutboundLimits::default()).http(get(&server.url("/")), Redirects::Return).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "http://10.0.0.1/");
}
