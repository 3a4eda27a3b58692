//! `wasmcloud set`

use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::HandlerPatch;

use super::record_args::{self, Record, RecordFlags};
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `set`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    #[command(flatten)]
    settings: Settings,
}

/// What can be set; at least one of them has to be.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Settings {
    /// Whether the program sees the `Authorization` field of requests
    #[arg(long, value_name = "true|false")]
    forward_authorization: Option<bool>,
    /// Whether a new version that clearly fails more than the one before is taken back
    #[arg(long, value_name = "on|off")]
    auto_rollback: Option<OnOff>,
    /// Record requests with these methods, so that they can be replayed: `GET,HEAD`. `off` records nothing, and
    /// drops what is recorded
    #[arg(long, value_name = "METHODS|off")]
    record: Option<Record>,
    /// How many recorded invocations are kept, the newest [default: 100]
    #[arg(long, value_name = "N")]
    record_keep: Option<u32>,
    /// Header fields whose values are not recorded, besides authorization, proxy-authorization, cookie and
    /// set-cookie; an empty text for none
    #[arg(long, value_name = "FIELDS")]
    record_redact: Option<String>,
}

/// A switch's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnOff {
    On,
    Off,
}

/// Changes a handler's settings.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let (settings, client) = (&args.settings, session.client()?);
    let recording = RecordFlags {
        record: settings.record.as_ref(),
        keep: settings.record_keep,
        redact: settings.record_redact.as_deref(),
    };
    let patch = HandlerPatch {
        forward_authorization: settings.forward_authorization,
        auto_rollback: settings.auto_rollback.map(|position| position == OnOff::On),
        recording: recording.patch(&client, &args.name).await?,
    };
    let handler = client.patch(&args.name, &patch).await?;
    if session.output.json {
        return session.output.document(&handler);
    }
    if settings.forward_authorization.is_some() {
        session.output.note(&format!(
            "{}: the program {} the Authorization field of requests",
            handler.name,
            if handler.forward_authorization { "sees" } else { "does not see" }
        ));
    }
    if settings.auto_rollback.is_some() {
        session.output.note(&format!(
            "{}: a new version that fails {}",
            handler.name,
            if handler.auto_rollback { "is taken back" } else { "stays, whatever it fails" }
        ));
    }
    if patch.recording.is_some() {
        let policy = client.recording_policy(&args.name).await?;
        session.output.note(&format!("{}: {}", handler.name, record_args::said(policy.as_ref())));
    }
    Ok(())
}
