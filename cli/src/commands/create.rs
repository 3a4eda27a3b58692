//! `wasmcloud create`

use std::path::PathBuf;

use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{Deployed, HandlerPatch};

use super::upload::{self, Upload};
use crate::client::Client;
use crate::failure::Failure;
use crate::names;
use crate::session::Session;

/// Generated names that are tried before giving up on finding a free one.
const NAME_TRIES_MAX: u32 = 5;

/// The arguments of `create`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    file: PathBuf,
    /// The handler's name, the first part of its address [default: one is made up]
    #[arg(long)]
    name: Option<HandlerName>,
    /// Let the program see the `Authorization` field of requests
    #[arg(long)]
    forward_authorization: bool,
}

/// Makes a handler, and prints its address.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let upload = Upload::read(session, &args.file)?;
    let created = create(&client, &upload, args.name).await;
    upload.finish();
    let mut deployed = created?;
    if args.forward_authorization {
        let patch = HandlerPatch { forward_authorization: Some(true) };
        deployed.handler = client.patch(&deployed.handler.name, &patch).await?;
    }
    upload::show(session, "created", &deployed)
}

async fn create(client: &Client, upload: &Upload, name: Option<HandlerName>) -> Result<Deployed, Failure> {
    if let Some(name) = name {
        return client.create(&name, upload.size(), upload.stream()).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let name = names::generate()?;
        match client.create(&name, upload.size(), upload.stream()).await {
            Err(failure) if failure.status() == Some(409) && tries < NAME_TRIES_MAX => {}
            result => return result,
        }
    }
}
