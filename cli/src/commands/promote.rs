//! `wasmcloud promote`

use wasmcloud_wire::{HandlerName, VersionNumber};

use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `promote`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// The version to make live: `3` or `v3`
    #[arg(value_parser = version)]
    version: VersionNumber,
}

/// A version's number, with or without the `v` that addresses have.
pub fn version(text: &str) -> Result<VersionNumber, String> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    match digits.parse() {
        Ok(number) if number > 0 => Ok(VersionNumber(number)),
        _ => Err("a version is a number from 1 on, such as 3 or v3".to_owned()),
    }
}

/// Makes a version live, and prints the handler's address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let promoted = session.client()?.promote(&args.name, args.version).await?;
    if session.output.json {
        return session.output.document(&promoted);
    }
    let handler = promoted.handler;
    session.output.note(&format!("version {} of {} is live", handler.live, handler.name));
    promoted.warnings.iter().for_each(|warning| session.output.warn(warning));
    session.output.line(&handler.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_from_1_on() {
        assert_eq!(version("3"), Ok(VersionNumber(3)));
        assert_eq!(version("v12"), Ok(VersionNumber(12)));
        for text in ["", "v", "0", "-1", "latest", "vv1", "4294967296"] {
            assert!(version(text).is_err(), "{text}");
        }
    }
}
