//! The schemes that `resource_open` knows, one file each.

mod log;
pub(crate) mod null;
pub(crate) mod random;
pub(crate) mod zero;

use olin::abi::Error;

use super::resource::Resource;

pub(crate) use log::LogResource;

/// The resource that a URL names.
///
/// # Errors
///
/// `InvalidArgument` for what is no URL, `NotFound` for a scheme that nobody provides.
pub(crate) fn open(url: &str) -> Result<Resource, Error> {
    let (scheme, rest) = url.split_once("://").ok_or(Error::InvalidArgument)?;
    match scheme.to_ascii_lowercase().as_str() {
        "log" => Ok(Resource::Log(LogResource::open(rest))),
        "null" => Ok(Resource::Null),
        "zero" => Ok(Resource::Zero),
        "random" => Ok(Resource::Random),
        _ => Err(Error::NotFound),
    }
}
