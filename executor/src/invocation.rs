//! One invocation, from a call to its receipt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use wasmcloud_cgi::{Context, RequestError, Variables};
use wasmcloud_wire::limits::LOCAL_REDIRECTS_MAX;
use wasmcloud_wire::{Abi, Call, InvokeError, Limits, Outcome, Record, RequestHead, Timestamp};

use crate::admission::Place;
use crate::engine::{Lease, Program, ProgramError};
use crate::guest::{Advice, Answered, CgiAnswer, Kill, Logs, Outbound, Output, Part, Reader, Session, Watch};
use crate::olin;
use crate::outcome::{self, Ended};
use crate::recorder::Recorder;
use crate::{Executor, receipt};

/// Parts of an answer that wait for their reader, besides its end.
const PARTS_MAX: usize = 8;

/// Why an invocation did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The request cannot be put to a program.
    #[error(transparent)]
    BadRequest(#[from] RequestError),
    /// No place, or no executor.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// No program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// Begins an invocation. Its parts come out of the receiver; dropping that cancels it.
///
/// # Errors
///
/// The request is malformed, no place came free in time, or the module cannot be had.
pub(crate) async fn start(
    executor: &Executor,
    mut call: Call,
    live_log: bool,
) -> Result<mpsc::Receiver<Part>, StartError> {
    let began = Instant::now();
    let variables = variables(executor.worker_id(), &call, &call.request, call.body.as_ref())?;
    let (digest, owner) = (&call.deployment.digest, Some(call.deployment.owner));
    let program = executor.programs.get(digest, owner, &*executor.control).await?;
    let place = executor.admission.admit(&call.deployment).await?;

    let (parts, receiver) = mpsc::channel(PARTS_MAX + 1);
    // The end has its place from the beginning: a slow reader keeps no thread once the guest is done.
    let end = parts.clone().try_reserve_owned().ok();
    // The guest's time begins with the guest; what it waited for before was not its own doing.
    let watch = Arc::new(Watch::new(Instant::now() + Duration::from_millis(call.deployment.limits.wall_ms)));
    let outbound = Outbound::new(
        executor.network.clone(),
        std::mem::take(&mut call.deployment.urls),
        Advice::new(call.trigger, &call.deployment.name, call.deployment.handler),
        watch.deadline(),
        &call.request.headers,
    )
    .of_user(call.deployment.owner);
    let job = Job {
        ceiling: executor.ceiling().clone(),
        worker_id: executor.worker_id().to_owned(),
        recorder: executor.recorder.clone(),
        began,
        started_at: Timestamp::now(),
        program,
        reader: Reader {
            parts: parts.clone(),
            watch: watch.clone(),
            runtime: tokio::runtime::Handle::current(),
        },
        end,
        live_log,
        call,
    };
    executor.tasks.spawn(watch_over(job, (variables, outbound), parts, watch, place));
    Ok(receiver)
}

/// Runs a job on a thread that may block, and ends it when its time is over or its client gone.
async fn watch_over(
    job: Job,
    (variables, outbound): (Variables, Outbound),
    parts: mpsc::Sender<Part>,
    watch: Arc<Watch>,
    place: Place,
) {
    let invocation = job.call.invocation;
    let guest = tokio::task::spawn_blocking(move || job.run(variables, outbound));
    let mut guest = std::pin::pin!(async {
        if let Err(error) = guest.await {
            tracing::error!(%invocation, %error, "an invocation's thread failed");
        }
    });
    let why = tokio::select! {
        () = &mut guest => return drop(place),
        () = tokio::time::sleep_until(watch.deadline().into()) => Kill::Wall,
        () = parts.closed() => Kill::ClientGone,
    };
    watch.kill(why, guest).await;
    drop(place);
}

fn variables(
    worker_id: &str,
    call: &Call,
    request: &RequestHead,
    body: Option<&Bytes>,
) -> Result<Variables, RequestError> {
    let context = Context {
        env: &call.deployment.env,
        forward_authorization: call.deployment.forward_authorization,
        run_id: call.invocation,
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
    began: Instant,
    started_at: Timestamp,
    program: Lease<Program>,
    reader: Reader,
    end: Option<mpsc::OwnedPermit<Part>>,
    live_log: bool,
}

impl Job {
    fn run(self, variables: Variables, outbound: Outbound) {
        let mut logs = self.logs();
        let session = Box::new(Session {
            variables,
            args: vec![self.call.deployment.name.as_str().as_bytes().to_vec()],
            stdin: self.call.body.clone().unwrap_or_default(),
            stdout: self.answer(&self.call.request, &mut logs),
            logs,
            watch: self.reader.watch.clone(),
            runtime: self.reader.runtime.clone(),
            outbound,
            used: Default::default(),
        });
        let Some(ended) = self.run_with_redirects(session) else {
            tracing::error!(invocation = %self.call.invocation, "an invocation's session was lost");
            return;
        };
        self.finish(ended);
    }

    fn answer(&self, request: &RequestHead, logs: &mut Logs) -> Box<dyn Output> {
        let mut answer = CgiAnswer::new(
            &request.method,
            &request.server_name,
            self.call.deployment.limits.response_bytes,
            self.reader.clone(),
        );
        if self.program.inspection.abi == Abi::H
            && let Err(stop) = answer.write(olin::H_HEADER, logs)
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
                recorder.push(Record { handler, invocation, lines, receipt: None });
            }));
        if !self.live_log {
            return logs;
        }
        let reader = self.reader.clone();
        // Whoever is gone misses the line; the record has it.
        logs.live(Box::new(move |line| drop(reader.send(Part::Log(line.clone())))))
    }

    /// Runs the program, and runs it again for every local redirect, within the same limits.
    fn run_with_redirects(&self, mut session: Box<Session>) -> Option<Ended> {
        let limits = &self.call.deployment.limits;
        let mut request = self.call.request.clone();
        let (mut gas, mut memory_peak_bytes) = (0, 0);
        for redirects in 0.. {
            let ended = olin::run(&self.program, session, limits, limits.gas - gas)?;
            gas += ended.gas;
            memory_peak_bytes = memory_peak_bytes.max(ended.memory_peak_bytes);
            session = ended.session;
            let answered = outcome::close_output(&ended.ending, &mut session);
            let end =
                |outcome, answered, session| Ended { outcome, answered, gas, memory_peak_bytes, session };
            let Ok(Answered::LocalRedirect(target)) = answered else {
                let (call, ceiling) = (&self.call, &self.ceiling);
                let (outcome, answered) =
                    outcome::of(ended.ending, answered, call, ceiling, gas, &self.reader.watch);
                outcome::log_refused_memory(ended.memory_refused_bytes, call, ceiling, &mut session);
                outcome::log(&outcome, &ended.backtrace, &mut session);
                return Some(end(outcome, answered, session));
            };
            request = wasmcloud_cgi::redirected(&request, &target);
            let refused = if redirects >= LOCAL_REDIRECTS_MAX {
                Some(outcome::too_many_redirects(&target))
            } else {
                match variables(&self.worker_id, &self.call, &request, None) {
                    Ok(variables) => {
                        session.variables = variables;
                        None
                    }
                    Err(error) => Some(Outcome::BadOutput { message: format!("local redirect: {error}") }),
                }
            };
            if let Some(outcome) = refused {
                outcome::log(&outcome, &[], &mut session);
                return Some(end(outcome, Answered::Nothing, session));
            }
            session.stdin = Bytes::new();
            session.stdout = self.answer(&request, &mut session.logs);
        }
        None
    }

    fn finish(self, mut ended: Ended) {
        let (lines, log_lines, log_lines_dropped) = ended.session.logs.finish();
        let complete = matches!(ended.answered, Answered::Complete(_));
        let receipt = receipt::Parts {
            call: &self.call,
            executor: &self.worker_id,
            started_at: self.started_at,
            wall: self.began.elapsed(),
            log_lines,
            log_lines_dropped,
        };
        let receipt = receipt.make(ended);
        self.recorder.push(Record {
            handler: self.call.deployment.handler,
            invocation: self.call.invocation,
            lines,
            receipt: Some(receipt.clone()),
        });
        let end = Part::End { receipt: Box::new(receipt), complete };
        // A reader that is gone needs no end.
        if let Some(place) = self.end {
            place.send(end);
        }
    }
}
