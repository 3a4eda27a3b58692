//! What an executor needs to know to answer for a handler.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::env::Names;
use crate::{
    Abi, Digest, HandlerId, HandlerName, HostName, Limits, NameError, RecordingPolicy, UrlPolicy, UserId,
    VersionNumber,
};

/// What an address names: a handler, and perhaps one of its versions.
///
/// In text, and as the first label of a host name: `hello`, or `v3--hello` for its version 3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteKey {
    /// The handler.
    pub handler: HandlerName,
    /// The version that is pinned; `None` means the live one.
    pub version: Option<VersionNumber>,
}

impl FromStr for RouteKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<RouteKey, NameError> {
        if let Some((version, handler)) = text.split_once("--")
            && let Some(number) = version.strip_prefix('v').and_then(number)
        {
            return Ok(RouteKey { handler: handler.parse()?, version: Some(VersionNumber(number)) });
        }
        Ok(RouteKey { handler: text.parse()?, version: None })
    }
}

/// A version's number in its one form: without a sign and without zeroes before it.
fn number(digits: &str) -> Option<u32> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_plain)
}

impl TryFrom<String> for RouteKey {
    type Error = NameError;

    fn try_from(text: String) -> Result<RouteKey, NameError> {
        text.parse()
    }
}

impl From<RouteKey> for String {
    fn from(key: RouteKey) -> String {
        key.to_string()
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "v{version}--{}", self.handler),
            None => self.handler.fmt(f),
        }
    }
}

/// One version of a handler, ready to be run.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The handler.
    pub handler: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is; concurrency is shared out by user.
    pub owner: UserId,
    /// The version.
    pub version: VersionNumber,
    /// The version's module.
    pub digest: Digest,
    /// How the module speaks to the host.
    pub abi: Abi,
    /// The handler's own environment. It never overrides a CGI variable.
    pub env: BTreeMap<String, String>,
    /// What an invocation may use.
    pub limits: Limits,
    /// Which URLs an invocation may open.
    #[serde(default)]
    pub urls: UrlPolicy,
    /// Whether the request's `Authorization` field reaches the program.
    pub forward_authorization: bool,
    /// The names in `env` whose values are secret.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// Another version that answers a part of this address's clients.
    #[serde(default)]
    pub split: Option<Split>,
    /// What of its invocations is recorded, so that they can be replayed; nothing if absent.
    #[serde(default)]
    pub recording: Option<RecordingPolicy>,
    /// What all handlers of the owner together may use.
    #[serde(default)]
    pub quota: AccountQuota,
    /// Why nothing of the owner's answers, if so, as everybody is told who asks.
    #[serde(default)]
    pub suspended: Option<String>,
}

/// What all handlers of an account together may use, on all executors; what is absent is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountQuota {
    /// The plan's name, for messages.
    pub plan: String,
    /// Most invocations in a minute of UTC.
    pub invocations_per_minute_max: Option<u64>,
    /// Most invocations at once.
    pub concurrent_max: Option<u64>,
    /// Most CPU time in a day of UTC, in milliseconds.
    pub cpu_ms_per_day_max: Option<u64>,
}

/// What one executor has run for an account since its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountUse {
    /// The account.
    pub account: UserId,
    /// The day, in days since 1970, UTC.
    pub day: i64,
    /// Invocations that began on that day.
    pub invocations: u64,
    /// CPU time on that day, in microseconds; of the Olin family no less than its gas comes to by
    /// [`crate::limits::GAS_PER_CPU_MS`].
    pub cpu_us: u64,
    /// The minute, in minutes since 1970.
    pub minute: i64,
    /// Invocations that began in that minute.
    pub minute_invocations: u64,
    /// Invocations that run right now.
    pub running: u32,
}

/// `POST /internal/v1/usage`: what an executor tells of the accounts that used it lately. The answer is an array of
/// [`AccountUse`]: what all others have run for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// The executor's id.
    pub executor: Uuid,
    /// One for each account and day; at most [`crate::limits::USAGE_ACCOUNTS_MAX`].
    pub used: Vec<AccountUse>,
}

/// A part of a live address's clients that another version answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The version that answers them.
    pub version: VersionNumber,
    /// How large the part is, in percent: 1 to 99.
    pub percent: u8,
}

/// One of the paths below a host that leads to a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoute {
    /// The path that it and everything below it is routed by: `/`, or `/v1` without a slash at its end.
    pub path: String,
    /// The handler.
    pub handler: HandlerName,
    /// Whether the program sees the path without this prefix, which is its `SCRIPT_NAME` then.
    pub strip_prefix: bool,
}

/// Shows the names of the environment without their values, which may be secret.
impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("handler", &self.handler)
            .field("name", &self.name)
            .field("owner", &self.owner)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .field("abi", &self.abi)
            .field("env", &Names(&self.env))
            .field("limits", &self.limits)
            .field("urls", &self.urls)
            .field("forward_authorization", &self.forward_authorization)
            .field("split", &self.split)
            .field("recording", &self.recording)
            .field("quota", &self.quota)
            .field("suspended", &self.suspended)
            .finish()
    }
}

/// What an executor is told when a handler changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A handler was created, updated, promoted or deleted: forget what is known of it.
    Handler {
        /// Its name.
        name: HandlerName,
    },
    /// The routes of a host changed: forget what is known of them.
    Host {
        /// The host.
        host: HostName,
    },
    /// Changes may have been missed: everything known has to be asked for again.
    Resync,
    /// Nothing changed; the stream is alive.
    Heartbeat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_handler_or_one_of_its_versions() {
        let live: RouteKey = "hello".parse().unwrap();
        assert_eq!((live.handler.as_str(), live.version), ("hello", None));
        let pinned: RouteKey = "v3--hello".parse().unwrap();
        assert_eq!((pinned.handler.as_str(), pinned.version), ("hello", Some(VersionNumber(3))));
        assert_eq!(pinned.to_string(), "v3--hello");
        for text in [
            "",
            "x--hello",
            "v--hello",
            "v-1--hello",
            "v+1--hello",
            "v01--hello",
            "v0--hello",
            "v99999999999--hello",
            "v3--",
        ] {
            assert!(text.parse::<RouteKey>().is_err(), "{text}");
        }
    }
}
