//! `POST /api/v1/handlers/N/invoke`: runs a handler and streams what happens.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use rocket::{State, post};
use wasmcloud_wire::body::InvokeRequest;
use wasmcloud_wire::limits::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX, REQUEST_BODY_BYTES_MAX, URL_BYTES_MAX};
use wasmcloud_wire::{
    Call, DEPTH_FIELD, Deployment, Header, InvocationId, InvokeError, RequestHead, RouteKey, Trigger,
};

use super::{handler_for, handler_name};
use crate::app::App;
use crate::auth::Caller;
use crate::core::Right;
use crate::guards::{Depth, Json, Peer};
use crate::reply::{Live, Result};
use crate::{ApiError, EdgeUrl};

/// Runs a handler's live version, or another, as a request to its address would.
#[post("/handlers/<name>/invoke")]
pub(crate) async fn invoke(
    app: &State<Arc<App>>,
    caller: Caller,
    depth: Depth,
    peer: Peer,
    name: &str,
    body: Json<InvokeRequest>,
) -> Result<Live> {
    let name = handler_name(name)?;
    let row = handler_for(&app.core, &caller, &name, Right::Invoke).await?;
    let key = RouteKey { handler: name.clone(), version: body.0.version };
    let deployment = app.core.deployment(&key).await?.filter(|deployment| deployment.handler == row.id);
    let deployment = match (deployment, key.version) {
        (Some(deployment), _) => deployment,
        (None, Some(version)) => return Err(ApiError::version_not_found(&name, version)),
        (None, None) => return Err(ApiError::handler_not_found(name.as_str())),
    };
    let mut call = call(body.0, deployment, &key, peer.0, &app.core.config.edge_url)?;
    stamp(&mut call.request.headers, depth.0);
    let live = app.invoker.invoke(call).await.map_err(|error| match error {
        InvokeError::Suspended(reason) => ApiError::owner_suspended(&format!("`{name}`"), &reason),
        other => other.into(),
    })?;
    Ok(Live::lines(live))
}

fn call(
    asked: InvokeRequest,
    deployment: Deployment,
    key: &RouteKey,
    peer: SocketAddr,
    edge: &EdgeUrl,
) -> Result<Call> {
    let body = asked.body_base64.as_deref().map(decode_body).transpose()?;
    let method = asked.method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
    Method::from_bytes(method.as_bytes())
        .map_err(|_| ApiError::invalid("`method` is no HTTP method", "use one such as GET or POST"))?;
    let target = check_target(asked.path.unwrap_or_else(|| "/".to_owned()))?;
    let mut headers = check_headers(asked.headers)?;
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.push(("host".to_owned(), edge.authority(key)));
    }
    Ok(Call {
        invocation: InvocationId::new(),
        deployment,
        trigger: Trigger::Invoke,
        request: RequestHead {
            method,
            scheme: edge.scheme,
            protocol: "HTTP/1.1".to_owned(),
            server_name: edge.host(key),
            server_port: edge.port,
            script_name: String::new(),
            target,
            headers,
            remote_addr: peer.ip().to_canonical().to_string(),
        },
        body,
        count_gas: asked.count_gas,
        inputs: None,
    })
}

/// The depth is that of the request to the API: what the request for the program says of it counts for nothing.
fn stamp(headers: &mut Vec<Header>, depth: u32) {
    headers.retain(|(name, _)| name != DEPTH_FIELD);
    if depth > 0 {
        headers.push((DEPTH_FIELD.to_owned(), depth.to_string()));
    }
}

fn decode_body(text: &str) -> Result<Bytes> {
    let bytes = BASE64.decode(text).map_err(|error| {
        ApiError::invalid(format!("`body_base64` is no base64: {error}"), "encode it with padding")
    })?;
    if bytes.len() > REQUEST_BODY_BYTES_MAX {
        return Err(ApiError::too_large(REQUEST_BODY_BYTES_MAX));
    }
    Ok(bytes.into())
}

fn check_target(target: String) -> Result<String> {
    let fits = target.len() <= URL_BYTES_MAX;
    let well_formed = target.starts_with('/') && target.parse::<http::uri::PathAndQuery>().is_ok();
    if fits && well_formed && target.is_ascii() && !target.contains('#') {
        return Ok(target);
    }
    Err(ApiError::invalid(
        format!(
            "`path` has to begin with `/`, to be percent-encoded and to have at most {URL_BYTES_MAX} bytes"
        ),
        "write it like /some/path?name=value",
    ))
}

fn check_headers(headers: Vec<Header>) -> Result<Vec<Header>> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if headers.len() > HEADER_FIELDS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(ApiError::invalid(
            format!(
                "a request has at most {HEADER_FIELDS_MAX} header fields and {HEADER_BYTES_MAX} bytes of them"
            ),
            "send fewer",
        ));
    }
    headers.into_iter().map(|(name, value)| check_header(&name, value)).collect()
}

fn check_header(name: &str, value: String) -> Result<Header> {
    let known = HeaderName::from_bytes(name.as_bytes());
    match (known, HeaderValue::from_str(&value)) {
        (Ok(name), Ok(_)) => Ok((name.as_str().to_owned(), value)),
        _ => {
            let name: String = name.chars().take(64).collect();
            Err(ApiError::invalid(
                format!("the header field `{name}` has a name or a value that HTTP does not allow"),
                "use letters, digits and `-` in names, and no line ends in values",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_that_http_can_carry_are_taken() {
        for good in ["/", "/a/b?c=d", "/%20"] {
            assert!(check_target(good.to_owned()).is_ok(), "{good}");
        }
        let long = format!("/{}", "a".repeat(URL_BYTES_MAX));
        for bad in ["", "a", "http://x/", "/a b", "/a\r\nb", "/ä", "/a#b", long.as_str()] {
            assert!(check_target(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_cannot_smuggle_a_line() {
        assert_eq!(check_header("X-A", "b".to_owned()).unwrap(), ("x-a".to_owned(), "b".to_owned()));
        for (name, value) in [("x a", "b"), ("", "b"), ("x-a", "b\r\nc: d"), ("x-a", "\0")] {
            assert!(check_header(name, value.to_owned()).is_err(), "{name:?} {value:?}");
        }
    }
}
