//! `wasmcloud create`

use std::path::PathBuf;

use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::Deployed;

use super::upload::{self, Upload};
use crate::client::{Client, With};
use crate::failure::Failure;
use crate::names;
use crate::policy_file;
use crate::session::Session;
use crate::setting_args::SettingFlags;

/// Generated names that are tried before giving up on finding a free one.
const NAME_TRIES_MAX: u32 = 5;

/// The arguments of `create`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    #[arg(value_name = "PROGRAM")]
    file: PathBuf,
    /// The handler's name, the first part of its address [default: one is made up]
    #[arg(long)]
    name: Option<HandlerName>,
    /// The team that gets the handler [default: you]
    #[arg(long)]
    team: Option<String>,
    /// The handler's policy: JSON, or a policy file of Olin; `-` for standard input
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
    /// A folder whose files go with the program, which can read them; what begins with a dot is left out
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Let the program see the `Authorization` field of requests
    #[arg(long)]
    forward_authorization: bool,
}

/// Makes a handler, and prints its address.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = policy_file::beside(args.policy.as_deref(), &args.file)?;
    let env = args.settings.patch(upload::takes_stdin(&args.file, args.policy.as_deref()))?;
    let with = With { policy, env };
    let upload = Upload::read(session, &args.file, args.files.as_deref())?;
    let created = create(&client, &upload, &with, &args).await;
    upload.finish();
    upload::show(session, "created", &created?, with.policy.as_ref())
}

async fn create(client: &Client, upload: &Upload, with: &With, args: &Args) -> Result<Deployed, Failure> {
    let (forward, team) = (args.forward_authorization, args.team.as_deref());
    if let Some(name) = &args.name {
        return client.create(name, forward, team, with, upload.size(), upload.stream()).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let name = names::generate()?;
        match client.create(&name, forward, team, with, upload.size(), upload.stream()).await {
            Err(failure)
                if matches!(failure.code(), "name_taken" | "name_held") && tries < NAME_TRIES_MAX => {}
            result => return result,
        }
    }
}
