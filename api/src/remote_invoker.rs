//! The way to executors in other processes: [`Invoker`] over HTTPS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url};
use wasmcloud_wire::{
    Call, Change, Digest, ErrorBody, Event, EventStream, Inspection, InvokeError, Invoker, Outcome,
    PrepareError, Receipt, Refusal, Timestamp,
};

use crate::{ServiceToken, ServiceTokenError};

const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long compiling may take: 60 s of CPU time, on a machine that may have more to do.
const PREPARE_MAX: Duration = Duration::from_secs(180);
/// How long an executor may take to say that it knows of a change.
const ANNOUNCE_MAX: Duration = Duration::from_secs(2);
/// How long an invocation may say nothing: an operator's highest wall limit is 300 s.
const SILENCE_MAX: Duration = Duration::from_secs(330);
/// Longest line of an event stream, in bytes.
const EVENT_BYTES_MAX: usize = 8 << 20;
/// Longest answer that is no stream, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Executors behind their internal listeners. Each call goes to the next one in turn; one that
/// cannot be connected to is passed over.
pub struct RemoteInvoker {
    client: Client,
    executors: Vec<Url>,
    turn: AtomicUsize,
}

/// Why executors cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteInvokerError {
    /// No executor was named.
    #[error("no executor is known: name at least one by its internal address, such as https://10.0.0.2:7443")]
    NoExecutor,
    /// An address is none.
    #[error(
        "`{0}` is no executor's address: write it like https://10.0.0.2:7443; plain http is for loopback only"
    )]
    Url(String),
    /// The service token cannot be sent.
    #[error(transparent)]
    Token(#[from] ServiceTokenError),
    /// The certificate cannot be used, or TLS cannot be set up.
    #[error("cannot set up TLS to the executors: {0}")]
    Tls(#[from] reqwest::Error),
}

impl RemoteInvoker {
    /// Speaks to the executors at these addresses. With `ca_pem` exactly those certificates are
    /// trusted; without it, what the system trusts.
    pub fn new(
        executors: &[String],
        token: &ServiceToken,
        ca_pem: Option<&[u8]>,
    ) -> Result<RemoteInvoker, RemoteInvokerError> {
        let executors = executors.iter().map(|text| base_url(text)).collect::<Result<Vec<Url>, _>>()?;
        if executors.is_empty() {
            return Err(RemoteInvokerError::NoExecutor);
        }
        let mut client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token.authorization()?)]))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX);
        if let Some(pem) = ca_pem {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        Ok(RemoteInvoker { client: client.build()?, executors, turn: AtomicUsize::new(0) })
    }

    /// Sends a request to the next executor that can be connected to.
    async fn send(&self, build: impl Fn(&Url) -> RequestBuilder) -> Result<Response, String> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.executors.len();
        let (before, from) = self.executors.split_at(first);
        let mut failure = String::new();
        for executor in from.iter().chain(before) {
            match build(executor).send().await {
                Ok(response) => return Ok(response),
                Err(error) if error.is_connect() => failure = chain(&error),
                Err(error) => return Err(chain(&error)),
            }
        }
        Err(failure)
    }
}

fn base_url(text: &str) -> Result<Url, RemoteInvokerError> {
    let error = || RemoteInvokerError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| error())?;
    let loopback = match url.host_str() {
        Some("localhost" | "127.0.0.1" | "[::1]") => true,
        Some(_) => false,
        None => return Err(error()),
    };
    let secret = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if !secret || url.path() != "/" || url.query().is_some() {
        return Err(error());
    }
    Ok(url)
}

/// An address below `/internal/v1/`; what is joined has no character that means something in a URL.
fn internal(executor: &Url, path: &str) -> String {
    format!("{}internal/v1/{path}", executor.as_str())
}

