//! From URLs to rules: what would have permitted them, and little more.

use std::collections::{BTreeMap, BTreeSet};

use crate::pattern::{PATTERN_BYTES_MAX, escape};
use crate::rules::RULES_MAX;
use crate::target::Target;

/// The rule that permits exactly this URL: `^https://example\.com/a\?b=1$`.
///
/// A scheme that is not spoken over the network is permitted as a whole (`^random://`). A URL that is too
/// long for a rule is permitted up to its query, or else its origin is.
pub fn rule_for(target: &Target) -> String {
    if target.host().is_none() {
        return format!("^{}", escape(target.as_str().get(..target.scheme_end()).unwrap_or_default()));
    }
    let whole = format!("^{}$", escape(target.as_str()));
    if whole.len() <= PATTERN_BYTES_MAX {
        return whole;
    }
    let path = rule_for_path(target);
    if path.len() <= PATTERN_BYTES_MAX { path } else { rule_for_origin(target) }
}

/// One rule for each URL; for a path that was opened with several queries, one rule for all of them; and
/// if that is still more than a policy holds, one rule for each origin.
pub(crate) fn rules_for<'a>(urls: impl IntoIterator<Item = &'a Target>) -> BTreeSet<String> {
    let mut paths: BTreeMap<&str, BTreeMap<&str, &Target>> = BTreeMap::new();
    for target in urls {
        paths.entry(target.without_query()).or_default().insert(target.as_str(), target);
    }
    let rules: BTreeSet<String> = paths.values().flat_map(rules_for_path).collect();
    if rules.len() <= RULES_MAX {
        return rules;
    }
    let targets = paths.values().flat_map(BTreeMap::values);
    targets
        .map(|target| if target.host().is_some() { rule_for_origin(target) } else { rule_for(target) })
        .collect()
}

fn rules_for_path(targets: &BTreeMap<&str, &Target>) -> Option<String> {
    let first = targets.values().next()?;
    let several = targets.len() > 1 && first.host().is_some();
    let path = rule_for_path(first);
    Some(if several && path.len() <= PATTERN_BYTES_MAX { path } else { rule_for(first) })
}

fn rule_for_path(target: &Target) -> String {
    format!(r"^{}(\?|$)", escape(target.without_query()))
}

pub(crate) fn rule_for_origin(target: &Target) -> String {
    format!("^{}/", escape(target.origin()))
}

#[cfg(test)]
mod tests {
    use crate::{Policy, Target};

    fn learned(urls: &[&str]) -> Vec<String> {
        let targets: Vec<Target> = urls.iter().map(|url| Target::parse(url).unwrap()).collect();
        let policy = Policy::learned(&targets).unwrap();
        for target in &targets {
            assert!(policy.check(target).is_ok(), "{target}");
        }
        policy.allow().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_url_is_permitted_and_no_other() {
        assert_eq!(
            learned(&["https://b.example/x", "https://a.example/?q=1", "https://b.example/x", "random://"]),
            [r"^https://a\.example/\?q=1$", r"^https://b\.example/x$", "^random://"]
        );
    }

    #[test]
    fn a_path_with_several_queries_is_permitted_with_any() {
        assert_eq!(
            learned(&["https://a.example/s?q=1", "https://a.example/s?q=2", "https://a.example/s"]),
            [r"^https://a\.example/s(\?|$)"]
        );
    }

    #[test]
    fn more_paths_than_a_policy_holds_become_origins() {
        let urls: Vec<String> = (0..100).map(|n| format!("https://{}.example/{n}", n % 2)).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        assert_eq!(learned(&urls), [r"^https://0\.example/", r"^https://1\.example/"]);
    }

    #[test]
    fn a_long_url_is_permitted_by_a_shorter_rule() {
        let query = format!("https://a.example/s?{}", "q".repeat(2000));
        let path = format!("https://b.example/{}", "p".repeat(2000));
        assert_eq!(learned(&[&query, &path]), [r"^https://a\.example/s(\?|$)", r"^https://b\.example/"]);
    }

    #[test]
    fn log_lines_with_any_prefix_are_one_rule() {
        assert_eq!(learned(&["log://?prefix=a", "log://?prefix=b", "log://"]), ["^log://"]);
    }
}
