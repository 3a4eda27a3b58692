//! The way to executors, against one that is made of a few lines.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_util::sync::CancellationToken;
use wasmcloud_api::{RemoteInvoker, ServiceToken};
use wasmcloud_listener::{Body, Peer, ResponseBody, Settings, Tls};
use wasmcloud_wire::{
    Abi, Call, Change, Deployment, Digest, ErrorBody, ErrorDetail, Event, HandlerId, InvocationId,
    InvokeError, Invoker, Limits, Outcome, PrepareError, Refusal, RequestHead, Scheme, Trigger, UserId,
    VersionNumber,
};

use crate::app::{SERVICE_TOKEN, inspection, receipt};

/// An executor that gives one answer to everything, and what it was asked.
struct Executor {
    url: String,
    ca: String,
    asked: Arc<Mutex<Vec<(String, String, Bytes)>>>,
    shutdown: CancellationToken,
}

type Answer = Arc<dyn Fn() -> Response<ResponseBody> + Send + Sync>;

impl Executor {
    async fn start(answer: impl Fn() -> Response<ResponseBody> + Send + Sync + 'static) -> Executor {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&chain, cert.pem()).unwrap();
        std::fs::write(&key, signing_key.serialize_pem()).unwrap();
        let tls = Tls::from_files(&chain, &key).unwrap();
        let listener = wasmcloud_listener::bind(([127, 0, 0, 1], 0).into(), "--listen").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (asked, shutdown, answer): (Arc<Mutex<Vec<_>>>, _, Answer) =
            (Arc::default(), CancellationToken::new(), Arc::new(answer));
        let service = {
            let asked = Arc::clone(&asked);
            move |request: Request<Body>, _: Peer| {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                async move {
                    let (parts, body) = request.into_parts();
                    let token = parts.headers["authorization"].to_str().unwrap().to_owned();
                    let line = format!("{} {}", parts.method, parts.uri.path());
                    let body = body.collect(1 << 20).await.unwrap();
                    asked.lock().unwrap().push((line, token, body));
                    answer()
                }
            }
        };
        tokio::spawn(wasmcloud_listener::serve(
            listener,
            Some(tls),
            Settings::default(),
            shutdown.clone(),
            service,
        ));
        Executor { url, ca: cert.pem(), asked, shutdown }
    }

    fn invoker(&self) -> RemoteInvoker {
        let token: ServiceToken = SERVICE_TOKEN.parse().unwrap();
        // The first address answers to nobody: the next one is asked instead.
        let nobody = "https://localhost:1".to_owned();
        RemoteInvoker::new(&[nobody, self.url.clone()], &token, Some(self.ca.as_bytes())).unwrap()
    }

    fn asked(&self) -> Vec<(String, String, Bytes)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn json(status: u16, body: &impl serde::Serialize) -> Response<ResponseBody> {
    let mut response = Response::new(serde_json::to_vec(body).unwrap().into());
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// The parts one after the other, and then an end that is clean or not.
fn stream(parts: Vec<String>) -> Response<ResponseBody> {
    let frames = parts.into_iter().map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from(part))));
    Response::new(ResponseBody::stream(StreamBody::new(stream::iter(frames.collect::<Vec<_>>()))))
}

fn call() -> Call {
    Call {
        invocation: InvocationId::new(),
        deployment: Deployment {
            handler: HandlerId::new(),
            name: "hello".parse().unwrap(),
            owner: UserId::new(),
            version: VersionNumber(1),
            digest: Digest::of(b"module"),
            abi: Abi::Olin,
            env: Default::default(),
            limits: Limits::default(),
            urls: Default::default(),
            forward_authorization: false,
            secrets: Default::default(),
            split: None,
            recording: None,
        },
        trigger: Trigger::Invoke,
        request: RequestHead {
            method: "GET".to_owned(),
            scheme: Scheme::Http,
            protocol: "HTTP/1.1".to_owned(),
            server_name: "hello.localhost".to_owned(),
            server_port: 3001,
            script_name: String::new(),
            target: "/path?query".to_owned(),
            headers: Vec::new(),
            remote_addr: "127.0.0.1".to_owned(),
        },
        body: None,
        count_gas: false,
        inputs: None,
    }
}

async fn events(executor: &Executor, call: Call) -> Vec<Event> {
    executor.invoker().invoke(call).await.unwrap().collect().await
}

#[tokio::test]
async fn a_module_is_prepared_by_an_executor_that_can_be_reached() {
    let executor = Executor::start(|| json(200, &inspection())).await;
    let digest = Digest::of(b"module");
    assert_eq!(executor.invoker().prepare(&digest).await.unwrap(), inspection());
    let [(line, token, _)] = executor.asked().try_into().unwrap();
    assert_eq!(line, format!("POST /internal/v1/prepare/{digest}"));
    assert_eq!(token, format!("Bearer {SERVICE_TOKEN}"));
}

