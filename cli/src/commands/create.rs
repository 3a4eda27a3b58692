//! `wasmcloud create`

use std::path::PathBuf;

use wasmcloud_wire::body::Deployed;
use wasmcloud_wire::{HandlerName, Policy};

use super::upload::{self, Upload};
use crate::client::Client;
use crate::failure::Failure;
use crate::names;
use crate::policy_file;
use crate::session::Session;

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
    /// The handler's policy: JSON, or a policy file of Olin; `-` for standard input
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
    /// Let the program see the `Authorization` field of requests
    #[arg(long)]
    forward_authorization: bool,
}

/// Makes a handler, and prints its address.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = policy_file::beside(args.policy.as_deref(), &args.file)?;
    let upload = Upload::read(session, &args.file)?;
    let created = create(&client, &upload, policy.as_ref(), &args).await;
    upload.finish();
    upload::show(session, "created", &created?, policy.as_ref())
}

async fn create(
    client: &Client,
    upload: &Upload,
    policy: Option<&Policy>,
    args: &Args,
) -> Result<Deployed, Failure> {
    let forward = args.forward_authorization;
    if let Some(name) = &args.name {
        return client.create(name, forward, policy, upload.size(), upload.stream()).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let name = names::generate()?;
        match client.create(&name, forward, policy, upload.size(), upload.stream()).await {
            Err(failure)
                if matches!(failure.code(), "name_taken" | "name_held") && tries < NAME_TRIES_MAX => {}
            result => return result,
        }
    }
}
