//! Asking the public API, as the person whose session it is.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmcloud_listener::ResponseBody;
use wasmcloud_wire::{ErrorBody, ErrorDetail};

/// The most that an answer may have which is read whole: the API's lists are bounded, and smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The public API. An implementation hands requests to its routes as if they had come from the same client.
#[async_trait]
pub trait Api: Send + Sync {
    /// Answers a request for a path below `/api/v1`.
    async fn call(&self, request: http::Request<Bytes>) -> http::Response<ResponseBody>;
}

/// Why the API did not do what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The status of its answer.
    pub status: StatusCode,
    /// The error, which says what to do next.
    pub error: ErrorDetail,
}

/// The API, as one person.
#[derive(Clone)]
pub(crate) struct Client {
    api: Arc<dyn Api>,
    session: Option<String>,
    user_agent: String,
}

impl Client {
    pub(crate) fn new(api: Arc<dyn Api>, session: Option<String>, user_agent: String) -> Client {
        Client { api, session, user_agent }
    }

    /// The same API with another session.
    pub(crate) fn with_session(&self, secret: &str) -> Client {
        Client { session: Some(secret.to_owned()), ..self.clone() }
    }

    /// `GET`, and what its JSON says.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        self.json(Method::GET, path, Bytes::new()).await
    }

    /// Sends JSON, and what the JSON of the answer says.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refused> {
        let body = serde_json::to_vec(body).map_err(|error| unreadable(&error.to_string()))?;
        self.json(method, path, body.into()).await
    }

    /// Sends JSON where the answer has no body.
    pub(crate) async fn tell(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), Refused> {
        let body = serde_json::to_vec(body).map_err(|error| unreadable(&error.to_string()))?;
        self.whole(method, path, &[], body.into()).await.map(|_| ())
    }

    /// `DELETE`, or any other request without a body in either direction.
    pub(crate) async fn act(&self, method: Method, path: &str) -> Result<(), Refused> {
        self.whole(method, path, &[], Bytes::new()).await.map(|_| ())
    }

    /// Sends bytes with further header fields, and what the JSON of the answer says.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Bytes,
    ) -> Result<T, Refused> {
        let bytes = self.whole(method, path, fields, body).await?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&error.to_string()))
    }

    /// The answer as it comes, whatever it says: for streams.
    pub(crate) async fn stream(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Bytes,
    ) -> http::Response<ResponseBody> {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(secret) = &self.session {
            request = request.header(header::AUTHORIZATION, format!("Session {secret}"));
        }
        request = request.header(header::USER_AGENT, &self.user_agent);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        match request.body(body) {
            Ok(request) => self.api.call(request).await,
            Err(error) => {
                tracing::warn!(%error, path, "a request to the API cannot be made");
                let mut response = http::Response::new(ResponseBody::empty());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Refused> {
        self.upload(method, path, &[("content-type", "application/json")], body).await
    }

    async fn whole(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Bytes, Refused> {
        let (parts, body) = self.stream(method, path, fields, body).await.into_parts();
        let body = http_body_util::Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| unreadable(&error.to_string()))?.to_bytes();
        if parts.status.is_success() {
            return Ok(bytes);
        }
        let error = serde_json::from_slice::<ErrorBody>(&bytes);
        let error = error.map_err(|error| unreadable(&error.to_string()))?.error;
        Err(Refused { status: parts.status, error: crate::hints::of_pages(error) })
    }
}

/// An answer that makes no sense, which is ours to mend.
fn unreadable(why: &str) -> Refused {
    tracing::error!(why, "the panel cannot read what the API answered");
    Refused {
        status: StatusCode::BAD_GATEWAY,
        error: ErrorDetail {
            code: "unreadable".to_owned(),
            message: "the server's own answer cannot be read".to_owned(),
            hint: "try again; if it goes on, tell whoever operates this server".to_owned(),
            request_id: String::new(),
        },
    }
}

/// A path of the API: its segments, each percent-encoded.
pub(crate) fn path(segments: &[&str]) -> String {
    let mut path = "/api/v1".to_owned();
    for segment in segments {
        path.push('/');
        path.extend(percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC));
    }
    path
}

/// A path of the API with a query; fields without a value are left out.
pub(crate) fn path_with(segments: &[&str], query: &[(&str, Option<&str>)]) -> String {
    let mut query_text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value {
            query_text.append_pair(name, value);
        }
    }
    let query = query_text.finish();
    let path = path(segments);
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
