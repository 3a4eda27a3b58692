//! HTTP requests: the host frames what the program meant.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::body::ResponseBody;
use crate::dial::{before, tls_reason};
use crate::error::Step;
use crate::session::{Place, Until};
use crate::{EgressError, Session, Target};

/// Largest header block of a request (PROMISES.md: header block).
pub const HEADER_BYTES_MAX: usize = 32 << 10;

const SCHEMES: &str = "http, https";

/// What to do with an answer that says to look elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Go there, after every check that the first URL had to pass: what Olin did.
    Follow,
    /// Hand it to the program: what `wasi:http` says.
    Return,
}

/// A request that a program wants sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where to.
    pub target: Target,
    /// The method; any but CONNECT.
    pub method: Method,
    /// The header fields as the program gives them.
    pub fields: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Session {
    /// Performs a request, whose URI is the whole URL: as [`Session::send`], which takes URLs that
    /// `http::Uri` cannot hold, too.
    ///
    /// # Errors
    /// [`EgressError`] says which rule, limit or fault stood in the way.
    pub async fn http(
        &self,
        request: Request<Bytes>,
        redirects: Redirects,
    ) -> Result<Response<ResponseBody>, EgressError> {
        self.send(Outgoing::try_from(request)?, redirects).await
    }

    /// Performs a request.
    ///
    /// `Host`, `Content-Length`, `Transfer-Encoding` and every hop-by-hop field are the host's business: the
    /// program's are left out, and those of the answer too. All else arrives as it was sent; a compressed
    /// body stays compressed. The time for the request goes on until its body has been read.
    ///
    /// # Errors
    /// [`EgressError`] says which rule, limit or fault stood in the way.
    pub async fn send(
        &self,
        request: Outgoing,
        redirects: Redirects,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let limits = &self.shared.limits;
        let request = request.framed_by_host(limits.request_bytes_max)?;
        let until = self.until_after(limits.request);
        let performed = async {
            // What is refused is refused at once, before it waits for a place.
            self.admit(&request.target, SCHEMES)?;
            let place = self.place().await?;
            self.perform(request, redirects, until, place).await
        };
        before(until.at, || until.late(Step::Request), performed).await
    }

    /// Sends the request and follows where it is told to.
    async fn perform(
        &self,
        mut outgoing: Outgoing,
        redirects: Redirects,
        until: Until,
        place: Place,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let max = self.shared.limits.redirects_max;
        let first = outgoing.target.to_string();
        let mut steps = 0;
        loop {
            let answer = self.exchange(&outgoing).await?;
            let next = match redirects {
                Redirects::Follow => outgoing.redirected(&answer)?,
                Redirects::Return => None,
            };
            let Some(next) = next else {
                return Ok(self.answer(&outgoing, answer, until, place));
            };
            if steps == max {
                return Err(EgressError::TooManyRedirects { url: first, max });
            }
            steps += 1;
            let because = |error| led_astray(&outgoing.target, next.target.as_str(), error);
            self.admit(&next.target, SCHEMES).map_err(because)?;
            outgoing = next;
        }
    }

    /// One request, one answer's head.
    async fn exchange(&self, outgoing: &Outgoing) -> Result<reqwest::Response, EgressError> {
        let Outgoing { target, method, fields, body } = outgoing;
        let mut request = reqwest::Request::new(method.clone(), target.url().clone());
        *request.headers_mut() = fields.clone();
        request.headers_mut().entry(header::USER_AGENT).or_insert_with(|| self.shared.user_agent.clone());
        for (name, value) in self.stamps() {
            request.headers_mut().insert(name, value.clone());
        }
        if !body.is_empty() {
            *request.body_mut() = Some(body.clone().into());
        } else if takes_body(method) {
            // RFC 9110, section 8.6: some servers wait for a body that nothing says is empty.
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        self.traffic.sent.fetch_add(u64::try_from(body.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.client()?.execute(request).await.map_err(|error| self.failed(target, &error))
    }

    fn answer(
        &self,
        outgoing: &Outgoing,
        answer: reqwest::Response,
        until: Until,
        place: Place,
    ) -> Response<ResponseBody> {
        let (status, version) = (answer.status(), answer.version());
        let mut fields = answer.headers().clone();
        if fields.contains_key(header::TRANSFER_ENCODING) {
            // RFC 9112, section 6.3: the coding said where the body ends, and a length beside it means nothing.
            fields.remove(header::CONTENT_LENGTH);
        }
        remove_hop_by_hop(&mut fields);
        let max = self.shared.limits.response_bytes_max;
        let traffic = Arc::clone(&self.traffic);
        let body = ResponseBody::new(answer, authority(&outgoing.target), max, until, place, traffic);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.version_mut() = version;
        *response.headers_mut() = fields;
        response
    }

    /// Says what reqwest's error means here.
    fn failed(&self, target: &Target, error: &reqwest::Error) -> EgressError {
        let host = authority(target);
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut innermost = String::new();
        while let Some(one) = cause {
            if let Some(own) = one.downcast_ref::<EgressError>() {
                return own.clone();
            }
            let handshake = one.downcast_ref::<io::Error>().and_then(tls_reason);
            if let Some(reason) = handshake.or_else(|| one.downcast_ref().map(rustls::Error::to_string)) {
                return EgressError::Tls { host, reason };
            }
            innermost = one.to_string();
            cause = one.source();
        }
        if error.is_connect() && error.is_timeout() {
            return EgressError::Timeout { what: Step::Connect, limit: self.shared.limits.connect };
        }
        if error.is_connect() {
            return EgressError::Connect { host, reason: innermost };
        }
        EgressError::Protocol { host, reason: innermost }
    }
}

impl TryFrom<Request<Bytes>> for Outgoing {
    type Error = EgressError;

    fn try_from(request: Request<Bytes>) -> Result<Outgoing, EgressError> {
        let (head, body) = request.into_parts();
        if head.uri.scheme().is_none() || head.uri.authority().is_none() {
            return Err(EgressError::Request(format!("`{}` is not a whole URL", head.uri)));
        }
        let target = Target::parse(&head.uri.to_string())?;
        Ok(Outgoing { target, method: head.method, fields: head.headers, body })
    }
}

impl Outgoing {
    /// Takes away what is the host's to say.
    fn framed_by_host(mut self, body_bytes_max: usize) -> Result<Outgoing, EgressError> {
        if self.body.len() > body_bytes_max {
            return Err(EgressError::RequestTooLarge { bytes: self.body.len(), max: body_bytes_max });
        }
        if self.method == Method::CONNECT {
            return Err(EgressError::Request("CONNECT asks for a tunnel; only requests are sent".to_owned()));
        }
        let fields = &mut self.fields;
        remove_hop_by_hop(fields);
        for name in [header::HOST, header::CONTENT_LENGTH, header::EXPECT, header::PROXY_AUTHORIZATION] {
            fields.remove(name);
        }
        let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes > HEADER_BYTES_MAX {
            let reason = format!("its header has {bytes} bytes; at most {HEADER_BYTES_MAX} are sent");
            return Err(EgressError::Request(reason));
        }
        Ok(self)
    }

    /// The request that an answer asks for instead, if it does: RFC 9110, section 15.4.
    fn redirected(&self, answer: &reqwest::Response) -> Result<Option<Outgoing>, EgressError> {
        let status = answer.status();
        let location = answer.headers().get(header::LOCATION).filter(|_| is_redirect(status));
        let Some(location) = location else { return Ok(None) };
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        let because = |error: EgressError| led_astray(&self.target, &location, error);
        let url = self.target.url().join(&location);
        let url = url.map_err(|error| because(EgressError::Request(format!("not a URL: {error}"))))?;
        let target = Target::parse(url.as_str()).map_err(|error| because(error.into()))?;
        let mut next = Outgoing { target, ..self.clone() };
        if becomes_get(status, &self.method) {
            next.method = Method::GET;
            next.body = Bytes::new();
            for name in OF_A_BODY {
                next.fields.remove(name);
            }
        }
        if !next.target.same_origin(&self.target) {
            for name in OF_AN_ORIGIN {
                next.fields.remove(name);
            }
        }
        Ok(Some(next))
    }
}

/// Fields about a body that is no longer sent.
const OF_A_BODY: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION];

/// Fields that are nobody else's business: a redirect must not carry a secret to another origin.
const OF_AN_ORIGIN: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::HEAD,
        _ => false,
    }
}

/// Methods whose request says that its body is empty.
fn takes_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT || *method == Method::PATCH
}

fn remove_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        fields.remove(name);
    }
    for name in [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        fields.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        fields.remove(name);
    }
}

fn led_astray(from: &Target, to: &str, error: EgressError) -> EgressError {
    EgressError::Redirect { from: from.to_string(), to: to.to_owned(), error: Box::new(error) }
}

pub(crate) fn authority(target: &Target) -> String {
    let host = target.host().map(ToString::to_string).unwrap_or_default();
    format!("{host}:{}", target.port().unwrap_or_default())
}
