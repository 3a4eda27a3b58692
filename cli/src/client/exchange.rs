//! How a request goes out and its answer comes in: timeouts, sizes, and every answer but a success as a failure.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use wasmcloud_wire::ErrorBody;
use wasmcloud_wire::body::Deployed;

use super::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::transport::transport_failure;

/// How long a request may take as a whole; for a stream, until it begins.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long an upload may take: 32 MiB over a slow line, and a minute of compiling.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// Largest answer that is not a stream.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Most of an unknown answer that is quoted.
const QUOTE_CHARS_MAX: usize = 200;

impl Client {
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path, &[])
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path, &[])
    }

    /// A request below `/api/v1`. Whatever stands in a path has been parsed and needs no encoding.
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.server.url(&format!("/api/v1{path}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    pub(super) async fn upload<S>(
        &self,
        request: RequestBuilder,
        size: u64,
        module: S,
    ) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let request = request
            .timeout(UPLOAD_TIMEOUT)
            .header("content-type", "application/wasm")
            .header("content-length", size)
            .body(reqwest::Body::wrap_stream(module));
        let answer = async { self.read(self.send(request).await?).await };
        answer.await.map_err(Failure::of_upload)
    }

    pub(super) async fn stream(&self, request: RequestBuilder, idle_max: Duration) -> Result<Lines, Failure> {
        let response = tokio::time::timeout(REQUEST_TIMEOUT, self.send(request)).await.map_err(|_| {
            Failure::new(Exit::Unreachable, "timeout", self.late(REQUEST_TIMEOUT), "try again")
        })??;
        Ok(Lines::new(response, self.server.clone(), idle_max))
    }

    pub(super) async fn fetch<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        self.read(self.send(request.timeout(REQUEST_TIMEOUT)).await?).await
    }

    /// The same of what takes its time.
    pub(super) async fn fetch_within<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        timeout: Duration,
    ) -> Result<T, Failure> {
        self.read(self.send(request.timeout(timeout)).await?).await
    }

    /// An answer as it is.
    pub(super) async fn bytes(&self, request: RequestBuilder) -> Result<Bytes, Failure> {
        self.body(self.send(request.timeout(REQUEST_TIMEOUT)).await?).await.map(Bytes::from)
    }

    pub(super) async fn done(&self, request: RequestBuilder) -> Result<(), Failure> {
        self.send(request.timeout(REQUEST_TIMEOUT)).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Failure> {
        let status = response.status();
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|_| self.foreign(status, &body))
    }

    /// Sends, and turns every answer but a success into a failure.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| transport_failure(&self.server, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await?;
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => Err(Failure::of_answer(status.as_u16(), body.error)),
            Err(_) => Err(self.foreign(status, &body)),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| transport_failure(&self.server, error))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message = format!("{} answered with more than {ANSWER_BYTES_MAX} bytes", self.server);
                return Err(Failure::new(Exit::Failure, "bad_answer", message, "ask for less"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// An answer that no API of this kind gives: a proxy's error page, another program.
    fn foreign(&self, status: StatusCode, body: &[u8]) -> Failure {
        let exit = Exit::of_status(status.as_u16());
        // A 404 in another shape is not a missing handler: it is the wrong server.
        let exit = if exit == Exit::NotFound { Exit::Failure } else { exit };
        let text: String = String::from_utf8_lossy(body).trim().chars().take(QUOTE_CHARS_MAX).collect();
        let quoted =
            if text.is_empty() { String::new() } else { format!(": {}", crate::text::one_line(&text)) };
        Failure::new(
            exit,
            "bad_answer",
            format!("{} answered {status}, but not as a wasmcloud API does{quoted}", self.server),
            "check the address, or name another with --api-server",
        )
    }

    fn late(&self, limit: Duration) -> String {
        format!("{} did not answer within {} s", self.server, limit.as_secs())
    }
}
