//! The way to a control plane in another process: [`ControlPlane`] over HTTPS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, future};
use http::StatusCode;
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use uuid::Uuid;
use wasmcloud_plane::{
    API, Address, AddressError, PlaneClient, ServiceKeys, bounded, lines, refusal, unanswered,
};
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, Record, RouteKey, UsageReport,
};

/// How long an answer may take; a module's bytes have [`MODULE_MAX`].
const ANSWER_MAX: Duration = Duration::from_secs(5);
const MODULE_MAX: Duration = Duration::from_secs(60);
/// Largest answer that is no module.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A control plane behind its `/internal/v1`. Where it has several addresses, the one that answered last is
/// asked first, and the next one when it does not answer.
pub struct RemoteControlPlane {
    client: PlaneClient,
    addresses: Vec<Address>,
    /// Which of the addresses answered last.
    current: AtomicUsize,
}

/// Why a control plane cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No address was given.
    #[error("the API has no address: name it, such as https://api.example.com")]
    NoAddress,
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificate cannot be used, or TLS cannot be set up.
    #[error("cannot set up TLS to the API: {0}")]
    Tls(#[from] reqwest::Error),
}

impl RemoteControlPlane {
    /// Speaks to the API at these addresses. With `ca_pem` exactly those certificates are trusted.
    ///
    /// # Errors
    ///
    /// An address or the certificates are unusable. Whether the API answers is not tried.
    pub fn new(
        api: &[String],
        keys: ServiceKeys,
        ca_pem: Option<&[u8]>,
    ) -> Result<RemoteControlPlane, RemoteError> {
        let addresses = api.iter().map(|text| text.parse()).collect::<Result<Vec<Address>, _>>()?;
        if addresses.is_empty() {
            return Err(RemoteError::NoAddress);
        }
        let client = PlaneClient::new(keys, ca_pem)?;
        Ok(RemoteControlPlane { client, addresses, current: AtomicUsize::new(0) })
    }

    async fn get(
        &self,
        path: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<Response>, ControlPlaneError> {
        let build = |address: &Address| {
            let request = self.client.get(address, API, path);
            match timeout {
                Some(timeout) => request.timeout(timeout),
                None => request,
            }
        };
        let response = self.send(path, build).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(path, response).await),
        }
    }

    async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<Response, ControlPlaneError> {
        let body = serde_json::to_vec(body).map_err(|error| ControlPlaneError::Refused(error.to_string()))?;
        let body = Bytes::from(body);
        let build = |address: &Address| self.client.post(address, API, path, body.clone()).timeout(timeout);
        self.send(path, build).await
    }

    /// Sends a request to the first address that answers. Whatever an executor asks may be asked twice.
    async fn send(
        &self,
        path: &str,
        build: impl Fn(&Address) -> RequestBuilder,
    ) -> Result<Response, ControlPlaneError> {
        let first = self.current.load(Ordering::Relaxed);
        let (before, from) = self.addresses.split_at(first.min(self.addresses.len()));
        let mut failure = String::new();
        for (index, address) in from.iter().chain(before).enumerate() {
            match build(address).send().await {
                Ok(response) if response.status().is_server_error() => {
                    failure = format!("{path} was answered with {}", response.status());
                }
                Ok(response) => {
                    if index > 0 {
                        self.current.store((first + index) % self.addresses.len(), Ordering::Relaxed);
                        tracing::info!(api = %address, failure, "the API is asked at another of its addresses");
                    }
                    return Ok(response);
                }
                Err(error) => failure = unanswered(address, &error),
            }
        }
        Err(unavailable(failure))
    }
}

fn unavailable(reason: impl Into<String>) -> ControlPlaneError {
    ControlPlaneError::Unavailable(reason.into())
}

/// Why an answer is none.
async fn refused(path: &str, response: Response) -> ControlPlaneError {
    match response.status() {
        StatusCode::UNAUTHORIZED => ControlPlaneError::Unauthorized(
            refusal(response, "use the token file that the API was started with").await,
        ),
        status => unavailable(format!("{path} was answered with {status}")),
    }
}

#[async_trait]
impl ControlPlane for RemoteControlPlane {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        let Some(response) = self.get(&format!("resolve/{key}"), Some(ANSWER_MAX)).await? else {
            return Ok(None);
        };
        let body = bounded(response, ANSWER_BYTES_MAX).await.map_err(unavailable)?;
        serde_json::from_slice(&body).map(Some).map_err(|error| unavailable(error.to_string()))
    }

    async fn routes(&self, host: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        let Some(response) = self.get(&format!("routes/{host}"), Some(ANSWER_MAX)).await? else {
            return Ok(Vec::new());
        };
        let body = bounded(response, ANSWER_BYTES_MAX).await.map_err(unavailable)?;
        serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string()))
    }

    async fn report(&self, report: ExecutorReport) -> Result<(), ControlPlaneError> {
        let response = self.post("executors", &report, ANSWER_MAX).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(refused("executors", response).await),
        }
    }

    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        let response = self.post("usage", &UsageReport { executor, used }, ANSWER_MAX).await?;
        if response.status() != StatusCode::OK {
            return Err(refused("usage", response).await);
        }
        let body = bounded(response, ANSWER_BYTES_MAX).await.map_err(unavailable)?;
        serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string()))
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        let response =
            self.get("changes", None).await?.ok_or_else(|| unavailable("there is no change stream"))?;
        let changes = lines::<Change, _, _>(response.bytes_stream().boxed());
        // The executor asks for another stream when this one ends, for whatever reason.
        Ok(Box::pin(changes.filter_map(|change| {
            future::ready(change.map_err(|error| tracing::warn!(%error, "change stream")).ok())
        })))
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        let response = self.post("records", &batch, ANSWER_MAX * 2).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            // The same batch would be answered in the same way again.
            status @ (StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY) => {
                Err(ControlPlaneError::Refused(format!("records were answered with {status}")))
            }
            _ => Err(refused("records", response).await),
        }
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        let Some(response) = self.get(&format!("modules/{digest}"), Some(MODULE_MAX)).await? else {
            return Ok(None);
        };
        bounded(response, UPLOAD_BYTES_MAX).await.map(Some).map_err(unavailable)
    }
}
