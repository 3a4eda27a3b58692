//! `wasi:http`: a request that streams in, an answer that streams out.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use ::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRAILER};
use ::http::{Method, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use wasmcloud_cgi::leaving;
use wasmcloud_listener::BodyError;
use wasmcloud_wire::limits::{CGI_HEADER_BYTES_MAX, CGI_HEADER_FIELDS_MAX};
use wasmcloud_wire::{Header, Level, Limits, RequestHead, Scheme};
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme as WasiScheme;
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView as _};

use super::guest::Guest;
use super::state::ComponentState;
use crate::ending::Ending;
use crate::guest::{Answered, DEPTH_FIELD, Part, Reader, Stop};

/// What a field takes on the wire besides its name and value.
const FIELD_BYTES: usize = ": \r\n".len();

/// A request for a program that speaks HTTP.
pub(crate) struct Incoming {
    request: Request<WasiBody>,
    scheme: WasiScheme,
    /// The host that it names, without port.
    host: String,
    is_head: bool,
    stream_bytes_max: u64,
}

/// Where the program's answer goes.
pub(super) struct Answer(oneshot::Sender<Given>, oneshot::Receiver<()>);

/// Where it comes out.
pub(super) struct Hand {
    given: oneshot::Receiver<Given>,
    done: oneshot::Sender<()>,
    host: String,
    is_head: bool,
    stream_bytes_max: u64,
}

/// What became of an answer so far, whoever stops it.
#[derive(Default)]
pub(super) struct Begun(OnceLock<u16>);

impl Begun {
    /// An answer that was stopped: cut off where it had begun.
    pub(super) fn stopped(&self) -> Answered {
        self.0.get().map_or(Answered::Nothing, |status| Answered::CutOff(*status))
    }
}

/// What a program gives: an answer, or the name of an error.
type Given = Result<Response<WasiBody>, String>;

impl Incoming {
    /// A request with its body, if it has one.
    ///
    /// # Errors
    ///
    /// A text for the client if the request is none that can be put to a program.
    pub(crate) fn new(
        head: &RequestHead,
        forward_authorization: bool,
        body: Option<WasiBody>,
        limits: &Limits,
    ) -> Result<Incoming, String> {
        let method = Method::from_bytes(head.method.as_bytes()).map_err(|error| error.to_string())?;
        let default_port = if head.scheme == Scheme::Https { 443 } else { 80 };
        let host = if head.server_name.contains(':') {
            format!("[{}]", head.server_name.trim_matches(['[', ']']))
        } else {
            head.server_name.clone()
        };
        let authority =
            if head.server_port == default_port { host } else { format!("{host}:{}", head.server_port) };
        let (name, scheme) = match head.scheme {
            Scheme::Http => ("http", WasiScheme::Http),
            Scheme::Https => ("https", WasiScheme::Https),
        };
        let uri =
            ::http::Uri::builder().scheme(name).authority(authority).path_and_query(head.target.as_str());
        let uri = uri.build().map_err(|error| error.to_string())?;
        let is_head = method == Method::HEAD;
        let body = body.unwrap_or_else(|| Empty::new().map_err(|never| match never {}).boxed_unsync());
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields(head, forward_authorization);
        Ok(Incoming {
            request,
            scheme,
            host: head.server_name.clone(),
            is_head,
            stream_bytes_max: limits.stream_bytes,
        })
    }

    /// The request's body as it is counted and bounded while the guest reads it.
    fn counted(self, guest: &Arc<Guest>) -> (Request<WasiBody>, WasiScheme) {
        let (guest, max) = (guest.clone(), self.stream_bytes_max);
        let request = self.request.map(|body| Counted { body, left: max, max, guest }.boxed_unsync());
        (request, self.scheme)
    }
}

/// A body that is there whole.
pub(crate) fn whole(bytes: Bytes) -> WasiBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body as it comes from a client.
pub(crate) fn streamed(body: wasmcloud_listener::Body) -> WasiBody {
    body.map_err(|error| match error {
        BodyError::TimedOut | BodyError::TooSlow => Error::ConnectionReadTimeout,
        BodyError::Malformed => Error::HttpProtocolError,
        BodyError::Disconnected => Error::ConnectionTerminated,
    })
    .boxed_unsync()
}

/// The fields of a request that are the program's business. Those of a connection (RFC 9110, section 7.6.1) the
/// engine leaves out by their names; here go those that `Connection` names.
fn fields(head: &RequestHead, forward_authorization: bool) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(head.headers.len());
    let connection = head.headers.iter().filter(|(name, _)| name == "connection");
    let options: Vec<&str> = connection.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
    for (name, value) in &head.headers {
        let hidden = name == "proxy-authorization"
            || name == DEPTH_FIELD
            || (name == "authorization" && !forward_authorization)
            || options.iter().any(|option| option.eq_ignore_ascii_case(name));
        let parsed = (name.parse::<::http::HeaderName>(), HeaderValue::from_bytes(value.as_bytes()));
        if let (false, (Ok(name), Ok(value))) = (hidden, parsed) {
            fields.append(name, value);
        }
    }
    fields
}

