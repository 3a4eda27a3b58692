//! Why a command did not do what it was asked to, in words for people and for programs.

use std::{fmt, io};

use serde_json::json;
use wasmcloud_wire::{ErrorDetail, Refusal};

use crate::exit::Exit;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read the results went away: `| head -1` has seen enough. No error.
    OutputClosed,
    /// Ctrl-C.
    Interrupted,
    /// What is wrong was already shown, as an invocation's receipt is.
    Shown(Exit),
    /// Something is wrong.
    Problem(Box<Problem>),
}

/// What is wrong, in one sentence.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::OutputClosed => f.write_str("the output was closed"),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::Shown(_) => f.write_str("failed"),
            Failure::Problem(problem) => f.write_str(&problem.message),
        }
    }
}

/// Something that is wrong, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How the process ends.
    pub exit: Exit,
    /// A stable word for programs.
    pub code: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do next; empty where nothing is known.
    pub hint: String,
    /// The request as the server's log knows it; empty where the server was not asked.
    pub request_id: String,
    /// The status that the server answered with.
    pub status: Option<u16>,
}

impl Failure {
    /// A problem found on this side.
    pub fn new(exit: Exit, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Problem(Box::new(Problem {
            exit,
            code: code.to_owned(),
            message: message.into(),
            hint: hint.into(),
            request_id: String::new(),
            status: None,
        }))
    }

    /// A command line that makes no sense in a way that only running it shows.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message, hint)
    }

    /// A problem that the server answered with.
    pub fn of_answer(status: u16, detail: ErrorDetail) -> Failure {
        let ErrorDetail { code, message, mut hint, request_id } = detail;
        if status == 401 && hint.is_empty() {
            hint = "log in: `wasmcloud login`".to_owned();
        }
        let exit = Exit::of_status(status);
        Failure::Problem(Box::new(Problem { exit, code, message, hint, request_id, status: Some(status) }))
    }

    /// The same, as the answer to an upload: a 422 is about the module then, unless it is about the policy
    /// that came with it.
    pub fn of_upload(mut self) -> Failure {
        if let Failure::Problem(problem) = &mut self
            && !matches!(problem.code.as_str(), "invalid_policy" | "over_ceiling")
            && let Some(status) = problem.status
        {
            problem.exit = Exit::of_upload_status(status);
        }
        self
    }

    /// What the shell sees.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::OutputClosed => Exit::Ok,
            Failure::Interrupted => Exit::Interrupted,
            Failure::Shown(exit) => *exit,
            Failure::Problem(problem) => problem.exit,
        }
    }

    /// The status that the server answered with, if it did.
    pub fn status(&self) -> Option<u16> {
        match self {
            Failure::Problem(problem) => problem.status,
            _ => None,
        }
    }

    /// The stable word for programs; empty where nothing is wrong.
    pub fn code(&self) -> &str {
        match self {
            Failure::Problem(problem) => &problem.code,
            _ => "",
        }
    }

    /// A result that could not be written.
    pub fn of_output(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::new(
                Exit::Failure,
                "output",
                format!("cannot write the result: {error}"),
                "look at where standard output leads",
            ),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::new(Exit::Module, &refusal.code, refusal.message, refusal.hint)
    }
}

impl Problem {
    /// The problem in the one shape that the API's errors have; without a request where no server was asked.
    pub fn json(&self) -> serde_json::Value {
        let mut error = json!({ "code": self.code, "message": self.message, "hint": self.hint });
        if let Some(fields) = error.as_object_mut().filter(|_| !self.request_id.is_empty()) {
            fields.insert("request_id".to_owned(), json!(self.request_id));
        }
        json!({ "error": error })
    }
}
