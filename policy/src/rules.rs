//! Rules together: what is permitted, what is not, and why.

use std::fmt;
use std::time::{Duration, Instant};

use crate::learn::{rule_for, rules_for};
use crate::pattern::{Fit, PatternError, UrlPattern};
use crate::target::Target;

/// The longest that all rules of a policy may take for one URL.
pub const VERDICT_TIME_MAX: Duration = Duration::from_millis(100);
/// No rule is begun later: the size of a rule and of a URL are bounded together so that it ends in time.
const BEGIN_TIME_MAX: Duration = Duration::from_millis(50);
/// Rules times bytes of URL for which nobody looks at the clock.
const LITTLE_WORK: usize = 8 << 10;
/// Most rules of a policy, both kinds together.
pub const RULES_MAX: usize = 64;

/// What may be opened: what a rule permits and no rule forbids. Without rules, nothing.
///
/// Olin's own code let a permitting rule win over a forbidding one, against its documentation; here the
/// documentation holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allow: Vec<UrlPattern>,
    disallow: Vec<UrlPattern>,
}

/// Why a list of rules is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A rule cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// More than [`RULES_MAX`].
    #[error("a policy has at most {RULES_MAX} rules; join some with `|`, or name a whole origin")]
    TooManyRules,
}

/// What a policy says about a URL, and which rule says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It may be opened.
    Allowed {
        /// The first rule that permits it.
        rule: &'a UrlPattern,
    },
    /// A rule forbids it.
    Disallowed {
        /// The first rule that forbids it.
        rule: &'a UrlPattern,
    },
    /// No rule permits it.
    NotAllowed {
        /// A permitting rule that matches elsewhere in the URL, or only a part of its host.
        near: Option<&'a UrlPattern>,
    },
    /// The rules take too long.
    TooCostly,
}

/// What was spent on a URL so far.
struct Effort {
    began: Instant,
    url_bytes: usize,
    rules: usize,
}

impl Effort {
    fn over(target: &Target) -> Effort {
        Effort { began: Instant::now(), url_bytes: target.as_str().len(), rules: 0 }
    }

    /// Counts one more rule. A machine that is busy is no reason: little work is never too much.
    fn is_too_much(&mut self) -> bool {
        self.rules += 1;
        self.rules * self.url_bytes > LITTLE_WORK && self.began.elapsed() > BEGIN_TIME_MAX
    }
}

/// A URL that a policy does not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The URL.
    pub url: String,
    /// Why.
    pub reason: DenialReason,
    /// The rule that would permit this URL and no other.
    pub rule_to_add: String,
}

/// Why a policy does not let a URL through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// This rule forbids it.
    Disallowed(String),
    /// No rule permits it; this one nearly does.
    NearMiss(String),
    /// No rule permits it.
    NotAllowed,
    /// The rules take longer than [`VERDICT_TIME_MAX`].
    TooCostly,
}

impl Policy {
    /// A policy from its rules.
    ///
    /// # Errors
    /// [`PolicyError`] names the rule that cannot be used.
    pub fn new<A, D>(allow: A, disallow: D) -> Result<Policy, PolicyError>
    where
        A: IntoIterator<Item: AsRef<str>>,
        D: IntoIterator<Item: AsRef<str>>,
    {
        let mut policy = Policy::default();
        for rule in allow {
            policy.push(Effect::Allow, rule.as_ref())?;
        }
        for rule in disallow {
            policy.push(Effect::Disallow, rule.as_ref())?;
        }
        Ok(policy)
    }

    /// The policy that permits every URL: for a run that learns what a program opens. Addresses and
    /// budgets are checked all the same.
    ///
    /// # Errors
    /// None in practice: its only rule is `.*`.
    pub fn allow_all() -> Result<Policy, PolicyError> {
        Policy::new([".*"], [""; 0])
    }

