//! The control plane's calls over HTTPS: `/internal/v1`, as docs/ARCHITECTURE.md has it.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_listener::{Body, ResponseBody, Settings, Tls};
use wasmcloud_plane::{ServiceKeys, Unsigned, Verifier};
use wasmcloud_wire::{Call, Change, ErrorBody, ErrorDetail, InvokeError, Invoker, PrepareError};

use crate::Executor;

/// Largest request: a call with the largest body in base64, and its head.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// Serves the control plane's calls until `shutdown`.
pub(crate) async fn serve(
    executor: Arc<Executor>,
    keys: ServiceKeys,
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) {
    let verifier = Arc::new(Verifier::new(keys));
    let service = move |request: Request<Body>, _| {
        let (executor, verifier) = (executor.clone(), verifier.clone());
        async move { answer(&executor, &verifier, request).await.unwrap_or_else(Failure::response) }
    };
    // A call, a stream of events and a module have a connection each, so that none waits for another.
    let settings = Settings { http2: false, ..Settings::default() };
    wasmcloud_listener::serve(listener, tls, settings, shutdown, service).await;
}

struct Failure {
    status: u16,
    code: &'static str,
    message: String,
    hint: &'static str,
    retry_after_s: Option<u32>,
}

impl Failure {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into(), hint: "see the executor's log", retry_after_s: None }
    }

    fn response(self) -> Response<ResponseBody> {
        let detail = ErrorDetail {
            code: self.code.to_owned(),
            message: self.message,
            hint: self.hint.to_owned(),
            request_id: Uuid::now_v7().to_string(),
        };
        let mut response = json(self.status, &ErrorBody { error: detail });
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Unsigned> for Failure {
    fn from(refused: Unsigned) -> Failure {
        Failure {
            hint: refused.hint(),
            ..Failure::new(refused.status(), refused.code(), refused.to_string())
        }
    }
}

async fn answer(
    executor: &Executor,
    verifier: &Verifier,
    request: Request<Body>,
) -> Result<Response<ResponseBody>, Failure> {
    let (parts, body) = request.into_parts();
    let known_as = |audience: &str| executor.known_as(audience);
    let signed = verifier.verify(&parts.method, &parts.uri, &parts.headers, known_as)?;
    let Some(path) = parts.uri.path().strip_prefix("/internal/v1/") else {
        return Err(Failure::new(404, "not_found", "there is nothing here"));
    };
    if parts.method != Method::POST {
        return Err(Failure::new(405, "method_not_allowed", "use POST"));
    }
    let body = body
        .collect(REQUEST_BYTES_MAX)
        .await
        .map_err(|error| Failure::new(400, "bad_body", error.to_string()))?;
    signed.check_body(&body)?;
    match path {
        "invoke" => invoke(executor, read(&body)?).await,
        "announce" => {
            executor.announce(&read::<Change>(&body)?).await;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => match path.strip_prefix("prepare/") {
            Some(digest) => prepare(executor, digest).await,
            None => Err(Failure::new(404, "not_found", "there is nothing here")),
        },
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(400, "bad_json", error.to_string()))
}

async fn prepare(executor: &Executor, digest: &str) -> Result<Response<ResponseBody>, Failure> {
    let digest = digest.parse().map_err(|_| Failure::new(400, "bad_digest", "not a sha256 digest"))?;
    match executor.prepare(&digest).await {
        Ok(inspection) => Ok(json(200, &inspection)),
        Err(PrepareError::Refused(refusal)) => Ok(json(422, &refusal)),
        Err(PrepareError::Unavailable(reason)) => Err(Failure::new(503, "unavailable", reason)),
    }
}

async fn invoke(executor: &Executor, call: Call) -> Result<Response<ResponseBody>, Failure> {
    let events = executor.invoke(call).await.map_err(|error| match error {
        InvokeError::Busy { message, executor_full, retry_after_s } => Failure {
            retry_after_s: Some(retry_after_s),
            ..Failure::new(if executor_full { 503 } else { 429 }, "busy", message)
        },
        InvokeError::OverQuota { message, retry_after_s } => {
            Failure { retry_after_s: Some(retry_after_s), ..Failure::new(429, "over_quota", message) }
        }
        InvokeError::Suspended(reason) => Failure::new(403, "suspended", reason),
        InvokeError::BadRequest(message) => Failure::new(400, "bad_request", message),
        InvokeError::Unavailable(reason) => Failure::new(503, "unavailable", reason),
    })?;
    let lines = events.map(|event| {
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Frame::data(Bytes::from(line)))
    });
    let mut response = Response::new(ResponseBody::stream(StreamBody::new(lines)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn json(status: u16, value: &impl Serialize) -> Response<ResponseBody> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}
