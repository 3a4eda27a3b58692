//! What every guest has, whatever its ABI: standard streams, a log, an environment, a deadline.

mod answer;
mod logs;
mod session;
mod stop;
mod watch;

pub(crate) use answer::{Answered, CgiAnswer, Part, Reader};
pub(crate) use logs::Logs;
pub(crate) use session::{Output, RawOutput, Session};
pub(crate) use stop::Stop;
pub(crate) use watch::{Kill, Watch};
