//! From the platform's listener to Rocket and back.
//!
//! Rocket 0.5 binds and accepts by itself: it cannot be given a listener, it switches hyper's
//! header timeout off, and it has no hook for ours. So every port of the platform has one accept
//! loop, `wasmcloud-listener`, with one set of timeouts and limits, and Rocket does what it is good
//! at, routing and guards. Each request is dispatched to it locally, by a task that owns everything
//! the request borrows. The body comes first, bounded by what its route may take; the answer's
//! head goes out through a channel, and a streamed body after it, part by part, until it ends or
//! the client goes away.
//!
//! Large bodies are read only for callers who are known, and only so many at once.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::{Body as _, Frame};
use rocket::http::{Header, Method};
use rocket::local::asynchronous::{Client, LocalRequest, LocalResponse};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;
use wasmcloud_listener::{Body, BodyError, CollectError, Peer, ResponseBody};
use wasmcloud_wire::limits::{JSON_BODY_BYTES_MAX, UPLOAD_BYTES_MAX};

use crate::ApiError;
use crate::app::App;
use crate::guards::{Executor, Meta, Payload};

/// Largest JSON body that carries a request's body in base64, or a batch of records.
const LARGE_JSON_BYTES_MAX: usize = 14 << 20;
/// Largest body that is read without a place being taken for it.
const LITTLE_BODY_BYTES_MAX: u64 = 16 << 10;
/// How long an upload waits for the same user's upload before it.
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a body that is not little waits until it may be read.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a body may take to arrive, however steadily it does.
const BODY_MAX: Duration = Duration::from_secs(600);
/// Parts of a streamed answer that wait for the client.
const PARTS_MAX: usize = 4;
/// Size of such a part, in bytes.
const PART_BYTES: usize = 16 << 10;

/// Rocket, and what is asked before it.
pub(crate) struct Bridge {
    client: Client,
    app: Arc<App>,
}

/// What a request's body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyClass {
    /// JSON of the usual size.
    Small,
    /// A module.
    Upload,
    /// JSON with a request's body in it.
    Invoke,
    /// JSON from an executor.
    Records,
}

impl BodyClass {
    fn of(parts: &Parts) -> BodyClass {
        let mut segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        let path: [Option<&str>; 6] = std::array::from_fn(|_| segments.next());
        match (parts.method.as_str(), path) {
            ("POST", [Some("api"), Some("v1"), Some("handlers" | "inspect"), None, ..]) => BodyClass::Upload,
            ("PUT", [Some("api"), Some("v1"), Some("handlers"), Some(_), Some("module"), None]) => {
                BodyClass::Upload
            }
            ("POST", [Some("api"), Some("v1"), Some("handlers"), Some(_), Some("invoke"), None]) => {
                BodyClass::Invoke
            }
            ("POST", [Some("internal"), Some("v1"), Some("records"), None, ..]) => BodyClass::Records,
            _ => BodyClass::Small,
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            BodyClass::Small => JSON_BODY_BYTES_MAX,
            BodyClass::Upload => UPLOAD_BYTES_MAX,
            BodyClass::Invoke | BodyClass::Records => LARGE_JSON_BYTES_MAX,
        }
    }
}

/// A body, and the places that it holds until it is answered.
struct Admitted {
    body: Bytes,
    places: Vec<OwnedSemaphorePermit>,
}

impl Bridge {
    pub(crate) fn new(client: Client, app: Arc<App>) -> Bridge {
        Bridge { client, app }
    }

    /// Answers a request. One line of the log says how.
    pub(crate) async fn answer(
        self: Arc<Bridge>,
        request: Request<Body>,
        peer: Peer,
    ) -> Response<ResponseBody> {
        let started = Instant::now();
        let meta = Arc::new(Meta::new(Uuid::now_v7(), peer.addr));
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let mut response = match self.admit(&parts, body, &meta).await {
            Ok(admitted) => self.dispatch(parts, admitted, Arc::clone(&meta)).await,
            Err(error) => error_response(&error, meta.request_id),
        };
        finish(&mut response, meta.request_id);
        tracing::info!(
            %method,
            path,
            status = response.status().as_u16(),
            ms = started.elapsed().as_millis() as u64,
            request_id = %meta.request_id,
            user = meta.user(),
            "request"
        );
        response
    }

