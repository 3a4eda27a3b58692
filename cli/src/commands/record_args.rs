//! The flags of `set` that say what is recorded.

use std::str::FromStr;

use wasmcloud_wire::{HandlerName, RecordingPolicy};

use crate::client::Client;
use crate::failure::Failure;

/// What is to be recorded, as the flags say.
#[derive(Debug)]
pub struct RecordFlags<'a> {
    /// Which requests.
    pub record: Option<&'a Record>,
    /// How many recorded invocations are kept.
    pub keep: Option<u32>,
    /// Header fields whose values are not recorded, with commas between.
    pub redact: Option<&'a str>,
}

/// Requests that are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// None.
    Off,
    /// Those with these methods.
    Methods(Vec<String>),
}

impl FromStr for Record {
    type Err = String;

    fn from_str(text: &str) -> Result<Record, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Record::Off);
        }
        let methods = names(text);
        if methods.is_empty() {
            return Err("methods look like GET,HEAD; `off` records nothing".to_owned());
        }
        Ok(Record::Methods(methods))
    }
}

/// Names with commas between.
fn names(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

impl RecordFlags<'_> {
    /// What the handler is to record from now on; `None` if that stays as it is.
    pub async fn patch(
        &self,
        client: &Client,
        name: &HandlerName,
    ) -> Result<Option<Option<RecordingPolicy>>, Failure> {
        let RecordFlags { record, keep, redact } = self;
        if record.is_none() && keep.is_none() && redact.is_none() {
            return Ok(None);
        }
        if record == &Some(&Record::Off) {
            return match (keep, redact) {
                (None, None) => Ok(Some(None)),
                _ => Err(Failure::usage(
                    "`--record off` records nothing, so the other --record flags make no sense",
                    "leave them out",
                )),
            };
        }
        let mut policy = match (client.recording_policy(name).await?, record) {
            (Some(policy), _) => policy,
            (None, Some(_)) => RecordingPolicy::default(),
            (None, None) => {
                return Err(Failure::usage(
                    format!("nothing of {name} is recorded"),
                    format!("turn it on: wasmcloud set {name} --record GET,HEAD"),
                ));
            }
        };
        if let Some(Record::Methods(methods)) = record {
            policy.methods.clone_from(methods);
        }
        policy.keep = keep.unwrap_or(policy.keep);
        if let Some(fields) = redact {
            policy.redact = names(fields);
        }
        Ok(Some(Some(policy)))
    }
}

/// What is recorded, in a sentence.
pub fn said(policy: Option<&RecordingPolicy>) -> String {
    match policy {
        None => "nothing is recorded".to_owned(),
        Some(policy) => format!(
            "{} requests are recorded, the last {}{}",
            policy.methods.join(", "),
            policy.keep,
            match policy.redact.is_empty() {
                true => String::new(),
                false => format!(", without the values of {}", policy.redact.join(", ")),
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_one() {
        let methods = ["GET", "POST"].map(ToOwned::to_owned).to_vec();
        let policy = RecordingPolicy { methods, ..RecordingPolicy::default() };
        assert!(
            said(Some(&policy)).starts_with("GET, POST requests are recorded"),
            "{}",
            said(Some(&policy))
        );
    }

    #[test]
    fn methods_are_names_with_commas_or_off() {
        let methods = |names: &[&str]| Record::Methods(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!("GET, HEAD".parse(), Ok(methods(&["GET", "HEAD"])));
        assert_eq!("off".parse(), Ok(Record::Off));
        assert!(",".parse::<Record>().is_err());
    }
}
