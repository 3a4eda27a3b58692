//! Hosts of users' own: which handler answers, what the program is told, and what is remembered.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;
use wasmcloud_executor::Edge;
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, Invoker, Record, RouteKey,
};

use crate::app::{DOMAIN, TestExecutor, within};
use crate::bodies::variables;
use crate::client::Answer;
use crate::control::Control;
use crate::wasm::{fixture, prints};

const HOST: &str = "api.example.com";

fn says(text: &str) -> Vec<u8> {
    prints(&format!("A: b\n\n{text}"))
}

fn change() -> Change {
    Change::Host { host: HOST.parse().unwrap() }
}

/// Gives the host these routes, a path and a handler each, which `-` before the path strips, and tells nobody.
fn route(control: &Control, routes: &[(&str, &str)]) {
    let routes = routes.iter().map(|(path, handler)| HostRoute {
        path: path.trim_start_matches('-').to_owned(),
        handler: handler.parse().unwrap(),
        strip_prefix: path.starts_with('-'),
    });
    let routes: Vec<HostRoute> = routes.collect();
    control.update(|state| state.routes.insert(HOST.parse().unwrap(), routes));
}

fn routed(app: &TestExecutor) -> usize {
    app.control.see(|state| state.routed)
}

async fn get(app: &TestExecutor, host: &str, target: &str) -> Answer {
    app.raw(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
}

async fn with_handlers() -> TestExecutor {
    let app = TestExecutor::start().await;
    for name in ["base", "one", "two"] {
        app.deploy(name, &says(name)).await;
    }
    app.deploy("env", &fixture("env")).await;
    app
}

#[tokio::test]
async fn the_most_specific_route_of_a_host_answers() {
    let app = with_handlers().await;
    route(&app.control, &[("/v1/deep", "two"), ("/v1", "one"), ("/", "base")]);
    for (target, handler) in [
        ("/", "base"),
        ("/v10", "base"),
        ("/v1", "one"),
        ("/v1?q=/v1/deep", "one"),
        ("/v1/x", "one"),
        ("/v1/deep/x", "two"),
        ("/v1/x/../deep", "two"),
        ("/%76%31/%2e%2E/v1/d%65ep", "two"),
        ("/v1%2Fdeep", "two"),
    ] {
        for host in [HOST, "API.example.com.", "api.example.com:8443"] {
            assert_eq!(get(&app, host, target).await.text(), handler, "{host}{target}");
        }
    }
    assert_eq!(routed(&app), 1, "a host is asked for once");
    let absolute = format!("GET http://{HOST}/v1/x HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    assert_eq!(app.raw(absolute).await.text(), "one");
    let answer = get(&app, HOST, "/v1/..%2Fx").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (400, "bad_request"));
}

#[tokio::test]
async fn a_program_sees_its_host_and_its_path_with_the_prefix_or_without_it() {
    let app = with_handlers().await;
    route(&app.control, &[("/kept", "env"), ("-/a%20b/v1", "env"), ("-/", "env")]);
    for (target, script_name, path_info, uri) in [
        ("/kept/x%20y?", "", "/kept/x y", "/kept/x%20y?"),
        ("/a%20b/v1/x%20y", "/a b/v1", "/x y", "/a%20b/v1/x%20y"),
        ("/a%20b/%76%31/x", "/a b/v1", "/x", "/a%20b/v1/x"),
        ("/a%20b/v1", "/a b/v1", "/", "/a%20b/v1/"),
        ("/a%20b/v1/", "/a b/v1", "/", "/a%20b/v1/"),
        ("/a%20b/v1%2Fx", "/a b/v1", "/x", "/a%20b/v1/x"),
        ("/other/x", "", "/other/x", "/other/x"),
    ] {
        let answer = get(&app, "api.example.com:3001", target).await;
        let seen = variables(answer.text());
        assert_eq!((seen["SERVER_NAME"], seen["SERVER_PORT"]), (HOST, "3001"));
        assert_eq!((seen["SCRIPT_NAME"], seen["PATH_INFO"]), (script_name, path_info), "{target}");
        assert_eq!(seen["REQUEST_URI"], uri, "{target}");
    }
    // Its query too, where nothing else is left.
    assert_eq!(get(&app, HOST, "/a%20b/v1?SCRIPT_NAME").await.text(), "/a b/v1");
}

#[tokio::test]
async fn nothing_but_its_routes_answers_at_a_host_that_has_some() {
    let app = with_handlers().await;
    route(&app.control, &[("/v1", "one")]);
    for target in ["/", "/v2", "/v10", "/~two/"] {
        let answer = get(&app, HOST, target).await;
        assert_eq!((answer.status, answer.error().code.as_str()), (404, "no_route"), "{target}");
        assert!(answer.error().hint.contains("wasmcloud route add api.example.com"));
    }
    // A handler that is gone is said to be gone.
    route(&app.control, &[("/v1", "nobody")]);
    app.executor.announce(&change()).await;
    assert_eq!(get(&app, HOST, "/v1").await.error().code, "handler_not_found");
}

#[tokio::test]
async fn a_host_that_is_nobodys_is_404_and_says_how_to_route_it() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let edge = Edge { domain: DOMAIN.to_owned(), by_path: false, trusted_proxies: Default::default() };
    let app = TestExecutor::start_with(cache.path(), control, edge).await;
    let answer = get(&app, HOST, "/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (404, "not_a_handler"));
    assert!(answer.error().hint.contains("wasmcloud route add api.example.com NAME"), "{answer:?}");
    // What can be nobody's is not asked for.
    for host in ["127.0.0.1", "[::1]", "localhost", "a_b.example.com"] {
        let answer = get(&app, host, "/").await;
        assert_eq!(answer.error().code, "not_a_handler", "{host}");
        assert!(!answer.error().hint.contains("route add"), "{host}");
    }
    assert_eq!(routed(&app), 1);
}

#[tokio::test]
async fn a_change_of_a_host_is_seen_at_once_and_before_anybody_asks() {
    let app = with_handlers().await;
    assert_eq!(get(&app, HOST, "/").await.status, 404);
    route(&app.control, &[("/", "one")]);
    app.executor.announce(&change()).await;
    assert_eq!(get(&app, HOST, "/").await.text(), "one");
    route(&app.control, &[("/", "two")]);
    app.executor.announce(&change()).await;
    let asked = routed(&app);
    app.control.update(|state| state.is_down = true);
    assert_eq!(get(&app, HOST, "/").await.status, 503, "`two` was never asked for");
    app.control.update(|state| state.is_down = false);
    assert_eq!((get(&app, HOST, "/").await.text(), routed(&app)), ("two", asked));
    // By the stream of changes too.
    route(&app.control, &[("/", "one")]);
    app.control.tell(change()).await;
    app.control.until("it is asked for", |state| (state.routed > asked).then_some(())).await;
    assert_eq!(get(&app, HOST, "/").await.text(), "one");
    app.control.update(|state| state.routes.clear());
    app.control.tell(change()).await;
    assert_eq!(get(&app, HOST, "/").await.status, 404);
}

#[tokio::test]
async fn a_known_host_answers_while_the_control_plane_is_away() {
    let app = with_handlers().await;
    route(&app.control, &[("/", "one")]);
    assert_eq!(get(&app, HOST, "/").await.text(), "one");
    app.control.update(|state| state.is_down = true);
    app.control.tell(Change::Resync).await;
    for _ in 0..3 {
        assert_eq!(get(&app, HOST, "/").await.text(), "one");
    }
    let answer = get(&app, "other.example.com", "/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    route(&app.control, &[("/", "two")]);
    app.control.update(|state| state.is_down = false);
    let found = async { while get(&app, HOST, "/").await.text() == "one" {} };
    within("the new route is found", found).await;
}

#[tokio::test]
async fn a_host_without_routes_is_remembered_for_a_while() {
    let app = with_handlers().await;
    for _ in 0..5 {
        assert_eq!(get(&app, HOST, "/").await.status, 404);
    }
    // Remembered for five seconds: one question, or two where the machine is very busy.
    assert!(routed(&app) <= 2, "{} questions", routed(&app));
}

/// A control plane that answers about hosts only while its gate is open.
struct Gated {
    control: Control,
    open: watch::Receiver<bool>,
}

#[async_trait]
impl ControlPlane for Gated {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        self.control.resolve(key).await
    }

    async fn routes(&self, host: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        let routes = self.control.routes(host).await;
        self.open.clone().wait_for(|open| *open).await.unwrap();
        routes
    }

    async fn report(&self, report: ExecutorReport) -> Result<(), ControlPlaneError> {
        self.control.report(report).await
    }

    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        self.control.usage(executor, used).await
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        self.control.changes().await
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        self.control.record(batch).await
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        self.control.module(digest).await
    }
}

