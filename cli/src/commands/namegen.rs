//! `wasmcloud namegen`

use serde_json::json;

use crate::failure::Failure;
use crate::names::{self, COUNT_MAX};
use crate::session::Session;

/// The arguments of `namegen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many, at most 10000
    #[arg(short = 'n', long, default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX as i64))]
    count: u32,
}

/// Prints names that handlers may have, one a line.
pub fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let names = names::generate_many(usize::try_from(args.count).unwrap_or(COUNT_MAX))?;
    if session.output.json {
        return session.output.document(&json!({ "names": names }));
    }
    for name in names {
        session.output.line(name.as_str())?;
    }
    Ok(())
}
