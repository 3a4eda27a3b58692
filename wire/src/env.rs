//! A handler's own settings: the variables of its program's environment, some of them secret.
//!
//! Values are in no `Debug` output, whether they are secret or not.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ascii::ascii_json;

/// The header field of an upload that changes the handler's settings together with the version: an
/// [`EnvPatch`] as JSON in ASCII.
pub const ENV_HEADER: &str = "wasmcloud-env";

/// `GET` and `PATCH /api/v1/handlers/N/env`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Env {
    /// The settings, by name.
    pub settings: Vec<Setting>,
    /// What the live version reads and does not find, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One of a handler's settings, as its owner sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The variable's name.
    pub name: String,
    /// Whether the value is never shown again.
    pub secret: bool,
    /// The value; absent if it is secret or unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether the server cannot read the value, having lost the key that it was encrypted with: it has to
    /// be set again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// When it was set.
    pub updated_at: Timestamp,
}

/// A setting's new value: `PUT /api/v1/handlers/N/env/NAME`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSetting {
    /// The value.
    pub value: String,
    /// Whether it is never shown again. If absent, what is secret stays secret, and a new one is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
}

/// `PATCH /api/v1/handlers/N/env`: all of it, or nothing where any of it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvPatch {
    /// Settings to set, whether they are there or not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, NewSetting>,
    /// Names of settings to remove; each has to be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
}

impl EnvPatch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// The change as JSON in ASCII, which a header field can carry.
    pub fn to_ascii_json(&self) -> String {
        ascii_json(self)
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("name", &self.name)
            .field("secret", &self.secret)
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSetting").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// An environment in `Debug` output: its names.
pub(crate) struct Names<'a>(pub &'a BTreeMap<String, String>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_in_debug_output() {
        let value = "s3cret".to_owned();
        let new = NewSetting { value: value.clone(), secret: Some(false) };
        let set = [("A".to_owned(), new)].into();
        let patch = EnvPatch { set, unset: vec!["B".to_owned()] };
        let setting = Setting {
            name: "A".to_owned(),
            secret: false,
            value: Some(value),
            unreadable: false,
            updated_at: Timestamp(0),
        };
        let env = Env { settings: vec![setting], warnings: Vec::new() };
        for shown in [format!("{patch:?}"), format!("{env:?}")] {
            assert!(shown.contains("\"A\"") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn a_change_in_ascii_is_read_back_as_the_same() {
        let new = NewSetting { value: "käse\n\"\u{1f4d6}".to_owned(), secret: None };
        let patch = EnvPatch { set: [("A".to_owned(), new)].into(), unset: Vec::new() };
        let ascii = patch.to_ascii_json();
        assert!(ascii.is_ascii() && !ascii.contains('\n'), "{ascii}");
        assert_eq!(serde_json::from_str::<EnvPatch>(&ascii).unwrap(), patch);
        assert_eq!(ascii_json(&EnvPatch::default()), "{}");
    }
}