#[tokio::test]
async fn many_requests_for_an_unknown_host_are_one_question() {
    let (cache, control, (gate, open)) = (TempDir::new().unwrap(), Control::default(), watch::channel(false));
    let plane = Arc::new(Gated { control: control.clone(), open });
    let app = Arc::new(TestExecutor::start_behind(cache.path(), control, plane).await);
    app.deploy("one", &says("one")).await;
    route(&app.control, &[("/", "one")]);
    let request = async || get(&app, HOST, "/").await.text().to_owned();
    let all = futures::future::join_all((0..40).map(|_| request()));
    let open_later = async {
        app.control.until("it is asked", |state| (state.routed > 0).then_some(())).await;
        gate.send_replace(true);
    };
    let (answers, ()) = tokio::join!(all, open_later);
    assert!(answers.iter().all(|text| text == "one"), "{answers:?}");
    assert_eq!(routed(&app), 1);
}

#[tokio::test]
async fn an_answer_that_a_change_has_overtaken_is_not_kept() {
    let (cache, control, (gate, open)) = (TempDir::new().unwrap(), Control::default(), watch::channel(false));
    let plane = Arc::new(Gated { control: control.clone(), open });
    let app = TestExecutor::start_behind(cache.path(), control, plane).await;
    app.deploy("one", &says("one")).await;
    app.deploy("two", &says("two")).await;
    route(&app.control, &[("/", "one")]);
    let change_meanwhile = async {
        app.control.until("it is asked", |state| (state.routed > 0).then_some(())).await;
        route(&app.control, &[("/", "two")]);
        app.executor.announce(&change()).await;
        gate.send_replace(true);
    };
    let (_, ()) = tokio::join!(get(&app, HOST, "/"), change_meanwhile);
    assert_eq!(get(&app, HOST, "/").await.text(), "two");
}

#[tokio::test]
async fn strangers_who_ask_for_many_hosts_neither_hammer_the_control_plane_nor_hold_up_known_ones() {
    let app = with_handlers().await;
    route(&app.control, &[("/", "one")]);
    assert_eq!(get(&app, HOST, "/").await.text(), "one");
    let started = Instant::now();
    let unknown = (0..300).map(|number| {
        let host = format!("host-{number}.example.org");
        let app = &app;
        async move { get(app, &host, "/").await.status }
    });
    let known = async {
        for _ in 0..20 {
            assert_eq!(get(&app, HOST, "/").await.text(), "one");
        }
    };
    let (statuses, ()) = tokio::join!(futures::future::join_all(unknown), known);
    assert!(statuses.iter().all(|status| [404, 503].contains(status)), "{statuses:?}");
    // 32 at once, each of which counts for a tenth of a second.
    let most = 32.0 + 320.0 * started.elapsed().as_secs_f64();
    let asked = routed(&app) as f64;
    assert!(asked <= most, "{asked} questions in {:?}", started.elapsed());
}
