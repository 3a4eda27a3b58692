//! The way to executors, against one that is made of a few lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wasmcloud_api::RemoteInvoker;
use wasmcloud_api::store::{FleetStore, StoreError};
use wasmcloud_listener::{Body, Peer, ResponseBody, Settings, Tls};
use wasmcloud_plane::Verifier;
use wasmcloud_wire::{
    Abi, Call, Change, Deployment, Digest, ErrorBody, ErrorDetail, Event, ExecutorReport, HandlerId,
    InvocationId, InvokeError, Invoker, Limits, Outcome, PrepareError, Refusal, RequestHead, Scheme,
    Timestamp, Trigger, UserId, VersionNumber,
};

use crate::app::{inspection, receipt, service_keys};
use crate::executors::report;

/// What the executors have reported.
#[derive(Default)]
struct Reports {
    reports: Mutex<Vec<ExecutorReport>>,
    is_down: AtomicBool,
}

#[async_trait]
impl FleetStore for Reports {
    async fn see_executor(&self, report: &ExecutorReport, _: Timestamp) -> Result<(), StoreError> {
        self.reports.lock().unwrap().push(report.clone());
        Ok(())
    }

    async fn executors(&self, _: Timestamp) -> Result<Vec<(ExecutorReport, Timestamp)>, StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Corrupt("it is down".to_owned()));
        }
        let reports = self.reports.lock().unwrap().clone();
        Ok(reports.into_iter().map(|report| (report, Timestamp::now())).collect())
    }

    async fn use_nonce(&self, _: &[u8; 16], _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("an API signs, and verifies nothing here")
    }

    async fn sweep_fleet(&self, _: Timestamp, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
}

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
            let (asked, verifier) = (Arc::clone(&asked), Arc::new(Verifier::new(service_keys())));
            move |request: Request<Body>, _: Peer| {
                let (asked, answer, verifier) =
                    (Arc::clone(&asked), Arc::clone(&answer), Arc::clone(&verifier));
                async move {
                    let (parts, body) = request.into_parts();
                    let audience = Mutex::new(String::new());
                    let anybody = |name: &str| {
                        *audience.lock().unwrap() = name.to_owned();
                        Some(0)
                    };
                    let signed = verifier.verify(&parts.method, &parts.uri, &parts.headers, anybody).unwrap();
                    let line = format!("{} {}", parts.method, parts.uri.path());
                    let body = body.collect(1 << 20).await.unwrap();
                    signed.check_body(&body).unwrap();
                    asked.lock().unwrap().push((line, audience.into_inner().unwrap(), body));
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
        // The first address answers to nobody: the next one is asked instead.
        let nobody = "https://localhost:1".to_owned();
        let named = [nobody, self.url.clone()];
        RemoteInvoker::new(Arc::new(Reports::default()), &named, service_keys(), Some(self.ca.as_bytes()))
            .unwrap()
    }

    /// What it reports of itself.
    fn report(&self, name: &str) -> ExecutorReport {
        ExecutorReport { internal_url: Some(self.url.clone()), ..report(name) }
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
            quota: Default::default(),
            suspended: None,
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
    let [(line, audience, _)] = executor.asked().try_into().unwrap();
    assert_eq!(line, format!("POST /internal/v1/prepare/{digest}"));
    assert_eq!(audience, format!("{}/", executor.url), "one that is only named is known by its address");
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

/// What is said where every executor refuses to begin in this way, and how many were asked.
async fn refused(status: u16, code: &'static str, retry_after: Option<u16>) -> (InvokeError, usize) {
    let refuse = move || {
        let mut response = json(status, &ErrorBody { error: detail(code, "it says why") });
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    };
    let (one, two) = (Executor::start(refuse).await, Executor::start(refuse).await);
    let reports = Arc::new(Reports::default());
    *reports.reports.lock().unwrap() = vec![one.report("one"), two.report("two")];
    let error = reported(&reports, &[&one, &two]).invoke(call()).await.err().unwrap();
    (error, one.asked().len() + two.asked().len())
}

#[tokio::test]
async fn a_quota_and_a_suspension_survive_the_way_and_no_other_executor_is_asked() {
    match refused(429, "over_quota", Some(17)).await {
        (InvokeError::OverQuota { message, retry_after_s }, 1) => {
            assert_eq!((message.as_str(), retry_after_s), ("it says why", 17));
        }
        other => panic!("{other:?}"),
    }
    match refused(403, "suspended", None).await {
        (InvokeError::Suspended(reason), 1) => assert_eq!(reason, "it says why"),
        other => panic!("{other:?}"),
    }
    // Whatever else says so in between is no suspension.
    let (error, asked) = refused(403, "forbidden", None).await;
    assert!(matches!(error, InvokeError::Unavailable(_)) && asked == 2, "{asked}: {error:?}");
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
    let named = [executor.url.clone()];
    let ca = Some(stranger.ca.as_bytes());
    let invoker = RemoteInvoker::new(Arc::new(Reports::default()), &named, service_keys(), ca).unwrap();
    let answer = invoker.prepare(&Digest::of(b"module")).await;
    assert!(matches!(answer, Err(PrepareError::Unavailable(_))), "{answer:?}");
    assert!(executor.asked().is_empty());
}

#[tokio::test]
async fn who_cannot_be_called_is_known_with_the_reason_until_a_call_arrives() {
    let (executor, other) = (Executor::start(ends).await, Executor::start(ends).await);
    let reports = Arc::new(Reports::default());
    let report = executor.report("one");
    reports.reports.lock().unwrap().push(report.clone());
    let doubting = reported(&reports, &[&other]);
    assert_eq!(doubting.trouble(report.id), None);
    assert!(doubting.invoke(call()).await.is_err());
    let why = doubting.trouble(report.id).unwrap();
    assert!(why.contains("certificate") && why.ends_with("s ago)"), "{why}");

    let refuses = Arc::new(AtomicBool::new(true));
    let changing = Executor::start({
        let refuses = Arc::clone(&refuses);
        move || match refuses.load(Ordering::SeqCst) {
            true => json(401, &ErrorBody { error: detail("unauthorized", "another token") }),
            false => ends(),
        }
    })
    .await;
    let report = changing.report("two");
    *reports.reports.lock().unwrap() = vec![report.clone()];
    let invoker = reported(&reports, &[&changing]);
    assert!(invoker.invoke(call()).await.is_err());
    assert!(invoker.trouble(report.id).unwrap().contains("refuses"));
    refuses.store(false, Ordering::SeqCst);
    assert!(invoker.invoke(call()).await.is_ok());
    assert_eq!(invoker.trouble(report.id), None);
}

#[tokio::test]
async fn a_plane_with_tls_that_is_asked_over_plain_http_is_named_with_its_address() {
    let executor = Executor::start(ends).await;
    let named = [executor.url.replace("https://", "http://")];
    let invoker = RemoteInvoker::new(Arc::new(Reports::default()), &named, service_keys(), None).unwrap();
    let error = invoker.invoke(call()).await.err().unwrap().to_string();
    assert!(error.contains(&format!("does not speak plain HTTP: write {}", executor.url)), "{error}");
}

#[test]
fn nothing_goes_over_an_open_wire() {
    let new = |address: &str| {
        RemoteInvoker::new(Arc::new(Reports::default()), &[address.to_owned()], service_keys(), None)
    };
    for good in ["https://10.0.0.2:7443", "http://127.0.0.1:7000", "http://localhost:7000/"] {
        assert!(new(good).is_ok(), "{good}");
    }
    for bad in ["http://10.0.0.2:7443", "https://10.0.0.2/path", "ftp://localhost", "10.0.0.2:7443", ""] {
        let error = new(bad).err().unwrap();
        assert!(error.to_string().contains("is no address"), "{bad}: {error}");
    }
}

/// Executors that report, behind certificates of one authority each: calls to one of them only are trusted.
fn reported(reports: &Arc<Reports>, executors: &[&Executor]) -> RemoteInvoker {
    let ca: String = executors.iter().map(|executor| executor.ca.as_str()).collect();
    RemoteInvoker::new(reports.clone(), &[], service_keys(), Some(ca.as_bytes())).unwrap()
}

fn ends() -> Response<ResponseBody> {
    stream(vec![format!(
        "{}\n",
        serde_json::to_string(&Event::Head { status: 200, headers: Vec::new() }).unwrap()
    )])
}

#[tokio::test]
async fn executors_are_those_that_report_and_are_called_in_turn_and_by_their_ids() {
    let (one, two) = (Executor::start(ends).await, Executor::start(ends).await);
    let reports = Arc::new(Reports::default());
    let invoker = reported(&reports, &[&one, &two]);
    let nobody = invoker.invoke(call()).await.err().unwrap();
    assert!(nobody.to_string().contains("no executor was heard of lately"), "{nobody}");
    // Where nobody is known, those who have come since are asked for at once.
    let (first, second) = (one.report("one"), two.report("two"));
    reports.reports.lock().unwrap().extend([first.clone(), second.clone(), report("within an API")]);
    for _ in 0..6 {
        assert!(invoker.invoke(call()).await.is_ok());
    }
    for (executor, report) in [(&one, &first), (&two, &second)] {
        let asked = executor.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|(_, audience, _)| *audience == report.id.to_string()), "{asked:?}");
    }
}

