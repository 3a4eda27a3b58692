//! The way to executors in other processes: [`Invoker`] over HTTPS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::StatusCode;
use http::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};
use wasmcloud_plane::{Address, AddressError, LineError, ServiceToken, bounded, chain, client, lines};
use wasmcloud_wire::{
    Call, Change, Digest, ErrorBody, Event, EventStream, Inspection, InvokeError, Invoker, Outcome,
    PrepareError, Receipt, Refusal, Timestamp,
};

/// How long compiling may take: 60 s of CPU time, on a machine that may have more to do.
const PREPARE_MAX: Duration = Duration::from_secs(180);
/// How long an executor may take to say that it knows of a change.
const ANNOUNCE_MAX: Duration = Duration::from_secs(2);
/// Longest answer that is no stream, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Executors behind their internal listeners. Each call goes to the next one in turn; one that
/// cannot be connected to is passed over.
pub struct RemoteInvoker {
    client: Client,
    executors: Vec<Address>,
    turn: AtomicUsize,
}

/// Why executors cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteInvokerError {
    /// No executor was named.
    #[error("no executor is known: name at least one by its internal address, such as https://10.0.0.2:7443")]
    NoExecutor,
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
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
        let executors = executors.iter().map(|text| text.parse()).collect::<Result<Vec<Address>, _>>()?;
        if executors.is_empty() {
            return Err(RemoteInvokerError::NoExecutor);
        }
        Ok(RemoteInvoker { client: client(token, ca_pem)?, executors, turn: AtomicUsize::new(0) })
    }

    /// Sends a request to the next executor that can be connected to.
    async fn send(&self, build: impl Fn(&Address) -> RequestBuilder) -> Result<Response, String> {
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

#[async_trait]
impl Invoker for RemoteInvoker {
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError> {
        let path = format!("prepare/{digest}");
        let response = self
            .send(|executor| self.client.post(executor.internal(&path)).timeout(PREPARE_MAX))
            .await
            .map_err(PrepareError::Unavailable)?;
        let status = response.status();
        let body = bounded(response, ANSWER_BYTES_MAX).await.map_err(PrepareError::Unavailable)?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| unreadable(&error)),
            StatusCode::UNPROCESSABLE_ENTITY => {
                let refusal: Refusal = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
                Err(PrepareError::Refused(refusal))
            }
            other => Err(PrepareError::Unavailable(unexpected("prepare", other))),
        }
    }

    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError> {
        let body = serde_json::to_vec(&call).map_err(|error| InvokeError::Unavailable(error.to_string()))?;
        let body = Bytes::from(body);
        let build = |executor: &Address| {
            let request = self.client.post(executor.internal("invoke"));
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
            other => Err(InvokeError::Unavailable(unexpected("invoke", other))),
        }
    }

    async fn announce(&self, change: &Change) {
        let announcements = self.executors.iter().map(|executor| async move {
            let request = self.client.post(executor.internal("announce")).json(change).timeout(ANNOUNCE_MAX);
            // The change stream tells it too; one that cannot be reached now asks for everything later.
            if let Err(error) = request.send().await.and_then(Response::error_for_status) {
                tracing::warn!(executor = %executor, error = chain(&error), "cannot announce a change");
            }
        });
        futures::future::join_all(announcements).await;
    }
}

/// An answer that is neither the one asked for nor a refusal, for the log.
fn unexpected(asked: &str, status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED => {
            "it refused the service token: start it with the token file that the API has".to_owned()
        }
        status => format!("{asked} was answered with {status}"),
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
    let body = bounded(response, ANSWER_BYTES_MAX).await?;
    serde_json::from_slice(&body).map_err(|error| format!("the executor's answer cannot be read: {error}"))
}

fn unreadable(error: &serde_json::Error) -> PrepareError {
    PrepareError::Unavailable(format!("the executor's answer cannot be read: {error}"))
}

/// The events of an answer. If it breaks off, an `End` that says so is the last one.
fn events<S>(parts: S, call: Call) -> impl Stream<Item = Event> + Send
where
    S: Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
{
    let state = Some((lines::<Event, _, _>(parts).boxed(), call));
    stream::unfold(state, |state| async move {
        let (mut lines, call) = state?;
        let early = || Err(LineError::BrokenOff("it ended before the invocation did".to_owned()));
        let event = lines.next().await.unwrap_or_else(early).unwrap_or_else(|error| {
            tracing::warn!(invocation = %call.invocation, %error, "an invocation's events broke off");
            Event::End { receipt: Box::new(broken_off(&call)) }
        });
        let over = matches!(event, Event::End { .. });
        Some((event, (!over).then_some((lines, call))))
    })
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
        cpu_us: 0,
        gas: 0,
        memory_peak_bytes: 0,
        host_calls: Default::default(),
        urls: Vec::new(),
        outbound: Default::default(),
        bytes_in: 0,
        bytes_out: 0,
        log_lines: 0,
        log_lines_dropped: 0,
        status: None,
        outcome: Outcome::Internal { message: "the connection to the executor broke off".to_owned() },
    }
}