    /// The smallest policy that permits these URLs (see [`rule_for`]).
    ///
    /// # Errors
    /// [`PolicyError::TooManyRules`] if they have more than [`RULES_MAX`] origins.
    pub fn learned<'a>(urls: impl IntoIterator<Item = &'a Target>) -> Result<Policy, PolicyError> {
        Policy::new(rules_for(urls), [""; 0])
    }

    /// The rules that permit.
    pub fn allow(&self) -> &[UrlPattern] {
        &self.allow
    }

    /// The rules that forbid.
    pub fn disallow(&self) -> &[UrlPattern] {
        &self.disallow
    }

    /// What the policy says about a URL.
    ///
    /// Rules that take longer than [`VERDICT_TIME_MAX`] together let nothing through, nor does a forbidding rule
    /// that is too large for a URL of this length. A permitting one that is too large permits nothing.
    pub fn verdict(&self, target: &Target) -> Verdict<'_> {
        let mut effort = Effort::over(target);
        for rule in &self.disallow {
            if rule.is_too_costly(target) || effort.is_too_much() {
                return Verdict::TooCostly;
            }
            if rule.matches_anywhere(target) {
                return Verdict::Disallowed { rule };
            }
        }
        let (mut near, mut passed_over) = (None, false);
        for rule in &self.allow {
            if rule.is_too_costly(target) {
                passed_over = true;
                continue;
            }
            if effort.is_too_much() {
                return Verdict::TooCostly;
            }
            match rule.fit(target) {
                Fit::Yes => return Verdict::Allowed { rule },
                Fit::Near => near = near.or(Some(rule)),
                Fit::No => {}
            }
        }
        if passed_over { Verdict::TooCostly } else { Verdict::NotAllowed { near } }
    }

    /// The same as a result.
    ///
    /// # Errors
    /// [`Denial`] names the URL, the rule, and what would permit it.
    pub fn check(&self, target: &Target) -> Result<(), Denial> {
        let reason = match self.verdict(target) {
            Verdict::Allowed { .. } => return Ok(()),
            Verdict::Disallowed { rule } => DenialReason::Disallowed(rule.to_string()),
            Verdict::NotAllowed { near: Some(rule) } => DenialReason::NearMiss(rule.to_string()),
            Verdict::NotAllowed { near: None } => DenialReason::NotAllowed,
            Verdict::TooCostly => DenialReason::TooCostly,
        };
        Err(Denial { url: target.to_string(), reason, rule_to_add: rule_for(target) })
    }

    pub(crate) fn push(&mut self, effect: Effect, rule: &str) -> Result<(), PolicyError> {
        if self.allow.len() + self.disallow.len() == RULES_MAX {
            return Err(PolicyError::TooManyRules);
        }
        let rule = UrlPattern::new(rule)?;
        match effect {
            Effect::Allow => self.allow.push(rule),
            Effect::Disallow => self.disallow.push(rule),
        }
        Ok(())
    }
}

/// Which list a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Disallow,
}

impl Denial {
    /// How to have the URL permitted, in words; the caller says with which command.
    pub fn hint(&self) -> String {
        match &self.reason {
            DenialReason::Disallowed(rule) => format!("remove the disallow rule `{rule}`"),
            DenialReason::TooCostly => "write simpler rules: fewer repetitions such as `.{50}`".to_owned(),
            _ => format!("add the allow rule `{}`", self.rule_to_add),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy does not let {} be opened: ", self.url)?;
        match &self.reason {
            DenialReason::Disallowed(rule) => write!(f, "the rule `{rule}` disallows it"),
            DenialReason::NearMiss(rule) => write!(
                f,
                "no rule allows it (`{rule}` matches, but a rule must match from the start, past the host and port)"
            ),
            DenialReason::NotAllowed => f.write_str("no rule allows it"),
            DenialReason::TooCostly => {
                write!(f, "its rules would take longer than {} ms", VERDICT_TIME_MAX.as_millis())
            }
        }
    }
}

impl std::error::Error for Denial {}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_policy_without_rules_lets_nothing_through() {
        let denial = Policy::default().check(&target("https://example.com/a?b=1")).unwrap_err();
        assert_eq!(denial.reason, DenialReason::NotAllowed);
        assert_eq!(denial.rule_to_add, r"^https://example\.com/a\?b=1$");
        assert!(denial.to_string().contains("https://example.com/a?b=1"));
    }

