//! Why a host call ends its guest.

use wasmcloud_cgi::Malformed;

/// Raised by a host call instead of returning to the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The guest asked to end.
    #[error("exit with status {0}")]
    Exit(i32),
    /// The invocation is being killed; its [`super::Watch`] knows why.
    #[error("killed")]
    Killed,
    /// Whoever was to read the answer went away.
    #[error("nobody reads the answer any more")]
    OutputClosed,
    /// The output began with something else than a CGI header.
    #[error("{0}")]
    BadOutput(Malformed),
    /// The output is a local redirect: what the guest still does is of no interest.
    #[error("the answer is a local redirect")]
    Redirected,
    /// The output grew beyond its limit of so many bytes.
    #[error("output limit of {0} bytes")]
    OutputLimit(u64),
    /// The request's body, which the guest reads as it comes, grew beyond its limit of so many bytes.
    #[error("request limit of {0} bytes")]
    InputLimit(u64),
    /// The guest opened a URL that its policy does not let through, and the policy ends a guest for that.
    #[error("{0}")]
    Denied(String),
    /// The guest closed a resource that is not open, which the ABI makes fatal.
    #[error("closed resource {0}, which is not open")]
    UnknownResource(i32),
}
