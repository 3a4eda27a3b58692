//! Why something was not opened, or did not come back.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::{Denial, TargetError};

/// Why something was not opened, or did not come back. Messages are for the program's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Not a URL that can be opened.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// The policy does not let it through.
    #[error(transparent)]
    Denied(Box<Denial>),
    /// A scheme that is not spoken here.
    #[error("{url} cannot be opened this way: its scheme is not one of {expected}")]
    Scheme {
        /// The URL.
        url: String,
        /// What could be opened.
        expected: &'static str,
    },
    /// A port of another protocol.
    #[error("port {port} of {host} is not open to programs: it belongs to another protocol")]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Every address of the host is refused; this is the first.
    #[error("{host} is at {address}, in {range} ({kind}), which programs may not reach")]
    Address {
        /// The host as the URL names it.
        host: String,
        /// Its address.
        address: IpAddr,
        /// The range at fault.
        range: IpNet,
        /// What that range is.
        kind: &'static str,
    },
    /// The request is not one that can be sent.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// The request's body is too large.
    #[error("the request's body has {bytes} bytes; at most {max} are sent")]
    RequestTooLarge {
        /// Its size.
        bytes: usize,
        /// The most that is sent.
        max: usize,
    },
    /// The invocation has used up its requests.
    #[error("this run has made {max} outbound requests, which is all it may make")]
    TooManyRequests {
        /// The most that it may make.
        max: u32,
    },
    /// Too many were under way, and none ended in time.
    #[error(
        "this run has {max} outbound connections open, which is all it may have at once; close one first"
    )]
    TooManyAtOnce {
        /// The most that it may have.
        max: u32,
    },
    /// The host's addresses could not be found.
    #[error("the name {host} was not found: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing was connected.
    #[error("no connection to {host}: {reason}")]
    Connect {
        /// The host and port.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The other side could not prove who it is, or TLS failed in another way.
    #[error("no TLS connection to {host}: {reason}")]
    Tls {
        /// The host and port.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// It took too long.
    #[error("{what} took longer than {} ms", limit.as_millis())]
    Timeout {
        /// What took too long.
        what: Step,
        /// The limit.
        limit: Duration,
    },
    /// The invocation's own time is over.
    #[error("the run's time was over before {0} was done")]
    Deadline(Step),
    /// The answer is not HTTP, or ended too early.
    #[error("{host} did not answer as it should: {reason}")]
    Protocol {
        /// The host and port.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer is too large.
    #[error("the answer of {host} is larger than {max} bytes and was cut there")]
    ResponseTooLarge {
        /// The host and port.
        host: String,
        /// The most that is read.
        max: u64,
    },
    /// A redirect leads around.
    #[error("{url} was redirected {max} times, and then once more")]
    TooManyRedirects {
        /// Where the request began.
        url: String,
        /// The most that are followed.
        max: u32,
    },
    /// A redirect leads to what cannot be opened.
    #[error("{from} redirects to {to}: {error}")]
    Redirect {
        /// The URL that redirects.
        from: String,
        /// Where to.
        to: String,
        /// What is wrong with that.
        error: Box<EgressError>,
    },
    /// The platform is not set up for it.
    #[error("this server cannot make outbound connections: {0}")]
    Setup(String),
}

/// A step that can take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding a name's addresses.
    Resolve,
    /// Connecting, TLS included.
    Connect,
    /// The request in all.
    Request,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Resolve => "finding the name's address",
            Step::Connect => "connecting",
            Step::Request => "the request",
        })
    }
}

impl EgressError {
    /// What to do about it, in words that name no command; `None` where nothing is to be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            EgressError::Denied(denial) => Some(denial.hint()),
            EgressError::Redirect { error, .. } => error.hint(),
            EgressError::Address { address, .. } => Some(format!(
                "the server's operator can open it by adding {} to the outbound addresses that are allowed",
                IpNet::from(*address)
            )),
            EgressError::Port { port, .. } => {
                Some(format!("the server's operator can open port {port} for outbound connections"))
            }
            EgressError::Tls { .. } => {
                Some("the server's certificate must be one that this host trusts".into())
            }
            _ => None,
        }
    }

    /// What is wrong in the end: where a redirect leads to what cannot be opened, why that cannot be.
    pub fn innermost(&self) -> &EgressError {
        match self {
            EgressError::Redirect { error, .. } => error.innermost(),
            other => other,
        }
    }

    /// The denial by a policy, if that is what it is, through a redirect too.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            EgressError::Denied(denial) => Some(denial),
            EgressError::Redirect { error, .. } => error.denial(),
            _ => None,
        }
    }

    /// Whether a rule or a limit of this platform stands in the way, rather than the network or the far side.
    pub fn is_refusal(&self) -> bool {
        match self {
            EgressError::Redirect { error, .. } => error.is_refusal(),
            EgressError::Url(_)
            | EgressError::Denied(_)
            | EgressError::Scheme { .. }
            | EgressError::Port { .. }
            | EgressError::Address { .. }
            | EgressError::Request(_)
            | EgressError::RequestTooLarge { .. }
            | EgressError::TooManyRequests { .. }
            | EgressError::TooManyAtOnce { .. } => true,
            EgressError::Resolve { .. }
            | EgressError::Connect { .. }
            | EgressError::Tls { .. }
            | EgressError::Timeout { .. }
            | EgressError::Deadline(_)
            | EgressError::Protocol { .. }
            | EgressError::ResponseTooLarge { .. }
            | EgressError::TooManyRedirects { .. }
            | EgressError::Setup(_) => false,
        }
    }
}

impl From<Denial> for EgressError {
    fn from(denial: Denial) -> EgressError {
        EgressError::Denied(Box::new(denial))
    }
}
