//! From receipts to the smallest policy that would have allowed what ran.

use std::collections::{BTreeMap, BTreeSet};

use wasmcloud_wire as wire;
use wasmcloud_wire::limits::POLICY_BYTES_MAX;
use wasmcloud_wire::{Limits, Outcome, PolicyMode, Receipt};

use crate::learn::{rule_for, rule_for_origin, rules_for};
use crate::rules::{Policy, RULES_MAX, Verdict};
use crate::target::Target;

/// Different URLs that are told apart; beyond them origins are.
const URLS_MAX: usize = 2_000;

/// A learned limit of gas: so many times the most that was spent, …
const GAS_FACTOR: u64 = 2;
/// … rounded up to two figures, but at least this.
const GAS_MIN: u64 = 1_000_000;
/// A learned limit of CPU time: so many times the most that was used, rounded up to a tenth of a second.
const CPU_FACTOR: u64 = 4;
/// A learned limit of wall time: so many times the longest run, rounded up to whole seconds.
const WALL_FACTOR: u64 = 4;
/// A learned limit of memory: half as much again as the largest peak, rounded up to whole MiB.
const MEMORY_UNIT: u64 = 1 << 20;

/// Looks at receipts and says what policy they call for.
///
/// What the policy in force forbids stays forbidden, by the rule that says so: a URL that a `disallow` rule
/// matches is not learned. A mode of `observe` becomes `deny`; `end` stays.
#[derive(Clone, Debug)]
pub struct Learner {
    disallow: Policy,
    policy: wire::Policy,
    urls: BTreeMap<String, Target>,
    /// URLs that a rule forbids, so that each is looked at once.
    forbidden: BTreeSet<String>,
    /// Rules for origins, once there are too many URLs.
    origins: BTreeSet<String>,
    runs: u64,
    /// The most of those whose instructions are counted; `None` if there was none.
    gas: Option<u64>,
    /// The most of the others.
    cpu_us: Option<u64>,
    wall_us: u64,
    memory_bytes: u64,
}

/// Why nothing was learned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// There is no receipt to learn from.
    #[error("there is no run to learn from")]
    NoRuns,
    /// Even by origin there are more rules than a policy holds.
    #[error("the runs opened URLs of more servers than a policy has room for, which is {RULES_MAX} rules")]
    TooManyOrigins,
}

impl Learner {
    /// A learner for a handler with this policy. Rules that cannot be used forbid nothing.
    pub fn new(policy: &wire::Policy) -> Learner {
        Learner {
            disallow: Policy::new([""; 0], &policy.disallow).unwrap_or_default(),
            policy: policy.clone(),
            urls: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            origins: BTreeSet::new(),
            runs: 0,
            gas: None,
            cpu_us: None,
            wall_us: 0,
            memory_bytes: 0,
        }
    }

    /// Takes a run into account: what it opened, what it was denied, and what it used.
    pub fn see(&mut self, receipt: &Receipt) {
        self.see_while(receipt, || true);
    }

    /// The same, as long as `goes_on` says so; it is asked before each URL.
    pub fn see_while(&mut self, receipt: &Receipt, goes_on: impl Fn() -> bool) {
        if matches!(receipt.outcome, Outcome::Internal { .. }) {
            return;
        }
        self.runs += 1;
        match receipt.abi.is_wasi() {
            true => self.cpu_us = self.cpu_us.max(Some(receipt.cpu_us)),
            false => self.gas = self.gas.max(Some(receipt.gas)),
        }
        self.wall_us = self.wall_us.max(receipt.wall_us);
        self.memory_bytes = self.memory_bytes.max(receipt.memory_peak_bytes);
        for url in receipt.urls.iter().chain(&receipt.outbound.denied) {
            if !goes_on() {
                return;
            }
            // What was learned or forbidden once is not asked about again.
            if !self.urls.contains_key(url) && !self.forbidden.contains(url) {
                self.see_url(url);
            }
        }
    }

