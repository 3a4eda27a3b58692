//! The way to executors in other processes: [`Invoker`] over HTTPS.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::StatusCode;
use http::header::RETRY_AFTER;
use reqwest::Response;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;
use wasmcloud_plane::{
    Address, AddressError, LineError, PlaneClient, ServiceKeys, bounded, lines, refusal, unanswered,
};
use wasmcloud_wire::{
    Call, Change, Digest, ErrorBody, Event, EventStream, Inspection, InvokeError, Invoker, Outcome,
    PrepareError, Receipt, Refusal, Timestamp,
};

use crate::fleet::{Fleet, Member};
use crate::store::FleetStore;

/// How long compiling may take: 60 s of CPU time, on a machine that may have more to do.
const PREPARE_MAX: Duration = Duration::from_secs(180);
/// Executors that prepare modules at once, of all uploads together.
const PREPARE_AT_ONCE: usize = 64;
/// How long a deploy waits, once one executor has prepared its module, until the others have too. Those that
/// have not go on preparing it.
const PREPARE_EVERYWHERE_MAX: Duration = Duration::from_secs(2);
/// How long an executor may take to say that it knows of a change.
const ANNOUNCE_MAX: Duration = Duration::from_secs(2);
/// Longest answer that is no stream, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// What the log says where there is nobody to call.
const NOBODY: &str =
    "no executor was heard of lately, and none is named: start one with `wasmcloud executor --api URL`";

/// Executors behind their internal listeners: those that report to the store, and those that are named. Each call
/// goes to the next one in turn; one that cannot be connected to, or that refuses to begin, is passed over.
pub struct RemoteInvoker {
    client: PlaneClient,
    fleet: Arc<Fleet>,
    preparing: Arc<Semaphore>,
}

/// Why executors cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteInvokerError {
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificate cannot be used, or TLS cannot be set up.
    #[error("cannot set up TLS to the executors: {0}")]
    Tls(#[from] reqwest::Error),
}

impl RemoteInvoker {
    /// Speaks to the executors that `store` has heard of lately, and to those at the addresses `named`. With
    /// `ca_pem` exactly those certificates are trusted; without it, what the system trusts.
    ///
    /// # Errors
    ///
    /// An address or the certificates are unusable.
    pub fn new(
        store: Arc<dyn FleetStore>,
        named: &[String],
        keys: ServiceKeys,
        ca_pem: Option<&[u8]>,
    ) -> Result<RemoteInvoker, RemoteInvokerError> {
        let named = named.iter().map(|text| text.parse()).collect::<Result<Vec<Address>, _>>()?;
        Ok(RemoteInvoker {
            client: PlaneClient::new(keys, ca_pem)?,
            fleet: Arc::new(Fleet::new(store, named)),
            preparing: Arc::new(Semaphore::new(PREPARE_AT_ONCE)),
        })
    }

    /// Asks one executor after the other to begin, those anew that have come meanwhile, until one does or says
    /// what no other would say differently.
    async fn begin(&self, call: &Call, body: &Bytes) -> Result<Response, InvokeError> {
        let mut last = InvokeError::Unavailable(NOBODY.to_owned());
        let mut asked = BTreeSet::new();
        for now in [false, true] {
            for executor in self.fleet.members(now).await {
                if !asked.insert(executor.audience.clone()) {
                    continue;
                }
                match begin_at(&self.client, &self.fleet, &executor, body.clone()).await {
                    Ok(response) => return Ok(response),
                    Err(Refused::Here(error)) => {
                        tracing::debug!(executor = %executor.address, %error, invocation = %call.invocation,
                            "another executor is asked");
                        last = error;
                    }
                    Err(Refused::Anywhere(error)) => return Err(error),
                }
            }
        }
        Err(last)
    }

    /// Has every executor prepare a module. What is said first is what counts.
    async fn prepare_at(&self, members: Vec<Member>, digest: &Digest) -> Result<Inspection, PrepareError> {
        let mut preparing = JoinSet::new();
        for member in members {
            let (client, turns, digest) = (self.client.clone(), Arc::clone(&self.preparing), *digest);
            let fleet = Arc::clone(&self.fleet);
            preparing.spawn(async move {
                let _turn = turns.acquire_owned().await;
                let answer = prepare_at(&client, &fleet, &member, &digest).await;
                if let Err(PrepareError::Unavailable(error)) = &answer {
                    tracing::warn!(executor = %member.address, error, "an executor cannot prepare a module");
                }
                answer
            });
        }
        let mut failure = PrepareError::Unavailable(NOBODY.to_owned());
        while let Some(answer) = preparing.join_next().await {
            match answer {
                Ok(Err(error @ PrepareError::Unavailable(_))) => failure = error,
                Ok(answer) => {
                    finish(preparing).await;
                    return answer;
                }
                Err(error) => failure = PrepareError::Unavailable(error.to_string()),
            }
        }
        Err(failure)
    }
}

/// Waits for the other executors a little, and then leaves them to it.
async fn finish(mut preparing: JoinSet<Result<Inspection, PrepareError>>) {
    let until = Instant::now() + PREPARE_EVERYWHERE_MAX;
    while let Ok(Some(_)) = tokio::time::timeout_at(until, preparing.join_next()).await {}
    preparing.detach_all();
}

