//! From a program's answer to an HTTP response.

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc;
use wasmcloud_listener::ResponseBody;
use wasmcloud_wire::{Header, InvocationId};

use super::cookies::sets_panels;
use super::error::EdgeError;
use crate::guest::Part;

/// Says under which id an invocation's log and receipt are found.
const INVOCATION: HeaderName = HeaderName::from_static("wasmcloud-invocation");

/// Why a body that was begun cannot be completed; the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the handler ended before its answer was complete")]
struct CutOff;

/// The response that an invocation gives.
pub(crate) async fn from_parts(mut parts: mpsc::Receiver<Part>) -> Result<Response<ResponseBody>, EdgeError> {
    loop {
        match parts.recv().await {
            Some(Part::Whole { status, headers, content_length, body }) => {
                return response(status, headers, content_length, body.into());
            }
            Some(Part::Head { status, headers, content_length }) => {
                return response(status, headers, content_length, ResponseBody::stream(rest(parts)));
            }
            Some(Part::End { receipt, .. }) => return Err(EdgeError::Failed(receipt)),
            Some(Part::Body(_) | Part::Trailers(_) | Part::Log(_)) => {}
            None => return Err(EdgeError::Lost),
        }
    }
}

/// The body that follows a head: ends well only if the invocation says so.
fn rest(
    parts: mpsc::Receiver<Part>,
) -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, CutOff>> + Send + 'static> {
    StreamBody::new(stream::unfold(Some(parts), |parts| async move {
        let mut parts = parts?;
        loop {
            match parts.recv().await {
                Some(Part::Body(bytes)) => return Some((Ok(Frame::data(bytes)), Some(parts))),
                Some(Part::Trailers(fields)) => {
                    return Some((Ok(Frame::trailers(header_map(fields))), Some(parts)));
                }
                Some(Part::End { complete: true, .. }) => return None,
                Some(Part::End { complete: false, .. }) | None => {
                    // Lets the connection flush what it has, so that the client sees how far the answer came.
                    tokio::task::yield_now().await;
                    return Some((Err(CutOff), None));
                }
                Some(_) => {}
            }
        }
    }))
}

fn response(
    status: u16,
    headers: Vec<Header>,
    content_length: Option<u64>,
    body: ResponseBody,
) -> Result<Response<ResponseBody>, EdgeError> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| EdgeError::Lost)?;
    *response.headers_mut() = header_map(headers);
    if let Some(length) = content_length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

fn header_map(headers: Vec<Header>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        // Both were checked when the program's header was parsed.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
            && !sets_panels(&name, &value)
        {
            map.append(name, value);
        }
    }
    map
}

/// A response with the invocation's id.
pub(crate) fn identified(
    mut response: Response<ResponseBody>,
    invocation: InvocationId,
) -> Response<ResponseBody> {
    if let Ok(id) = HeaderValue::from_str(&invocation.to_string()) {
        response.headers_mut().insert(INVOCATION, id);
    }
    response
}