    fn see_url(&mut self, url: &str) {
        // What is no URL could not be opened whatever a policy says.
        let Ok(target) = Target::parse(url) else { return };
        let needs_a_rule = target.host().is_some() || self.policy.mode == PolicyMode::End;
        if !needs_a_rule {
            return;
        }
        // Where the rules take too long, they let nothing through.
        if matches!(self.disallow.verdict(&target), Verdict::Disallowed { .. } | Verdict::TooCostly) {
            if self.forbidden.len() < URLS_MAX {
                self.forbidden.insert(url.to_owned());
            }
            return;
        }
        if self.origins.is_empty() {
            self.urls.insert(target.to_string(), target);
            if self.urls.len() > URLS_MAX {
                let urls = std::mem::take(&mut self.urls);
                urls.values().for_each(|target| self.see_origin(target));
            }
        } else {
            self.see_origin(&target);
        }
    }

    fn see_origin(&mut self, target: &Target) {
        // One more than a policy holds is enough to know that it does not hold them.
        if self.origins.len() <= RULES_MAX {
            self.origins.insert(origin_rule(target));
        }
    }

    /// The smallest policy that would have allowed every run, with headroom in its limits.
    ///
    /// # Errors
    /// [`LearnError`]: there was no run, or there were too many origins.
    pub fn policy(&self, ceiling: &Limits) -> Result<wire::Policy, LearnError> {
        if self.runs == 0 {
            return Err(LearnError::NoRuns);
        }
        let wall_s = self.wall_us.saturating_mul(WALL_FACTOR).div_ceil(1_000_000).max(1);
        let memory = self.memory_bytes.saturating_add(self.memory_bytes / 2).max(1);
        let limits = wire::Policy {
            allow: Vec::new(),
            disallow: self.policy.disallow.clone(),
            mode: if self.policy.mode == PolicyMode::End { PolicyMode::End } else { PolicyMode::Deny },
            gas: self
                .gas
                .map(|gas| two_figures(gas.saturating_mul(GAS_FACTOR)).max(GAS_MIN).min(ceiling.gas)),
            cpu_ms: self.cpu_us.map(|cpu_us| {
                (cpu_us.saturating_mul(CPU_FACTOR).div_ceil(100_000).max(1) * 100).min(ceiling.cpu_ms)
            }),
            wall_ms: Some((wall_s * 1_000).min(ceiling.wall_ms)),
            memory_bytes: Some(
                (memory.div_ceil(MEMORY_UNIT).saturating_mul(MEMORY_UNIT)).min(ceiling.memory_bytes),
            ),
        };
        let whole = if self.origins.is_empty() { rules_for(self.urls.values()) } else { BTreeSet::new() };
        for allow in [whole, self.origin_rules()] {
            let learned = wire::Policy { allow: allow.into_iter().collect(), ..limits.clone() };
            let rules = learned.allow.len() + learned.disallow.len();
            let says_all = !learned.allow.is_empty() || (self.urls.is_empty() && self.origins.is_empty());
            if says_all && rules <= RULES_MAX && learned.to_ascii_json().len() <= POLICY_BYTES_MAX {
                return Ok(learned);
            }
        }
        Err(LearnError::TooManyOrigins)
    }

    fn origin_rules(&self) -> BTreeSet<String> {
        self.origins.iter().cloned().chain(self.urls.values().map(origin_rule)).collect()
    }
}

fn origin_rule(target: &Target) -> String {
    if target.host().is_some() { rule_for_origin(target) } else { rule_for(target) }
}

