//! `wasmcloud update`

use std::path::PathBuf;

use wasmcloud_wire::HandlerName;

use super::upload::{self, Upload};
use crate::failure::Failure;
use crate::policy_file;
use crate::session::Session;

/// The arguments of `update`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    file: PathBuf,
    /// The policy that the handler has from this version on: JSON, or a policy file of Olin [default: as it is]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Uploads a handler's next version, and prints its address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = args.policy.as_deref().map(policy_file::read).transpose()?;
    let upload = Upload::read(session, &args.file)?;
    let updated = client.update(&args.name, policy.as_ref(), upload.size(), upload.stream()).await;
    upload.finish();
    upload::show(session, "updated", &updated?)
}