/// Both ends of an answer to this request.
pub(super) fn answer(request: &Incoming) -> (Answer, Hand) {
    let (given_sender, given) = oneshot::channel();
    let (done, done_receiver) = oneshot::channel();
    let hand = Hand {
        given,
        done,
        host: request.host.clone(),
        is_head: request.is_head,
        stream_bytes_max: request.stream_bytes_max,
    };
    (Answer(given_sender, done_receiver), hand)
}

/// Calls a handler of WASI 0.2.
pub(super) async fn proxy(
    pre: &ProxyPre<ComponentState>,
    store: &mut Store<ComponentState>,
    request: Incoming,
    Answer(given, _): Answer,
) -> wasmtime::Result<Ending> {
    let guest = store.data().host.guest.clone();
    let (request, scheme) = request.counted(&guest);
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request)?;
    let out = http.new_response_outparam_from_callback(move |answer| {
        // Nobody is there any more to whom it could be given.
        let _ = given.send(answer.map_err(|error| format!("{error:?}")));
    })?;
    let proxy = pre.instantiate_async(&mut *store).await?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await?;
    Ok(Ending::Exit(0))
}

/// Calls a handler of WASI 0.3.
pub(super) async fn service(
    pre: &ServicePre<ComponentState>,
    store: &mut Store<ComponentState>,
    request: Incoming,
    Answer(given, done): Answer,
) -> wasmtime::Result<Ending> {
    let guest = store.data().host.guest.clone();
    let (request, _) = request.counted(&guest);
    let (request, received) = p3::Request::from_http(store.data_mut().http().hooks, request);
    let service = pre.instantiate_async(&mut *store).await?;
    store
        .run_concurrent(async |accessor| {
            let answer = match service.handle(accessor, request).await? {
                Ok(answer) => {
                    let answer = accessor.with(|mut store| answer.into_http(&mut store, async { Ok(()) }))?;
                    Ok(answer)
                }
                Err(error) => Err(format!("{error:?}")),
            };
            if given.send(answer).is_ok() {
                // The program goes on while its body is read.
                let _ = done.await;
            }
            // How the reading of the request's body ended is the program's own business.
            drop(received);
            Ok(Ending::Exit(0))
        })
        .await?
}

impl Hand {
    /// Hands the answer on as it comes, waiting where the reader is slower.
    ///
    /// # Errors
    ///
    /// Something stops the answer, and the guest; `begun` says how far it came.
    pub(super) async fn hand_on(
        self,
        guest: &Arc<Guest>,
        reader: &Reader,
        begun: &Begun,
    ) -> Result<Answered, Stop> {
        let Hand { given, done, host, is_head, stream_bytes_max } = self;
        let Ok(given) = given.await else { return Ok(Answered::Nothing) };
        let answer = match given {
            Ok(answer) => answer,
            Err(error) => {
                log_error(guest, &format!("the program answered with the error {error}"));
                return Ok(Answered::Nothing);
            }
        };
        let (parts, body) = answer.into_parts();
        let status = parts.status.as_u16();
        if !(200..=599).contains(&status) {
            let text =
                format!("the program answered with status {status}; an answer has one from 200 to 599");
            log_error(guest, &text);
            return Ok(Answered::Nothing);
        }
        let fields = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut headers = leaving(fields, &host);
        // Only the trailers that are announced here are sent (RFC 9110, section 6.6.2).
        for names in parts.headers.get_all(TRAILER).iter().filter_map(|value| value.to_str().ok()) {
            headers.push((TRAILER.as_str().to_owned(), names.to_owned()));
        }
        if let Some(text) = too_large(&headers) {
            log_error(guest, &text);
            return Ok(Answered::Nothing);
        }
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let content_length = match status {
            204 => None,
            205 => Some(0),
            _ => length,
        };
        if guest.is_stopped() {
            // The client is told of that instead.
            return Err(Stop::Killed);
        }
        begun.0.get_or_init(|| status);
        send(guest, reader, Part::Head { status, headers, content_length }).await?;
        let passing = Passing {
            bodiless: is_head || matches!(status, 204 | 205 | 304),
            declared: length,
            bytes_max: stream_bytes_max,
            bytes: 0,
        };
        let complete = passing.pass(body, guest, reader).await;
        // A program of WASI 0.3 waits for this; others went on meanwhile.
        let _ = done.send(());
        complete.map(|complete| if complete { Answered::Complete(status) } else { Answered::CutOff(status) })
    }
}