#[tokio::test]
async fn a_refusal_is_told_as_it_is() {
    let refusal = Refusal::new("over_limit", "200 MiB of memory", "ask for less");
    let executor = Executor::start({
        let refusal = refusal.clone();
        move || json(422, &refusal)
    })
    .await;
    match executor.invoker().prepare(&Digest::of(b"module")).await {
        Err(PrepareError::Refused(told)) => assert_eq!(told, refusal),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_refusal_of_the_module() {
    for status in [200, 401, 404, 422, 500] {
        let executor = Executor::start(move || json(status, &"nonsense")).await;
        let answer = executor.invoker().prepare(&Digest::of(b"module")).await;
        assert!(matches!(answer, Err(PrepareError::Unavailable(_))), "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn events_are_told_however_they_are_cut_into_parts() {
    let call = call();
    let end = Event::End { receipt: Box::new(receipt(call.deployment.handler, call.invocation)) };
    let body = Event::Body { bytes: Bytes::from_static(b"hello") };
    let sent = [Event::Head { status: 200, headers: Vec::new() }, body, end];
    let text: String = sent.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    for size in [1, 7, 100_000] {
        let parts: Vec<String> =
            text.as_bytes().chunks(size).map(|part| String::from_utf8(part.to_vec()).unwrap()).collect();
        let executor = Executor::start(move || stream(parts.clone())).await;
        assert_eq!(events(&executor, call.clone()).await, sent, "{size}");
        let (line, _, body) = executor.asked().pop().unwrap();
        assert_eq!(line, "POST /internal/v1/invoke");
        assert_eq!(serde_json::from_slice::<Call>(&body).unwrap(), call);
    }
}

#[tokio::test]
async fn events_that_break_off_end_with_a_receipt_that_says_so() {
    let call = call();
    let head = serde_json::to_string(&Event::Head { status: 200, headers: Vec::new() }).unwrap();
    for rest in ["", "{\"event\":\"bo", "nonsense\n"] {
        let parts = vec![format!("{head}\n"), rest.to_owned()];
        let executor = Executor::start(move || stream(parts.clone())).await;
        let seen = events(&executor, call.clone()).await;
        let [Event::Head { .. }, Event::End { receipt }] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((receipt.invocation, receipt.path.as_str()), (call.invocation, "/path"));
        assert!(matches!(receipt.outcome, Outcome::Internal { .. }));
    }
}

#[tokio::test]
async fn an_executor_that_is_busy_says_whose_limit_it_is() {
    for (status, full) in [(429, false), (503, true)] {
        let executor = Executor::start(move || {
            let detail = ErrorDetail {
                code: "busy".to_owned(),
                message: "32 at once".to_owned(),
                hint: String::new(),
                request_id: String::new(),
            };
            let mut response = json(status, &ErrorBody { error: detail });
            response.headers_mut().insert("retry-after", 3.into());
            response
        })
        .await;
        match executor.invoker().invoke(call()).await.err() {
            Some(InvokeError::Busy { message, executor_full, retry_after_s }) => {
                assert_eq!((message.as_str(), executor_full, retry_after_s), ("32 at once", full, 3));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_change_is_announced_to_every_executor() {
    let executor = Executor::start(|| json(204, &())).await;
    let change = Change::Handler { name: "hello".parse().unwrap() };
    executor.invoker().announce(&change).await;
    let (line, _, body) = executor.asked().pop().unwrap();
    assert_eq!(line, "POST /internal/v1/announce");
    assert_eq!(serde_json::from_slice::<Change>(&body).unwrap(), change);
}

#[tokio::test]
async fn a_certificate_that_is_not_the_configured_one_is_not_trusted() {
    let (executor, stranger) = (
        Executor::start(|| json(200, &inspection())).await,
        Executor::start(|| json(200, &inspection())).await,
    );
    let token: ServiceToken = SERVICE_TOKEN.parse().unwrap();
    let urls = [executor.url.clone()];
    let invoker = RemoteInvoker::new(&urls, &token, Some(stranger.ca.as_bytes())).unwrap();
    let answer = invoker.prepare(&Digest::of(b"module")).await;
    assert!(matches!(answer, Err(PrepareError::Unavailable(_))), "{answer:?}");
    assert!(executor.asked().is_empty());
}

#[test]
fn the_service_token_goes_over_no_open_wire() {
    let token: ServiceToken = SERVICE_TOKEN.parse().unwrap();
    for good in ["https://10.0.0.2:7443", "http://127.0.0.1:7000", "http://localhost:7000/"] {
        assert!(RemoteInvoker::new(&[good.to_owned()], &token, None).is_ok(), "{good}");
    }
    for bad in ["http://10.0.0.2:7443", "https://10.0.0.2/path", "ftp://localhost", "10.0.0.2:7443", ""] {
        let error = RemoteInvoker::new(&[bad.to_owned()], &token, None).err().unwrap();
        assert!(error.to_string().contains("is no address"), "{bad}: {error}");
    }
    assert!(RemoteInvoker::new(&[], &token, None).is_err());
}
