//! What an executor reports to the control plane.

use serde::{Deserialize, Serialize};

use crate::{HandlerId, InvocationId, LogLine, Receipt, Recording};

/// A part of an invocation's record. A long run reports its lines while it goes on; the last part
/// carries the receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose invocation.
    pub handler: HandlerId,
    /// Which invocation.
    pub invocation: InvocationId,
    /// Lines that no earlier part carried.
    pub lines: Vec<LogLine>,
    /// Present in the last part.
    pub receipt: Option<Receipt>,
    /// What a replay needs, with the receipt, where the handler's invocations are recorded.
    #[serde(default)]
    pub recording: Option<Box<Recording>>,
}
