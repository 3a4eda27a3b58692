//! The one error that the control plane answers with.
//!
//! What a client sees (`code`, `message`, `hint`) and what the log sees (`cause`) are two things:
//! a 5xx never carries its cause.

use std::borrow::Cow;
use std::error::Error;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use uuid::Uuid;
use wasmcloud_blob::BlobError;
use wasmcloud_policy::SettingError;
use wasmcloud_wire::limits::CALL_DEPTH_MAX;
use wasmcloud_wire::{
    ErrorBody, ErrorDetail, HandlerName, InvokeError, NameError, PrepareError, Refusal, VersionNumber,
};

use crate::core::DeploymentError;
use crate::store::StoreError;

/// An error as a client sees it, with its cause for the log. Its parts are those of [`Problem`].
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct ApiError(Box<Problem>);

/// The parts of an [`ApiError`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: Cow<'static, str>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u32>,
    /// The methods that a path takes, for 405.
    pub allow: Option<String>,
    /// What the log says and the client does not see.
    #[source]
    pub cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Deref for ApiError {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.0
    }
}

impl DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut Problem {
        &mut self.0
    }
}

impl ApiError {
    /// An error made of its parts.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ApiError {
        ApiError(Box::new(Problem {
            status,
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
            retry_after_s: None,
            allow: None,
            cause: None,
        }))
    }

    /// The same error with the time after which trying again may help.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> ApiError {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The same error with what the log is to say.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// 500: the control plane itself is wrong.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        ApiError::new(
            500,
            "internal",
            "the server failed to do this",
            "try again; if it happens again, give the request id to whoever operates this server",
        )
        .because(cause)
    }

    /// 503: something that the control plane needs does not answer.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        ApiError::new(
            503,
            "unavailable",
            "the server cannot do this right now",
            "try again in a few seconds; if it goes on, give the request id to whoever operates this server",
        )
        .retry_after(5)
        .because(cause)
    }

    /// 507: a disk is full.
    pub fn storage_full(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        ApiError::new(
            507,
            "storage_full",
            "the server has no room for more",
            "whoever operates this server has to make room; what is deployed already goes on",
        )
        .because(cause)
    }

    /// 503: what keeps modules does not answer, or refuses.
    pub fn storage_unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        ApiError::new(
            503,
            "storage_unavailable",
            "the server cannot keep modules right now: its storage does not answer as it should",
            "try again in a minute; what is deployed already goes on. If it goes on like this, give the request id to \
             whoever operates this server",
        )
        .retry_after(30)
        .because(cause)
    }

    /// 401: no token, or none that is good.
    pub fn unauthorized() -> ApiError {
        ApiError::new(401, "unauthorized", "this needs a valid token", "run `wasmcloud login`")
    }

    /// 403: nothing of this account's is answered.
    pub fn suspended(reason: &str) -> ApiError {
        ApiError::new(
            403,
            "suspended",
            format!("this account is suspended: {reason}"),
            "whoever operates this server can lift it; ask them",
        )
    }

    /// 403: the account of whoever asks is good, but not the one that owns this.
    pub(crate) fn owner_suspended(what: &str, reason: &str) -> ApiError {
        let message = format!("the account that owns {what} is suspended: {reason}");
        let mut error = ApiError::suspended(reason);
        error.message = message;
        error
    }

    /// 404 for a handler that the caller does not have, whether or not somebody else has it.
    pub fn handler_not_found(name: &str) -> ApiError {
        let name: String = name.chars().take(64).collect();
        ApiError::new(
            404,
            "handler_not_found",
            format!("you have no handler `{name}`"),
            "`wasmcloud list` shows the handlers that you have",
        )
    }

    /// 404 for a version that a handler does not have.
    pub(crate) fn version_not_found(name: &HandlerName, version: VersionNumber) -> ApiError {
        ApiError::new(
            404,
            "version_not_found",
            format!("`{name}` has no version {version}"),
            format!("`wasmcloud versions {name}` lists those that it has"),
        )
    }

    /// 404 for a setting that a handler does not have.
    pub(crate) fn setting_not_found(name: &HandlerName, setting: &str) -> ApiError {
        let setting: String = setting.chars().take(64).collect();
        ApiError::new(
            404,
            "setting_not_found",
            format!("`{name}` has no setting `{setting}`"),
            format!("`wasmcloud env list {name}` lists those that it has"),
        )
    }

    /// 404 for a host that the caller has not added, whether or not somebody else has.
    pub(crate) fn host_not_found(name: &str) -> ApiError {
        let name: String = name.chars().take(253).collect();
        ApiError::new(
            404,
            "host_not_found",
            format!("you have no host `{name}`"),
            "`wasmcloud host list` shows those that you have",
        )
    }

    /// 413: a body above its limit.
    pub fn too_large(bytes_max: usize) -> ApiError {
        ApiError::new(
            413,
            "body_too_large",
            format!("the body is larger than {bytes_max} bytes, which is the most that this address takes"),
            "send less",
        )
    }

    /// 422: a value that cannot be used.
    pub fn invalid(message: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError::new(422, "invalid", message, hint)
    }

    /// 508: handlers that call handlers went as deep as they may.
    pub(crate) fn too_deep() -> ApiError {
        ApiError::new(
            508,
            "call_depth",
            format!("the request has come through {CALL_DEPTH_MAX} handlers, which is as deep as calls go"),
            "a handler calls itself, perhaps by way of others; let one answer without another call",
        )
    }

    /// The error as its JSON body.
    pub fn body(&self, request_id: Uuid) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                code: self.code.clone().into_owned(),
                message: self.message.clone(),
                hint: self.hint.clone(),
                request_id: request_id.to_string(),
            },
        }
    }

    /// Tells the log of a failure of ours; what a client did wrong is no event.
    pub(crate) fn log(&self, request_id: Uuid) {
        if self.status < 500 {
            return;
        }
        let mut causes = String::new();
        let mut next: Option<&(dyn Error + 'static)> = self.cause.as_ref().map(|cause| &**cause as _);
        while let Some(cause) = next {
            if !causes.is_empty() {
                causes.push_str(": ");
            }
            causes.push_str(&cause.to_string());
            next = cause.source();
        }
        tracing::error!(%request_id, status = self.status, code = %self.code, cause = %causes, "request failed");
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Unavailable(_) | StoreError::Connect { .. } => ApiError::unavailable(error),
            StoreError::Full => ApiError::storage_full(error),
            // Nobody deletes users.
            StoreError::AccountGone => ApiError::new(
                404,
                "team_not_found",
                "the team was deleted meanwhile",
                "`wasmcloud teams list` shows the teams that you belong to",
            ),
            StoreError::Conflict
            | StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Open { .. }
            | StoreError::Migration(_)
            | StoreError::Corrupt(_) => ApiError::internal(error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> ApiError {
        match error {
            BlobError::Full { .. } => ApiError::storage_full(error),
            other => ApiError::storage_unavailable(other),
        }
    }
}

impl From<DeploymentError> for ApiError {
    fn from(error: DeploymentError) -> ApiError {
        match error {
            DeploymentError::Store(error) => error.into(),
            DeploymentError::Sealed(error) => ApiError::new(
                503,
                "settings_unreadable",
                "the handler's settings cannot be read: the server's settings key is another than when they were set",
                "ask whoever operates this server to restore it, or set them again: wasmcloud env set",
            )
            .because(error),
        }
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> ApiError {
        ApiError::new(422, "invalid_name", error.to_string(), "choose another name")
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let status = if refusal.code == "not_wasm" { 400 } else { 422 };
        ApiError::new(status, refusal.code, refusal.message, refusal.hint)
    }
}

impl From<SettingError> for ApiError {
    fn from(error: SettingError) -> ApiError {
        let code = match error {
            SettingError::AboveCeiling { .. } => "over_ceiling",
            _ => "invalid_policy",
        };
        ApiError::new(422, code, error.to_string(), error.hint())
    }
}

impl From<PrepareError> for ApiError {
    fn from(error: PrepareError) -> ApiError {
        match error {
            PrepareError::Refused(refusal) => refusal.into(),
            PrepareError::Unavailable(_) => executor_unavailable(error),
        }
    }
}

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> ApiError {
        match error {
            InvokeError::Busy { message, executor_full, retry_after_s } => {
                let (status, code) =
                    if executor_full { (503, "executor_full") } else { (429, "too_many_invocations") };
                ApiError::new(status, code, message, format!("try again in {retry_after_s} s"))
                    .retry_after(retry_after_s)
            }
            InvokeError::OverQuota { message, retry_after_s } => ApiError::new(
                429,
                "over_quota",
                message,
                "`wasmcloud quota`, for a team's handler with `--team TEAM`, shows all quotas, and how to get a larger plan",
            )
            .retry_after(retry_after_s),
            InvokeError::Suspended(reason) => ApiError::owner_suspended("the handler", &reason),
            InvokeError::BadRequest(message) => {
                ApiError::invalid(message, "change the request that the program is to be given")
            }
            InvokeError::Unavailable(_) => executor_unavailable(error),
        }
    }
}

fn executor_unavailable(cause: impl Error + Send + Sync + 'static) -> ApiError {
    ApiError::new(
        503,
        "executor_unavailable",
        "no executor can do this right now",
        "try again in a few seconds; if it goes on, give the request id to whoever operates this server",
    )
    .retry_after(5)
    .because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_that_is_gone_is_not_found() {
        let error = ApiError::from(StoreError::AccountGone);
        assert_eq!((error.status, error.code.as_ref()), (404, "team_not_found"));
    }
}
