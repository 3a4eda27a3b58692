//! One run of one program of the WASI family, in an instance of its own.

use std::convert::Infallible;
use std::future::{self, Future};
use std::sync::Arc;
use std::time::Duration;

use wasmcloud_wire::Limits;
use wasmtime::{Store, UpdateDeadline};

use super::explain::{Interrupted, explain};
use super::guest::Guest;
use super::program::{Entry, WasiProgram};
use super::state::{HOSTCALL_BYTES_MAX, HasHost, World};
use super::stdio::To;
use super::trust::Trust;
use super::usage::{Timed, Usage};
use super::{http, link};
use crate::ending::{Ended, Ending, above_memory_limit};
use crate::guest::{Answered, Kill, REPORT_EVERY, Reader, Session, Stop};

/// CPU time after which a guest that goes on computing has what it wrote sent.
const YOUNG: Duration = Duration::from_millis(50);
/// How long a guest that is being killed may take to come to a point where it says in which function it is.
const KILL_GRACE: Duration = Duration::from_millis(50);

/// Whoever has used so much CPU time computes for long.
const LONG: Duration = Duration::from_millis(10);

/// What a run may spend: its limits, less what runs before it spent for the same request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) gas: u64,
    pub(crate) cpu: Duration,
}

impl Budget {
    /// All that the limits give.
    pub(crate) fn of(limits: &Limits) -> Budget {
        Budget { gas: limits.gas, cpu: Duration::from_millis(limits.cpu_ms) }
    }
}

/// How a run came to its end.
pub(super) enum Came {
    /// The program returned: what that means depends on its kind.
    Back(Ending),
    /// The engine or a host function ended it.
    Failed(wasmtime::Error),
}

/// Runs a program that speaks CGI to its end.
///
/// `None` if the session was lost, which would be an error of this program.
pub(crate) async fn run(
    program: &WasiProgram,
    session: Box<Session>,
    settings: Vec<(String, String)>,
    reader: Option<Reader>,
    limits: &Limits,
    budget: Budget,
) -> Option<Ended> {
    if let Some(ending) = above_memory_limit(program.inspection.memory_bytes_min, limits) {
        return Some(Ended::not_begun(ending, session));
    }
    let args = session.args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
    let (env, tape) = (environment(&session), session.tape.clone());
    let guest = Guest::new(session, reader, Arc::new(Usage::default()));
    let world = World {
        guest: &guest,
        limits,
        args,
        env,
        settings,
        stdout: To::Answer,
        files: program.files.as_ref(),
        tape,
    };
    let running = program.engines.running();
    let work = async {
        match &program.entry {
            Entry::Module(pre) => {
                let mut store = store(program, world.module_state(), limits, budget)?;
                let came = async {
                    let instance = pre.instantiate_async(&mut store).await?;
                    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
                    start.call_async(&mut store, ()).await
                };
                let came = came.await.map(|()| Ending::Exit(0));
                spent(&mut store, budget, program);
                came
            }
            Entry::Command(pre) => {
                let mut store = store(program, world.component_state(), limits, budget)?;
                let came = async {
                    let command = pre.instantiate_async(&mut store).await?;
                    command.wasi_cli_run().call_run(&mut store).await
                };
                let came = came.await.map(|result| Ending::Exit(i32::from(result.is_err())));
                spent(&mut store, budget, program);
                came
            }
            Entry::Proxy(_) | Entry::Service(_) => Ok(Ending::Internal("it does not speak CGI".to_owned())),
        }
    };
    let came = watched(&guest, work, &program.trust).await;
    drop(running);
    finish(program, &guest, came)
}

/// Runs a program that speaks HTTP to its end. Its answer goes to the reader.
///
/// `None` if the session was lost, which would be an error of this program.
pub(crate) async fn run_http(
    program: &WasiProgram,
    session: Box<Session>,
    settings: Vec<(String, String)>,
    reader: Reader,
    request: http::Incoming,
    limits: &Limits,
    budget: Budget,
) -> Option<(Ended, Answered)> {
    if let Some(ending) = above_memory_limit(program.inspection.memory_bytes_min, limits) {
        return Some((Ended::not_begun(ending, session), Answered::Nothing));
    }
    let tape = session.tape.clone();
    let guest = Guest::new(session, Some(reader.clone()), Arc::new(Usage::default()));
    let world = World {
        guest: &guest,
        limits,
        args: Vec::new(),
        env: settings.clone(),
        settings,
        stdout: To::Log,
        files: program.files.as_ref(),
        tape,
    };
    let running = program.engines.running();
    let (answer, answered) = http::answer(&request);
    let work = async {
        let mut store = store(program, world.component_state(), limits, budget)?;
        let came = match &program.entry {
            Entry::Proxy(pre) => http::proxy(pre, &mut store, request, answer).await,
            Entry::Service(pre) => http::service(pre, &mut store, request, answer).await,
            Entry::Module(_) | Entry::Command(_) => Ok(Ending::Internal("it does not speak HTTP".to_owned())),
        };
        spent(&mut store, budget, program);
        came
    };
    let (mut sent, begun) = (None, http::Begun::default());
    let both = async {
        // Side by side: what the program gives is handed on while it goes on working.
        let hand_on = async { sent = Some(answered.hand_on(&guest, &reader, &begun).await) };
        tokio::join!(Timed::new(work, guest.usage.clone(), &program.trust), hand_on).0
    };
    let came = interruptible(&guest, both).await;
    drop(running);
    let sent = match sent {
        Some(Ok(sent)) => sent,
        // It was stopped, or dropped together with the guest.
        Some(Err(_)) | None => begun.stopped(),
    };
    finish(program, &guest, came).map(|ended| (ended, sent))
}

