//! How a module speaks to its host.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The ABI of a module, found by inspection; nobody chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Abi {
    /// The Common WebAssembly ABI as Olin adopted it: imports from `cwa` or `env`, entry `_start`.
    Olin,
    /// The ABI before Olin: imports from `dagger`, entry `main`.
    Dagger,
    /// One import, `h`.`h`, which prints a character, and one export, `h`.
    H,
}

impl Abi {
    /// The name as it is written in JSON, in the database and on a terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Abi::Olin => "olin",
            Abi::Dagger => "dagger",
            Abi::H => "h",
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Abi {
    type Err = String;

    fn from_str(text: &str) -> Result<Abi, String> {
        match text {
            "olin" => Ok(Abi::Olin),
            "dagger" => Ok(Abi::Dagger),
            "h" => Ok(Abi::H),
            other => Err(format!("unknown ABI `{other}`")),
        }
    }
}