    /// Reads the body, if whoever sends it may send one like it now.
    async fn admit(&self, parts: &Parts, body: Body, meta: &Meta) -> Result<Admitted, ApiError> {
        let class = BodyClass::of(parts);
        let authorization = only_authorization(parts);
        let mut places = Vec::new();
        let little = body.size_hint().upper().is_some_and(|bytes| bytes <= LITTLE_BODY_BYTES_MAX);
        match class {
            BodyClass::Small => {}
            BodyClass::Records => self.check_executor(authorization)?,
            BodyClass::Upload => {
                let user = meta.caller(&self.app, authorization).await?.user.id;
                let place = self.app.uploads.enter(user, UPLOAD_WAIT_MAX).await;
                places.push(place.ok_or_else(|| too_many("one of your uploads is still going on"))?);
            }
            BodyClass::Invoke => {
                let user = meta.caller(&self.app, authorization).await?.user.id;
                if !little {
                    let place = self.app.large_bodies_per_user.enter(user, PLACE_WAIT_MAX).await;
                    places.push(
                        place
                            .ok_or_else(|| too_many("too many of your large requests are still going on"))?,
                    );
                }
            }
        }
        if body.size_hint().lower() > class.bytes_max() as u64 {
            return Err(ApiError::too_large(class.bytes_max()));
        }
        if !little {
            places.push(self.place(class).await?);
        }
        let body = tokio::time::timeout(BODY_MAX, body.collect(class.bytes_max()))
            .await
            .map_err(|_| body_error(BodyError::TooSlow))?
            .map_err(|error| match error {
                CollectError::TooLarge { max } => ApiError::too_large(max),
                CollectError::Body(error) => body_error(error),
            })?;
        Ok(Admitted { body, places })
    }

    /// A place for a body that may take a while to arrive, and memory when it has.
    async fn place(&self, class: BodyClass) -> Result<OwnedSemaphorePermit, ApiError> {
        let places = match class {
            BodyClass::Small => &self.app.medium_bodies,
            BodyClass::Upload | BodyClass::Invoke => &self.app.large_bodies,
            BodyClass::Records => &self.app.record_bodies,
        };
        tokio::time::timeout(PLACE_WAIT_MAX, Arc::clone(places).acquire_owned())
            .await
            .map_err(|_| ApiError::unavailable("no place for a large body became free"))?
            .map_err(ApiError::internal)
    }

    /// Without an internal interface nobody is asked: routing says 404.
    fn check_executor(&self, authorization: Option<&str>) -> Result<(), ApiError> {
        if self.app.core.config.service_token.is_some() {
            Executor::known(&self.app, authorization)?;
        }
        Ok(())
    }

    async fn dispatch(
        self: Arc<Bridge>,
        parts: Parts,
        admitted: Admitted,
        meta: Arc<Meta>,
    ) -> Response<ResponseBody> {
        let request_id = meta.request_id;
        let (head, answer) = oneshot::channel();
        tokio::spawn(async move {
            let Admitted { body, places } = admitted;
            let is_head = parts.method == http::Method::HEAD;
            match self.local_request(&parts, body, meta) {
                Ok(request) => {
                    let response = request.dispatch().await;
                    drop(places);
                    respond(response, is_head, head).await;
                }
                // The client may be gone, which is nobody's error.
                Err(error) => drop(head.send(error_response(&error, request_id))),
            }
        });
        answer.await.unwrap_or_else(|_| {
            error_response(&ApiError::internal("a request's task ended early"), request_id)
        })
    }

    fn local_request(
        &self,
        parts: &Parts,
        body: Bytes,
        meta: Arc<Meta>,
    ) -> Result<LocalRequest<'_>, ApiError> {
        let method: Method =
            parts.method.as_str().parse().map_err(|()| unknown_method(parts.method.as_str()))?;
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = self.client.req(method, target.to_owned()).remote(meta.peer);
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            request.add_header(Header::new(name.as_str().to_owned(), value));
        }
        // Not as Rocket's own data, which it would copy, and look into for a form that changes the method.
        request.inner().local_cache(|| Payload(body));
        request.inner().local_cache(|| meta);
        Ok(request)
    }
}

