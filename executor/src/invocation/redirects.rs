//! Local redirects: a program that speaks CGI may send the request on to another path of its own.

use std::time::Duration;

use bytes::Bytes;
use wasmcloud_wire::limits::LOCAL_REDIRECTS_MAX;
use wasmcloud_wire::{Outcome, RequestHead};

use super::{Job, variables};
use crate::ending::Ended;
use crate::guest::{Answered, Session};
use crate::outcome::{self, Over};
use crate::wasi::Budget;

/// All runs of one invocation, within the limits of one.
pub(super) struct Runs {
    request: RequestHead,
    redirects: usize,
    gas: u64,
    cpu: Duration,
    memory_peak_bytes: u64,
}

/// What comes after a run.
pub(super) enum Next {
    /// The invocation is over.
    Over(Box<Over>),
    /// The program is to be run again.
    Again(Box<Session>),
}

impl Runs {
    /// Before the first run.
    pub(super) fn new(job: &Job) -> Runs {
        let request = job.call.request.clone();
        Runs { request, redirects: 0, gas: 0, cpu: Duration::ZERO, memory_peak_bytes: 0 }
    }

    /// What the next run may spend.
    pub(super) fn budget(&self, job: &Job) -> Budget {
        let limits = &job.call.deployment.limits;
        Budget {
            gas: limits.gas.saturating_sub(self.gas),
            cpu: Duration::from_millis(limits.cpu_ms).saturating_sub(self.cpu),
        }
    }

    /// What comes after a run that ended so.
    pub(super) fn after(&mut self, job: &Job, ended: Ended) -> Next {
        self.gas += ended.gas;
        self.cpu += ended.cpu;
        self.memory_peak_bytes = self.memory_peak_bytes.max(ended.memory_peak_bytes);
        let mut session = ended.session;
        let (call, ceiling) = (&job.call, &job.ceiling);
        let answered = outcome::close_output(&ended.ending, &mut session);
        let Ok(Answered::LocalRedirect(target)) = answered else {
            let (outcome, answered) =
                outcome::of(ended.ending, answered, call, ceiling, self.gas, &job.reader.watch);
            outcome::log_refused_memory(ended.memory_refused_bytes, call, ceiling, &mut session);
            outcome::log(&outcome, &ended.backtrace, &mut session);
            return self.over(outcome, answered, session);
        };
        self.request = wasmcloud_cgi::redirected(&self.request, &target);
        let refused = if self.redirects >= LOCAL_REDIRECTS_MAX {
            Some(outcome::too_many_redirects(&target))
        } else {
            match variables(&job.worker_id, call, &self.request, None) {
                Ok(variables) => {
                    session.variables = variables;
                    None
                }
                Err(error) => Some(Outcome::BadOutput { message: format!("local redirect: {error}") }),
            }
        };
        if let Some(outcome) = refused {
            outcome::log(&outcome, &[], &mut session);
            return self.over(outcome, Answered::Nothing, session);
        }
        self.redirects += 1;
        session.stdin = Bytes::new();
        session.stdout = job.answer(&self.request, &mut session.logs);
        Next::Again(session)
    }

    fn over(&self, outcome: Outcome, answered: Answered, session: Box<Session>) -> Next {
        let Runs { gas, cpu, memory_peak_bytes, .. } = *self;
        Next::Over(Box::new(Over { outcome, answered, gas, cpu, memory_peak_bytes, session }))
    }
}
