//! Requests that a component sends: through the same policy and the same egress as everybody's.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use wasmcloud_egress::{EgressError, Redirects, ResponseBody, Target};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::guest::Guest;
use crate::guest::{Refused, UNSENT_BYTES_MAX, Unsent};

/// Most bytes that a guest hands over in one write to a body, an answer's or a request's.
const WRITE_BYTES_MAX: usize = 64 << 10;

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

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES_MAX
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES_MAX
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
            let options = options.unwrap_or_default();
            let sent = send(&guest, request);
            let answer = match options.first_byte_timeout {
                Some(first_byte) => {
                    tokio::time::timeout(first_byte, sent).await.unwrap_or(Err(Error::HttpResponseTimeout))?
                }
                None => sent.await?,
            };
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((answer.map(|body| from_egress(body, guest, options.between_bytes_timeout)), done))
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
    let (fields, mut unsent) = (parts.headers, collect(guest, body).await?);
    let way = guest.with(|session| session.way_out()).ok_or(Error::ConnectionTerminated)?;
    let body = unsent.take().into();
    let outgoing = wasmcloud_egress::Outgoing { target, method: parts.method, fields, body };
    let answer = match way {
        Ok(way) => way.send(outgoing, Redirects::Return).await,
        Err(error) => Err(error),
    };
    guest.with(|session| session.note_urls());
    answer.map_err(|error| failed(guest, &error))
}

/// The body of a request, which is sent once it is whole.
async fn collect(guest: &Arc<Guest>, mut body: WasiBody) -> Result<Unsent, Error> {
    let mut unsent = guest.with(|session| session.unsent()).ok_or(Error::ConnectionTerminated)?;
    while let Some(frame) = body.frame().await {
        // Trailers are not sent on.
        let Ok(bytes) = frame?.into_data() else { continue };
        if !unsent.push(&bytes, UNSENT_BYTES_MAX) {
            guest.with(|session| {
                session.logs.warn(&format!(
                    "a request was not sent: bodies of requests that wait to be sent have more than {UNSENT_BYTES_MAX} \
                     bytes together"
                ));
            });
            return Err(Error::HttpRequestBodySize(Some(UNSENT_BYTES_MAX as u64)));
        }
    }
    Ok(unsent)
}

/// The answer's body, as it comes. A guest may say how long it waits for the next piece.
fn from_egress(body: ResponseBody, guest: Arc<Guest>, between: Option<Duration>) -> WasiBody {
    let frames = stream::unfold(Some((body, guest)), move |open| async move {
        let (mut body, guest) = open?;
        let piece = match between {
            Some(between) => match tokio::time::timeout(between, body.chunk()).await {
                Ok(piece) => piece,
                Err(_) => return Some((Err(Error::ConnectionReadTimeout), None)),
            },
            None => body.chunk().await,
        };
        match piece {
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
