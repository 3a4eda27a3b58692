//! `wasmcloud replay`

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use wasmcloud_executor::egress::Settings;
use wasmcloud_wire::{
    Deployment, Digest, InvocationId, InvokeError, Invoker as _, Limits, PrepareError, Recorded, Replay,
    ReplayRequest, RunSummary, UserId, VersionNumber,
};

use super::{promote, run as local_run};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::module_file;
use crate::output::{Style, Table};
use crate::session::Session;
use crate::text::{count, duration_us, one_line, size_and_bytes};

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "wasmcloud replay <ID> [--local [PROGRAM]] [OPTIONS]",
    after_help = "Exits with 0 if the answer is the same, with 1 if it differs. Invocations are recorded once that is \
                        turned on: wasmcloud set NAME --record GET,HEAD"
)]
pub struct Args {
    /// The invocation, as the Wasmcloud-Invocation field of its answer named it
    id: InvocationId,
    /// The version to run: `3` or `v3` [default: the one that was recorded]
    #[arg(long, value_parser = promote::version)]
    version: Option<VersionNumber>,
    /// Let it do requests of its own, as the handler's policy says; otherwise they are refused
    #[arg(long)]
    outbound: bool,
    /// Run it on this machine: this program, or the version's own
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, value_parser = program)]
    local: Option<Option<PathBuf>>,
    /// A setting of the handler for a local run, such as a secret one, which the server does not give away; may be
    /// given several times
    #[arg(long = "env", short, value_name = "NAME=VALUE", requires = "local", value_parser = local_run::variable)]
    env: Vec<(String, String)>,
}

/// A program's file; the invocation would be taken for it where it stands behind the flag.
fn program(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match text.parse::<InvocationId>() {
        Ok(id) if !path.exists() => {
            Err(format!("the invocation stands before the flag: wasmcloud replay {id} --local"))
        }
        _ => Ok(path),
    }
}

/// Runs a recorded invocation again, and says whether the answer is the same.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let recorded = client.recording(args.id).await?;
    let replay = match &args.local {
        None => {
            let request = ReplayRequest { version: args.version, outbound: args.outbound };
            client.replay(&recorded.handler, args.id, &request).await?
        }
        Some(file) => locally(session, &client, &args, file.as_deref(), &recorded).await?,
    };
    show(session, &recorded, &replay)?;
    if replay.same { Ok(()) } else { Err(Failure::Shown(Exit::Failure)) }
}

/// Runs it here, as a server would.
async fn locally(
    session: &Session,
    client: &Client,
    args: &Args,
    file: Option<&std::path::Path>,
    recorded: &Recorded,
) -> Result<Replay, Failure> {
    let Recorded { handler, recording } = recorded;
    let version = args.version.unwrap_or(recording.version);
    let module = match file {
        Some(file) => Bytes::from(module_file::read(file)?),
        None => client.module(handler, version).await?,
    };
    let mut deployment = deployment(session, client, args, recorded, &module).await?;
    let hidden = client.recording_policy(handler).await?.map(|policy| policy.redact).unwrap_or_default();
    let executor = wasmcloud_executor::alone(module, &local_run::cache_dir(), Settings::default())
        .map_err(|error| Failure::new(Exit::Failure, "engine", error.to_string(), "report this as a bug"))?;
    deployment.abi = match executor.prepare(&deployment.digest).await {
        Ok(inspection) => inspection.abi,
        Err(PrepareError::Refused(refusal)) => return Err(refusal.into()),
        Err(PrepareError::Unavailable(why)) => {
            return Err(Failure::new(Exit::Failure, "engine", why, "report this as a bug"));
        }
    };
    let call = wasmcloud_api::replay_call(recording, deployment, args.outbound, 0);
    let (answer, receipt) =
        wasmcloud_api::answer_of(&*executor, call).await.map_err(|error| match error {
            InvokeError::BadRequest(message) => Failure::new(Exit::Failure, "bad_request", message, ""),
            error => Failure::new(Exit::Failure, "engine", error.to_string(), "try again"),
        })?;
    Ok(Replay::new(recording, &answer, &receipt, file.is_none().then_some(version), &hidden))
}

/// The handler as it is on the server, with what the server tells of its settings.
async fn deployment(
    session: &Session,
    client: &Client,
    args: &Args,
    Recorded { handler, recording }: &Recorded,
    module: &Bytes,
) -> Result<Deployment, Failure> {
    let (server, policy) = (client.server_info().await?, client.policy(handler).await?);
    let mut env = BTreeMap::new();
    let given: BTreeMap<String, String> = args.env.iter().cloned().collect();
    for setting in client.env(handler).await?.settings {
        match setting.value {
            Some(value) => drop(env.insert(setting.name, value)),
            None if given.contains_key(&setting.name) => {}
            None => session.output.warn(&format!(
                "the server does not give away the setting {name}: add --env {name}=VALUE, or the program runs without \
                 it",
                name = setting.name
            )),
        }
    }
    env.extend(given);
    Ok(Deployment {
        handler: recording.handler,
        name: handler.clone(),
        owner: UserId::new(),
        version: args.version.unwrap_or(recording.version),
        digest: Digest::of(module),
        abi: recording.abi,
        env,
        limits: policy.limits(&server.limits, &Limits::ceiling()),
        urls: policy.urls(),
        forward_authorization: client.handler(handler).await?.forward_authorization,
        secrets: Default::default(),
        split: None,
        recording: None,
        quota: Default::default(),
        suspended: None,
    })
}

fn show(session: &Session, recorded: &Recorded, replay: &Replay) -> Result<(), Failure> {
    let output = &session.output;
    if output.json {
        return output.document(replay);
    }
    let verdict = match replay.same {
        true => output.styled(Style::Green, "the answer is the same"),
        false => output.styled(Style::Red, "the answer differs"),
    };
    output.line(&verdict)?;
    let ran = replay.version.map_or("another program".to_owned(), |version| format!("version {version}"));
    let request = &recorded.recording.request;
    output.line(&format!(
        "{} {} of {}, recorded of version {}, replayed with {ran}",
        one_line(&request.method),
        one_line(&request.target),
        recorded.handler,
        replay.recorded_version
    ))?;
    output.line(&format!("recorded  {}", summary(&replay.before)))?;
    output.line(&format!("replayed  {}", summary(&replay.now)))?;
    if !replay.same {
        let mut table = Table::new(&["WHERE", "RECORDED", "REPLAYED"]);
        for difference in &replay.differences {
            table.row([difference.place.clone(), difference.before.clone(), difference.now.clone()]);
        }
        output.table(&table)?;
    }
    for gap in &replay.gaps {
        output.note(&format!("{} {}", output.styled_note(Style::Yellow, "gap:"), one_line(gap)));
    }
    Ok(())
}

/// A run in one line.
fn summary(run: &RunSummary) -> String {
    let status = run.status.map_or("no answer".to_owned(), |status| status.to_string());
    let gas = if run.gas > 0 { format!(", {} gas", count(run.gas)) } else { String::new() };
    format!(
        "{status}, {}, {} of body, {}{gas}",
        one_line(&run.outcome),
        size_and_bytes(run.body_bytes),
        duration_us(run.wall_us)
    )
}
