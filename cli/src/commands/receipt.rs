//! A receipt, as people read it.

use wasmcloud_wire::{Receipt, Trigger};

use crate::output::{Output, Style};
use crate::text::{count, duration_us, one_line, plural, size, size_and_bytes};

/// Host calls that are named; the receipt in JSON has them all.
const HOST_CALLS_SHOWN_MAX: usize = 8;

/// A receipt in one line: how it ended and what it used.
pub fn summary(receipt: &Receipt) -> String {
    let answer = match (receipt.status, receipt.trigger) {
        (Some(status), _) => format!("{status}, "),
        // Of what a program prints on a terminal no answer is made.
        (None, Trigger::Run) => String::new(),
        (None, _) => "no answer, ".to_owned(),
    };
    let mut used = vec![duration_us(receipt.wall_us)];
    used.extend(cpu(receipt).map(|cpu| format!("{cpu} of CPU time")));
    used.extend(gas(receipt).map(|gas| format!("{gas} gas")));
    used.push(format!("{} of memory", size_and_bytes(receipt.memory_peak_bytes)));
    format!("{answer}{}, {}", one_line(&receipt.outcome.to_string()), used.join(", "))
}

/// The instructions, where they were counted: those of the WASI family are only on request.
pub fn gas(receipt: &Receipt) -> Option<String> {
    (receipt.gas > 0 || !receipt.abi.is_wasi()).then(|| count(receipt.gas))
}

/// The CPU time, where it was measured: that of the Olin family is told as gas.
pub fn cpu(receipt: &Receipt) -> Option<String> {
    (receipt.cpu_us > 0 || receipt.abi.is_wasi()).then(|| duration_us(receipt.cpu_us))
}

/// A receipt in a few lines, each with its label.
pub fn lines(output: &Output, receipt: &Receipt) -> Vec<String> {
    let style = if receipt.outcome.is_ok() { Style::Green } else { Style::Red };
    let mut lines = vec![
        format!("{} {}", output.styled_note(style, "receipt"), summary(receipt)),
        format!("  invocation  {}, version {}, {}", receipt.invocation, receipt.version, receipt.abi),
        format!("  traffic     {} in, {} out", size(receipt.bytes_in), size(receipt.bytes_out)),
    ];
    if receipt.log_lines > 0 || receipt.log_lines_dropped > 0 {
        let mut line = format!("  log         {}", plural(usize_of(receipt.log_lines), "line", "lines"));
        if receipt.log_lines_dropped > 0 {
            line.push_str(&format!(", {} more cut away by the log limit", receipt.log_lines_dropped));
        }
        lines.push(line);
    }
    if !receipt.host_calls.is_empty() {
        lines.push(format!("  host calls  {}", host_calls(receipt)));
    }
    if !receipt.urls.is_empty() {
        lines.push(format!("  opened      {}", one_line(&receipt.urls.join(", "))));
    }
    lines.extend(outbound(receipt));
    lines
}

/// What was used of the network, and what the policy has to do with it.
fn outbound(receipt: &Receipt) -> Vec<String> {
    let outbound = &receipt.outbound;
    let mut lines = Vec::new();
    if outbound.requests > 0 {
        lines.push(format!(
            "  outbound    {}, {} sent, {} received",
            plural(usize_of(outbound.requests), "request", "requests"),
            size(outbound.bytes_sent),
            size(outbound.bytes_received)
        ));
    }
    let (observed, denied): (Vec<&str>, Vec<&str>) =
        outbound.denied.iter().map(String::as_str).partition(|url| receipt.urls.iter().any(|one| one == url));
    for (label, urls) in [("denied", denied), ("observed", observed)] {
        if !urls.is_empty() {
            lines.push(format!("  {label:<12}{}", one_line(&urls.join(", "))));
        }
    }
    lines
}

