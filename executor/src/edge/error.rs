//! What the edge itself answers: short, with the invocation's id, and without a word about causes
//! that are the handler's own business.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use wasmcloud_cgi::RequestError;
use wasmcloud_fair::Full;
use wasmcloud_listener::{BodyError, CollectError, ResponseBody};
use wasmcloud_wire::limits::CALL_DEPTH_MAX;
use wasmcloud_wire::{
    ControlPlaneError, ErrorBody, ErrorDetail, HostName, InvocationId, InvokeError, LimitName, Outcome,
    Receipt, RouteKey, Timestamp,
};

use crate::hosts::HostsError;
use crate::invocation::StartError;
use crate::outcome;
use crate::programs::ProgramError;

/// What whoever finds no memory for a body is told to wait, in seconds.
const BODIES_RETRY_AFTER_S: u32 = 5;

/// Why the edge answers instead of a handler.
#[derive(Debug)]
pub(crate) enum EdgeError {
    /// The `Host` field is none.
    BadHost,
    /// The address is not below the edge's domain.
    NotAHandler { host: String, domain: String },
    /// The host's routes lead to handlers, but not from this path.
    NoRoute { host: HostName, path: String },
    /// The label before the domain is no name.
    NoSuchName(String),
    /// No handler has this name.
    NoHandler(RouteKey),
    /// `/~hello` instead of `/~hello/`.
    MissingSlash { to: String },
    /// It has come through so many handlers that it goes round in circles, more likely than not.
    TooDeep,
    /// The request's body did not arrive, or is too large.
    Body(CollectError),
    /// There is no memory for the request's body.
    BodiesFull(Full),
    /// The account that owns the handler is suspended; whether the client shows pages.
    Suspended { reason: String, html: bool },
    /// The invocation did not begin.
    Start(StartError),
    /// What the address serves could not be found out.
    ControlPlane(ControlPlaneError),
    /// Whose the host is could not be found out.
    Hosts(HostsError),
    /// The program gave no answer.
    Failed(Box<Receipt>),
    /// The invocation's end was never told.
    Lost,
}

impl From<CollectError> for EdgeError {
    fn from(error: CollectError) -> EdgeError {
        EdgeError::Body(error)
    }
}

impl From<StartError> for EdgeError {
    fn from(error: StartError) -> EdgeError {
        EdgeError::Start(error)
    }
}

impl From<ControlPlaneError> for EdgeError {
    fn from(error: ControlPlaneError) -> EdgeError {
        EdgeError::ControlPlane(error)
    }
}

impl From<HostsError> for EdgeError {
    fn from(error: HostsError) -> EdgeError {
        EdgeError::Hosts(error)
    }
}

