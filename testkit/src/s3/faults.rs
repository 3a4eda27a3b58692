//! How the server can fail, and what it does then.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use s3s::service::S3Service;

/// What a body that is cut off says.
type CutOff = std::io::Error;
/// The body of every answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, CutOff>;

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are refused.
    Down,
    /// Connections are accepted, and nothing is ever answered.
    Silent,
    /// Each answer comes after this time.
    Slow(Duration),
    /// So many requests are answered with this status, such as 503; those after them are answered well.
    Errors {
        /// The status.
        status: u16,
        /// How many; `u32::MAX` for all.
        requests: u32,
    },
    /// Objects' bodies end after half of their bytes.
    Truncated,
    /// Objects' bodies have one wrong byte each.
    WrongBytes,
    /// Keys are refused, as if they were wrong.
    Denied,
    /// The bucket is not there.
    NoBucket,
    /// There is no room: objects that are put are answered with 507, everything else well.
    Full,
    /// Parts of multipart uploads after the first are answered with 500.
    FailingParts,
}

/// The fault that there is, and what has come.
#[derive(Default)]
pub struct Faults {
    fault: Mutex<Option<Fault>>,
    errors_left: AtomicU32,
    requests: AtomicUsize,
}

impl Faults {
    pub fn set(&self, fault: Option<Fault>) {
        if let Some(Fault::Errors { requests, .. }) = fault {
            self.errors_left.store(requests, Ordering::SeqCst);
        }
        *self.fault.lock().unwrap() = fault;
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Answers a request, or fails to.
    pub async fn answer(
        &self,
        s3: &S3Service,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, s3s::HttpError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let is_get = request.method() == Method::GET
            && request.uri().query().is_none_or(|query| !query.contains("list-type"));
        let is_later_part = request.uri().query().is_some_and(|query| {
            query.contains("partNumber=") && !query.split('&').any(|part| part == "partNumber=1")
        });
        let fault = *self.fault.lock().unwrap();
        match fault {
            None | Some(Fault::Down) => {}
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::Errors { status, .. }) => {
                let left = |left: u32| left.checked_sub(1);
                if self.errors_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
                    return Ok(error(status, "InternalError"));
                }
            }
            Some(Fault::FailingParts) if is_later_part => return Ok(error(500, "InternalError")),
            Some(Fault::Denied) => return Ok(error(403, "InvalidAccessKeyId")),
            Some(Fault::NoBucket) => return Ok(error(404, "NoSuchBucket")),
            Some(Fault::Full) if request.method() == Method::PUT => return Ok(error(507, "StorageFull")),
            Some(Fault::FailingParts | Fault::Full | Fault::Truncated | Fault::WrongBytes) => {}
        }
        let answer = s3.call(request.map(s3s::Body::from)).await?;
        match fault {
            Some(Fault::Truncated) if is_get && answer.status() == StatusCode::OK => half_of(answer).await,
            Some(Fault::WrongBytes) if is_get && answer.status() == StatusCode::OK => damaged(answer).await,
            _ => Ok(answer.map(|body| body.map_err(CutOff::other).boxed_unsync())),
        }
    }
}

fn error(status: u16, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a fault of the test</Message></Error>"
    );
    let mut answer = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
    answer
}

async fn half_of(answer: Response<s3s::Body>) -> Result<Response<Body>, s3s::HttpError> {
    let (head, body) = answer.into_parts();
    let bytes = BodyExt::collect(body).await.map_err(s3s::HttpError::new)?.to_bytes();
    let half = bytes.slice(..bytes.len() / 2);
    let frames = [Ok(Frame::data(half)), Err(CutOff::other("cut off by the test"))];
    // The pause lets the first half leave before the connection is cut.
    let frames = futures::stream::iter(frames).then(|frame| async {
        tokio::task::yield_now().await;
        frame
    });
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

async fn damaged(answer: Response<s3s::Body>) -> Result<Response<Body>, s3s::HttpError> {
    let (head, body) = answer.into_parts();
    let mut bytes = BodyExt::collect(body).await.map_err(s3s::HttpError::new)?.to_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Ok(Response::from_parts(head, Full::from(bytes).map_err(|never| match never {}).boxed_unsync()))
}