/// The CGI variables as the guest's environment. What is no text is shown as well as it can be.
fn environment(session: &Session) -> Vec<(String, String)> {
    let variables = session.variables.iter();
    variables.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned())).collect()
}

/// A store for one guest, which is asked at every tick of the clock whether it may go on.
fn store<T: HasHost>(
    program: &WasiProgram,
    state: wasmtime::Result<T>,
    limits: &Limits,
    budget: Budget,
) -> wasmtime::Result<Store<T>> {
    let mut store = Store::new(&program.engine, state?);
    store.limiter(|state| &mut state.host().limiter);
    store.set_hostcall_fuel(
        HOSTCALL_BYTES_MAX.min(usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX)),
    );
    let counts = program.variant.counts();
    if counts {
        store.set_fuel(budget.gas)?;
    }
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| {
        let left = if counts { context.get_fuel()? } else { 0 };
        let guest = &context.data_mut().host().guest;
        guest.usage.has_spent(if counts { budget.gas.saturating_sub(left) } else { 0 });
        if guest.is_stopped() || guest.is_killed() {
            return Err(Interrupted::Killed.into());
        }
        let cpu = guest.usage.cpu();
        if cpu >= budget.cpu {
            return Err(Interrupted::Cpu.into());
        }
        if cpu >= LONG {
            guest.computes_long();
        }
        // Others on this thread have their turn.
        guest.usage.yields();
        Ok(UpdateDeadline::Yield(1))
    });
    Ok(store)
}

/// Notes what was counted.
fn spent<T>(store: &mut Store<T>, budget: Budget, program: &WasiProgram)
where
    T: HasHost,
{
    if let (true, Ok(left)) = (program.variant.counts(), store.get_fuel()) {
        store.data_mut().host().guest.usage.has_spent(budget.gas.saturating_sub(left));
    }
}

/// Waits for a guest that speaks CGI. Whenever it waits itself, what it wrote so far goes on its way. What is only
/// between two of its turns does not count as long as it is young: an answer that is soon whole goes out whole.
async fn watched(
    guest: &Arc<Guest>,
    work: impl Future<Output = wasmtime::Result<Ending>>,
    trust: &Trust,
) -> Came {
    let mut work = Timed::new(work, guest.usage.clone(), trust);
    let flushing = future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut work).poll(context);
        let is_young = guest.usage.has_yielded() && guest.usage.cpu_before() < YOUNG;
        if polled.is_pending() && !is_young {
            let flushed = guest.with(|session| {
                session.logs.report_if_due();
                session.stdout.flush()
            });
            if let Some(Err(stop)) = flushed {
                drop(guest.stop(stop));
            }
        }
        polled
    });
    interruptible(guest, flushing).await
}

/// Waits for a guest until it ends, or its time is over, or its reader gone, or something has stopped it.
async fn interruptible(guest: &Arc<Guest>, work: impl Future<Output = wasmtime::Result<Ending>>) -> Came {
    let mut work = std::pin::pin!(work);
    let Some(watch) = guest.with(|session| session.watch.clone()) else {
        return Came::Back(Ending::Internal("the session was lost".to_owned()));
    };
    let came = |result| match result {
        Ok(ending) => Came::Back(ending),
        Err(error) => Came::Failed(error),
    };
    let why = tokio::select! {
        biased;
        result = &mut work => return came(result),
        () = tokio::time::sleep_until(watch.deadline().into()) => Some(Kill::Wall),
        () = reader_gone(guest.reader.as_ref()) => Some(Kill::ClientGone),
        why = watch.asked_to_end() => Some(why),
        () = guest.stopped() => None,
        never = reporting(guest) => match never {},
    };
    let graceful = tokio::time::timeout(KILL_GRACE, &mut work);
    let ended = match why {
        Some(why) => watch.kill(why, graceful).await,
        None => graceful.await,
    };
    match ended {
        Ok(result) => came(result),
        // It waits for something; dropping the work drops that as well.
        Err(_) => Came::Failed(Interrupted::Killed.into()),
    }
}

/// Tells what a guest logs while it waits for something.
async fn reporting(guest: &Guest) -> Infallible {
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        guest.with(|session| session.logs.report());
    }
}

async fn reader_gone(reader: Option<&Reader>) {
    match reader {
        Some(reader) => reader.parts.closed().await,
        None => future::pending().await,
    }
}

/// Takes the session back, and says how the run ended.
fn finish(program: &WasiProgram, guest: &Guest, came: Came) -> Option<Ended> {
    program.trust.ran();
    let (stop, mut session) = (guest.why(), guest.take()?);
    let (ending, backtrace) = match came {
        Came::Back(ending) => (stop.map_or(ending, stopped), Vec::new()),
        Came::Failed(error) => explain(error, stop),
    };
    let names = if matches!(program.entry, Entry::Module(_)) { link::FUNCTIONS } else { link::INTERFACES };
    for (name, calls) in guest.usage.calls(names) {
        // A request that is redirected locally has several runs.
        *session.used.host_calls.entry(name).or_default() += calls;
    }
    // Those too on whose answer it still waited.
    session.note_urls();
    if let Some(text) = link::refused(&session.used.host_calls) {
        session.logs.warn(&text);
    }
    Some(Ended {
        ending,
        backtrace,
        gas: guest.usage.gas(),
        cpu: guest.usage.cpu_before(),
        memory_peak_bytes: guest.usage.memory_peak_bytes(),
        memory_refused_bytes: guest.usage.memory_refused_bytes(),
        session,
    })
}

/// A stop of which the guest saw nothing any more.
fn stopped(stop: Stop) -> Ending {
    match stop {
        Stop::Killed => Ending::Killed(String::new()),
        stop => Ending::Stopped(stop),
    }
}
