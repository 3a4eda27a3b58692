//! Whom a request is from, where a proxy that is trusted says so.

use tempfile::TempDir;
use wasmcloud_executor::Edge;
use wasmcloud_listener::TrustedProxies;

use crate::app::{DOMAIN, TestExecutor};
use crate::bodies::variables;
use crate::control::Control;
use crate::kinds::Kind;

async fn seen(trusted: &str, fields: &str) -> (String, String) {
    let cache = TempDir::new().unwrap();
    let trusted_proxies = TrustedProxies::new([trusted.parse().unwrap()]);
    let edge = Edge { domain: DOMAIN.to_owned(), by_path: false, trusted_proxies };
    let app = TestExecutor::start_with(cache.path(), Control::default(), edge).await;
    app.deploy("shows", &Kind::Olin.shows_environment()).await;
    let answer = app.raw(format!("GET / HTTP/1.1\r\nhost: shows.{DOMAIN}\r\n{fields}\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let variables = variables(answer.text());
    let value = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    (value("REMOTE_ADDR").unwrap(), value("SERVER_PORT").unwrap())
}

#[tokio::test]
async fn a_program_sees_the_client_behind_a_trusted_proxy_and_how_it_came() {
    let fields = "x-forwarded-for: 10.0.0.1, 203.0.113.7\r\nx-forwarded-proto: https\r\n";
    let is = |seen: (String, String), address: &str, port: &str| {
        assert_eq!((seen.0.as_str(), seen.1.as_str()), (address, port));
    };
    is(seen("127.0.0.0/8", fields).await, "203.0.113.7", "443");
    is(seen("192.0.2.0/24", fields).await, "127.0.0.1", "80");
    is(seen("127.0.0.0/8", "x-forwarded-for: nonsense\r\n").await, "127.0.0.1", "80");
}
