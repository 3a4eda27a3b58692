//! Settings that are more than a number or a path.

use serde::Deserialize;
use wasmcloud_api::{EdgeUrl, Registration};

/// How the server's log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Who may register, read from a flag or a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct RegistrationText(pub Registration);

/// An edge's URL, read from a flag or a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct EdgeUrlText(pub EdgeUrl);

/// A database's URL. It may carry a password, so it does not show itself.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

macro_rules! parsed {
    ($ty:ident, $text:ident => $parse:expr) => {
        impl std::str::FromStr for $ty {
            type Err = String;

            fn from_str($text: &str) -> Result<$ty, String> {
                $parse
            }
        }

        impl TryFrom<String> for $ty {
            type Error = String;

            fn try_from(text: String) -> Result<$ty, String> {
                text.parse()
            }
        }
    };
}

parsed!(RegistrationText, text => text.parse().map(RegistrationText));
parsed!(EdgeUrlText, text => text.parse().map(EdgeUrlText).map_err(|error: wasmcloud_api::EdgeUrlError| error.to_string()));
parsed!(DatabaseUrl, text => match text.starts_with("postgres://") || text.starts_with("postgresql://") {
    true => Ok(DatabaseUrl(text.to_owned())),
    false => Err("a database's URL begins with postgres://".to_owned()),
});
