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
    /// A WASI 0.1 command: imports from `wasi_snapshot_preview1` or `wasi_unstable`, entry `_start`; CGI.
    Wasi,
    /// A component that exports `wasi:cli/run`; CGI.
    WasiCli,
    /// A component that exports `wasi:http/incoming-handler` 0.2.
    WasiHttp,
    /// A component that exports `wasi:http/handler` 0.3.
    #[serde(rename = "wasi-http-0.3")]
    WasiHttp3,
}

impl Abi {
    /// The name as it is written in JSON, in the database and on a terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Abi::Olin => "olin",
            Abi::Dagger => "dagger",
            Abi::H => "h",
            Abi::Wasi => "wasi",
            Abi::WasiCli => "wasi-cli",
            Abi::WasiHttp => "wasi-http",
            Abi::WasiHttp3 => "wasi-http-0.3",
        }
    }

    /// Whether it runs on wasmtime, the engine of the WASI family; the others run on wasmer.
    pub fn is_wasi(self) -> bool {
        matches!(self, Abi::Wasi | Abi::WasiCli | Abi::WasiHttp | Abi::WasiHttp3)
    }

    /// Whether it takes the request as a stream and answers in HTTP's own words, instead of CGI's.
    pub fn is_http(self) -> bool {
        matches!(self, Abi::WasiHttp | Abi::WasiHttp3)
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
            "wasi" => Ok(Abi::Wasi),
            "wasi-cli" => Ok(Abi::WasiCli),
            "wasi-http" => Ok(Abi::WasiHttp),
            "wasi-http-0.3" => Ok(Abi::WasiHttp3),
            other => Err(format!("unknown ABI `{other}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abi_has_one_name_everywhere() {
        use Abi::{Dagger, H, Olin, Wasi, WasiCli, WasiHttp, WasiHttp3};
        for abi in [Olin, Dagger, H, Wasi, WasiCli, WasiHttp, WasiHttp3] {
            assert_eq!(abi.as_str().parse(), Ok(abi));
            assert_eq!(serde_json::to_string(&abi).unwrap(), format!("\"{abi}\""));
        }
        assert!("wasip9".parse::<Abi>().is_err());
    }
}
