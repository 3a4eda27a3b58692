//! A whole control plane on a port of its own, with a store and a folder that last as long as it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_api::store::{Claim, ModuleStore as _, SqliteStore, Subject};
use wasmcloud_api::{Config, Core, Registration, ServeError, ServiceKeys, ServiceToken, serve};
use wasmcloud_blob::{Blobs, FsBlobs};
use wasmcloud_wire::body::{Deployed, User};
use wasmcloud_wire::{
    Abi, Call, Change, Digest, Event, EventStream, HandlerId, Inspection, InvocationId, InvokeError, Invoker,
    Level, LogLine, Outcome, PrepareError, Receipt, Record, Source, Timestamp, Trigger, VersionNumber,
};

pub const PASSWORD: &str = "correct horse battery";
pub const SERVICE_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The keys of the service token.
pub fn service_keys() -> ServiceKeys {
    SERVICE_TOKEN.parse::<ServiceToken>().unwrap().into()
}

/// A running control plane.
pub struct TestApp {
    pub base: String,
    pub core: Arc<Core>,
    pub store: Arc<SqliteStore>,
    pub blobs: FsBlobs,
    pub invoker: Arc<FakeInvoker>,
    pub key_file: PathBuf,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    _dir: TempDir,
}

impl TestApp {
    pub async fn start() -> TestApp {
        TestApp::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::start_over(None, change).await
    }

    /// One that keeps its modules somewhere else than in `blobs`.
    pub async fn start_on(place: Arc<dyn Blobs>) -> TestApp {
        TestApp::start_over(Some(place), |_| {}).await
    }

    async fn start_over(place: Option<Arc<dyn Blobs>>, change: impl FnOnce(&mut Config)) -> TestApp {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("wasmcloud.sqlite")).await.unwrap());
        let blobs = FsBlobs::open(dir.path().join("modules")).await.unwrap();
        let key_file = dir.path().join("jwt.key");
        let mut config = Config::new(&key_file, "http://localhost:3001".parse().unwrap());
        config.registration = Registration::Open;
        config.service_keys = Some(service_keys());
        change(&mut config);
        let place = place.unwrap_or_else(|| Arc::new(blobs.clone()));
        // Nothing is swept but when a test says so.
        let turn = Claim { subject: Subject::Sweep, holder: Uuid::new_v4(), expires_at: Timestamp(i64::MAX) };
        assert!(store.claim(turn, Timestamp::now()).await.unwrap());
        let core = Core::new(Arc::clone(&store) as _, place, config).await.unwrap();
        let invoker = Arc::new(FakeInvoker::default());
        let listener = wasmcloud_listener::bind(([127, 0, 0, 1], 0).into(), "--api-listen").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let as_invoker: Arc<dyn Invoker> = Arc::clone(&invoker) as _;
        let serving = tokio::spawn(serve(Arc::clone(&core), as_invoker, listener, None, shutdown.clone()));
        TestApp { base, core, store, blobs, invoker, key_file, shutdown, serving, _dir: dir }
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client { http: reqwest::Client::new(), base: self.base.clone(), token: None, keys: None }
    }

    /// A client with some token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.anonymous() }
    }

    /// A client that signs its requests to the API.
    pub fn signing(&self, keys: ServiceKeys) -> Client {
        Client { keys: Some(keys), ..self.anonymous() }
    }

    /// An executor that knows the service token.
    pub fn executor(&self) -> Client {
        self.signing(service_keys())
    }

    /// A new user, logged in.
    pub async fn user(&self, name: &str) -> Client {
        self.login_new(name, false).await
    }

    /// A new operator, logged in.
    pub async fn admin(&self, name: &str) -> Client {
        self.login_new(name, true).await
    }

    async fn login_new(&self, name: &str, is_admin: bool) -> Client {
        let user = self.core.create_user(name.parse().unwrap(), PASSWORD.to_owned(), is_admin).await.unwrap();
        let grant = self.core.grant_token(&user, "test", 1).await.unwrap();
        self.with_token(&grant.token)
    }

    /// Ends the server, and waits until it has ended.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
    }

    pub fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    pub async fn stored_modules(&self) -> usize {
        self.blobs.list().await.unwrap().len()
    }
}

/// Whoever makes requests.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
    pub token: Option<String>,
    pub keys: Option<ServiceKeys>,
}

