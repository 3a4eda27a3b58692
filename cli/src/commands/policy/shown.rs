//! A policy, as people read it.

use wasmcloud_wire::{Limits, Policy};

use crate::text::{count, one_line, plural, size_and_bytes};

/// A policy as JSON over several lines, ready for `--policy POLICY`.
pub fn pretty(policy: &Policy) -> String {
    serde_json::to_string_pretty(policy).unwrap_or_default()
}

/// A policy in one line.
pub fn summary(policy: &Policy) -> String {
    let mut parts = vec![
        format!("mode {}", policy.mode),
        plural(policy.allow.len(), "allow rule", "allow rules"),
        plural(policy.disallow.len(), "disallow rule", "disallow rules"),
    ];
    parts.extend(policy.gas.map(|gas| format!("{} gas", count(gas))));
    parts.extend(policy.cpu_ms.map(|ms| format!("{} of CPU time", seconds(ms))));
    parts.extend(policy.wall_ms.map(|ms| format!("{} of wall time", seconds(ms))));
    parts.extend(policy.memory_bytes.map(|bytes| format!("{} of memory", size_and_bytes(bytes))));
    parts.join(", ")
}

/// A policy in a few lines, each with its label, beside the server's defaults and ceilings.
pub fn lines(policy: &Policy, default: &Limits, ceiling: &Limits) -> Vec<String> {
    let in_force = policy.limits(default, ceiling);
    let limit = |label, own: bool, value: String, most: String| {
        let origin = if own { "its own" } else { "the server's default" };
        format!("{label:<12}{value}, {origin}; at most {most}")
    };
    let mut lines = vec![format!("{:<12}{}", "mode", policy.mode)];
    for (label, rules) in [("allow", &policy.allow), ("disallow", &policy.disallow)] {
        if rules.is_empty() {
            lines.push(format!("{label:<12}nothing"));
        }
        for (place, rule) in rules.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            lines.push(format!("{label:<12}{}", one_line(rule)));
        }
    }
    lines.extend([
        limit("gas", policy.gas.is_some(), count(in_force.gas), count(ceiling.gas)),
        limit("CPU time", policy.cpu_ms.is_some(), seconds(in_force.cpu_ms), seconds(ceiling.cpu_ms)),
        limit("wall time", policy.wall_ms.is_some(), seconds(in_force.wall_ms), seconds(ceiling.wall_ms)),
        limit(
            "memory",
            policy.memory_bytes.is_some(),
            size_and_bytes(in_force.memory_bytes),
            size_and_bytes(ceiling.memory_bytes),
        ),
    ]);
    lines
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_shown_with_what_is_in_force() {
        let policy = Policy {
            allow: vec!["^https://a/".to_owned(), "^https://b/".to_owned()],
            gas: Some(5_000_000),
            ..Policy::default()
        };
        assert_eq!(
            lines(&policy, &Limits::default(), &Limits::ceiling()),
            [
                "mode        deny",
                "allow       ^https://a/",
                "            ^https://b/",
                "disallow    nothing",
                "gas         5 000 000, its own; at most 60 000 000 000",
                "CPU time    1.000 s, the server's default; at most 30.000 s",
                "wall time   30.000 s, the server's default; at most 300.000 s",
                "memory      128.0 MiB (134217728 bytes), the server's default; at most 1.0 GiB (1073741824 bytes)",
            ]
        );
        assert_eq!(summary(&policy), "mode deny, 2 allow rules, 0 disallow rules, 5 000 000 gas");
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same() {
        let policy =
            Policy { disallow: vec!["/admin".to_owned()], wall_ms: Some(1_500), ..Policy::default() };
        assert_eq!(wasmcloud_policy::read(&pretty(&policy)).unwrap(), policy);
    }
}