/// Sends the head as soon as it is there, and then the body.
async fn respond(response: LocalResponse<'_>, is_head: bool, head: oneshot::Sender<Response<ResponseBody>>) {
    let mut answer = Response::new(ResponseBody::empty());
    *answer.status_mut() =
        StatusCode::from_u16(response.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for field in response.headers().iter() {
        let name = HeaderName::from_bytes(field.name().as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(field.value())) {
            answer.headers_mut().append(name, value);
        }
    }
    let size = response.body().preset_size();
    if response.body().is_none() {
        drop(head.send(answer));
        return;
    }
    if let Some(bytes) = size {
        // What has a size is in memory already.
        answer.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(bytes));
        if !is_head {
            *answer.body_mut() = response.into_bytes().await.unwrap_or_default().into();
        }
        drop(head.send(answer));
        return;
    }
    let (parts, receiver) = mpsc::channel(PARTS_MAX);
    *answer.body_mut() = ResponseBody::stream(StreamBody::new(ReceiverStream::new(receiver)));
    if head.send(answer).is_ok() {
        pump(response, parts).await;
    }
}

/// Passes on a streamed body as it comes. Ends, and with it whatever makes the body, when the
/// client is gone.
async fn pump(mut response: LocalResponse<'_>, parts: mpsc::Sender<io::Result<Frame<Bytes>>>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PART_BYTES);
        let part = tokio::select! {
            biased;
            () = parts.closed() => return,
            read = response.read_buf(&mut buffer) => match read {
                Ok(0) => return,
                Ok(_) => Ok(Frame::data(buffer.split().freeze())),
                Err(error) => Err(error),
            },
        };
        let failed = part.is_err();
        if parts.send(part).await.is_err() || failed {
            return;
        }
    }
}

fn only_authorization(parts: &Parts) -> Option<&str> {
    let mut fields = parts.headers.get_all(http::header::AUTHORIZATION).iter();
    let first = fields.next().filter(|_| fields.next().is_none())?;
    first.to_str().ok()
}

fn error_response(error: &ApiError, request_id: Uuid) -> Response<ResponseBody> {
    error.log(request_id);
    let json = serde_json::to_vec(&error.body(request_id)).unwrap_or_default();
    let mut response = Response::new(json.into());
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in error.header_fields() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// What every answer carries.
fn finish(response: &mut Response<ResponseBody>, request_id: Uuid) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn too_many(message: &str) -> ApiError {
    ApiError::new(429, "too_many_requests", message, "wait until it is done, then try again").retry_after(30)
}

fn unknown_method(method: &str) -> ApiError {
    let method: String = method.chars().take(32).collect();
    ApiError::new(405, "method_not_allowed", format!("nothing here takes {method}"), "use another method")
}

fn body_error(error: BodyError) -> ApiError {
    match error {
        BodyError::TimedOut | BodyError::TooSlow => {
            ApiError::new(408, "body_too_slow", error.to_string(), "try again over a faster connection")
        }
        BodyError::Malformed | BodyError::Disconnected => {
            ApiError::new(400, "bad_body", error.to_string(), "send it again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(method: &str, uri: &str) -> BodyClass {
        let (parts, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        BodyClass::of(&parts)
    }

    #[test]
    fn only_routes_that_take_large_bodies_may_have_them() {
        assert_eq!(class("POST", "/api/v1/handlers?name=hello"), BodyClass::Upload);
        assert_eq!(class("POST", "/api/v1/inspect"), BodyClass::Upload);
        assert_eq!(class("PUT", "/api/v1/handlers/hello/module"), BodyClass::Upload);
        assert_eq!(class("POST", "/api/v1/handlers/hello/invoke"), BodyClass::Invoke);
        assert_eq!(class("POST", "/internal/v1/records"), BodyClass::Records);
        for (method, uri) in [
            ("GET", "/api/v1/handlers"),
            ("POST", "/api/v1/login"),
            ("POST", "/api/v1/handlers/hello/promote"),
            ("POST", "/api/v1/handlers/hello/invoke/more"),
            ("POST", "/internal/v1/records/more"),
        ] {
            assert_eq!(class(method, uri), BodyClass::Small, "{method} {uri}");
        }
    }
}
