//! From how a run ended to what is told about it.

use std::time::Duration;

use wasmcloud_wire::limits::LOCAL_REDIRECTS_MAX;
use wasmcloud_wire::{Call, Level, LimitName, Limits, Outcome};

use crate::ending::{Ended, Ending};
use crate::guest::{Answered, Kill, Session, Stop, Watch};
use crate::raise::{Raisable, raise};

/// An invocation that is over.
pub(crate) struct Over {
    pub(crate) outcome: Outcome,
    pub(crate) answered: Answered,
    pub(crate) gas: u64,
    pub(crate) cpu: Duration,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) session: Box<Session>,
}

impl Over {
    /// Says that the end of the answer did not reach its reader.
    pub(crate) fn cut_off(&mut self) {
        if let Answered::Complete(status) = self.answered {
            self.answered = Answered::CutOff(status);
        }
    }
}

/// Hands on what is left of the output, as far as the way in which the run ended allows it.
pub(crate) fn close_output(ending: &Ending, session: &mut Session) -> Result<Answered, Stop> {
    let Session { stdout, logs, .. } = session;
    match ending {
        Ending::Exit(0) | Ending::Stopped(Stop::Redirected) => stdout.finish(true, logs),
        Ending::Exit(_)
        | Ending::Trap(_)
        | Ending::NoAnswer(_)
        | Ending::Stopped(Stop::UnknownResource(_)) => stdout.finish(false, logs),
        // What a limit ended can still be answered with an error, if nothing was sent before.
        Ending::Stopped(_)
        | Ending::Killed(_)
        | Ending::Limit(..)
        | Ending::TooLarge(_)
        | Ending::Internal(_) => Ok(stdout.abandon()),
    }
}

/// What is told about a run that was no local redirect.
pub(crate) fn of(
    ending: Ending,
    answered: Result<Answered, Stop>,
    call: &Call,
    ceiling: &Limits,
    gas: u64,
    watch: &Watch,
) -> (Outcome, Answered) {
    let raised = |limit, at_least| raise(limit, at_least, call, ceiling);
    let (answered, output_stop) = match answered {
        Ok(answered) => (answered, None),
        Err(stop) => (Answered::Nothing, Some(stop)),
    };
    let outcome = match (ending, output_stop) {
        (Ending::Exit(status), _) if status != 0 => Outcome::Exit { status },
        (Ending::Exit(_), None) => match &answered {
            Answered::CutOff(_) => Outcome::BadOutput {
                message: "the body is shorter than the program's Content-Length".to_owned(),
            },
            _ => Outcome::Ok,
        },
        (Ending::Exit(_), Some(stop)) | (Ending::Stopped(stop), _) => stopped(stop, call, watch, &raised),
        (Ending::Killed(place), _) => killed(&place, call, watch, &raised),
        (Ending::Limit(limit, place), _) => hit(limit, &place, gas, call, &raised),
        (Ending::TooLarge(begins_with), _) => Outcome::Limit {
            limit: LimitName::Memory,
            message: format!(
                "killed by memory limit: the program begins with {begins_with} bytes, and may have {}; {}",
                call.deployment.limits.memory_bytes,
                raised(Raisable::Memory, begins_with)
            ),
        },
        (Ending::Trap(message), _) => Outcome::Trap { message },
        (Ending::NoAnswer(message), _) => Outcome::BadOutput { message },
        (Ending::Internal(message), _) => {
            tracing::error!(invocation = %call.invocation, message, "an instance could not be made");
            Outcome::Internal { message: "the instance could not be made".to_owned() }
        }
    };
    (outcome, answered)
}

/// What is told about a run of a program that speaks HTTP, of whose answer so much was sent.
pub(crate) fn of_http(ended: Ended, sent: Answered, call: &Call, ceiling: &Limits, watch: &Watch) -> Over {
    let Ended { ending, backtrace, gas, cpu, memory_peak_bytes, memory_refused_bytes, mut session } = ended;
    let (ending, answered) = match (ending, sent) {
        (Ending::Exit(0), Answered::Nothing) => {
            let message = "the program ended without an answer".to_owned();
            (Ending::NoAnswer(message), Answered::Nothing)
        }
        (Ending::Exit(0), Answered::CutOff(status)) => {
            let message = "the answer's body broke off".to_owned();
            (Ending::NoAnswer(message), Answered::CutOff(status))
        }
        // The body of a program that failed ends as if it were whole.
        (ending @ Ending::Exit(0), sent) => (ending, sent),
        (ending, Answered::Complete(status)) => (ending, Answered::CutOff(status)),
        (ending, sent) => (ending, sent),
    };
    let (outcome, answered) = of(ending, Ok(answered), call, ceiling, gas, watch);
    log_refused_memory(memory_refused_bytes, call, ceiling, &mut session);
    log(&outcome, &backtrace, &mut session);
    Over { outcome, answered, gas, cpu, memory_peak_bytes, session }
}