#[tokio::test]
async fn an_executor_that_is_about_to_stop_is_called_last() {
    let (one, two) = (Executor::start(ends).await, Executor::start(ends).await);
    let reports = Arc::new(Reports::default());
    let draining = ExecutorReport { draining: true, ..one.report("one") };
    reports.reports.lock().unwrap().extend([draining, two.report("two")]);
    let invoker = reported(&reports, &[&one, &two]);
    for _ in 0..3 {
        assert!(invoker.invoke(call()).await.is_ok());
    }
    assert_eq!((one.asked().len(), two.asked().len()), (0, 3));
    // It still answers if it is the only one.
    reports.reports.lock().unwrap().pop();
    assert!(reported(&reports, &[&one]).invoke(call()).await.is_ok());
}

#[tokio::test]
async fn an_executor_that_cannot_begin_is_passed_over_and_one_that_may_have_begun_is_not() {
    let reports = Arc::new(Reports::default());
    let good = Executor::start(ends).await;
    let full = || json(503, &ErrorBody { error: detail("busy", "256 at once") });
    let stranger = || json(401, &ErrorBody { error: detail("unauthorized", "another token") });
    for cannot in [Executor::start(full).await, Executor::start(stranger).await] {
        *reports.reports.lock().unwrap() = vec![cannot.report("a"), good.report("b")];
        let invoker = reported(&reports, &[&cannot, &good]);
        for _ in 0..4 {
            assert!(invoker.invoke(call()).await.is_ok());
        }
        assert!(!cannot.asked().is_empty());
    }
    assert_eq!(good.asked().len(), 8);
    let broken =
        Executor::start(|| json(429, &ErrorBody { error: detail("busy", "32 of this handler") })).await;
    *reports.reports.lock().unwrap() = vec![broken.report("a"), good.report("b")];
    let invoker = reported(&reports, &[&broken, &good]);
    let answers = [invoker.invoke(call()).await.is_ok(), invoker.invoke(call()).await.is_ok()];
    assert!(answers.contains(&true) && answers.contains(&false), "{answers:?}");
}

