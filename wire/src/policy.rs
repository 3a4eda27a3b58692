//! What a handler's own policy says: which URLs it may open, and limits of its own.

use serde::{Deserialize, Serialize};

use crate::Limits;

/// A handler's own policy, as its owner writes it. Without one, a program opens no URL of the network,
/// and the operator's default limits hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Patterns of URLs that may be opened.
    pub allow: Vec<String>,
    /// Patterns of URLs that may not be opened, whatever `allow` says.
    pub disallow: Vec<String>,
    /// What happens to a URL that the patterns do not let through.
    pub mode: PolicyMode,
    /// Weighted instructions of one invocation; the operator's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas: Option<u64>,
    /// Wall time of one invocation, in milliseconds; the operator's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Linear memory of one invocation, in bytes; the operator's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// What happens when a program opens a URL that its policy does not let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyMode {
    /// The program is told `PermissionDenied`, and the log how to allow it. Schemes that stay within the
    /// invocation (`log:`, `null:`, `zero:`, `random:`) are always open.
    #[default]
    Deny,
    /// The program ends, as with an Olin policy file; the patterns hold for every scheme.
    End,
    /// It is opened, and recorded, so that a policy can be learned from it. Addresses that the operator
    /// closes stay closed.
    Observe,
}

/// Which URLs an invocation may open: the part of a [`Policy`] that an executor needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlPolicy {
    /// Patterns of URLs that may be opened.
    pub allow: Vec<String>,
    /// Patterns of URLs that may not be opened, whatever `allow` says.
    pub disallow: Vec<String>,
    /// What happens to other URLs.
    pub mode: PolicyMode,
}

impl Policy {
    /// What an executor needs to know of the URLs.
    pub fn urls(&self) -> UrlPolicy {
        UrlPolicy { allow: self.allow.clone(), disallow: self.disallow.clone(), mode: self.mode }
    }

    /// The limits of an invocation: the policy's own where it has some, else the operator's default; never
    /// above the operator's ceiling, which may have been lowered since the policy was written.
    pub fn limits(&self, default: &Limits, ceiling: &Limits) -> Limits {
        Limits {
            gas: self.gas.unwrap_or(default.gas).min(ceiling.gas),
            wall_ms: self.wall_ms.unwrap_or(default.wall_ms).min(ceiling.wall_ms),
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes).min(ceiling.memory_bytes),
            ..default.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_raises_the_default_up_to_the_ceiling_and_lowers_it() {
        let default = Limits::default();
        let ceiling = Limits { gas: 10 * default.gas, wall_ms: 2 * default.wall_ms, ..default.clone() };
        let limits = |policy: Policy| policy.limits(&default, &ceiling);
        assert_eq!(limits(Policy::default()), default);
        let raised = Policy { gas: Some(u64::MAX), wall_ms: Some(31_000), ..Policy::default() };
        assert_eq!((limits(raised.clone()).gas, limits(raised).wall_ms), (ceiling.gas, 31_000));
        let lowered = Policy { memory_bytes: Some(65_536), ..Policy::default() };
        assert_eq!(limits(lowered).memory_pages(), 1);
    }

    #[test]
    fn a_policy_is_written_with_what_differs_from_none_and_refuses_unknown_keys() {
        let policy: Policy = serde_json::from_str(r#"{"allow":["^https://a\\.example/"],"gas":5}"#).unwrap();
        assert_eq!((policy.allow.len(), policy.gas, policy.mode), (1, Some(5), PolicyMode::Deny));
        assert!(serde_json::from_str::<Policy>(r#"{"alow":[]}"#).is_err());
    }
}
