//! A run without any server: same engine, same limits, same environment as production.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use wasmcloud_cgi::{Context, Variables};
use wasmcloud_egress::{self as egress, Egress};
use wasmcloud_wire::{
    Call, Deployment, Digest, HandlerId, HandlerName, InvocationId, Limits, LogLine, Receipt, Refusal,
    RequestHead, Timestamp, Trigger, UrlPolicy, UserId, VersionNumber,
};

use crate::ending::Ended;
use crate::guest::{
    Advice, Answered, Kill, Logs, Network, Nowhere, Outbound, Part, RawOutput, Reader, Session, Watch,
};
use crate::outcome::{self, Over};
use crate::program::Program;
use crate::programs::{Compiler, ProgramError, Programs};
use crate::wasi::{self, Budget, Incoming};
use crate::{olin, receipt};

/// The guest's `WORKER_ID`.
const WORKER_ID: &str = "local";

/// What to run, and with what.
pub struct Run {
    /// The module.
    pub module: Bytes,
    /// The program's name: its argument 0, and the handler's name in the receipt's stead.
    pub name: HandlerName,
    /// The program's arguments, without its name.
    pub args: Vec<String>,
    /// The request that the program is to answer.
    pub request: RequestHead,
    /// The request's body.
    pub body: Option<Bytes>,
    /// The program's own environment.
    pub env: BTreeMap<String, String>,
    /// Whether the request's `Authorization` field reaches the program.
    pub forward_authorization: bool,
    /// What the run may use.
    pub limits: Limits,
    /// Whether to count the instructions of a program of the WASI family, which otherwise are not.
    pub count_gas: bool,
    /// Whether components that export `wasi:http/handler` 0.3 run, as an executor's settings say of its own.
    pub wasi_http_3: bool,
    /// Which URLs the run may open.
    pub urls: UrlPolicy,
    /// Which addresses and ports it may reach, and how much it may use: as on a server.
    pub egress: egress::Settings,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The module cannot run here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request cannot be put to a program.
    #[error("{0}")]
    BadRequest(String),
    /// The engine or its cache failed.
    #[error("{0}")]
    Engine(String),
}

/// Runs a module to its end. Its standard output goes to `stdout` as it comes, its log lines to `on_line`.
///
/// # Errors
///
/// The module is refused, the request is malformed, or the cache in `cache_dir` cannot be used. A
/// run that fails is no error: its receipt says how it ended.
pub async fn run(
    run: Run,
    cache_dir: &Path,
    stdout: impl Write + Send + 'static,
    on_line: impl Fn(&LogLine) + Send + 'static,
) -> Result<Receipt, RunError> {
    let programs = Programs::open(cache_dir, run.limits.clone(), Compiler::Here, run.wasi_http_3)
        .map_err(|error| RunError::Engine(format!("cannot use {}: {error}", cache_dir.display())))?;
    let digest = Digest::of(&run.module);
    let program = programs.get_local(&digest, run.module.clone(), run.count_gas).await;
    let program = program.map_err(|error| match error {
        ProgramError::Refused(refusal) => RunError::Refused(refusal),
        error => RunError::Engine(error.to_string()),
    })?;

    let egress = Egress::new(run.egress.clone()).map_err(|error| RunError::Engine(error.to_string()))?;
    let (mut call, args) = call(run, digest, program.inspection().abi);
    let variables = variables(&call)?;
    let began = Instant::now();
    let limits = call.deployment.limits.clone();
    let watch = Arc::new(Watch::new(began + Duration::from_millis(limits.wall_ms)));
    let outbound = Outbound::new(
        Network::new(egress, cache_dir.join("gemini-hosts")),
        std::mem::take(&mut call.deployment.urls),
        Advice::Run,
        watch.deadline(),
        &call.request.headers,
    )
    .waiting(call.deployment.abi.is_wasi());
    let mut session = Box::new(Session {
        variables,
        args,
        stdin: call.body.clone().unwrap_or_default(),
        stdout: Box::new(Nowhere),
        logs: Logs::new(call.invocation, limits.log_bytes).live(Box::new(on_line)),
        watch: watch.clone(),
        runtime: tokio::runtime::Handle::current(),
        outbound,
        used: Default::default(),
        tape: None,
    });
    if call.deployment.abi.is_http() {
        let over = answer_http(&program, session, &call, stdout).await?;
        return Ok(receipt_of(over, &call, began));
    }
    session.stdout = Box::new(RawOutput::new(stdout, limits.response_bytes));
    let ended = if call.deployment.abi.is_wasi() {
        let Program::Wasi(program) = &*program else { return Err(lost()) };
        let (settings, budget) = (settings(&call), Budget::of(&limits));
        wasi::run(program, session, settings, None, &limits, budget).await
    } else {
        let guest = tokio::task::spawn_blocking(move || match &*program {
            Program::Olin(program) => olin::run(program, session, &limits, limits.gas),
            Program::Wasi(_) => None,
        });
        until_deadline(guest, &watch).await?
    };
    Ok(finish(ended.ok_or_else(lost)?, &call, &watch, began))
}

fn lost() -> RunError {
    RunError::Engine("the run's session was lost".to_owned())
}

