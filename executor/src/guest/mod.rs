//! What every guest has, whatever its ABI: standard streams, a log, an environment, a deadline.

mod advice;
mod answer;
mod known_hosts;
mod logs;
mod outbound;
mod policies;
mod session;
mod stop;
mod watch;

pub(crate) use advice::Advice;
pub(crate) use answer::{Answered, CgiAnswer, Part, Reader};
pub(crate) use known_hosts::{Distrust, KnownHosts};
pub(crate) use logs::{Logs, REPORT_EVERY};
pub(crate) use outbound::{Network, Outbound, Refused, UNSENT_BYTES_MAX, Unsent};
pub(crate) use policies::Policies;
pub(crate) use session::{Nowhere, Output, RawOutput, Session};
pub(crate) use stop::Stop;
pub(crate) use wasmcloud_wire::{DEPTH_FIELD, depth};
pub(crate) use watch::{Interrupt, Kill, Watch};