fn stopped(stop: Stop, call: &Call, watch: &Watch, raised: &impl Fn(Raisable, u64) -> String) -> Outcome {
    match stop {
        Stop::BadOutput(malformed) => Outcome::BadOutput { message: malformed.to_string() },
        Stop::InputLimit(bytes) => Outcome::Limit {
            limit: LimitName::Request,
            message: format!(
                "killed by request limit: the body has more than {bytes} bytes, which is the most that streams \
                 through a program; {}",
                raised(Raisable::Stream, 0)
            ),
        },
        Stop::OutputLimit(bytes) if call.deployment.abi.is_http() => Outcome::Limit {
            limit: LimitName::Response,
            message: format!(
                "killed by response limit: the body has more than {bytes} bytes, which is the most that streams \
                 through a program; {}",
                raised(Raisable::Stream, 0)
            ),
        },
        Stop::OutputLimit(bytes) => Outcome::Limit {
            limit: LimitName::Response,
            message: format!(
                "killed by response limit: more than {bytes} bytes; {}",
                raised(Raisable::Response, 0)
            ),
        },
        Stop::Denied(message) => Outcome::Denied { message },
        Stop::UnknownResource(_) => Outcome::Trap { message: stop.to_string() },
        Stop::OutputClosed => Outcome::Cancelled,
        Stop::Killed | Stop::Redirected | Stop::Exit(_) => killed("", call, watch, raised),
    }
}

fn killed(place: &str, call: &Call, watch: &Watch, raised: &impl Fn(Raisable, u64) -> String) -> Outcome {
    match watch.reason() {
        Some(Kill::ClientGone) => Outcome::Cancelled,
        Some(Kill::Suspended) => Outcome::Suspended,
        Some(Kill::Wall) | None => {
            let seconds = seconds(call.deployment.limits.wall_ms);
            Outcome::Limit {
                limit: LimitName::Wall,
                message: format!(
                    "killed by wall limit: {seconds} of {seconds} s{place}; {}",
                    raised(Raisable::Wall, 0)
                ),
            }
        }
    }
}

/// Milliseconds as seconds, to the last digit.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn hit(
    limit: LimitName,
    place: &str,
    gas: u64,
    call: &Call,
    raised: &impl Fn(Raisable, u64) -> String,
) -> Outcome {
    let message = match limit {
        LimitName::Gas => {
            format!(
                "killed by gas limit: {gas} of {}{place}; {}",
                call.deployment.limits.gas,
                raised(Raisable::Gas, 0)
            )
        }
        LimitName::Cpu => {
            let seconds = seconds(call.deployment.limits.cpu_ms);
            format!("killed by cpu limit: {seconds} of {seconds} s{place}; {}", raised(Raisable::Cpu, 0))
        }
        LimitName::Stack => {
            format!("killed by stack limit: 1 MiB{place}; use less recursion, or smaller frames")
        }
        other => format!("killed by {} limit{place}", other.as_str()),
    };
    Outcome::Limit { limit, message }
}

/// The outcome of a handler that goes on redirecting to itself.
pub(crate) fn too_many_redirects(target: &str) -> Outcome {
    let target: String = target.chars().take(200).collect();
    Outcome::Limit {
        limit: LimitName::LocalRedirects,
        message: format!(
            "ended by local redirect limit: {LOCAL_REDIRECTS_MAX} in one request, the last to {target}; answer with a \
             document, or redirect the client by an absolute Location"
        ),
    }
}

/// Writes to the invocation's log what its owner should know of how it ended.
pub(crate) fn log(outcome: &Outcome, backtrace: &[String], session: &mut Session) {
    match outcome {
        Outcome::Ok => return,
        Outcome::Cancelled | Outcome::Suspended => {
            session.logs.platform(Level::WARNING, &outcome.to_string())
        }
        _ => session.logs.platform(Level::ERROR, &outcome.to_string()),
    }
    for frame in backtrace {
        session.logs.platform(Level::ERROR, &format!("  at {frame}"));
    }
}

/// Tells the log of memory that the limit kept from the program. Many programs say nothing of it when they
/// end for that reason.
pub(crate) fn log_refused_memory(refused: Option<u64>, call: &Call, ceiling: &Limits, session: &mut Session) {
    let Some(bytes) = refused else { return };
    let limit = call.deployment.limits.memory_bytes;
    let how = raise(Raisable::Memory, bytes, call, ceiling);
    session.logs.platform(
        Level::WARNING,
        &format!("memory limit: growing to {bytes} of {limit} bytes was refused; {how}"),
    );
}

/// The status that the client gets when a program gave no answer.
pub(crate) fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Limit { limit: LimitName::Gas | LimitName::Cpu | LimitName::Wall, .. } => 504,
        Outcome::Limit { limit: LimitName::Request, .. } => 413,
        Outcome::Limit { limit: LimitName::LocalRedirects, .. } => 508,
        Outcome::Suspended => 403,
        Outcome::Internal { .. } => 500,
        _ => 502,
    }
}