/// What is wrong with a header block that is larger than a CGI answer's may be.
fn too_large(headers: &[Header]) -> Option<String> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + FIELD_BYTES).sum();
    let fields = headers.len();
    (bytes > CGI_HEADER_BYTES_MAX || fields > CGI_HEADER_FIELDS_MAX).then(|| {
        format!(
            "the program's answer has a header block of {bytes} bytes and {fields} fields; at most \
             {CGI_HEADER_BYTES_MAX} bytes and {CGI_HEADER_FIELDS_MAX} fields are sent"
        )
    })
}

/// An answer's body on its way.
struct Passing {
    /// Whether nothing of it is sent.
    bodiless: bool,
    /// What the program's `Content-Length` says.
    declared: Option<u64>,
    bytes_max: u64,
    /// How many have passed.
    bytes: u64,
}

impl Passing {
    /// Hands the body's frames on. Says whether it came to its end.
    async fn pass(mut self, mut body: WasiBody, guest: &Arc<Guest>, reader: &Reader) -> Result<bool, Stop> {
        while let Some(frame) = body.frame().await {
            let part = match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) => self.data(bytes, guest)?,
                    Err(frame) => match frame.into_trailers() {
                        Ok(fields) => trailers(&fields),
                        Err(_) => continue,
                    },
                },
                // Without a body to send, none is missing: an answer to `HEAD` may well give the length of what
                // it does not write.
                Err(_) if self.bodiless => return Ok(true),
                Err(error) => {
                    log_error(guest, &self.broken_off(&error));
                    return Ok(false);
                }
            };
            if !self.bodiless {
                send(guest, reader, part).await?;
            }
        }
        Ok(true)
    }

    fn data(&mut self, mut bytes: Bytes, guest: &Arc<Guest>) -> Result<Part, Stop> {
        if let Some(declared) = self.declared {
            // What is too much has no place in the answer.
            let left = declared.saturating_sub(self.bytes);
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(stopped(guest, Stop::OutputLimit(self.bytes_max)));
        }
        guest.with(|session| session.used.bytes_out += bytes.len() as u64);
        Ok(Part::Body(bytes))
    }

    fn broken_off(&self, error: &Error) -> String {
        match self.declared {
            Some(declared) => format!(
                "Content-Length is {declared}, but the program's body has another length: {} bytes were sent",
                self.bytes
            ),
            None => format!("the answer's body broke off: {error}"),
        }
    }
}

fn trailers(fields: &HeaderMap) -> Part {
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Part::Trailers(leaving(fields, ""))
}

fn log_error(guest: &Arc<Guest>, text: &str) {
    guest.with(|session| session.logs.platform(Level::ERROR, text));
}

async fn send(guest: &Arc<Guest>, reader: &Reader, part: Part) -> Result<(), Stop> {
    // Lines that wait for the reader came before.
    reader.caught_up().await?;
    reader.note(&part);
    reader.parts.send(part).await.map_err(|_| stopped(guest, Stop::OutputClosed))
}

/// Ends the guest, and says so to whoever hands on.
fn stopped(guest: &Arc<Guest>, stop: Stop) -> Stop {
    drop(guest.stop(stop));
    Stop::OutputClosed
}

/// A request's body that is counted and bounded.
struct Counted {
    body: WasiBody,
    left: u64,
    max: u64,
    guest: Arc<Guest>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                let Some(left) = this.left.checked_sub(bytes) else {
                    drop(this.guest.stop(Stop::InputLimit(this.max)));
                    return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(this.max)))));
                };
                this.left = left;
                this.guest.with(|session| session.used.bytes_in += bytes);
                if let Some(tap) = this.guest.tap() {
                    tap.request(frame.data_ref().map_or(&[][..], |bytes| bytes));
                    if this.body.is_end_stream() {
                        tap.request_ended();
                    }
                }
            }
            Poll::Ready(None) => {
                if let Some(tap) = this.guest.tap() {
                    tap.request_ended();
                }
            }
            // Whoever sent half of a request has nobody left to read the answer.
            Poll::Ready(Some(Err(Error::ConnectionTerminated))) => {
                drop(this.guest.stop(Stop::OutputClosed));
            }
            Poll::Ready(Some(Err(error))) => {
                let text = format!("the request's body did not come whole: {error}");
                this.guest.with(|session| session.logs.warn(&text));
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_block_has_the_limits_of_a_cgi_answers() {
        let fields = |number: usize, bytes: usize| vec![("x".to_owned(), "v".repeat(bytes)); number];
        assert_eq!(too_large(&fields(CGI_HEADER_FIELDS_MAX, 1)), None);
        assert!(
            too_large(&fields(CGI_HEADER_FIELDS_MAX + 1, 1)).is_some_and(|text| text.contains("101 fields"))
        );
        assert_eq!(too_large(&fields(1, CGI_HEADER_BYTES_MAX - 1 - FIELD_BYTES)), None);
        assert!(too_large(&fields(1, CGI_HEADER_BYTES_MAX)).is_some_and(|text| text.contains("16384 bytes")));
    }
}
