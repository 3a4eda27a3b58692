//! `KEY=VALUE` on the command line: settings of a handler, whose values may come from elsewhere than a shell's
//! history.

use std::str::FromStr;

use wasmcloud_wire::limits::ENV_HEADER_BYTES_MAX;
use wasmcloud_wire::{EnvPatch, NewSetting};

use crate::config::Secret;
use crate::failure::Failure;
use crate::prompt;

/// A setting as it was written.
#[derive(Clone, Debug)]
pub struct SettingArg {
    name: String,
    value: Value,
}

/// Where a value is.
#[derive(Clone, Debug)]
enum Value {
    /// On the command line.
    Given(Secret),
    /// On standard input, whole.
    Stdin,
    /// Asked for without echo, where there is somebody to ask; else on standard input.
    Asked,
}

impl FromStr for SettingArg {
    /// What is wrong is said later: what reads flags would show the text, and a value may be in it.
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<SettingArg, Self::Err> {
        let (name, value) = match text.split_once('=') {
            None => (text, Value::Asked),
            Some((name, "-")) => (name, Value::Stdin),
            Some((name, value)) => (name, Value::Given(Secret::new(value))),
        };
        Ok(SettingArg { name: name.to_owned(), value })
    }
}

/// The flags of `create` and `update` that set settings together with the program.
#[derive(Debug, clap::Args)]
pub struct SettingFlags {
    /// A setting of the handler, a variable of the program's environment; may be given several times. KEY alone
    /// asks for the value, `KEY=-` reads it from standard input
    #[arg(long = "env", short, value_name = "KEY=VALUE")]
    env: Vec<SettingArg>,
    /// The same, with a value that is never shown again
    #[arg(long = "secret", value_name = "KEY=VALUE")]
    secret: Vec<SettingArg>,
}

impl SettingFlags {
    /// Reads the values. `stdin_taken` if standard input is something else.
    pub fn patch(&self, stdin_taken: bool) -> Result<EnvPatch, Failure> {
        let plain = self.env.iter().map(|setting| (setting, None));
        let secret = self.secret.iter().map(|setting| (setting, Some(true)));
        let patch = patch(plain.chain(secret), stdin_taken)?;
        if patch.to_ascii_json().len() > ENV_HEADER_BYTES_MAX {
            return Err(Failure::usage(
                format!(
                    "the settings have more than the {ENV_HEADER_BYTES_MAX} bytes that go with a program"
                ),
                "give the program those that it needs, and set the others afterwards: wasmcloud env set",
            ));
        }
        Ok(patch)
    }
}

/// The change that these settings come to, each with what is said of its being secret.
pub fn patch<'a>(
    settings: impl Iterator<Item = (&'a SettingArg, Option<bool>)>,
    mut stdin_taken: bool,
) -> Result<EnvPatch, Failure> {
    let mut patch = EnvPatch::default();
    for (SettingArg { name, value }, secret) in settings {
        if name.is_empty() {
            return Err(Failure::usage(
                "a setting has no name",
                "write it like KEY=VALUE, or KEY alone to be asked for the value",
            ));
        }
        let value = match value {
            Value::Given(value) => value.clone(),
            Value::Asked if prompt::is_possible() => prompt::password(&format!("{name}: "))?,
            Value::Stdin | Value::Asked if stdin_taken => {
                return Err(Failure::usage(
                    format!(
                        "the value of {name} cannot come from standard input, which is something else already"
                    ),
                    "give one value there at most, and no program or policy besides",
                ));
            }
            Value::Stdin | Value::Asked => {
                stdin_taken = true;
                prompt::secret_from_stdin(&format!("value for {name}"))?
            }
        };
        let new = NewSetting { value: value.reveal().to_owned(), secret };
        if patch.set.insert(name.clone(), new).is_some() {
            return Err(Failure::usage(format!("{name} is set twice"), "give it once"));
        }
    }
    let env = patch.set.iter().map(|(name, new)| (name.clone(), new.value.clone())).collect();
    wasmcloud_cgi::check_env(&env)
        .map_err(|error| Failure::usage(error.to_string(), "`wasmcloud help env` says what a setting is"))?;
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(texts: &[&str]) -> Vec<SettingArg> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn patch_of(texts: &[&str], stdin_taken: bool) -> Result<EnvPatch, Failure> {
        patch(args(texts).iter().map(|arg| (arg, None)), stdin_taken)
    }

    #[test]
    fn a_value_goes_from_the_first_equals_sign_on() {
        let patch = patch_of(&["A=b=c", "B="], true).unwrap();
        let pairs: Vec<_> = patch.set.iter().map(|(name, new)| (name.as_str(), new.value.as_str())).collect();
        assert_eq!(pairs, [("A", "b=c"), ("B", "")]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (texts, word) in [
            (&["A=s3cret", "A=s3cret"][..], "set twice"),
            (&["a-b=s3cret"], "no name of a variable"),
            (&["HTTP_HOST=s3cret"], "reserved"),
            (&["A=-"], "standard input"),
            (&["=s3cret"], "no name"),
        ] {
            let error = patch_of(texts, true).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("s3cret"), "{error}");
        }
        assert!(!format!("{:?}", args(&["A=s3cret"])).contains("s3cret"));
    }
}