#[async_trait]
impl Invoker for RemoteInvoker {
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError> {
        let path = format!("prepare/{digest}");
        let response = self
            .send(|executor| self.client.post(internal(executor, &path)).timeout(PREPARE_MAX))
            .await
            .map_err(PrepareError::Unavailable)?;
        let status = response.status();
        let body = bounded(response).await.map_err(PrepareError::Unavailable)?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| unreadable(&error)),
            StatusCode::UNPROCESSABLE_ENTITY => {
                let refusal: Refusal = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
                Err(PrepareError::Refused(refusal))
            }
            other => Err(PrepareError::Unavailable(format!("prepare was answered with {other}"))),
        }
    }

    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError> {
        let body = serde_json::to_vec(&call).map_err(|error| InvokeError::Unavailable(error.to_string()))?;
        let body = Bytes::from(body);
        let build = |executor: &Url| {
            let request = self.client.post(internal(executor, "invoke"));
            request.header("content-type", "application/json").body(body.clone())
        };
        let response = self.send(build).await.map_err(InvokeError::Unavailable)?;
        match response.status() {
            StatusCode::OK => Ok(events(response.bytes_stream(), call).boxed()),
            status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                Err(busy(response, status == StatusCode::SERVICE_UNAVAILABLE).await)
            }
            StatusCode::BAD_REQUEST => Err(match error_body(response).await {
                Ok(body) => InvokeError::BadRequest(body.error.message),
                Err(error) => InvokeError::Unavailable(error),
            }),
            other => Err(InvokeError::Unavailable(format!("invoke was answered with {other}"))),
        }
    }

    async fn announce(&self, change: &Change) {
        let announcements = self.executors.iter().map(|executor| async move {
            let request = self.client.post(internal(executor, "announce")).json(change).timeout(ANNOUNCE_MAX);
            // The change stream tells it too; one that cannot be reached now asks for everything later.
            if let Err(error) = request.send().await.and_then(Response::error_for_status) {
                tracing::warn!(executor = %executor, error = chain(&error), "cannot announce a change");
            }
        });
        futures::future::join_all(announcements).await;
    }
}

async fn busy(response: Response, executor_full: bool) -> InvokeError {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_s = retry_after.and_then(|text| text.parse().ok());
    match (error_body(response).await, retry_after_s) {
        (Ok(body), Some(retry_after_s)) => {
            InvokeError::Busy { message: body.error.message, executor_full, retry_after_s }
        }
        // Without a time to try again it is not a limit that was hit.
        (Ok(body), None) => InvokeError::Unavailable(body.error.code),
        (Err(error), _) => InvokeError::Unavailable(error),
    }
}

async fn error_body(response: Response) -> Result<ErrorBody, String> {
    let body = bounded(response).await?;
    serde_json::from_slice(&body).map_err(|error| format!("the executor's answer cannot be read: {error}"))
}

fn unreadable(error: &serde_json::Error) -> PrepareError {
    PrepareError::Unavailable(format!("the executor's answer cannot be read: {error}"))
}

async fn bounded(mut response: Response) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(|error| chain(&error))? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(format!("the executor's answer is larger than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

struct Events<S> {
    parts: S,
    buffer: BytesMut,
    call: Call,
    over: bool,
}

/// The events of an answer. If it breaks off, an `End` that says so is the last one.
fn events<S>(parts: S, call: Call) -> impl Stream<Item = Event> + Send
where
    S: Stream<Item = reqwest::Result<Bytes>> + Send + Unpin,
{
    let state = Events { parts, buffer: BytesMut::new(), call, over: false };
    stream::unfold(state, |mut state| async move {
        if state.over {
            return None;
        }
        let event = match state.next().await {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(invocation = %state.call.invocation, error, "an invocation's events broke off");
                Event::End { receipt: Box::new(broken_off(&state.call)) }
            }
        };
        state.over = matches!(event, Event::End { .. });
        Some((event, state))
    })
}

impl<S: Stream<Item = reqwest::Result<Bytes>> + Send + Unpin> Events<S> {
    async fn next(&mut self) -> Result<Event, String> {
        let mut searched = 0;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            if let Some(length) = unsearched.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(searched + length);
                self.buffer.advance(1);
                return serde_json::from_slice(&line).map_err(|error| format!("unreadable event: {error}"));
            }
            searched = self.buffer.len();
            if searched > EVENT_BYTES_MAX {
                return Err(format!("an event is larger than {EVENT_BYTES_MAX} bytes"));
            }
            match self.parts.next().await {
                Some(Ok(part)) => self.buffer.extend_from_slice(&part),
                Some(Err(error)) => return Err(chain(&error)),
                None => return Err("the stream ended before the invocation did".to_owned()),
            }
        }
    }
}

/// The receipt of an invocation whose own is lost.
fn broken_off(call: &Call) -> Receipt {
    let path = call.request.target.split('?').next().unwrap_or_default();
    Receipt {
        invocation: call.invocation,
        handler: Some(call.deployment.handler),
        version: call.deployment.version,
        digest: call.deployment.digest,
        abi: call.deployment.abi,
        executor: String::new(),
        trigger: call.trigger,
        method: call.request.method.clone(),
        path: path.chars().take(1024).collect(),
        started_at: Timestamp::now(),
        wall_us: 0,
        gas: 0,
        memory_peak_bytes: 0,
        host_calls: Default::default(),
        urls: Vec::new(),
        bytes_in: 0,
        bytes_out: 0,
        log_lines: 0,
        log_lines_dropped: 0,
        status: None,
        outcome: Outcome::Internal { message: "the connection to the executor broke off".to_owned() },
    }
}