impl Client {
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The request with the signature of an executor, if this is one.
    pub fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        let Some(keys) = &self.keys else { return request };
        let built = request.try_clone().unwrap().build().unwrap();
        let query = built.url().query().map_or(String::new(), |query| format!("?{query}"));
        let target = format!("{}{query}", built.url().path());
        let body = built.body().and_then(|body| body.as_bytes()).unwrap_or_default();
        request.header("authorization", keys.sign("api", built.method(), &target, body).unwrap())
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.signed(self.request("GET", path))).await
    }

    pub async fn post(&self, path: &str, body: impl Serialize) -> Answer {
        Answer::of(self.signed(self.request("POST", path).json(&body))).await
    }

    pub async fn patch(&self, path: &str, body: impl Serialize) -> Answer {
        Answer::of(self.request("PATCH", path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: impl Serialize) -> Answer {
        Answer::of(self.request("PUT", path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request("DELETE", path)).await
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.signed(self.request(method, path).body(body))).await
    }

    /// Creates a handler.
    pub async fn create(&self, name: &str, module: Bytes) -> Answer {
        self.send("POST", &format!("/api/v1/handlers?name={name}"), module).await
    }

    /// Uploads a handler's next version.
    pub async fn update(&self, name: &str, module: Bytes) -> Answer {
        self.send("PUT", &format!("/api/v1/handlers/{name}/module"), module).await
    }

    /// Creates a handler that has to work.
    pub async fn has_handler(&self, name: &str) -> Deployed {
        self.create(name, module(name)).await.good(201)
    }

    pub async fn whoami(&self) -> User {
        self.get("/api/v1/whoami").await.good(200)
    }
}

/// An answer that has arrived whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body of an answer that has to have this status.
    #[track_caller]
    pub fn good<T: DeserializeOwned>(self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Nothing, as it has to be.
    #[track_caller]
    pub fn done(self) {
        assert_eq!((self.status, self.text()), (204, ""));
    }

    /// The message of an error that has to have this status and code, in the one shape.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        assert_eq!((self.status, body["error"]["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(body["error"]["request_id"].as_str(), self.header("x-request-id"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(!body["error"]["hint"].as_str().unwrap().is_empty());
        body["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// A module that can run; a different one for every text.
pub fn module(text: &str) -> Bytes {
    let wat = format!(
        r#"(module (memory (export "memory") 1) (data (i32.const 0) "{text}") (func (export "_start")))"#
    );
    wat::parse_str(wat).unwrap().into()
}

/// An executor that runs nothing and remembers everything.
#[derive(Default)]
pub struct FakeInvoker {
    /// Executors that cannot be called, and why.
    pub troubles: Mutex<HashMap<Uuid, String>>,
    /// What it was asked, in order.
    pub heard: Mutex<Vec<Heard>>,
    /// What it does at `prepare` instead of agreeing.
    pub prepares_with: Mutex<HashMap<Digest, Prepares>>,
    /// What the next invocation gives.
    pub invokes_with: Mutex<Option<Result<mpsc::UnboundedReceiver<Event>, InvokeError>>>,
    /// Signalled when a held `prepare` begins.
    pub holding: Notify,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    PrepareBegan(Digest),
    PrepareEnded(Digest),
    Invoke(Box<Call>),
    Announce(Change),
}

pub enum Prepares {
    Refusing(wasmcloud_wire::Refusal),
    Failing(String),
    Holding(Arc<Notify>),
}

impl FakeInvoker {
    pub fn hear(&self, what: Heard) {
        self.heard.lock().unwrap().push(what);
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn at_prepare(&self, module: &Bytes, prepares: Prepares) {
        self.prepares_with.lock().unwrap().insert(Digest::of(module), prepares);
    }

    /// The next invocation gives what is sent here.
    pub fn next_invocation(&self) -> mpsc::UnboundedSender<Event> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.invokes_with.lock().unwrap() = Some(Ok(receiver));
        sender
    }

    pub fn calls(&self) -> Vec<Call> {
        let heard = self.heard();
        heard
            .into_iter()
            .filter_map(|heard| if let Heard::Invoke(call) = heard { Some(*call) } else { None })
            .collect()
    }
}

pub fn inspection() -> Inspection {
    Inspection {
        abi: Abi::Olin,
        size_bytes: 1,
        imports: Vec::new(),
        exports: Vec::new(),
        memory_bytes_min: 65_536,
        memory_bytes_max: None,
        needs: Default::default(),
        files: Vec::new(),
    }
}

#[async_trait]
impl Invoker for FakeInvoker {
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError> {
        self.hear(Heard::PrepareBegan(*digest));
        let prepares = self.prepares_with.lock().unwrap().remove(digest);
        match prepares {
            Some(Prepares::Refusing(refusal)) => return Err(refusal.into()),
            Some(Prepares::Failing(cause)) => return Err(PrepareError::Unavailable(cause)),
            Some(Prepares::Holding(release)) => {
                self.holding.notify_one();
                release.notified().await;
            }
            None => {}
        }
        self.hear(Heard::PrepareEnded(*digest));
        Ok(inspection())
    }

    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError> {
        let receipt = receipt(call.deployment.handler, call.invocation);
        self.hear(Heard::Invoke(Box::new(call)));
        match self.invokes_with.lock().unwrap().take() {
            Some(Ok(events)) => Ok(UnboundedReceiverStream::new(events).boxed()),
            Some(Err(error)) => Err(error),
            None => Ok(stream::iter([Event::End { receipt: Box::new(receipt) }]).boxed()),
        }
    }

    async fn announce(&self, change: &Change) {
        self.hear(Heard::Announce(change.clone()));
    }

    fn trouble(&self, executor: Uuid) -> Option<String> {
        self.troubles.lock().unwrap().get(&executor).cloned()
    }
}

pub fn receipt(handler: HandlerId, invocation: InvocationId) -> Receipt {
    Receipt {
        invocation,
        handler: Some(handler),
        version: VersionNumber(1),
        digest: Digest::of(b"module"),
        abi: Abi::Olin,
        executor: "test".to_owned(),
        trigger: Trigger::Invoke,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        started_at: Timestamp::now(),
        wall_us: 1_000,
        cpu_us: 0,
        gas: 10,
        memory_peak_bytes: 65_536,
        host_calls: Default::default(),
        urls: Vec::new(),
        outbound: Default::default(),
        bytes_in: 0,
        bytes_out: 2,
        log_lines: 1,
        log_lines_dropped: 0,
        status: Some(200),
        outcome: Outcome::Ok,
    }
}

/// A part of an invocation's record: one line, and the receipt if it is the last part.
pub fn record(handler: HandlerId, invocation: InvocationId, seq: u32, text: &str, last: bool) -> Record {
    let line = LogLine {
        invocation,
        seq,
        at: Timestamp::now(),
        level: Level::INFO,
        source: Source::Log,
        text: text.to_owned(),
    };
    Record {
        handler,
        invocation,
        lines: vec![line],
        receipt: last.then(|| receipt(handler, invocation)),
        recording: None,
    }
}
