//! `wasmcloud update`

use std::path::PathBuf;

use wasmcloud_wire::HandlerName;

use super::name_arg::name;
use super::upload::{self, Upload};
use crate::client::With;
use crate::failure::Failure;
use crate::policy_file;
use crate::session::Session;
use crate::setting_args::SettingFlags;

/// The arguments of `update`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    #[arg(value_parser = |text: &str| name(text, "wasmcloud update NAME PROGRAM"))]
    name: HandlerName,
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    #[arg(value_name = "PROGRAM")]
    file: PathBuf,
    /// The whole policy that the handler has from now on: JSON, or a policy file of Olin; `-` for standard
    /// input [default: as it is]
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
    /// A folder whose files go with the program, which can read them; what begins with a dot is left out
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Leave the live version as it is; the new one answers at its own address, which is printed
    #[arg(long, conflicts_with_all = ["policy", "SettingFlags"])]
    no_promote: bool,
}

/// Uploads a handler's next version, and prints its address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = policy_file::beside(args.policy.as_deref(), &args.file)?;
    let env = args.settings.patch(upload::takes_stdin(&args.file, args.policy.as_deref()))?;
    let with = With { policy, env };
    let upload = Upload::read(session, &args.file, args.files.as_deref())?;
    let updated = client.update(&args.name, !args.no_promote, &with, upload.size(), upload.stream()).await;
    upload.finish();
    upload::show(session, "updated", &updated?, with.policy.as_ref())
}
