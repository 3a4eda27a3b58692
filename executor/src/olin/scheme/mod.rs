//! The schemes that `resource_open` knows, one file each.

mod gemini;
mod http;
mod log;
mod network;
pub(crate) mod null;
pub(crate) mod random;
pub(crate) mod websocket;
pub(crate) mod zero;

use olin::abi::Error;

use super::Failure;
use super::resource::Resource;
use crate::guest::Session;

pub(crate) use gemini::GeminiResource;
pub(crate) use http::HttpResource;
pub(crate) use log::LogResource;
pub(crate) use websocket::WebSocketResource;

/// The resource that a URL names, if the policy lets it be opened.
///
/// # Errors
///
/// `InvalidArgument` for what is no URL, `NotFound` for a scheme that nobody provides, `PermissionDenied` for
/// what the policy does not let through, if it does not end the program. A policy that ends programs is asked
/// about every scheme, as Olin asked it before it looked at the scheme.
pub(crate) fn open(session: &mut Session, url: &str) -> Result<Resource, Failure> {
    let (scheme, rest) = url.split_once("://").ok_or(Error::InvalidArgument)?;
    let local: fn(&str) -> Resource = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => return Ok(Resource::Http(Box::new(HttpResource::open(session, url)?))),
        "gemini" => return Ok(Resource::Gemini(Box::new(GeminiResource::open(session, url)?))),
        "ws" | "wss" => return Ok(Resource::WebSocket(Box::new(WebSocketResource::open(session, url)?))),
        "log" => |rest| Resource::Log(LogResource::open(rest)),
        "null" => |_| Resource::Null,
        "zero" => |_| Resource::Zero,
        "random" => |_| Resource::Random,
        _ => {
            session.permit_local(url)?;
            return Err(Error::NotFound.into());
        }
    };
    session.permit_local(url)?;
    session.used.url(url);
    Ok(local(rest))
}
