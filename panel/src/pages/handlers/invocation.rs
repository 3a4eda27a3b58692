//! One invocation: its receipt drawn, its log, and a replay of it.

use askama::Template;
use http::Method;
use wasmcloud_wire::body::{Invocation, Server};
use wasmcloud_wire::{Policy, Receipt, Recording, Replay, ReplayRequest, RunSummary, VersionNumber};

use super::log::Line;
use super::{Frame, invalid};
use crate::api::{Refused, path};
use crate::format;
use crate::request::Form;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

/// Lines that are shown of a log.
const LINES_MAX: usize = 1_000;

#[derive(Template)]
#[template(path = "handlers/invocation.html")]
struct InvocationPage {
    shell: Shell,
    frame: Frame,
    id: String,
    receipt: Option<Receipt>,
    bars: Vec<Bar>,
    lines: Vec<Line>,
    lines_left_out: usize,
    /// What was recorded of it.
    recording: Option<Recording>,
    replay: Option<Replay>,
    form: Form,
}

/// What was used of a limit.
struct Bar {
    name: &'static str,
    used: u64,
    max: u64,
    used_text: String,
    max_text: String,
}

impl Bar {
    fn new(name: &'static str, used: u64, max: u64, text: fn(&u64) -> String) -> Bar {
        Bar { name, used, max: max.max(1), used_text: text(&used), max_text: text(&max) }
    }

    /// Where the meter says that it is much: nine tenths.
    fn high(&self) -> u64 {
        self.max - self.max / 10
    }
}

/// The receipt's use beside the limits that the handler has now; those of then are not kept.
fn bars(receipt: &Receipt, policy: &Policy, server: &Server) -> Vec<Bar> {
    let limits = &server.limits;
    let wall = Bar::new(
        "Time",
        receipt.wall_us,
        policy.wall_ms.unwrap_or(limits.wall_ms).saturating_mul(1_000),
        format::us,
    );
    let memory = Bar::new(
        "Memory",
        receipt.memory_peak_bytes,
        policy.memory_bytes.unwrap_or(limits.memory_bytes),
        format::size,
    );
    let gas = || Bar::new("Gas", receipt.gas, policy.gas.unwrap_or(limits.gas), format::number);
    let cpu = || {
        let max = policy.cpu_ms.unwrap_or(limits.cpu_ms).saturating_mul(1_000);
        Bar::new("CPU time", receipt.cpu_us, max, format::us)
    };
    let computed = match (receipt.abi.is_wasi(), receipt.gas) {
        (false, _) => vec![gas()],
        (true, 0) => vec![cpu()],
        (true, _) => vec![cpu(), gas()],
    };
    [vec![wall], computed, vec![memory]].into_iter().flatten().collect()
}

/// A run in a table beside another one.
fn answered(run: &RunSummary) -> String {
    let status = run.status.map_or("no answer".to_owned(), |status| status.to_string());
    format!("{status}, {}, {}", format::visible(&run.outcome), format::size(&run.body_bytes))
}

/// The page.
pub(super) async fn show(visitor: &Visitor, name: &str, id: &str) -> Result<Response, Refused> {
    whole(visitor, Frame::of(visitor, name, "invocations").await?, id, None, &Form::default()).await
}

async fn whole(
    visitor: &Visitor,
    frame: Frame,
    id: &str,
    replay: Option<Replay>,
    form: &Form,
) -> Result<Response, Refused> {
    let name = frame.name();
    let found: Invocation = visitor.api.get(&path(&["handlers", name, "invocations", id])).await?;
    let recording = visitor.api.get(&path(&["handlers", name, "invocations", id, "recording"])).await;
    let bars = match &found.receipt {
        None => Vec::new(),
        Some(receipt) => {
            let policy = visitor.api.get(&path(&["handlers", name, "policy"])).await?;
            bars(receipt, &policy, &visitor.api.get("/api/v1/server").await?)
        }
    };
    let page_of = InvocationPage {
        shell: visitor.shell(&format!("{name}: an invocation")),
        id: id.to_owned(),
        bars,
        lines: found.lines.iter().take(LINES_MAX).map(Line::of).collect(),
        lines_left_out: found.lines.len().saturating_sub(LINES_MAX),
        receipt: found.receipt,
        // Most invocations are not recorded, which is no error.
        recording: recording.ok(),
        replay,
        form: form.clone(),
        frame,
    };
    Ok(page(page_of.frame.status(), &page_of))
}

/// Runs it again.
pub(super) async fn replay(
    visitor: &Visitor,
    name: &str,
    id: &str,
    form: &Form,
) -> Result<Response, Refused> {
    let replayed = async {
        let version = form.given("version").map(|version| {
            version.trim_start_matches('v').parse().map(VersionNumber).map_err(|_| {
                invalid(&format!("`{version}` is no version"), "write its number, or leave it empty")
            })
        });
        let asked = ReplayRequest { version: version.transpose()?, outbound: form.ticked("outbound") };
        let path = path(&["handlers", name, "invocations", id, "replay"]);
        visitor.api.send::<Replay>(Method::POST, &path, &asked).await
    };
    let (replay, refused) = match replayed.await {
        Ok(replay) => (Some(replay), None),
        Err(refused) => (None, Some(refused)),
    };
    let frame = Frame::of(visitor, name, "invocations").await?;
    let frame = match refused {
        Some(refused) => frame.failed(refused)?,
        None => frame,
    };
    whole(visitor, frame, id, replay, form).await
}
