//! From the platform's listener to Rocket and back.
//!
//! Rocket 0.5 binds and accepts by itself: it cannot be given a listener, it switches hyper's
//! header timeout off, and it has no hook for ours. So every port of the platform has one accept
//! loop, `wasmcloud-listener`, with one set of timeouts and limits, and Rocket does what it is good
//! at, routing and guards. Each request is dispatched to it locally, by a task that owns everything
//! the request borrows. The body comes first, as `bodies.rs` admits it; the answer's head goes out
//! through a channel, and a streamed body after it, part by part, until it ends or the client goes
//! away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::{Client, LocalRequest, LocalResponse};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;
use wasmcloud_listener::{Body, Peer, ResponseBody};

use crate::ApiError;
use crate::app::App;
use crate::bodies::{Admitted, Held};
use crate::guards::{Meta, Payload};

/// Parts of a streamed answer that wait for the client.
const PARTS_MAX: usize = 4;
/// Size of such a part, in bytes.
const PART_BYTES: usize = 16 << 10;

/// Rocket, and what is asked before it.
pub(crate) struct Bridge {
    client: Client,
    app: Arc<App>,
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
        let mut response = match self.app.bodies.admit(&self.app, &parts, body, &meta).await {
            Ok(admitted) if is_page(&path) => self.page(parts, admitted, &meta).await,
            Ok(admitted) => Arc::clone(&self).dispatch(parts, admitted, Arc::clone(&meta)).await,
            Err(error) => error_response(&error, meta.request_id),
        };
        if let Some((position, more)) = meta.noted() {
            self.app.core.finish_noted(position, response.status().as_u16(), &more).await;
        }
        finish(&mut response, meta.request_id);
        tracing::info!(
            %method,
            path,
            status = response.status().as_u16(),
            ms = started.elapsed().as_millis() as u64,
            request_id = %meta.request_id,
            user = meta.user(),
            peer = %meta.peer.ip().to_canonical(),
            "request"
        );
        response
    }

    /// A page of the panel, which asks the API in turn.
    async fn page(
        self: &Arc<Bridge>,
        parts: Parts,
        admitted: Admitted,
        meta: &Meta,
    ) -> Response<ResponseBody> {
        let Admitted { body, held } = admitted;
        let api = PanelApi { bridge: Arc::clone(self), request_id: meta.request_id, peer: meta.peer };
        let response = wasmcloud_panel::answer(Request::from_parts(parts, body), Arc::new(api)).await;
        drop(held);
        response
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
            let Admitted { body, held } = admitted;
            let is_head = parts.method == http::Method::HEAD;
            match self.local_request(&parts, body, meta) {
                Ok(request) => {
                    let response = request.dispatch().await;
                    drop(held);
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

/// Whether a path is one of the panel's.
pub(crate) fn is_page(path: &str) -> bool {
    let first = path.split('/').find(|segment| !segment.is_empty());
    !matches!(first, Some("api" | "internal" | "healthz" | "readyz"))
}

/// The API as the panel asks it: as the client that asked the panel.
struct PanelApi {
    bridge: Arc<Bridge>,
    request_id: Uuid,
    peer: SocketAddr,
}

#[async_trait]
impl wasmcloud_panel::Api for PanelApi {
    async fn call(&self, request: Request<Bytes>) -> Response<ResponseBody> {
        let meta = Arc::new(Meta::new(self.request_id, self.peer));
        let (parts, body) = request.into_parts();
        // What is in memory already takes no further place.
        let admitted = Admitted { body, held: Held::default() };
        let response = Arc::clone(&self.bridge).dispatch(parts, admitted, Arc::clone(&meta)).await;
        if let Some((position, more)) = meta.noted() {
            self.bridge.app.core.finish_noted(position, response.status().as_u16(), &more).await;
        }
        response
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
    // The panel's styles and scripts alone may be kept.
    headers.entry(http::header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn unknown_method(method: &str) -> ApiError {
    let method: String = method.chars().take(32).collect();
    ApiError::new(405, "method_not_allowed", format!("nothing here takes {method}"), "use another method")
}
