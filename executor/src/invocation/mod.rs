//! One invocation, from a call to its receipt.

mod olin;
mod redirects;
mod wasi;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use wasmcloud_cgi::{Context, RequestError, Variables};
use wasmcloud_listener::Body;
use wasmcloud_wire::{Abi, Call, InvokeError, Limits, Record, RequestHead, Timestamp};

use crate::admission::Place;
use crate::guest::{Advice, Answered, CgiAnswer, Logs, Outbound, Output, Part, Reader, Session, Watch};
use crate::outcome::Over;
use crate::program::Program;
use crate::programs::{Lease, ProgramError};
use crate::quota::Quotas;
use crate::recorder::Recorder;
use crate::recording::{self, Tape};
use crate::wasi::Incoming;
use crate::{Executor, receipt};

/// Parts of an answer that wait for their reader, besides its end.
const PARTS_MAX: usize = 8;

/// Why an invocation did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The request cannot be put to a program as variables.
    #[error(transparent)]
    BadRequest(#[from] RequestError),
    /// The request cannot be put to a program as HTTP.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// No place, or no executor.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// No program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// The request in the form in which a program takes it.
enum Input {
    /// Variables, and the body in the call.
    Cgi(Variables),
    /// HTTP, with its body.
    Http(Box<Incoming>),
}

/// Begins an invocation. Its parts come out of the receiver; dropping that cancels it.
///
/// A body that is still to come is `streamed`, for a program that takes it so; other bodies are in the call.
///
/// # Errors
///
/// The request is malformed, no place came free in time, or the module cannot be had.
pub(crate) async fn start(
    executor: &Executor,
    mut call: Call,
    streamed: Option<Body>,
    live_log: bool,
) -> Result<mpsc::Receiver<Part>, StartError> {
    let began = Instant::now();
    if let Some(reason) = &call.deployment.suspended {
        return Err(InvokeError::Suspended(reason.clone()).into());
    }
    let tape = recording::tape(&call).map_err(StartError::Malformed)?;
    let tap = recording::tap(&call, streamed.is_some());
    let input = input(executor.worker_id(), &mut call, streamed)?;
    let program = program(executor, &call).await?;
    let mut place = admit(executor, &call).await?;

    let (parts, receiver) = mpsc::channel(PARTS_MAX + 1);
    // The end has its place from the beginning: a slow reader keeps no thread once the guest is done.
    let end = parts.clone().try_reserve_owned().ok();
    // The guest's time begins with the guest; what it waited for before was not its own doing.
    let watch = Arc::new(Watch::new(Instant::now() + Duration::from_millis(call.deployment.limits.wall_ms)));
    place.keep(executor.suspension.list(&call.deployment, &watch, &executor.routes).await?);
    let outbound = Outbound::new(
        executor.network.clone(),
        std::mem::take(&mut call.deployment.urls),
        Advice::new(call.trigger, &call.deployment.name, call.deployment.handler),
        watch.deadline(),
        &call.request.headers,
    )
    .of_user(call.deployment.owner)
    .waiting(call.deployment.abi.is_wasi());
    let trust = match &*program {
        Program::Olin(_) => None,
        Program::Wasi(program) => Some(program.trust.clone()),
    };
    let job = Job {
        ceiling: executor.ceiling().clone(),
        worker_id: executor.worker_id().to_owned(),
        recorder: executor.recorder.clone(),
        quotas: executor.quotas.clone(),
        began,
        started_at: Timestamp::now(),
        program,
        reader: Reader {
            parts,
            watch,
            runtime: tokio::runtime::Handle::current(),
            backlog: trust.is_some().then(Arc::default),
            tap,
        },
        end,
        live_log,
        tape,
        call,
    };
    match (trust, input) {
        (Some(trust), input) => {
            let (runs, watch) = (executor.long_runs.clone(), job.reader.watch.clone());
            let work = job.run_wasi(input, outbound, place);
            executor.tasks.spawn(async move { runs.run(work, watch, trust).await })
        }
        (None, Input::Cgi(variables)) => executor.tasks.spawn(job.run_olin(variables, outbound, place)),
        (None, Input::Http(_)) => return Err(StartError::Malformed("the program speaks CGI".to_owned())),
    };
    Ok(receiver)
}

/// The request as the program's kind takes it.
fn input(worker_id: &str, call: &mut Call, streamed: Option<Body>) -> Result<Input, StartError> {
    let (request, deployment) = (&call.request, &call.deployment);
    if !deployment.abi.is_http() {
        return Ok(Input::Cgi(variables(worker_id, call, request, call.body.as_ref())?));
    }
    let body = match (streamed, call.body.take()) {
        (Some(streamed), _) => Some(crate::wasi::streamed(streamed)),
        (None, whole) => whole.map(crate::wasi::whole),
    };
    let incoming = Incoming::new(request, deployment.forward_authorization, body, &deployment.limits);
    Ok(Input::Http(Box::new(incoming.map_err(StartError::Malformed)?)))
}

/// A place for the invocation. Where a quota is in its way, the handler's owner is told too.
async fn admit(executor: &Executor, call: &Call) -> Result<Place, InvokeError> {
    let admitted = executor.admission.admit(&call.deployment).await;
    if let Err(InvokeError::OverQuota { message, .. }) = &admitted {
        executor.quotas.tell_owner(&executor.recorder, call.deployment.handler, call.invocation, message);
    }
    admitted
}

async fn program(executor: &Executor, call: &Call) -> Result<Lease<Program>, ProgramError> {
    let (digest, owner) = (&call.deployment.digest, Some(call.deployment.owner));
    match call.count_gas && call.deployment.abi.is_wasi() {
        true => executor.programs.get_counted(digest, owner, &*executor.control).await,
        false => executor.programs.get(digest, owner, &*executor.control).await,
    }
}

fn variables(
    worker_id: &str,
    call: &Call,
    request: &RequestHead,
    body: Option<&Bytes>,
) -> Result<Variables, RequestError> {
    let (run_id, worker_id) = recording::identity(call.inputs.as_deref(), call, worker_id);
    let context = Context {
        env: &call.deployment.env,
        forward_authorization: call.deployment.forward_authorization,
        run_id,
        worker_id,
    };
    Variables::new(request, body.map(|body| body.len() as u64), &context)
}

/// Everything that an invocation needs on its own thread.
struct Job {
    call: Call,
    /// What the operator lets handlers' owners raise their limits to.
    ceiling: Limits,
    worker_id: String,
    recorder: Arc<Recorder>,
    quotas: Arc<Quotas>,
    began: Instant,
    started_at: Timestamp,
    program: Lease<Program>,
    reader: Reader,
    end: Option<mpsc::OwnedPermit<Part>>,
    live_log: bool,
    /// Clocks and randomness, where the invocation is recorded or replayed.
    tape: Option<Arc<Tape>>,
}

impl Job {
    /// A guest's surroundings.
    fn session(
        &self,
        variables: Variables,
        outbound: Outbound,
        logs: Logs,
        stdout: Box<dyn Output>,
    ) -> Box<Session> {
        Box::new(Session {
            variables,
            args: vec![self.call.deployment.name.as_str().as_bytes().to_vec()],
            stdin: self.call.body.clone().unwrap_or_default(),
            stdout,
            logs,
            watch: self.reader.watch.clone(),
            runtime: self.reader.runtime.clone(),
            outbound,
            used: Default::default(),
            tape: self.tape.clone(),
        })
    }

    fn answer(&self, request: &RequestHead, logs: &mut Logs) -> Box<dyn Output> {
        let mut answer = CgiAnswer::new(
            &request.method,
            &request.server_name,
            self.call.deployment.limits.response_bytes,
            self.reader.clone(),
        );
        if self.program.inspection().abi == Abi::H
            && let Err(stop) = answer.write(crate::olin::H_HEADER, logs)
        {
            tracing::error!(%stop, "h's header is refused");
        }
        Box::new(answer)
    }

    fn logs(&self) -> Logs {
        let (handler, invocation, recorder) =
            (self.call.deployment.handler, self.call.invocation, self.recorder.clone());
        let logs =
            Logs::new(invocation, self.call.deployment.limits.log_bytes).reporting(Box::new(move |lines| {
                recorder.push(Record { handler, invocation, lines, receipt: None, recording: None });
            }));
        if !self.live_log {
            return logs;
        }
        let reader = self.reader.clone();
        // Whoever is gone misses the line; the record has it.
        logs.live(Box::new(move |line| drop(reader.send(Part::Log(line.clone())))))
    }

    fn finish(self, mut over: Over) {
        let (lines, log_lines, log_lines_dropped) = over.session.logs.finish();
        let complete = matches!(over.answered, Answered::Complete(_));
        let receipt = receipt::Parts {
            call: &self.call,
            executor: &self.worker_id,
            started_at: self.started_at,
            wall: self.began.elapsed(),
            log_lines,
            log_lines_dropped,
        };
        let cpu = over.cpu;
        let receipt = receipt.make(over);
        self.quotas.charge(self.call.deployment.owner, &receipt, cpu);
        let recording = match (&self.tape, &self.reader.tap) {
            (Some(tape), Some(tap)) => Some(Box::new(recording::make(&self.call, tape, tap, &receipt))),
            _ => None,
        };
        self.recorder.push(Record {
            handler: self.call.deployment.handler,
            invocation: self.call.invocation,
            lines,
            receipt: Some(receipt.clone()),
            recording,
        });
        let end = Part::End { receipt: Box::new(receipt), complete };
        // A reader that is gone needs no end.
        if let Some(place) = self.end {
            place.send(end);
        }
    }
}
