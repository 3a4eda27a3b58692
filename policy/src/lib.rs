//! Which URLs a program may open, and what may be written down as a handler's policy. Pure: nothing here
//! resolves a name or opens a connection.
//!
//! A [`Target`] is a URL, read once into one form. A [`Policy`] says of a target whether it may be opened,
//! and by which rule; its rules are [`UrlPattern`]s. [`PolicyFile`] reads Olin's policy files as they were.
//! [`Policy::learned`] and [`rule_for`] go the other way: from URLs that were opened to the rules that would
//! have permitted them.
//!
//! A handler's whole policy, limits included, is [`wasmcloud_wire::Policy`]: [`read`] makes one of a file,
//! [`check`] says whether it can be kept, and a [`Learner`] makes one of receipts.

mod file;
mod learn;
mod learner;
mod pattern;
mod rules;
mod setting;
mod target;

pub use file::{GAS_DEFAULT, POLICY_FILE_BYTES_MAX, PolicyFile, PolicyFileError, Problem, RAM_PAGES_DEFAULT};
pub use learn::rule_for;
pub use learner::{LearnError, Learner};
pub use pattern::{PATTERN_BYTES_MAX, PatternError, UrlPattern};
pub use rules::{Denial, DenialReason, Policy, PolicyError, RULES_MAX, VERDICT_TIME_MAX, Verdict};
pub use setting::{ReadError, SettingError, check, check_rules, read};
pub use target::{NETWORK_SCHEMES, Target, TargetError, URL_BYTES_MAX};
