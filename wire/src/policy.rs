//! What a handler's own policy says: which URLs it may open, and limits of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Limits;
use crate::ascii::ascii_json;

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
    /// CPU time of one invocation whose instructions are not counted, in milliseconds; the operator's default
    /// if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
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

/// `PATCH` of a handler's policy: what is absent stays. What is removed goes before what is added comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyPatch {
    /// Rules to add; one that is there already is not added again.
    #[serde(skip_serializing_if = "PolicyRules::is_empty")]
    pub add: PolicyRules,
    /// Rules to remove; one that is not there is passed over.
    #[serde(skip_serializing_if = "PolicyRules::is_empty")]
    pub remove: PolicyRules,
    /// Another mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PolicyMode>,
    /// Another limit; `null` for the operator's default.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub gas: Option<Option<u64>>,
    /// Another limit; `null` for the operator's default.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub cpu_ms: Option<Option<u64>>,
    /// Another limit; `null` for the operator's default.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub wall_ms: Option<Option<u64>>,
    /// Another limit; `null` for the operator's default.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub memory_bytes: Option<Option<u64>>,
}

/// Rules of a [`PolicyPatch`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyRules {
    /// Rules of `allow`.
    pub allow: Vec<String>,
    /// Rules of `disallow`.
    pub disallow: Vec<String>,
}

impl PolicyRules {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.disallow.is_empty()
    }
}

/// Tells `null` from what is not there at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl PolicyPatch {
    /// The policy with these changes.
    pub fn apply(&self, mut policy: Policy) -> Policy {
        let PolicyPatch { add, remove, mode, gas, cpu_ms, wall_ms, memory_bytes } = self;
        change(&mut policy.allow, &add.allow, &remove.allow);
        change(&mut policy.disallow, &add.disallow, &remove.disallow);
        policy.mode = mode.unwrap_or(policy.mode);
        policy.gas = gas.unwrap_or(policy.gas);
        policy.cpu_ms = cpu_ms.unwrap_or(policy.cpu_ms);
        policy.wall_ms = wall_ms.unwrap_or(policy.wall_ms);
        policy.memory_bytes = memory_bytes.unwrap_or(policy.memory_bytes);
        policy
    }
}

fn change(rules: &mut Vec<String>, add: &[String], remove: &[String]) {
    rules.retain(|rule| !remove.contains(rule));
    for rule in add {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
}

impl PolicyMode {
    /// The word for it in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyMode::Deny => "deny",
            PolicyMode::End => "end",
            PolicyMode::Observe => "observe",
        }
    }
}

impl fmt::Display for PolicyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicyMode {
    type Err = String;

    fn from_str(text: &str) -> Result<PolicyMode, String> {
        match text {
            "deny" => Ok(PolicyMode::Deny),
            "end" => Ok(PolicyMode::End),
            "observe" => Ok(PolicyMode::Observe),
            other => Err(format!("`{other}` is no mode: use deny, end or observe")),
        }
    }
}

impl Policy {
    /// What an executor needs to know of the URLs.
    pub fn urls(&self) -> UrlPolicy {
        UrlPolicy { allow: self.allow.clone(), disallow: self.disallow.clone(), mode: self.mode }
    }

    /// The policy as JSON in ASCII, other characters as `\uXXXX`: what a header field can carry, and what
    /// counts for [`POLICY_BYTES_MAX`](crate::limits::POLICY_BYTES_MAX).
    pub fn to_ascii_json(&self) -> String {
        ascii_json(self)
    }

    /// The limits of an invocation: the policy's own where it has some, else the operator's default; never
    /// above the operator's ceiling, which may have been lowered since the policy was written.
    pub fn limits(&self, default: &Limits, ceiling: &Limits) -> Limits {
        Limits {
            gas: self.gas.unwrap_or(default.gas).min(ceiling.gas),
            cpu_ms: self.cpu_ms.unwrap_or(default.cpu_ms).min(ceiling.cpu_ms),
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
    #[test]
    fn a_patch_changes_what_it_names_and_null_takes_a_limit_away() {
        let patch = |json: &str| serde_json::from_str::<PolicyPatch>(json).unwrap();
        let policy = Policy {
            allow: vec!["a".to_owned(), "b".to_owned()],
            gas: Some(5),
            wall_ms: Some(6),
            ..Policy::default()
        };
        assert_eq!(patch("{}").apply(policy.clone()), policy);
        let changed = patch(
            r#"{"add":{"allow":["b","c"],"disallow":["a"]},"remove":{"allow":["a","z"]},"mode":"end","gas":null}"#,
        )
        .apply(policy);
        assert_eq!(changed.allow, ["b", "c"]);
        assert_eq!((changed.disallow, changed.mode), (vec!["a".to_owned()], PolicyMode::End));
        assert_eq!((changed.gas, changed.wall_ms), (None, Some(6)));
        assert!(serde_json::from_str::<PolicyPatch>(r#"{"allow":["a"]}"#).is_err(), "that would be a PUT");
        let unset = PolicyPatch { gas: Some(None), ..PolicyPatch::default() };
        assert_eq!(serde_json::to_string(&unset).unwrap(), r#"{"gas":null}"#);
    }

    #[test]
    fn a_policy_in_ascii_is_read_back_as_the_same() {
        let policy = Policy { allow: vec!["^https://b\u{fc}cher/\u{1f4d6}".to_owned()], ..Policy::default() };
        let ascii = policy.to_ascii_json();
        assert!(ascii.is_ascii() && ascii.contains(r"\u00fc") && ascii.contains(r"\ud83d\udcd6"), "{ascii}");
        assert_eq!(serde_json::from_str::<Policy>(&ascii).unwrap(), policy);
    }

    #[test]
    fn a_mode_is_one_word_everywhere() {
        for mode in [PolicyMode::Deny, PolicyMode::End, PolicyMode::Observe] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        assert!("off".parse::<PolicyMode>().unwrap_err().contains("deny, end or observe"));
    }
}
