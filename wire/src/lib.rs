//! The words that the control plane, the data plane and the command line speak.
//!
//! Names are parsed once, here, into newtypes; everything that crosses a process boundary has its
//! type here; and so have the two seams: [`Invoker`] (control plane to executor) and
//! [`ControlPlane`] (executor to control plane). Nothing in this crate does I/O.

mod abi;
mod ascii;
pub mod body;
mod call;
mod deployment;
mod depth;
mod digest;
mod env;
mod error;
mod fleet;
mod host;
mod inspection;
pub mod limits;
mod log;
mod name;
mod policy;
mod receipt;
mod record;
mod recording;
mod replay;
mod route_path;
mod seam;
mod time;

pub use abi::Abi;
pub use call::{Call, Event, Header, RequestHead, Scheme};
pub use deployment::{AccountQuota, AccountUse, Change, Deployment, HostRoute, RouteKey, Split, UsageReport};
pub use depth::{DEPTH_FIELD, depth};
pub use digest::{Digest, DigestError};
pub use env::{ENV_HEADER, Env, EnvPatch, NewSetting, Setting};
pub use error::{ErrorBody, ErrorDetail};
pub use fleet::{ExecutorReport, GONE_AFTER_S, REPORT_EVERY_S};
pub use host::{HOST_BYTES_MAX, HostName, HostNameError};
pub use inspection::{Export, Import, Inspection, Need, Needs, Refusal, ShippedFile};
pub use limits::Limits;
pub use log::{Level, LogLine, Source};
pub use name::{HandlerId, HandlerName, InvocationId, NameError, UserId, UserName, VersionNumber};
pub use policy::{Policy, PolicyMode, PolicyPatch, PolicyRules, UrlPolicy};
pub use receipt::{LimitName, Outbound, Outcome, Receipt, Trigger};
pub use record::Record;
pub use recording::{
    Inputs, RECORDED_BODY_BYTES_MAX, RECORDED_READINGS_MAX, RECORDINGS_KEPT_MAX, REDACTED, RecordedAnswer,
    Recording, RecordingPolicy,
};
pub use replay::{
    COMPARED, COMPARED_MAX, CompareRequest, Comparison, Difference, Pair, Recorded, Replay, ReplayRequest,
    RunSummary, differences,
};
pub use route_path::{ROUTE_PATH_BYTES_MAX, RoutePathError, find_route, hides_dots, route_path};
pub use seam::{
    ChangeStream, ControlPlane, ControlPlaneError, EventStream, InvokeError, Invoker, PrepareError,
};
pub use time::Timestamp;
