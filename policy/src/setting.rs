//! A handler's policy as its owner writes it: reading a file, and what may stand in it.

use wasmcloud_wire as wire;
use wasmcloud_wire::limits::{PAGE_BYTES, POLICY_BYTES_MAX};
use wasmcloud_wire::{Limits, PolicyMode};

use crate::file::{PolicyFile, PolicyFileError};
use crate::pattern::{PatternError, UrlPattern};
use crate::rules::{PolicyError, RULES_MAX};

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing but space.
    #[error("it is empty")]
    Empty,
    /// It begins like JSON, but is none, or not of a policy's shape.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// No policy file of Olin.
    #[error(transparent)]
    File(#[from] PolicyFileError),
}

/// Why a policy cannot be a handler's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A rule cannot be used.
    #[error("{list} rule {number}: {error}")]
    Rule {
        /// `allow` or `disallow`.
        list: &'static str,
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        error: PatternError,
    },
    /// More than [`RULES_MAX`].
    #[error("the policy has {0} rules; at most {RULES_MAX} are kept")]
    TooManyRules(usize),
    /// Larger than [`POLICY_BYTES_MAX`].
    #[error("the policy has {0} bytes as JSON; at most {POLICY_BYTES_MAX} are kept")]
    TooLarge(usize),
    /// A limit with which nothing could run.
    #[error("the policy's {limit} is {value}; the least is {least}")]
    TooLittle {
        /// The limit.
        limit: &'static str,
        /// What the policy asks for.
        value: u64,
        /// The least that can be.
        least: u64,
    },
    /// A limit above what the operator lets handlers have.
    #[error("the policy's {limit} is {value}; this server's ceiling is {ceiling}")]
    AboveCeiling {
        /// The limit.
        limit: &'static str,
        /// What the policy asks for.
        value: u64,
        /// The most that can be.
        ceiling: u64,
    },
}

impl SettingError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            SettingError::Rule { .. } => {
                "a rule is a regular expression over whole URLs, such as `^https://api\\.example\\.com/`"
                    .to_owned()
            }
            SettingError::TooManyRules(_) | SettingError::TooLarge(_) => {
                "join some rules with `|`, or name a whole origin: `^https://api\\.example\\.com/`".to_owned()
            }
            SettingError::TooLittle { limit, least, .. } => {
                format!("give {limit} {least} or more, or leave it out for the server's default")
            }
            SettingError::AboveCeiling { limit, ceiling, .. } => format!(
                "ask for {ceiling} or less; the server's operator can raise the ceiling: {limit}_max under [limits] in \
                 server.toml"
            ),
        }
    }
}

/// Reads a policy: JSON if the text begins with `{`, else a policy file of Olin. Its rules are
/// [`check`]ed by whoever keeps or uses it.
///
/// # Errors
/// [`ReadError`] names the line.
pub fn read(text: &str) -> Result<wire::Policy, ReadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().chars().next() {
        None => Err(ReadError::Empty),
        Some('{') => serde_json::from_str(text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let problem = error.to_string().replace(&place, "");
            ReadError::Json { line: error.line(), column: error.column(), problem }
        }),
        Some(_) => Ok(PolicyFile::parse(text)?.setting()),
    }
}

/// Checks a policy: every rule can be used, it is not too large, and no limit is above its ceiling.
///
/// # Errors
/// [`SettingError`] names the rule or the limit.
pub fn check(policy: &wire::Policy, ceiling: &Limits) -> Result<(), SettingError> {
    check_rules(policy)?;
    for (limit, value, least, ceiling) in [
        ("gas", policy.gas, 1, ceiling.gas),
        ("cpu_ms", policy.cpu_ms, 1, ceiling.cpu_ms),
        ("wall_ms", policy.wall_ms, 1, ceiling.wall_ms),
        ("memory_bytes", policy.memory_bytes, PAGE_BYTES, ceiling.memory_bytes),
    ] {
        let Some(value) = value else { continue };
        if value < least {
            return Err(SettingError::TooLittle { limit, value, least });
        }
        if value > ceiling {
            return Err(SettingError::AboveCeiling { limit, value, ceiling });
        }
    }
    Ok(())
}

