//! The same over HTTPS, as an API in another process uses it.

use std::net::SocketAddr;

use futures::StreamExt;
use reqwest::{Client, Method, RequestBuilder, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::Tls;
use wasmcloud_plane::{ServiceKeys, ServiceToken, lines};
use wasmcloud_wire::{Abi, Change, Digest, ErrorBody, Event, Inspection, Outcome, Refusal};

use crate::app::{TestExecutor, call, within};
use crate::invoker::check_order;
use crate::wasm::{fixture, prints, prints_then, sleeps};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Internal {
    app: TestExecutor,
    addr: SocketAddr,
    keys: ServiceKeys,
    client: Client,
    shutdown: CancellationToken,
    _files: TempDir,
}

impl Internal {
    async fn start() -> Internal {
        let app = TestExecutor::start().await;
        let files = TempDir::new().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = Tls::from_files(&cert, &key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let keys = keys(TOKEN);
        let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
        tokio::spawn(app.executor.clone().serve_internal(
            keys.clone(),
            listener,
            Some(tls),
            shutdown.clone(),
        ));
        Internal { app, addr, keys, client, shutdown, _files: files }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/internal/v1/{path}", self.addr)
    }

    /// A request that is signed for this executor.
    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> RequestBuilder {
        self.signed(&self.keys, &self.app.executor.id().to_string(), method, path, body)
    }

    fn signed(
        &self,
        keys: &ServiceKeys,
        audience: &str,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> RequestBuilder {
        let signature = keys.sign(audience, &method, &format!("/internal/v1/{path}"), &body).unwrap();
        self.client.request(method, self.url(path)).header("authorization", signature).body(body)
    }

    async fn post(&self, path: &str, body: &impl serde::Serialize) -> Response {
        let body = serde_json::to_vec(body).unwrap();
        within("an answer", self.request(Method::POST, path, body).send()).await.unwrap()
    }
}

fn keys(token: &str) -> ServiceKeys {
    token.parse::<ServiceToken>().unwrap().into()
}

async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: ErrorBody = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    (status, body.error.code)
}

#[tokio::test]
async fn without_a_signature_nothing_is_answered() {
    let internal = Internal::start().await;
    let me = internal.app.executor.id().to_string();
    for path in ["invoke", "announce", "prepare/x", "nothing"] {
        let unsigned = internal.client.post(internal.url(path));
        let token = internal.client.post(internal.url(path)).bearer_auth(TOKEN);
        let other = internal.signed(&keys(&"x".repeat(32)), &me, Method::POST, path, Vec::new());
        for request in [unsigned, token, other] {
            let response = within("an answer", request.send()).await.unwrap();
            assert_eq!(error(response).await, (401, "unauthorized".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_signature_is_good_for_one_request_to_one_executor_with_one_body() {
    let internal = Internal::start().await;
    let me = internal.app.executor.id().to_string();
    let change = serde_json::to_vec(&Change::Resync).unwrap();
    let send = async |request: RequestBuilder| within("an answer", request.send()).await.unwrap();

    let request = internal.request(Method::POST, "announce", change.clone());
    let again = request.try_clone().unwrap();
    assert_eq!(send(request).await.status(), 204);
    assert_eq!(error(send(again).await).await, (401, "replayed".to_owned()));

    let other_body = internal.request(Method::POST, "announce", change.clone()).body("\"resync\"");
    assert_eq!(error(send(other_body).await).await, (401, "wrong_body".to_owned()));
    let other_path = internal.signed(&internal.keys, &me, Method::POST, "prepare/x", change.clone());
    let signature = other_path.build().unwrap().headers()["authorization"].clone();
    let moved = internal.client.post(internal.url("announce")).header("authorization", signature);
    assert_eq!(error(send(moved.body(change.clone())).await).await, (401, "unauthorized".to_owned()));
    for audience in ["api", "019f0000-0000-7000-8000-000000000000", "https://10.0.0.2:3002/"] {
        let elsewhere = internal.signed(&internal.keys, audience, Method::POST, "announce", change.clone());
        assert_eq!(error(send(elsewhere).await).await, (401, "wrong_audience".to_owned()), "{audience}");
    }
}

#[tokio::test]
async fn an_executor_is_known_by_the_address_that_it_reports() {
    let internal = Internal::start().await;
    let address = format!("https://{}", internal.addr);
    internal.app.executor.start_reporting(Some(address.parse().unwrap())).await;
    let change = serde_json::to_vec(&Change::Resync).unwrap();
    // As the client of the API writes it.
    let request = internal.signed(&internal.keys, &format!("{address}/"), Method::POST, "announce", change);
    assert_eq!(within("an answer", request.send()).await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_module_is_prepared_refused_or_unavailable() {
    let internal = Internal::start().await;
    let good = internal.app.deploy("hello", &fixture("echo")).await.digest;
    let response = internal.post(&format!("prepare/{good}"), &()).await;
    assert_eq!(response.status(), 200);
    let inspection: Inspection = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(inspection.abi, Abi::Olin);

    let bad = internal.app.deploy("hello", &fixture("unknown_import")).await.digest;
    let response = internal.post(&format!("prepare/{bad}"), &()).await;
    assert_eq!(response.status(), 422);
    let refusal: Refusal = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(refusal.code, "unmet_import");

    let unknown = internal.post(&format!("prepare/{}", Digest::of(b"never stored")), &()).await;
    assert_eq!(error(unknown).await, (503, "unavailable".to_owned()));
    assert_eq!(error(internal.post("prepare/no-digest", &()).await).await.0, 400);
}

#[tokio::test]
async fn an_invocations_events_come_one_a_line() {
    let internal = Internal::start().await;
    let deployment = internal.app.deploy("hello", &fixture("stderr")).await;
    let call = call(&deployment, "/");
    let response = internal.post("invoke", &call).await;
    assert_eq!(response.status(), 200);
    let events = lines::<Event, _, _>(response.bytes_stream().boxed());
    let events: Vec<Event> = within("it ends", events.map(|event| event.unwrap()).collect()).await;
    let receipt = check_order(&events);
    assert_eq!((receipt.invocation, &receipt.outcome), (call.invocation, &Outcome::Ok));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Log { .. })).count(), 11);
    assert!(
        events.iter().any(|event| matches!(event, Event::Body { bytes } if bytes == "logged\n")),
        "{events:?}"
    );
}

#[tokio::test]
async fn events_come_while_the_program_still_runs_and_closing_cancels_it() {
    let internal = Internal::start().await;
    let module = prints_then(
        "Content-Type: a/b\n\nearly",
        "(drop (call $flush (local.get $out))) (call $sleep (i32.const 600000))",
    );
    let deployment = internal.app.deploy("hello", &module).await;
    let call = call(&deployment, "/");
    let response = internal.post("invoke", &call).await;
    let mut events = Box::pin(lines::<Event, _, _>(response.bytes_stream().boxed()));
    let head = within("a head", events.next()).await.unwrap().unwrap();
    assert!(matches!(head, Event::Head { status: 200, .. }), "{head:?}");
    let body = within("a body", events.next()).await.unwrap().unwrap();
    assert!(matches!(&body, Event::Body { bytes } if bytes == "early"), "{body:?}");
    drop(events);
    let recorded = internal.app.control.recorded(call.invocation).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn an_announced_change_is_seen_by_the_next_request() {
    let internal = Internal::start().await;
    let app = &internal.app;
    app.deploy("hello", &prints("A: b\n\none")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &prints("A: b\n\ntwo"), |_| ());
    let change = Change::Handler { name: "hello".parse().unwrap() };
    assert_eq!(internal.post("announce", &change).await.status(), 204);
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn a_full_handler_is_429_with_the_time_to_wait() {
    let internal = Internal::start().await;
    let deployment = internal.app.deploy("hello", &sleeps()).await;
    let mut running = Vec::new();
    for _ in 0..32 {
        running.push(internal.post("invoke", &call(&deployment, "/")).await);
    }
    let response = internal.post("invoke", &call(&deployment, "/")).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(error(response).await, (429, "busy".to_owned()));
}

#[tokio::test]
async fn a_quota_and_a_suspension_are_told_apart_from_a_limit() {
    let internal = Internal::start().await;
    let module = prints("A: b\n\n");
    let over = internal.app.deploy_with("over", &module, |deployment| {
        deployment.quota.plan = "small".to_owned();
        deployment.quota.invocations_per_minute_max = Some(0);
    });
    let response = internal.post("invoke", &call(&over.await, "/")).await;
    let retry_after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert_eq!(error(response).await, (429, "over_quota".to_owned()));
    let suspended = internal
        .app
        .deploy_with("gone", &module, |deployment| deployment.suspended = Some("spam".to_owned()));
    let response = internal.post("invoke", &call(&suspended.await, "/")).await;
    let status = response.status();
    let body: ErrorBody = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(
        (status.as_u16(), body.error.code.as_str(), body.error.message.as_str()),
        (403, "suspended", "spam")
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let internal = Internal::start().await;
    let deployment = internal.app.deploy("hello", &prints("A: b\n\n")).await;
    assert_eq!(error(internal.post("invoke", &"no call").await).await, (400, "bad_json".to_owned()));
    assert_eq!(error(internal.post("announce", &"no change").await).await, (400, "bad_json".to_owned()));
    let call = call(&deployment, "/%00");
    assert_eq!(error(internal.post("invoke", &call).await).await, (400, "bad_request".to_owned()));
    assert_eq!(error(internal.post("nothing", &()).await).await, (404, "not_found".to_owned()));
    let get = within("an answer", internal.request(Method::GET, "invoke", Vec::new()).send()).await.unwrap();
    assert_eq!(error(get).await, (405, "method_not_allowed".to_owned()));
    let outside = format!("https://{}/invoke", internal.addr);
    let me = internal.app.executor.id().to_string();
    let signature = internal.keys.sign(&me, &Method::POST, "/invoke", b"").unwrap();
    let outside = internal.client.post(outside).header("authorization", signature);
    let outside = within("an answer", outside.send()).await.unwrap();
    assert_eq!(error(outside).await.0, 404);
}

#[tokio::test]
async fn the_largest_body_fits_into_a_call_and_a_larger_request_does_not() {
    let internal = Internal::start().await;
    let deployment = internal.app.deploy("hello", &fixture("stdin_partial")).await;
    let mut call = call(&deployment, "/");
    call.body = Some(vec![b'x'; 10 << 20].into());
    let response = internal.post("invoke", &call).await;
    assert_eq!(response.status(), 200);
    assert!(within("it ends", response.text()).await.unwrap().contains("\"bytes_in\":4"));
    let too_large =
        within("an answer", internal.request(Method::POST, "invoke", vec![b'x'; 17 << 20]).send()).await;
    // The answer may come before everything was sent.
    assert!(too_large.is_err() || too_large.unwrap().status().is_client_error());
}

#[tokio::test]
async fn a_running_invocation_outlives_the_beginning_of_a_shutdown() {
    let internal = Internal::start().await;
    let deployment = internal.app.deploy("hello", &fixture("slow_stream")).await;
    let response = internal.post("invoke", &call(&deployment, "/")).await;
    internal.shutdown.cancel();
    let text = within("it ends", response.text()).await.unwrap();
    assert!(text.lines().last().unwrap().contains("\"kind\":\"ok\""), "{text}");
}
