//! `wasmcloud promote`

use wasmcloud_wire::body::{Promote, Promoted};
use wasmcloud_wire::{HandlerName, Split, VersionNumber};

use super::compare;
use super::name_arg::name;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `promote`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    #[arg(value_parser = |text: &str| name(text, "wasmcloud promote NAME VERSION"))]
    name: HandlerName,
    /// The version to make live: `3` or `v3`
    #[arg(value_parser = version)]
    version: VersionNumber,
    /// Let it answer only so many percent of the clients, beside the live version, each client always by the same
    /// version; 0 ends that
    #[arg(long, value_name = "0-100", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    #[command(flatten)]
    dry_run: compare::DryRun,
}

/// A version's number, with or without the `v` that addresses have.
pub fn version(text: &str) -> Result<VersionNumber, String> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    match digits.parse() {
        Ok(number) if number > 0 => Ok(VersionNumber(number)),
        _ => Err("a version is a number from 1 on, such as 3 or v3".to_owned()),
    }
}

/// Makes a version live, or lets it answer a part of the clients, and prints the handler's address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    if args.dry_run.dry_run {
        return compare::run(session, &args.name, args.version, &args.dry_run).await;
    }
    let promote = Promote { version: args.version, percent: args.percent };
    let promoted = session.client()?.promote(&args.name, &promote).await?;
    tell(session, promoted)
}

/// Says what a promotion or a rollback has made, and prints the handler's address.
pub fn tell(session: &Session, promoted: Promoted) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(&promoted);
    }
    let handler = promoted.handler;
    session.output.note(&format!("version {} of {} is live", handler.live, handler.name));
    if let Some(Split { version, percent }) = handler.split {
        session.output.note(&format!("version {version} answers {percent} % of the clients beside it"));
    }
    if let Some(Split { version, percent }) = promoted.ended.filter(|ended| ended.version != handler.live) {
        session.output.note(&format!("version {version} answers {percent} % of the clients no more"));
    }
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
