//! The way to a control plane in another process: [`ControlPlane`] over HTTPS.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, future};
use http::StatusCode;
use reqwest::{Client, Response};
use wasmcloud_plane::{Address, AddressError, ServiceToken, bounded, chain, client, lines};
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{
    Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport, HostName,
    HostRoute, Record, RouteKey,
};

/// How long an answer may take; a module's bytes have [`MODULE_MAX`].
const ANSWER_MAX: Duration = Duration::from_secs(5);
const MODULE_MAX: Duration = Duration::from_secs(60);
/// Largest answer that is no module.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A control plane behind its `/internal/v1`.
pub struct RemoteControlPlane {
    client: Client,
    api: Address,
}

/// Why a control plane cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificate cannot be used, or TLS cannot be set up.
    #[error("cannot set up TLS to the API: {0}")]
    Tls(#[from] reqwest::Error),
}

impl RemoteControlPlane {
    /// Speaks to the API at this address. With `ca_pem` exactly those certificates are trusted.
    ///
    /// # Errors
    ///
    /// The address or the certificates are unusable. Whether the API answers is not tried.
    pub fn new(
        api: &str,
        token: &ServiceToken,
        ca_pem: Option<&[u8]>,
    ) -> Result<RemoteControlPlane, RemoteError> {
        Ok(RemoteControlPlane { api: api.parse()?, client: client(token, ca_pem)? })
    }

    async fn get(
        &self,
        path: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<Response>, ControlPlaneError> {
        let mut request = self.client.get(self.api.internal(path));
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        let response = request.send().await.map_err(|error| unavailable(chain(&error)))?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refused(path, status)),
        }
    }
}

fn unavailable(reason: impl Into<String>) -> ControlPlaneError {
    ControlPlaneError::Unavailable(reason.into())
}

fn refused(path: &str, status: StatusCode) -> ControlPlaneError {
    match status {
        StatusCode::UNAUTHORIZED => {
            ControlPlaneError::Unauthorized("use the token file that the API was started with".to_owned())
        }
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
        let request = self.client.post(self.api.internal("executors")).json(&report).timeout(ANSWER_MAX);
        let response = request.send().await.map_err(|error| unavailable(chain(&error)))?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(refused("executors", status)),
        }
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
        let request = self.client.post(self.api.internal("records")).json(&batch).timeout(ANSWER_MAX * 2);
        let response = request.send().await.map_err(|error| unavailable(chain(&error)))?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            // The same batch would be answered in the same way again.
            status @ (StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY) => {
                Err(ControlPlaneError::Refused(format!("records were answered with {status}")))
            }
            status => Err(refused("records", status)),
        }
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        let Some(response) = self.get(&format!("modules/{digest}"), Some(MODULE_MAX)).await? else {
            return Ok(None);
        };
        bounded(response, UPLOAD_BYTES_MAX).await.map(Some).map_err(unavailable)
    }
}
