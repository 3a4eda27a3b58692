//! The passphrase that an export is sealed with: from a file, from the environment, or asked for.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use wasmcloud_api::export::PASSPHRASE_BYTES_MIN;

use super::failed;
use crate::config::Secret;
use crate::failure::Failure;
use crate::prompt;

/// The variable that may hold the passphrase. It is no flag, which everybody on the machine could read.
const ENVIRONMENT: &str = "WASMCLOUD_PASSPHRASE";
/// Most of a file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 10;
const HOW: &str = "name a file that holds it, --passphrase-file FILE, or set WASMCLOUD_PASSPHRASE";

/// Where the passphrase is.
#[derive(Clone, Debug, clap::Args)]
pub struct PassphraseOptions {
    /// A file with the passphrase; else WASMCLOUD_PASSPHRASE holds it, or it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseOptions {
    /// The passphrase; a new one is asked for twice.
    pub fn passphrase(&self, is_new: bool) -> Result<Secret, Failure> {
        if let Some(path) = &self.passphrase_file {
            return read(path);
        }
        match std::env::var(ENVIRONMENT) {
            Ok(text) => Ok(Secret::new(text)),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Failure::usage(format!("{ENVIRONMENT} is no UTF-8"), "set it to a text"))
            }
            Err(std::env::VarError::NotPresent) if prompt::is_possible() => ask(is_new),
            Err(std::env::VarError::NotPresent) => {
                Err(Failure::usage("nobody can be asked for a passphrase: this is no terminal", HOW))
            }
        }
    }
}

/// The file's text, without the line end that `echo` adds.
fn read(path: &Path) -> Result<Secret, Failure> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| failed("passphrase", format!("cannot read {}: {error}", path.display()), HOW))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

fn ask(is_new: bool) -> Result<Secret, Failure> {
    if !is_new {
        return prompt::password("Passphrase: ");
    }
    let question = format!("A new passphrase for the file ({PASSPHRASE_BYTES_MIN} characters or more): ");
    let passphrase = prompt::password(&question)?;
    if prompt::password("The same again: ")? != passphrase {
        return Err(Failure::usage("the two passphrases differ", "try again"));
    }
    Ok(passphrase)
}
