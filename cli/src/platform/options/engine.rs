//! What the settings of the engines mean.

use serde::Deserialize;

use super::File;

/// What the engines run.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Run components for WASI 0.3 too; off by default, since upstream gives this part no security patches yet
    #[arg(
        long,
        env = "WASMCLOUD_WASI_HTTP_3",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Engine options"
    )]
    pub wasi_http_3: Option<bool>,
}

impl EngineOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> EngineOptions {
        EngineOptions { wasi_http_3: self.wasi_http_3.or(file.engine.wasi_http_3) }
    }

    /// Whether components for WASI 0.3 run.
    pub fn wasi_http_3(&self) -> bool {
        self.wasi_http_3.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        engine: EngineOptions,
    }

    #[test]
    fn wasi_0_3_runs_only_where_a_flag_or_the_file_says_so_and_the_flag_wins() {
        for (file, flags, runs) in [
            ("", &[][..], false),
            ("", &["--wasi-http-3"], true),
            ("[engine]\nwasi_http_3 = true", &[], true),
            ("[engine]\nwasi_http_3 = true", &["--wasi-http-3=false"], false),
        ] {
            let file: File = toml::from_str(file).unwrap();
            let line = Line::try_parse_from(["wasmcloud"].iter().chain(flags)).unwrap();
            assert_eq!(line.engine.complete(&file).wasi_http_3(), runs, "{flags:?}");
        }
        assert!(toml::from_str::<File>("[engine]\nwasi = true").is_err());
    }
}
