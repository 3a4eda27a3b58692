//! A run without any server: same engine, same limits, same environment as production.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmcloud_cgi::{Context, Variables};
use wasmcloud_egress::{self as egress, Egress};
use wasmcloud_wire::{
    Call, Deployment, Digest, HandlerId, HandlerName, InvocationId, Limits, LogLine, Receipt, Refusal,
    RequestHead, Timestamp, Trigger, UrlPolicy, UserId, VersionNumber,
};

use crate::engine::{Compiler, ProgramError, Programs};
use crate::guest::{Advice, Answered, Kill, Logs, Network, Outbound, RawOutput, Session, Watch};
use crate::outcome::{self, Ended};
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
    let programs = Programs::open(cache_dir, run.limits.clone(), Compiler::Here)
        .map_err(|error| RunError::Engine(format!("cannot use {}: {error}", cache_dir.display())))?;
    let digest = Digest::of(&run.module);
    let program = programs.get_local(&digest, run.module.clone()).await.map_err(|error| match error {
        ProgramError::Refused(refusal) => RunError::Refused(refusal),
        error => RunError::Engine(error.to_string()),
    })?;

    let egress = Egress::new(run.egress.clone()).map_err(|error| RunError::Engine(error.to_string()))?;
    let (mut call, args) = call(run, digest, program.inspection.abi);
    let context = Context {
        env: &call.deployment.env,
        forward_authorization: call.deployment.forward_authorization,
        run_id: call.invocation,
        worker_id: WORKER_ID,
    };
    let variables = Variables::new(&call.request, call.body.as_ref().map(|body| body.len() as u64), &context)
        .map_err(|error| RunError::BadRequest(error.to_string()))?;
    let began = Instant::now();
    let limits = call.deployment.limits.clone();
    let watch = Arc::new(Watch::new(began + Duration::from_millis(limits.wall_ms)));
    let outbound = Outbound::new(
        Network::new(egress, cache_dir.join("gemini-hosts")),
        std::mem::take(&mut call.deployment.urls),
        Advice::Run,
        watch.deadline(),
        &call.request.headers,
    );
    let session = Box::new(Session {
        variables,
        args,
        stdin: call.body.clone().unwrap_or_default(),
        stdout: Box::new(RawOutput::new(stdout, limits.response_bytes)),
        logs: Logs::new(call.invocation, limits.log_bytes).live(Box::new(on_line)),
        watch: watch.clone(),
        runtime: tokio::runtime::Handle::current(),
        outbound,
        used: Default::default(),
    });
    let guest = tokio::task::spawn_blocking(move || olin::run(&program, session, &limits, limits.gas));
    let ended = until_deadline(guest, &watch).await?;
    Ok(finish(ended, &call, &watch, began))
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
    };
    let call = Call {
        invocation: InvocationId::new(),
        deployment,
        trigger: Trigger::Run,
        request: run.request,
        body: run.body,
        count_gas: run.count_gas,
    };
    (call, args)
}

async fn until_deadline(
    mut guest: tokio::task::JoinHandle<Option<olin::Ended>>,
    watch: &Watch,
) -> Result<olin::Ended, RunError> {
    let joined = tokio::select! {
        joined = &mut guest => joined,
        () = tokio::time::sleep_until(watch.deadline().into()) => watch.kill(Kill::Wall, &mut guest).await,
    };
    let ended = joined.map_err(|error| RunError::Engine(error.to_string()))?;
    ended.ok_or_else(|| RunError::Engine("the run's session was lost".to_owned()))
}

pub(crate) fn finish(run: olin::Ended, call: &Call, watch: &Watch, began: Instant) -> Receipt {
    let olin::Ended { ending, backtrace, gas, memory_peak_bytes, memory_refused_bytes, mut session } = run;
    let ceiling = Limits::ceiling();
    let answered = outcome::close_output(&ending, &mut session);
    let (outcome, _) = outcome::of(ending, answered, call, &ceiling, gas, watch);
    outcome::log_refused_memory(memory_refused_bytes, call, &ceiling, &mut session);
    outcome::log(&outcome, &backtrace, &mut session);
    let (_, log_lines, log_lines_dropped) = session.logs.finish();
    let parts = receipt::Parts {
        call,
        executor: WORKER_ID,
        started_at: Timestamp(Timestamp::now().0 - i64::try_from(began.elapsed().as_millis()).unwrap_or(0)),
        wall: began.elapsed(),
        log_lines,
        log_lines_dropped,
    };
    let mut receipt =
        parts.make(Ended { outcome, answered: Answered::Nothing, gas, memory_peak_bytes, session });
    // Nothing was answered over HTTP, and no server knows the handler.
    receipt.status = None;
    receipt.handler = None;
    receipt
}
