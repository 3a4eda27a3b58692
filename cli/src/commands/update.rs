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
    #[arg(value_name = "PROGRAM")]
    file: PathBuf,
    /// The whole policy that the handler has from now on: JSON, or a policy file of Olin; `-` for standard
    /// input [default: as it is]
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
}

/// Uploads a handler's next version, and prints its address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = policy_file::beside(args.policy.as_deref(), &args.file)?;
    let upload = Upload::read(session, &args.file)?;
    let updated = client.update(&args.name, policy.as_ref(), upload.size(), upload.stream()).await;
    upload.finish();
    upload::show(session, "updated", &updated?, policy.as_ref())
}
