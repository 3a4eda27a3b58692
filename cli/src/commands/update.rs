//! `wasmcloud update`

use std::path::PathBuf;

use wasmcloud_wire::HandlerName;

use super::upload::{self, Upload};
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `update`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    file: PathBuf,
}

/// Uploads a handler's next version, and prints its address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let upload = Upload::read(session, &args.file)?;
    let updated = client.update(&args.name, upload.size(), upload.stream()).await;
    upload.finish();
    upload::show(session, "updated", &updated?)
}