async fn prepare_at(
    client: &PlaneClient,
    fleet: &Fleet,
    executor: &Member,
    digest: &Digest,
) -> Result<Inspection, PrepareError> {
    let path = format!("prepare/{digest}");
    let request = client.post(&executor.address, &executor.audience, &path, Bytes::new());
    let response = request.timeout(PREPARE_MAX).send().await;
    fleet.note(executor, &response);
    let response =
        response.map_err(|error| PrepareError::Unavailable(unanswered(&executor.address, &error)))?;
    let status = response.status();
    if !matches!(status, StatusCode::OK | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(PrepareError::Unavailable(unexpected("prepare", response).await));
    }
    let body = bounded(response, ANSWER_BYTES_MAX).await.map_err(PrepareError::Unavailable)?;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(|error| unreadable(&error));
    }
    let refusal: Refusal = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
    Err(PrepareError::Refused(refusal))
}

/// Why an invocation did not begin.
enum Refused {
    /// At this executor; another may begin it.
    Here(InvokeError),
    /// Nowhere; or it may have begun here, and must not begin twice.
    Anywhere(InvokeError),
}

async fn begin_at(
    client: &PlaneClient,
    fleet: &Fleet,
    executor: &Member,
    body: Bytes,
) -> Result<Response, Refused> {
    let request = client.post(&executor.address, &executor.audience, "invoke", body);
    let answer = request.send().await;
    fleet.note(executor, &answer);
    let response = answer.map_err(|error| {
        let reason = InvokeError::Unavailable(unanswered(&executor.address, &error));
        if error.is_connect() { Refused::Here(reason) } else { Refused::Anywhere(reason) }
    })?;
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::TOO_MANY_REQUESTS => Err(Refused::Anywhere(busy(response, false).await)),
        StatusCode::FORBIDDEN => Err(suspended(response).await),
        StatusCode::SERVICE_UNAVAILABLE => Err(Refused::Here(busy(response, true).await)),
        StatusCode::BAD_REQUEST => Err(Refused::Anywhere(match error_body(response).await {
            Ok(body) => InvokeError::BadRequest(body.error.message),
            Err(error) => InvokeError::Unavailable(error),
        })),
        _ => Err(Refused::Here(InvokeError::Unavailable(unexpected("invoke", response).await))),
    }
}

#[async_trait]
impl Invoker for RemoteInvoker {
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError> {
        let mut members = self.fleet.members(true).await;
        if members.iter().any(|member| !member.draining) {
            members.retain(|member| !member.draining);
        }
        self.prepare_at(members, digest).await
    }

    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError> {
        let body = serde_json::to_vec(&call).map_err(|error| InvokeError::Unavailable(error.to_string()))?;
        let response = self.begin(&call, &Bytes::from(body)).await?;
        Ok(events(response.bytes_stream(), call).boxed())
    }

    async fn announce(&self, change: &Change) {
        let body = match serde_json::to_vec(change) {
            Ok(body) => Bytes::from(body),
            Err(error) => return tracing::error!(%error, "cannot write a change as JSON"),
        };
        let members = self.fleet.members(true).await;
        let announcements = members.iter().map(|executor| async {
            let request = self.client.post(&executor.address, &executor.audience, "announce", body.clone());
            // The change stream tells it too; one that cannot be reached now asks for everything later.
            let answer = request.timeout(ANNOUNCE_MAX).send().await;
            self.fleet.note(executor, &answer);
            let error = match answer {
                Ok(response) if response.status().is_success() => return,
                Ok(response) => unexpected("announce", response).await,
                Err(error) => unanswered(&executor.address, &error),
            };
            tracing::warn!(executor = %executor.address, error, "cannot announce a change");
        });
        futures::future::join_all(announcements).await;
    }

    fn trouble(&self, executor: Uuid) -> Option<String> {
        self.fleet.trouble(&executor.to_string())
    }
}

/// An answer that is neither the one asked for nor a refusal, for the log.
async fn unexpected(asked: &str, response: Response) -> String {
    match response.status() {
        StatusCode::UNAUTHORIZED => {
            let wrong_token = "it refused the service token: start it with the token file that the API has";
            refusal(response, wrong_token).await
        }
        status => format!("{asked} was answered with {status}"),
    }
}

async fn busy(response: Response, executor_full: bool) -> InvokeError {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_s = retry_after.and_then(|text| text.parse().ok());
    match (error_body(response).await, retry_after_s) {
        // Quotas count on all executors together.
        (Ok(body), Some(retry_after_s)) if body.error.code == "over_quota" => {
            InvokeError::OverQuota { message: body.error.message, retry_after_s }
        }
        (Ok(body), Some(retry_after_s)) => {
            InvokeError::Busy { message: body.error.message, executor_full, retry_after_s }
        }
        // Without a time to try again it is not a limit that was hit.
        (Ok(body), None) => InvokeError::Unavailable(body.error.code),
        (Err(error), _) => InvokeError::Unavailable(error),
    }
}

/// Whether it is the account that is refused, everywhere; or the call, by something in between.
async fn suspended(response: Response) -> Refused {
    match error_body(response).await {
        Ok(body) if body.error.code == "suspended" => {
            Refused::Anywhere(InvokeError::Suspended(body.error.message))
        }
        Ok(body) => Refused::Here(InvokeError::Unavailable(body.error.code)),
        Err(error) => Refused::Here(InvokeError::Unavailable(error)),
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
