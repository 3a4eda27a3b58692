//! What the schemes of the network have in common: how their failures are told.

use olin::abi::Error;
use wasmcloud_egress::{EgressError, Target};

use crate::guest::{Refused, Session};
use crate::olin::Failure;

/// Longest wait for more of an answer, once some of it is there to be read.
pub(crate) const AT_ONCE: std::time::Duration = std::time::Duration::ZERO;

/// Reads a URL and asks the policy about it.
pub(crate) fn target(session: &mut Session, url: &str) -> Result<Target, Failure> {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => return Err(told(session, &error.into())),
    };
    session.permit(&target)?;
    session.used.url(target.as_str());
    Ok(target)
}

/// Tells the log of a failure, and the program its number.
pub(crate) fn told(session: &mut Session, error: &EgressError) -> Failure {
    match session.refused(error) {
        Ok(()) => number(error).into(),
        Err(stop) => stop.into(),
    }
}

/// A connection that broke; one that brought more than it may says so itself.
pub(crate) fn broken(target: &Target, error: &std::io::Error) -> EgressError {
    let own = error.get_ref().and_then(|inner| inner.downcast_ref::<EgressError>());
    let reason = || EgressError::Protocol { host: authority(target), reason: error.to_string() };
    own.cloned().unwrap_or_else(reason)
}

/// Host and port.
pub(crate) fn authority(target: &Target) -> String {
    let host = target.host().map(ToString::to_string).unwrap_or_default();
    format!("{host}:{}", target.port().unwrap_or_default())
}

/// Tells the log what is wrong with what the program did.
pub(crate) fn wrong(session: &mut Session, text: &str) -> Failure {
    session.logs.warn(text);
    Error::InvalidArgument.into()
}

/// The ABI's number for a refusal or a failure: docs/ABI.md has the table.
fn number(error: &EgressError) -> Error {
    match error.innermost() {
        EgressError::Denied(_) | EgressError::Port { .. } | EgressError::Address { .. } => {
            Error::PermissionDenied
        }
        EgressError::Url(_) | EgressError::Request(_) | EgressError::RequestTooLarge { .. } => {
            Error::InvalidArgument
        }
        EgressError::Scheme { .. } | EgressError::Resolve { .. } => Error::NotFound,
        _ => Error::Unknown,
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        match refused {
            Refused::Told => Error::PermissionDenied.into(),
            Refused::Stop(stop) => stop.into(),
        }
    }
}
