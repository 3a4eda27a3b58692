//! Exit codes: how a script learns what happened. They are part of the command line's interface.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done.
    Ok,
    /// Something failed that has no code of its own.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// Not logged in, or not allowed.
    Refused,
    /// No such handler, version, token or invocation.
    NotFound,
    /// The module cannot run here.
    Module,
    /// The server cannot be reached, or is not ready.
    Unreachable,
    /// The program was run and failed.
    Invocation,
    /// Ended by Ctrl-C.
    Interrupted,
    /// `wasmcloud run`: the program's own status.
    Program(u8),
}

/// Every exit code with its meaning, in the words of `wasmcloud help` and `wasmcloud flags`.
pub const TABLE: &[(Exit, &str)] = &[
    (Exit::Ok, "done; also when the reader of the output went away early"),
    (Exit::Failure, "failed for a reason that has no code of its own; a replayed or compared answer differs"),
    (Exit::Usage, "the command line makes no sense"),
    (Exit::Refused, "not logged in, or not allowed"),
    (Exit::NotFound, "no such handler, version, token or invocation"),
    (Exit::Module, "the module cannot run here"),
    (Exit::Unreachable, "the server cannot be reached or is not ready"),
    (Exit::Invocation, "the program was run and failed"),
    (Exit::Interrupted, "ended by Ctrl-C"),
];

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::NotFound => 4,
            Exit::Module => 5,
            Exit::Unreachable => 6,
            Exit::Invocation => 7,
            Exit::Interrupted => 130,
            Exit::Program(status) => status,
        }
    }

    /// The exit code for an HTTP status that is no success.
    pub fn of_status(status: u16) -> Exit {
        match status {
            401 | 403 => Exit::Refused,
            404 | 410 => Exit::NotFound,
            502..=504 => Exit::Unreachable,
            _ => Exit::Failure,
        }
    }

    /// The exit code for an HTTP status that answers an upload.
    pub fn of_upload_status(status: u16) -> Exit {
        match status {
            400 | 413 | 415 | 422 => Exit::Module,
            other => Exit::of_status(other),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The table as a paragraph of help.
pub fn help() -> String {
    let mut help = String::from("Exit codes:\n");
    for (exit, meaning) in TABLE {
        help.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
    }
    help.push_str("`wasmcloud run` ends with the program's own status.\n");
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_exit_code_that_the_table_promises() {
        for (status, upload, exit) in [
            (401, false, Exit::Refused),
            (403, false, Exit::Refused),
            (404, false, Exit::NotFound),
            (409, false, Exit::Failure),
            (422, false, Exit::Failure),
            (422, true, Exit::Module),
            (413, true, Exit::Module),
            (401, true, Exit::Refused),
            (500, false, Exit::Failure),
            (503, true, Exit::Unreachable),
        ] {
            let found = if upload { Exit::of_upload_status(status) } else { Exit::of_status(status) };
            assert_eq!(found, exit, "{status}, upload: {upload}");
        }
    }

    #[test]
    fn the_table_names_each_code_once() {
        let codes: std::collections::BTreeSet<u8> = TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.len(), TABLE.len());
        assert!(help().contains("130  ended by Ctrl-C"));
    }
}