/// The host calls that were made most often first.
fn host_calls(receipt: &Receipt) -> String {
    let mut calls: Vec<(&String, &u64)> = receipt.host_calls.iter().collect();
    calls.sort_by(|(name_a, count_a), (name_b, count_b)| count_b.cmp(count_a).then(name_a.cmp(name_b)));
    let hidden = calls.len().saturating_sub(HOST_CALLS_SHOWN_MAX);
    let shown: Vec<String> = calls
        .into_iter()
        .take(HOST_CALLS_SHOWN_MAX)
        .map(|(name, calls)| format!("{} × {}", one_line(name), count(*calls)))
        .collect();
    let mut text = shown.join(", ");
    if hidden > 0 {
        text.push_str(&format!(" and {}", plural(hidden, "other", "others")));
    }
    text
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wasmcloud_wire::{Abi, Digest, InvocationId, LimitName, Outbound, Outcome, Timestamp, VersionNumber};

    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            invocation: InvocationId::new(),
            handler: None,
            version: VersionNumber(3),
            digest: Digest::of(b""),
            abi: Abi::Olin,
            executor: "here".to_owned(),
            trigger: Trigger::Invoke,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            started_at: Timestamp(0),
            wall_us: 1_234,
            cpu_us: 0,
            gas: 56_789,
            memory_peak_bytes: 1 << 20,
            host_calls: BTreeMap::new(),
            urls: Vec::new(),
            outbound: Default::default(),
            bytes_in: 0,
            bytes_out: 12,
            log_lines: 0,
            log_lines_dropped: 0,
            status: Some(200),
            outcome: Outcome::Ok,
        }
    }

    #[test]
    fn a_receipt_says_how_it_ended_and_what_it_used() {
        assert_eq!(summary(&receipt()), "200, ok, 1.234 ms, 56 789 gas, 1.0 MiB (1048576 bytes) of memory");
        let message = "killed by gas limit".to_owned();
        let outcome = Outcome::Limit { limit: LimitName::Gas, message };
        let failed = Receipt { status: None, outcome, ..receipt() };
        assert!(summary(&failed).starts_with("no answer, killed by gas limit, "));
        let local = Receipt { status: None, trigger: Trigger::Run, ..receipt() };
        assert!(summary(&local).starts_with("ok, 1.234 ms, "));
    }

    #[test]
    fn gas_and_cpu_time_are_shown_where_they_were_counted() {
        let wasi = Receipt { abi: Abi::WasiHttp, cpu_us: 900, gas: 0, ..receipt() };
        let text = summary(&wasi);
        assert!(text.starts_with("200, ok, 1.234 ms, 900 µs of CPU time, 1.0 MiB"), "{text}");
        let counted = summary(&Receipt { gas: 5, ..wasi });
        assert!(counted.contains("of CPU time, 5 gas, "), "{counted}");
    }

    #[test]
    fn the_most_frequent_host_calls_come_first_and_the_rest_is_counted() {
        let host_calls = (0..10).map(|index| (format!("call{index}"), index)).collect();
        let text = super::host_calls(&Receipt { host_calls, ..receipt() });
        assert!(text.starts_with("call9 × 9, call8 × 8"), "{text}");
        assert!(text.ends_with(" and 2 others"), "{text}");
    }

    #[test]
    fn what_was_used_of_the_network_has_its_lines() {
        let outbound = Outbound {
            requests: 2,
            bytes_sent: 5,
            bytes_received: 2_048,
            denied: vec!["https://a/".to_owned(), "https://b/".to_owned()],
        };
        let urls = vec!["https://b/".to_owned()];
        let lines = lines(&Output::new(true), &Receipt { outbound, urls, ..receipt() });
        assert_eq!(
            lines.get(4..).unwrap_or_default(),
            [
                "  outbound    2 requests, 5 B sent, 2.0 KiB received",
                "  denied      https://a/",
                "  observed    https://b/",
            ]
        );
    }

    #[test]
    fn what_is_not_there_has_no_line() {
        let output = Output::new(true);
        assert_eq!(lines(&output, &receipt()).len(), 3);
        let cut = Receipt { log_lines: 1, log_lines_dropped: 9, ..receipt() };
        let lines = lines(&output, &cut);
        assert!(lines.iter().any(|line| line.contains("1 line, 9 more cut away")), "{lines:?}");
    }
}