#[tokio::test]
async fn while_the_store_is_away_those_known_last_are_called() {
    let executor = Executor::start(|| json(204, &())).await;
    let reports = Arc::new(Reports::default());
    reports.reports.lock().unwrap().push(executor.report("one"));
    let invoker = reported(&reports, &[&executor]);
    let change = Change::Handler { name: "hello".parse().unwrap() };
    invoker.announce(&change).await;
    reports.is_down.store(true, Ordering::SeqCst);
    invoker.announce(&change).await;
    assert_eq!(executor.asked().len(), 2);
}

#[tokio::test]
async fn every_executor_prepares_a_module_and_what_is_said_first_counts() {
    let reports = Arc::new(Reports::default());
    let heard = Arc::new(Notify::new());
    let one = Executor::start(|| json(200, &inspection())).await;
    let two = Executor::start({
        let heard = Arc::clone(&heard);
        move || {
            heard.notify_one();
            json(200, &inspection())
        }
    })
    .await;
    let unable = Executor::start(|| json(503, &"no")).await;
    let reported_by = [one.report("one"), two.report("two"), unable.report("unable")];
    reports.reports.lock().unwrap().extend(reported_by);
    let invoker = reported(&reports, &[&one, &two, &unable]);
    assert_eq!(invoker.prepare(&Digest::of(b"module")).await.unwrap(), inspection());
    heard.notified().await;
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
}

fn detail(code: &str, message: &str) -> ErrorDetail {
    ErrorDetail {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: String::new(),
        request_id: String::new(),
    }
}
