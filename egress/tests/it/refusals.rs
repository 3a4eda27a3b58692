//! What is refused, and that no packet leaves for it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmcloud_egress::{Egress, EgressError, Policy, Settings, SystemResolver};

use crate::harness::{Server, fetch, loopback, ok, says, session_of, settings, target};

/// This machine, in every spelling that some program reads as its address.
const SPELLINGS: [&str; 22] = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "%31%32%37.0.0.1",
    "①②⑦.⓪.⓪.①",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
];

#[tokio::test]
async fn no_spelling_of_this_machine_is_connected_to() {
    let server = Server::start(|_| ok("secret")).await;
    let session = session_of(Settings::default(), Arc::new(SystemResolver::default()));
    for host in SPELLINGS.into_iter().chain(["localhost", "LOCALHOST.", "localhost."]) {
        let http = fetch(&session, &format!("http://{host}:{}/", server.port())).await.unwrap_err();
        let ws = session.connect(&target(&format!("ws://{host}:{}/", server.port()))).await.err().unwrap();
        let gemini = target(&format!("gemini://{host}:{}/", server.port()));
        let gemini = session.connect_tls(&gemini, None).await.err().unwrap();
        for error in [http, ws, gemini] {
            assert!(matches!(error, EgressError::Address { .. }), "{host}: {error}");
        }
    }
    server.assert_nobody_came().await;
}

#[tokio::test]
async fn a_name_at_a_refused_address_is_not_connected_to_and_the_error_says_what_to_do() {
    let server = Server::start(|_| ok("secret")).await;
    let session = session_of(Settings::default(), loopback());
    let error = fetch(&session, &server.named("inside.example", "/")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "inside.example is at 127.0.0.1, in 127.0.0.0/8 (loopback), which programs may not reach"
    );
    assert!(error.hint().unwrap().contains("127.0.0.1/32"), "{:?}", error.hint());
    assert!(error.is_refusal());
    server.assert_nobody_came().await;
}

#[tokio::test]
async fn of_several_addresses_only_the_permitted_are_used() {
    let server = Server::start(|_| ok("public")).await;
    let both = || says(|_, _| Some(vec![[10, 0, 0, 1].into(), IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    let session = session_of(settings(), both());
    assert_eq!(fetch(&session, &server.named("both.example", "/")).await.unwrap(), "public");
    let connection =
        session.connect(&target(&format!("ws://both.example:{}/", server.port()))).await.unwrap();
    assert_eq!(connection.peer(), server.addr);
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection_and_what_was_checked_is_connected_to() {
    let server = Server::start(|_| ok("first")).await;
    // The first answer passes; every later one is the address that an attacker wants to reach.
    let rebinding = says(|_, before| {
        Some(vec![if before == 0 { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { [127, 0, 0, 2].into() }])
    });
    let egress = Egress::with_resolver(settings(), rebinding.clone()).unwrap();
    let policy = Arc::new(Policy::allow_all().unwrap());
    let url = server.named("rebinding.example", "/");
    assert_eq!(fetch(&egress.session(policy.clone()), &url).await.unwrap(), "first");
    assert_eq!(rebinding.asked.load(Ordering::SeqCst), 1, "one lookup, one connection");

    let error = fetch(&egress.session(policy.clone()), &url).await.unwrap_err();
    assert!(
        matches!(error, EgressError::Address { address, .. } if address.to_string() == "127.0.0.2"),
        "{error}"
    );
    let ws = target(&format!("ws://rebinding.example:{}/", server.port()));
    let error = egress.session(policy).connect(&ws).await.err().unwrap();
    assert!(matches!(error, EgressError::Address { .. }), "{error}");
    assert_eq!((rebinding.asked.load(Ordering::SeqCst), server.accepted()), (3, 1));
}

#[tokio::test]
async fn what_the_policy_does_not_allow_is_not_even_looked_up() {
    let server = Server::start(|_| ok("")).await;
    let resolver = says(|_, _| Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    let policy = Policy::new([server.named("a.example", "")], [server.named("a.example", "/admin")]).unwrap();
    let egress = Egress::with_resolver(settings(), resolver.clone()).unwrap();
    let session = egress.session(Arc::new(policy));
    for url in [
        server.named("b.example", "/"),
        server.named("a.example", "/admin/x"),
        server.named("a.example", "/%61dmin"),
        "http://a.example:81/".to_owned(),
        format!("https://a.example:{}/", server.port()),
    ] {
        let error = fetch(&session, &url).await.unwrap_err();
        assert!(matches!(error, EgressError::Denied(_)), "{url}: {error}");
        assert!(error.hint().unwrap().contains("rule"), "{url}");
    }
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 0);
    assert_eq!(session.usage().requests, 0);
    assert_eq!(fetch(&session, &server.named("a.example", "/x")).await.unwrap(), "");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn ports_of_other_protocols_and_other_schemes_are_refused() {
    let session = session_of(settings(), loopback());
    let error = fetch(&session, "http://a.example:25/").await.unwrap_err();
    assert!(matches!(error, EgressError::Port { port: 25, .. }), "{error}");
    for url in ["ftp://a.example/", "file://a.example/etc/passwd", "ws://a.example/", "gopher://a.example/"] {
        let error = fetch(&session, url).await.unwrap_err();
        assert!(matches!(error, EgressError::Scheme { .. }), "{url}: {error}");
    }
    for url in ["http://a.example/", "wss://a.example/", "gemini://a.example/"] {
        let error = session.connect(&target(url)).await.err().unwrap();
        assert!(matches!(error, EgressError::Scheme { .. }), "{url}: {error}");
    }
    assert_eq!(session.usage().requests, 0);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_networks_fault() {
    let session = session_of(settings(), says(|_, _| None));
    let error = fetch(&session, "http://nobody.example/").await.unwrap_err();
    assert_eq!(error.to_string(), "the name nobody.example was not found: no such name");
    assert!(!error.is_refusal());
    let session = session_of(settings(), says(|_, _| Some(vec![])));
    assert!(matches!(fetch(&session, "http://empty.example/").await, Err(EgressError::Resolve { .. })));
}