/// An error answer: status, code, message, hint.
struct Said(u16, &'static str, String, String);

impl EdgeError {
    /// The answer. 5xx say no cause; the log has it under the same id.
    pub(crate) fn response(self, invocation: InvocationId) -> Response<ResponseBody> {
        if let EdgeError::Suspended { reason, html: true } = &self {
            return super::suspended::page(reason, invocation);
        }
        let retry_after = match &self {
            EdgeError::Start(StartError::Invoke(
                InvokeError::Busy { retry_after_s, .. } | InvokeError::OverQuota { retry_after_s, .. },
            )) => Some(*retry_after_s),
            EdgeError::Start(StartError::Invoke(InvokeError::Suspended(_))) => None,
            EdgeError::BodiesFull(_) => Some(BODIES_RETRY_AFTER_S),
            EdgeError::Start(StartError::Invoke(_) | StartError::Program(_))
            | EdgeError::ControlPlane(_)
            | EdgeError::Hosts(_) => Some(1),
            _ => None,
        };
        let location = match &self {
            EdgeError::MissingSlash { to } => HeaderValue::from_str(to).ok(),
            _ => None,
        };
        let Said(status, code, message, hint) = self.said(invocation);
        let detail = ErrorDetail { code: code.to_owned(), message, hint, request_id: invocation.to_string() };
        let body = serde_json::to_vec(&ErrorBody { error: detail }).unwrap_or_default();
        let mut response = Response::new(ResponseBody::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(location) = location {
            headers.insert(LOCATION, location);
        }
        response
    }

    fn said(self, invocation: InvocationId) -> Said {
        match self {
            EdgeError::BadHost => Said(
                400,
                "bad_host",
                "the Host field names no host, or another one than the request's target".into(),
                "send the host of the address, alone or with its port".into(),
            ),
            EdgeError::NotAHandler { host, domain } => Said(
                404,
                "not_a_handler",
                format!("{host} is no handler's address"),
                not_a_handler_hint(&host, &domain),
            ),
            EdgeError::NoRoute { host, path } => Said(
                404,
                "no_route",
                format!("{host} has no route for {}", path.chars().take(200).collect::<String>()),
                format!(
                    "its owner can add one: wasmcloud route add {host}/PATH NAME; `wasmcloud route list` shows those \
                     that there are"
                ),
            ),
            EdgeError::NoSuchName(name) => no_handler(
                &name,
                "check the address: a handler's name has 3 to 40 characters, a-z, 0-9 and `-`".into(),
            ),
            EdgeError::NoHandler(key) => no_handler(
                &key.to_string(),
                match key.version {
                    None => {
                        format!(
                            "check the address, or create it: `wasmcloud create FILE --name {}`",
                            key.handler
                        )
                    }
                    Some(_) => {
                        format!("check the address: `wasmcloud versions {}` shows the versions", key.handler)
                    }
                },
            ),
            EdgeError::MissingSlash { to } => {
                Said(308, "moved", format!("the address is {to}"), "follow the Location field".into())
            }
            EdgeError::TooDeep => Said(
                508,
                "call_depth",
                format!(
                    "the request has come through {CALL_DEPTH_MAX} handlers, which is as deep as calls go"
                ),
                "a handler calls itself, perhaps by way of others; let one answer without another call"
                    .into(),
            ),
            EdgeError::Body(error) => body_error(&error),
            EdgeError::BodiesFull(full) => bodies_full(full, invocation),
            EdgeError::Suspended { reason, .. } => suspended(&reason),
            EdgeError::Start(StartError::BadRequest(error)) => bad_request(&error),
            EdgeError::Start(StartError::Malformed(message)) => Said(
                400,
                "bad_request",
                format!("the request is malformed: {message}"),
                "check the request's method, address and header".into(),
            ),
            EdgeError::Start(StartError::Invoke(error)) => invoke_error(&error, invocation),
            EdgeError::Start(StartError::Program(error)) => program_error(&error, invocation),
            EdgeError::ControlPlane(error) => {
                tracing::error!(%invocation, %error, "an address cannot be resolved");
                unavailable()
            }
            EdgeError::Hosts(error) => {
                // Anybody can cause one at will.
                tracing::debug!(%invocation, %error, "a host cannot be looked up");
                unavailable()
            }
            EdgeError::Failed(receipt) => failed(&receipt, invocation),
            EdgeError::Lost => {
                tracing::error!(%invocation, "an invocation's end was not told");
                Said(
                    500,
                    "internal",
                    "the platform failed".into(),
                    "try again; tell the operator the id".into(),
                )
            }
        }
    }
}

/// What to do about a host that is nobody's, where it could be somebody's.
fn not_a_handler_hint(host: &str, domain: &str) -> String {
    let hint = format!("handlers answer at NAME.{domain}; `wasmcloud list` shows yours");
    match host.parse::<HostName>() {
        Ok(host) if host.as_str() != domain => {
            format!("{hint}. If {host} is yours, route it to one: wasmcloud route add {host} NAME")
        }
        _ => hint,
    }
}

fn no_handler(name: &str, hint: String) -> Said {
    let name: String = name.chars().take(64).collect();
    Said(404, "handler_not_found", format!("there is no handler called {name}"), hint)
}

fn body_error(error: &CollectError) -> Said {
    let (status, code) = match error {
        CollectError::TooLarge { .. } => (413, "body_too_large"),
        CollectError::Body(BodyError::TimedOut | BodyError::TooSlow) => (408, "body_too_slow"),
        CollectError::Body(BodyError::Malformed | BodyError::Disconnected) => (400, "bad_body"),
    };
    Said(status, code, error.to_string(), "send a smaller or a complete body".into())
}

fn bodies_full(full: Full, invocation: InvocationId) -> Said {
    // Anybody can cause one at will.
    tracing::debug!(%invocation, held = full.held, free = full.free, "no memory for a request's body");
    let whose = if full.held == 0 { "of all handlers" } else { "of this handler's owner" };
    Said(
        503,
        "bodies_full",
        format!("there is no memory for the request's body: too many bodies {whose} are here already"),
        "send it again after the time in Retry-After".into(),
    )
}

fn bad_request(error: &RequestError) -> Said {
    Said(400, "bad_request", error.to_string(), "correct the request".into())
}

fn invoke_error(error: &InvokeError, invocation: InvocationId) -> Said {
    match error {
        InvokeError::Busy { message, executor_full, .. } => {
            let status = if *executor_full { 503 } else { 429 };
            Said(status, "busy", message.clone(), "try again after the time in Retry-After".into())
        }
        InvokeError::OverQuota { retry_after_s, .. } => over_quota(*retry_after_s, Timestamp::now()),
        InvokeError::Suspended(reason) => suspended(reason),
        InvokeError::BadRequest(message) => {
            Said(400, "bad_request", message.clone(), "correct the request".into())
        }
        InvokeError::Unavailable(reason) => {
            tracing::error!(%invocation, reason, "an invocation cannot begin");
            unavailable()
        }
    }
}

/// Which plan the owner has, and how much it allows, is the owner's business: the handler's log says it.
fn over_quota(retry_after_s: u32, now: Timestamp) -> Said {
    let then = Timestamp(now.0.saturating_add(i64::from(retry_after_s) * 1_000)).rfc3339();
    let at = then.get(11..19).unwrap_or_default();
    Said(
        429,
        "over_quota",
        format!(
            "this address has had all the requests for now that its owner's plan allows; try again at {at} UTC"
        ),
        "whoever owns it finds more in its log: wasmcloud logs NAME".into(),
    )
}

fn suspended(reason: &str) -> Said {
    Said(
        403,
        "suspended",
        format!("what is at this address is suspended: {reason}"),
        "whoever operates this server can lift it".into(),
    )
}

fn program_error(error: &ProgramError, invocation: InvocationId) -> Said {
    tracing::error!(%invocation, %error, "a handler's module cannot be run");
    unavailable()
}

fn unavailable() -> Said {
    Said(503, "unavailable", "the platform cannot answer right now".into(), "try again in a moment".into())
}

fn failed(receipt: &Receipt, invocation: InvocationId) -> Said {
    let status = outcome::status(&receipt.outcome);
    let (code, message) = match &receipt.outcome {
        Outcome::Limit { limit: LimitName::LocalRedirects, .. } => {
            ("loop", "the handler redirects to itself without end")
        }
        Outcome::Limit { .. } => ("limit", "the handler hit a limit"),
        Outcome::Suspended => ("suspended", "the handler's owner was suspended while it ran"),
        Outcome::Internal { .. } => ("internal", "the platform failed"),
        Outcome::Denied { .. } => ("denied", "the handler opened what its policy does not allow"),
        Outcome::BadOutput { .. } => ("bad_output", "the handler's answer is malformed"),
        _ => ("failed", "the handler failed"),
    };
    let hint = format!("its owner finds the cause with `wasmcloud logs NAME --invocation {invocation}`");
    Said(status, code, message.to_owned(), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_learns_when_to_come_back_and_nothing_of_the_owners_plan() {
        let error = InvokeError::OverQuota { message: "plan `small`".into(), retry_after_s: 30 };
        let Said(status, code, message, hint) = invoke_error(&error, InvocationId::new());
        assert_eq!((status, code), (429, "over_quota"));
        assert!(!message.contains("small") && !hint.contains("small"), "{message} {hint}");
        let Said(_, _, message, _) = over_quota(3_600, Timestamp(951_782_399_000));
        assert!(message.ends_with("try again at 00:59:59 UTC"), "{message}");
    }
}
