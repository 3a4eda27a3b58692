//! Log lines of an invocation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{InvocationId, Timestamp};

/// How grave a log line is. Olin's `log_write` gives a number; 1, 3 and 6 have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i32", into = "i32")]
pub struct Level(pub i32);

impl Level {
    /// Something failed.
    pub const ERROR: Level = Level(1);
    /// Something may fail.
    pub const WARNING: Level = Level(3);
    /// Something happened.
    pub const INFO: Level = Level(6);
    /// Of interest to whoever looks for a mistake.
    pub const DEBUG: Level = Level(7);
}

impl From<i32> for Level {
    fn from(number: i32) -> Level {
        Level(number)
    }
}

impl From<Level> for i32 {
    fn from(level: Level) -> i32 {
        level.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Level::ERROR => f.pad("error"),
            Level::WARNING => f.pad("warning"),
            Level::INFO => f.pad("info"),
            Level::DEBUG => f.pad("debug"),
            Level(other) => f.pad(&format!("level {other}")),
        }
    }
}

/// Who wrote a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The program, on its standard error.
    Stderr,
    /// The program, through the ABI's log.
    Log,
    /// The platform: a trap, a limit, a malformed answer.
    Platform,
}

impl Source {
    /// The name as it is written in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Stderr => "stderr",
            Source::Log => "log",
            Source::Platform => "platform",
        }
    }
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        match text {
            "stderr" => Ok(Source::Stderr),
            "log" => Ok(Source::Log),
            "platform" => Ok(Source::Platform),
            other => Err(format!("unknown log source `{other}`")),
        }
    }
}

/// One line of an invocation's log. The text has no line end and no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The invocation that it belongs to.
    pub invocation: InvocationId,
    /// Its place within the invocation: 0, 1, 2…
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
    /// How grave it is; a number, see [`Level`].
    pub level: Level,
    /// Who wrote it.
    pub source: Source,
    /// What it says.
    pub text: String,
}
