//! The one shape of every error that the API and the edge answer with.

use serde::{Deserialize, Serialize};

/// `{"error": {"code": …, "message": …, "hint": …, "request_id": …}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error itself.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A stable word for programs, such as `handler_not_found`.
    pub code: String,
    /// What is wrong, in one sentence. Never a cause of a 5xx.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// The request, as the server's own log knows it.
    pub request_id: String,
}
