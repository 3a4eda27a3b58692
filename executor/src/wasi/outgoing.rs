//! Requests that a component sends: through the same policy and the same egress as everybody's.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::Frame;
use wasmcloud_egress::{EgressError, Redirects, ResponseBody, Target};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::guest::Guest;
use crate::guest::{Refused, UNSENT_BYTES_MAX};

/// The way out of one guest.
pub(super) struct Outgoing(Arc<Guest>);

/// What a request comes to: an answer, and how its connection ends.
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Outgoing {
    pub(super) fn new(guest: Arc<Guest>) -> Outgoing {
        Outgoing(guest)
    }
}

impl WasiHttpHooks for Outgoing {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn set_host_header(&mut self) -> bool {
        // The host of the URL is the host of the request.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _consumed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let guest = self.0.clone();
        Box::new(async move {
            // Dropping the invocation drops this as well: nothing is left to run on.
            let first_byte = options.and_then(|options| options.first_byte_timeout);
            let sent = send(&guest, request);
            let answer = match first_byte {
                Some(first_byte) => {
                    tokio::time::timeout(first_byte, sent).await.unwrap_or(Err(Error::HttpResponseTimeout))?
                }
                None => sent.await?,
            };
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((answer.map(|body| from_egress(body, guest)), done))
        })
    }
}

async fn send(guest: &Arc<Guest>, request: Request<WasiBody>) -> Result<Response<ResponseBody>, Error> {
    let (parts, body) = request.into_parts();
    let target = Target::parse(&parts.uri.to_string()).map_err(|error| {
        guest.with(|session| session.logs.warn(&error.to_string()));
        Error::HttpRequestUriInvalid
    })?;
    // What is refused is refused before the body is asked for.
    match guest.with(|session| session.permit(&target)) {
        Some(Ok(())) => {}
        Some(Err(Refused::Told)) => return Err(Error::HttpRequestDenied),
        Some(Err(Refused::Stop(stop))) => {
            drop(guest.stop(stop));
            return Err(Error::HttpRequestDenied);
        }
        None => return Err(Error::ConnectionTerminated),
    }
    let body = collect(body).await?;
    let way = guest.with(|session| session.way_out()).ok_or(Error::ConnectionTerminated)?;
    let outgoing = wasmcloud_egress::Outgoing { target, method: parts.method, fields: parts.headers, body };
    let answer = match way {
        Ok(way) => way.send(outgoing, Redirects::Return).await,
        Err(error) => Err(error),
    };
    guest.with(|session| session.note_urls());
    answer.map_err(|error| failed(guest, &error))
}

/// The body of a request, which is sent once it is whole.
async fn collect(body: WasiBody) -> Result<Bytes, Error> {
    match Limited::new(body, UNSENT_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Error::HttpRequestBodySize(Some(UNSENT_BYTES_MAX as u64)))
        }
        Err(error) => Err(match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::InternalError(Some(error.to_string())),
        }),
    }
}

/// The answer's body, as it comes.
fn from_egress(body: ResponseBody, guest: Arc<Guest>) -> WasiBody {
    let frames = stream::unfold(Some((body, guest)), |open| async move {
        let (mut body, guest) = open?;
        match body.chunk().await {
            Ok(Some(piece)) => Some((Ok(Frame::data(piece)), Some((body, guest)))),
            Ok(None) => None,
            Err(error) => Some((Err(failed(&guest, &error)), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Tells the log why a request failed, and the guest as much as it understands.
fn failed(guest: &Arc<Guest>, error: &EgressError) -> Error {
    if let Some(Err(stop)) = guest.with(|session| session.refused(error)) {
        drop(guest.stop(stop));
    }
    told(error)
}

/// The error that stands for one of the egress in `wasi:http/types.error-code`.
fn told(error: &EgressError) -> Error {
    if error.denial().is_some() {
        return Error::HttpRequestDenied;
    }
    match error.innermost() {
        EgressError::Address { .. } | EgressError::Port { .. } => Error::DestinationIpProhibited,
        EgressError::Timeout { .. } | EgressError::Deadline(_) => Error::ConnectionTimeout,
        EgressError::TooManyRequests { .. } | EgressError::TooManyAtOnce { .. } => {
            Error::ConnectionLimitReached
        }
        EgressError::RequestTooLarge { max, .. } => Error::HttpRequestBodySize(Some(*max as u64)),
        EgressError::ResponseTooLarge { max, .. } => Error::HttpResponseBodySize(Some(*max)),
        EgressError::Protocol { .. } => Error::HttpProtocolError,
        EgressError::Resolve { .. } => Error::DnsError { rcode: None, info_code: None },
        EgressError::Connect { .. } => Error::ConnectionRefused,
        EgressError::Tls { .. } => Error::TlsProtocolError,
        _ => Error::InternalError(Some(error.to_string())),
    }
}