fn variables(call: &Call) -> Result<Variables, RunError> {
    let context = Context {
        env: &call.deployment.env,
        forward_authorization: call.deployment.forward_authorization,
        run_id: call.invocation,
        worker_id: WORKER_ID,
    };
    let body_bytes = call.body.as_ref().map(|body| body.len() as u64);
    Variables::new(&call.request, body_bytes, &context)
        .map_err(|error| RunError::BadRequest(error.to_string()))
}

fn settings(call: &Call) -> Vec<(String, String)> {
    call.deployment.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Parts of an answer that wait to be printed.
const PARTS_MAX: usize = 8;

/// Runs a program that speaks HTTP, and prints its answer as a program that speaks CGI would.
async fn answer_http(
    program: &Program,
    session: Box<Session>,
    call: &Call,
    stdout: impl Write,
) -> Result<Over, RunError> {
    let Program::Wasi(program) = program else { return Err(lost()) };
    let limits = &call.deployment.limits;
    let body = call.body.clone().map(wasi::whole);
    let incoming = Incoming::new(&call.request, call.deployment.forward_authorization, body, limits);
    let incoming = incoming.map_err(RunError::BadRequest)?;
    let (parts, mut printed) = mpsc::channel(PARTS_MAX);
    let watch = session.watch.clone();
    let reader = Reader {
        parts,
        watch: watch.clone(),
        runtime: tokio::runtime::Handle::current(),
        backlog: Some(Arc::default()),
        tap: None,
    };
    let run = wasi::run_http(program, session, settings(call), reader, incoming, limits, Budget::of(limits));
    let (ended, ()) = tokio::join!(run, print(&mut printed, stdout));
    let (ended, sent) = ended.ok_or_else(lost)?;
    Ok(outcome::of_http(ended, sent, call, &Limits::ceiling(), &watch))
}

/// Prints an answer part by part. Whoever reads it may go away; then the program is ended.
async fn print(parts: &mut mpsc::Receiver<Part>, mut stdout: impl Write) {
    while let Some(part) = parts.recv().await {
        let printed = match part {
            Part::Head { status, headers, .. } | Part::Whole { status, headers, .. } => {
                let mut head = format!("Status: {status}\n");
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\n"));
                }
                head.push('\n');
                stdout.write_all(head.as_bytes())
            }
            Part::Body(bytes) => stdout.write_all(&bytes),
            Part::Trailers(_) | Part::Log(_) | Part::End { .. } => Ok(()),
        };
        if printed.and_then(|()| stdout.flush()).is_err() {
            parts.close();
        }
    }
}

pub(crate) fn call(run: Run, digest: Digest, abi: wasmcloud_wire::Abi) -> (Call, Vec<Vec<u8>>) {
    let args =
        std::iter::once(run.name.as_str().to_owned()).chain(run.args).map(String::into_bytes).collect();
    let deployment = Deployment {
        handler: HandlerId::new(),
        name: run.name,
        owner: UserId::new(),
        version: VersionNumber(1),
        digest,
        abi,
        env: run.env,
        limits: run.limits,
        urls: run.urls,
        forward_authorization: run.forward_authorization,
        secrets: Default::default(),
        split: None,
        recording: None,
        quota: Default::default(),
        suspended: None,
    };
    let call = Call {
        invocation: InvocationId::new(),
        deployment,
        trigger: Trigger::Run,
        request: run.request,
        body: run.body,
        count_gas: run.count_gas,
        inputs: None,
    };
    (call, args)
}

async fn until_deadline(
    mut guest: tokio::task::JoinHandle<Option<Ended>>,
    watch: &Watch,
) -> Result<Option<Ended>, RunError> {
    let joined = tokio::select! {
        joined = &mut guest => joined,
        () = tokio::time::sleep_until(watch.deadline().into()) => watch.kill(Kill::Wall, &mut guest).await,
    };
    joined.map_err(|error| RunError::Engine(error.to_string()))
}

pub(crate) fn finish(run: Ended, call: &Call, watch: &Watch, began: Instant) -> Receipt {
    let Ended { ending, backtrace, gas, cpu, memory_peak_bytes, memory_refused_bytes, mut session } = run;
    let ceiling = Limits::ceiling();
    let answered = outcome::close_output(&ending, &mut session);
    let (outcome, _) = outcome::of(ending, answered, call, &ceiling, gas, watch);
    outcome::log_refused_memory(memory_refused_bytes, call, &ceiling, &mut session);
    outcome::log(&outcome, &backtrace, &mut session);
    let answered = Answered::Nothing;
    receipt_of(Over { outcome, answered, gas, cpu, memory_peak_bytes, session }, call, began)
}

fn receipt_of(mut over: Over, call: &Call, began: Instant) -> Receipt {
    let (_, log_lines, log_lines_dropped) = over.session.logs.finish();
    let parts = receipt::Parts {
        call,
        executor: WORKER_ID,
        started_at: Timestamp(Timestamp::now().0 - i64::try_from(began.elapsed().as_millis()).unwrap_or(0)),
        wall: began.elapsed(),
        log_lines,
        log_lines_dropped,
    };
    let mut receipt = parts.make(over);
    // Nothing was answered over HTTP, and no server knows the handler.
    receipt.status = None;
    receipt.handler = None;
    receipt
}
