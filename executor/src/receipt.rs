//! Writing the receipt of an invocation that is over.

use std::time::Duration;

use wasmcloud_wire::{Call, Receipt, Timestamp};

use crate::guest::Answered;
use crate::outcome::{self, Over};

/// Longest path in a receipt, in characters.
const PATH_CHARS_MAX: usize = 1_024;

/// What a receipt is made of besides how the run over.
pub(crate) struct Parts<'a> {
    pub(crate) call: &'a Call,
    pub(crate) executor: &'a str,
    pub(crate) started_at: Timestamp,
    pub(crate) wall: Duration,
    pub(crate) log_lines: u32,
    pub(crate) log_lines_dropped: u32,
}

impl Parts<'_> {
    /// The receipt.
    pub(crate) fn make(self, mut over: Over) -> Receipt {
        let Parts { call, .. } = self;
        let outbound = over.session.outbound.used();
        let used = over.session.used;
        let path = call.request.target.split('?').next().unwrap_or_default();
        Receipt {
            invocation: call.invocation,
            handler: Some(call.deployment.handler),
            version: call.deployment.version,
            digest: call.deployment.digest,
            abi: call.deployment.abi,
            executor: self.executor.to_owned(),
            trigger: call.trigger,
            method: call.request.method.clone(),
            path: path.chars().take(PATH_CHARS_MAX).collect(),
            started_at: self.started_at,
            wall_us: micros(self.wall),
            // The Olin family's is told as gas, which is the same for the same run.
            cpu_us: if call.deployment.abi.is_wasi() { micros(over.cpu) } else { 0 },
            gas: over.gas,
            memory_peak_bytes: over.memory_peak_bytes,
            host_calls: used.host_calls.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            urls: used.urls,
            outbound,
            bytes_in: used.bytes_in,
            bytes_out: used.bytes_out,
            log_lines: self.log_lines,
            log_lines_dropped: self.log_lines_dropped,
            status: match over.answered {
                Answered::Complete(status) | Answered::CutOff(status) => Some(status),
                Answered::Nothing | Answered::LocalRedirect(_) => Some(outcome::status(&over.outcome)),
            },
            outcome: over.outcome,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