/// Checks a policy's rules and its size alone, for whoever does not know the ceilings.
///
/// # Errors
/// [`SettingError`] names the rule.
pub fn check_rules(policy: &wire::Policy) -> Result<(), SettingError> {
    let bytes = policy.to_ascii_json().len();
    if bytes > POLICY_BYTES_MAX {
        return Err(SettingError::TooLarge(bytes));
    }
    let rules = policy.allow.len() + policy.disallow.len();
    if rules > RULES_MAX {
        return Err(SettingError::TooManyRules(rules));
    }
    for (list, rules) in [("allow", &policy.allow), ("disallow", &policy.disallow)] {
        for (place, rule) in rules.iter().enumerate() {
            UrlPattern::new(rule).map_err(|error| SettingError::Rule { list, number: place + 1, error })?;
        }
    }
    Ok(())
}

impl PolicyFile {
    /// The same as a handler's policy. As in Olin, what is not allowed ends the program, and the limits
    /// are those of the file or Olin's own.
    pub fn setting(&self) -> wire::Policy {
        let rules = |rules: &[UrlPattern]| rules.iter().map(|rule| rule.as_str().to_owned()).collect();
        wire::Policy {
            allow: rules(self.policy.allow()),
            disallow: rules(self.policy.disallow()),
            mode: PolicyMode::End,
            gas: Some(self.gas_limit),
            cpu_ms: None,
            wall_ms: None,
            memory_bytes: Some(u64::from(self.ram_page_limit) * PAGE_BYTES),
        }
    }
}

impl TryFrom<&wire::UrlPolicy> for crate::Policy {
    type Error = PolicyError;

    fn try_from(urls: &wire::UrlPolicy) -> Result<crate::Policy, PolicyError> {
        crate::Policy::new(&urls.allow, &urls.disallow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_olins_files_are_told_apart_by_what_they_begin_with() {
        let json = read(" \n{\"allow\": [\"^https://a/\"], \"gas\": 5}").unwrap();
        assert_eq!((json.allow.len(), json.gas, json.mode), (1, Some(5), PolicyMode::Deny));
        let olin = read("## mine\nallow (\n https://a\n)\nram-page-limit 16\n").unwrap();
        assert_eq!((olin.allow, olin.mode), (vec!["https://a".to_owned()], PolicyMode::End));
        assert_eq!((olin.gas, olin.memory_bytes, olin.wall_ms), (Some(33_554_432), Some(1 << 20), None));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, part) in [
            (" \n", "empty"),
            ("{\n  \"alow\": []\n}", "line 2, column 8: unknown field `alow`"),
            ("{\n \"gas\": many}", "line 2, column 9: expected value"),
            ("{\"mode\": \"open\"}", "unknown variant `open`"),
            ("allow (\n a\n a b\n)", "line 3: one rule a line"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_named_with_its_value() {
        let ceiling = Limits::ceiling();
        let error = |policy: wire::Policy| {
            let error = check(&policy, &ceiling).unwrap_err();
            format!("{error}; {}", error.hint())
        };
        let allow = |rules: Vec<String>| wire::Policy { allow: rules, ..wire::Policy::default() };
        assert!(error(allow(vec!["a".into(), "(".into()])).contains("allow rule 2: `(` is not a regular"));
        assert!(error(allow((0..65).map(|n| format!("{n}")).collect())).contains("65 rules; at most 64"));
        assert!(error(allow(vec!["a".repeat(1000); 17])).contains("at most 16384"));
        let gas = error(wire::Policy { gas: Some(60_000_000_001), ..wire::Policy::default() });
        assert!(gas.contains("gas is 60000000001; this server's ceiling is 60000000000"), "{gas}");
        assert!(gas.contains("gas_max under [limits]"), "{gas}");
        let memory = error(wire::Policy { memory_bytes: Some(0), ..wire::Policy::default() });
        assert!(memory.contains("memory_bytes is 0; the least is 65536"), "{memory}");
        assert_eq!(check(&wire::Policy { gas: Some(1), ..wire::Policy::default() }, &ceiling), Ok(()));
    }
}