/// The number, rounded up to two figures: 1 234 567 becomes 1 300 000.
fn two_figures(number: u64) -> u64 {
    let mut unit: u64 = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number.div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmcloud_wire::{Abi, Digest, InvocationId, Outbound, Timestamp, Trigger, VersionNumber};

    fn receipt(urls: &[String], denied: &[&str]) -> Receipt {
        Receipt {
            invocation: InvocationId::new(),
            handler: None,
            version: VersionNumber(1),
            digest: Digest::of(b""),
            abi: Abi::Olin,
            executor: "here".to_owned(),
            trigger: Trigger::Run,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            started_at: Timestamp(0),
            wall_us: 300_000,
            cpu_us: 0,
            gas: 1_234_567,
            memory_peak_bytes: 2 << 20,
            host_calls: BTreeMap::new(),
            urls: urls.to_vec(),
            outbound: Outbound {
                denied: denied.iter().map(|&url| url.to_owned()).collect(),
                ..Outbound::default()
            },
            bytes_in: 0,
            bytes_out: 0,
            log_lines: 0,
            log_lines_dropped: 0,
            status: None,
            outcome: Outcome::Ok,
        }
    }

    fn learned(policy: &wire::Policy, receipts: &[Receipt]) -> Result<wire::Policy, LearnError> {
        let mut learner = Learner::new(policy);
        receipts.iter().for_each(|receipt| learner.see(receipt));
        let learned = learner.policy(&Limits::ceiling())?;
        crate::check(&learned, &Limits::ceiling()).unwrap();
        Ok(learned)
    }

    #[test]
    fn what_was_opened_and_what_was_denied_is_allowed_and_no_more() {
        let observing = wire::Policy { mode: PolicyMode::Observe, ..wire::Policy::default() };
        let opened = receipt(&["https://a.example/x".to_owned(), "random://".to_owned()], &[]);
        let denied = receipt(&[], &["https://b.example/y?z", "no url"]);
        let learned = learned(&observing, &[opened, denied]).unwrap();
        assert_eq!(learned.allow, [r"^https://a\.example/x$", r"^https://b\.example/y\?z$"]);
        assert_eq!(learned.mode, PolicyMode::Deny);
        assert_eq!((learned.gas, learned.wall_ms), (Some(2_500_000), Some(2_000)));
        assert_eq!(learned.memory_bytes, Some(3 << 20));
    }

    #[test]
    fn what_is_forbidden_stays_forbidden() {
        let policy = wire::Policy { disallow: vec!["/admin".to_owned()], ..wire::Policy::default() };
        let run = receipt(&["https://a.example/admin".to_owned(), "https://a.example/".to_owned()], &[]);
        let learned = learned(&policy, &[run]).unwrap();
        assert_eq!(
            (learned.allow, learned.disallow),
            (vec![r"^https://a\.example/$".into()], policy.disallow)
        );
    }

    #[test]
    fn where_the_mode_is_end_every_scheme_needs_its_rule() {
        let policy = wire::Policy { mode: PolicyMode::End, ..wire::Policy::default() };
        let learned = learned(&policy, &[receipt(&["random://".to_owned()], &[])]).unwrap();
        assert_eq!((learned.allow, learned.mode), (vec!["^random://".to_owned()], PolicyMode::End));
    }

    #[test]
    fn nothing_is_learned_from_nothing() {
        assert_eq!(learned(&wire::Policy::default(), &[]), Err(LearnError::NoRuns));
    }

    #[test]
    fn more_urls_than_fit_become_origins_and_more_origins_are_refused() {
        let of_hosts = |hosts: usize, urls: usize| -> Vec<Receipt> {
            let url = |n: usize| format!("https://{}.example/{n}/{}", n % hosts, "p".repeat(300));
            let urls: Vec<String> = (0..urls).map(url).collect();
            urls.chunks(100).map(|urls| receipt(urls, &[])).collect()
        };
        let policy = wire::Policy::default();
        for urls in [60, 3_000] {
            let learned = learned(&policy, &of_hosts(3, urls)).unwrap();
            assert_eq!(learned.allow.len(), 3, "{urls} URLs");
            assert_eq!(learned.allow.first().map(String::as_str), Some(r"^https://0\.example/"));
        }
        assert_eq!(learned(&policy, &of_hosts(65, 100)), Err(LearnError::TooManyOrigins));
        assert_eq!(learned(&policy, &of_hosts(100, 3_000)), Err(LearnError::TooManyOrigins));
    }

    #[test]
    fn gas_is_rounded_up_to_two_figures() {
        for (number, rounded) in [(0, 0), (99, 99), (101, 110), (1_234_567, 1_300_000), (9_950, 10_000)] {
            assert_eq!(two_figures(number), rounded);
        }
    }
}