    #[test]
    fn disallow_wins_and_the_rule_is_named() {
        let policy = Policy::new(["https://mycoolsite.com"], ["https://mycoolsite.com/admin"]).unwrap();
        assert!(policy.check(&target("https://mycoolsite.com/x")).is_ok());
        let denial = policy.check(&target("https://mycoolsite.com/admin/x")).unwrap_err();
        assert_eq!(denial.reason, DenialReason::Disallowed("https://mycoolsite.com/admin".into()));
        assert_eq!(denial.hint(), "remove the disallow rule `https://mycoolsite.com/admin`");
    }

    #[test]
    fn a_near_miss_is_explained() {
        let policy = Policy::new(["example.com"], [""; 0]).unwrap();
        let denial = policy.check(&target("https://example.com/")).unwrap_err();
        assert_eq!(denial.reason, DenialReason::NearMiss("example.com".into()));
        assert_eq!(denial.hint(), r"add the allow rule `^https://example\.com/$`");
    }

    #[test]
    fn the_rule_that_a_denial_suggests_lets_the_url_through() {
        for url in
            ["https://a.example/x?y=(1)", "gemini://a.example/", "wss://h:9/", "log://?prefix=x", "zero://"]
        {
            let denial = Policy::default().check(&target(url)).unwrap_err();
            let policy = Policy::new([denial.rule_to_add], [""; 0]).unwrap();
            assert!(policy.check(&target(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn everything_is_allowed_where_everything_is_learned() {
        let policy = Policy::allow_all().unwrap();
        for url in ["https://a.example/x", "http://127.0.0.1/", "random://"] {
            assert!(policy.check(&target(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn rules_that_take_too_long_let_nothing_through_and_end() {
        let rules: Vec<String> = (0..RULES_MAX).map(|n| format!(".*a.{{100}}c{n}")).collect();
        let policy = Policy::new(rules, [""; 0]).unwrap();
        let url = target(&format!("https://a.example/{}", "a".repeat(8_000)));
        let began = Instant::now();
        let denial = policy.check(&url).unwrap_err();
        assert_eq!(denial.reason, DenialReason::TooCostly);
        // One rule may have been under way; all of them take many times as long.
        let one = Policy::new([".*a.{100}c"], [""; 0]).unwrap();
        let whole = began.elapsed();
        let began = Instant::now();
        assert!(one.check(&url).is_err());
        assert!(whole < VERDICT_TIME_MAX + 20 * began.elapsed(), "{whole:?}");
    }

    #[test]
    fn a_rule_that_is_too_large_for_a_url_is_not_asked_about_it() {
        let large = ".*a.{300}c";
        let url = |bytes| target(&format!("https://a.example/{}", "a".repeat(bytes)));
        let verdict = |allow: &[&str], disallow: &[&str], bytes| {
            let policy = Policy::new(allow, disallow).unwrap();
            policy.check(&url(bytes)).map_err(|denial| denial.reason)
        };
        assert_eq!(verdict(&[large], &[], 8_000), Err(DenialReason::TooCostly));
        assert_eq!(verdict(&[large], &[], 1_000), Err(DenialReason::NotAllowed));
        // It takes nothing away from what another rule allows, unless it might forbid it.
        assert_eq!(verdict(&[large, "https://a.example"], &[], 8_000), Ok(()));
        assert_eq!(verdict(&["https://a.example"], &[large], 8_000), Err(DenialReason::TooCostly));
        assert_eq!(verdict(&["https://a.example"], &[large], 1_000), Ok(()));
        // The rule for a long URL is long, and permits it.
        let long = url(900);
        assert!(Policy::new([rule_for(&long)], [""; 0]).unwrap().check(&long).is_ok());
    }

    #[test]
    fn the_number_of_rules_is_bounded() {
        let rules = |count| (0..count).map(|n| format!("https://{n}.example/"));
        assert!(Policy::new(rules(RULES_MAX), [""; 0]).is_ok());
        assert_eq!(Policy::new(rules(RULES_MAX), ["x"]).unwrap_err(), PolicyError::TooManyRules);
    }
}
