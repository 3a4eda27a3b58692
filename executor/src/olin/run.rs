//! One run of one Olin program, in an instance of its own.

use std::sync::Arc;
use std::time::Duration;

use wasmcloud_wire::{Abi, LimitName, Limits};
use wasmer::sys::vm::TrapCode;
use wasmer::{Extern, FunctionEnv, Instance, InstantiationError, RuntimeError, Store, Value};

use super::State;
use super::link::link;
use super::resource::Resources;
use crate::ending::{Ended, Ending, FRAMES_MAX, above_memory_limit, function_name};
use crate::engine::{Fuse, MEMORY, OlinProgram, START};
use crate::guest::{Session, Stop};

/// Runs a program to its end. Blocks: call it where that is allowed.
///
/// `gas` is what the run may spend. The instance and all its memory are gone when this returns.
pub(crate) fn run(program: &OlinProgram, session: Box<Session>, limits: &Limits, gas: u64) -> Option<Ended> {
    if let Some(ending) = above_memory_limit(program.inspection.memory_bytes_min, limits) {
        return Some(Ended::not_begun(ending, session));
    }
    let watch = session.watch.clone();
    let fuse = Arc::new(Fuse::default());
    let mut store = Store::new(program.bounded_engine(limits, &fuse));
    let state = State {
        memory: None,
        session: Some(session),
        resources: Resources::default(),
        descriptors: Default::default(),
    };
    let env = FunctionEnv::new(&mut store, state);
    watch.set_interrupt(Some(fuse.clone()));
    let run = run_instance(program, &mut store, &env, gas, &fuse);
    watch.set_interrupt(None);
    let session = env.as_mut(&mut store).session.take()?;
    let ended = run.with_taken(fuse.taken()).explain(program.inspection.abi, session, gas);
    Some(Ended { memory_refused_bytes: fuse.memory_refused(), ..ended })
}

/// What a run came to, before its session is taken back.
struct Run {
    /// What the entry returned.
    result: Result<i64, Failed>,
    /// What is left; `None` once it ran out.
    gas_left: Option<u64>,
    /// Whether it ran out because it was taken away.
    killed: bool,
    memory_peak_bytes: u64,
}

enum Failed {
    Running(RuntimeError),
    Starting(String),
}

fn run_instance(
    program: &OlinProgram,
    store: &mut Store,
    env: &FunctionEnv<State>,
    gas: u64,
    fuse: &Fuse,
) -> Run {
    let not_started = |reason: String| Run {
        result: Err(Failed::Starting(reason)),
        gas_left: Some(gas),
        killed: false,
        memory_peak_bytes: 0,
    };
    let Some(imports) = link(store, env, program) else {
        return not_started("an import is not linked".to_owned());
    };
    let instance = match Instance::new_by_index(store, &program.module, &imports) {
        Ok(instance) => instance,
        Err(InstantiationError::Start(error)) => {
            // A data or element segment that does not fit.
            return Run { result: Err(Failed::Running(error)), ..not_started(String::new()) };
        }
        Err(error) => return not_started(error.to_string()),
    };
    fuse.recharge(store, &instance, gas);
    let memory = instance.exports.get_memory(MEMORY).ok().cloned();
    env.as_mut(store).memory.clone_from(&memory);
    let entry = wasmcloud_inspect::entry(program.inspection.abi);
    // Between the writing of the count and its reading.
    let armed = fuse.arm();
    let result =
        call_if_exported(store, &instance, START).and_then(|_| call_if_exported(store, &instance, entry));
    drop(armed);
    Run {
        result: result.map_err(Failed::Running),
        gas_left: fuse.remaining(store, &instance),
        killed: false,
        memory_peak_bytes: memory.map_or(0, |memory| memory.view(store).data_size()),
    }
}

/// Calls a function without parameters, if there is one, and gives back the integer that it returns.
fn call_if_exported(store: &mut Store, instance: &Instance, name: &str) -> Result<i64, RuntimeError> {
    let Some(Extern::Function(function)) = instance.exports.get_extern(name) else { return Ok(0) };
    let results = function.call(store, &[])?;
    Ok(match results.first() {
        Some(Value::I32(number)) => i64::from(*number),
        Some(Value::I64(number)) => *number,
        _ => 0,
    })
}

impl Run {
    /// Puts right what the run seems to have spent, if its gas was taken away.
    fn with_taken(self, taken: Option<u64>) -> Run {
        match (self.gas_left, taken) {
            (None, Some(_)) => Run { killed: true, gas_left: taken, ..self },
            // It ended by itself just after, and its count with it.
            (Some(left), Some(taken)) if left == 0 || left > taken => Run { gas_left: Some(taken), ..self },
            _ => self,
        }
    }

    fn explain(self, abi: Abi, session: Box<Session>, gas: u64) -> Ended {
        let mut backtrace = Vec::new();
        let ending = match self.result {
            // Only Dagger's `main` returns its exit code; h's result means nothing.
            Ok(code) if abi == Abi::Dagger => Ending::Exit(exit_code(code)),
            Ok(_) => Ending::Exit(0),
            Err(Failed::Starting(reason)) => Ending::Internal(reason),
            Err(Failed::Running(error)) => {
                backtrace = frames(&error);
                let place = backtrace.first().map(|frame| format!(", in {frame}")).unwrap_or_default();
                explain(error, self.killed, self.gas_left.is_none(), place)
            }
        };
        Ended {
            ending,
            backtrace,
            gas: gas - self.gas_left.unwrap_or(0).min(gas),
            cpu: Duration::ZERO,
            memory_peak_bytes: self.memory_peak_bytes,
            memory_refused_bytes: None,
            session,
        }
    }
}

/// `place` is `, in` and the function at fault, or nothing where it is not known.
fn explain(error: RuntimeError, killed: bool, out_of_gas: bool, place: String) -> Ending {
    let error = match error.downcast::<Stop>() {
        Ok(Stop::Exit(status)) => return Ending::Exit(status),
        Ok(Stop::Killed) => return Ending::Killed(place),
        Ok(stop) => return Ending::Stopped(stop),
        Err(error) => error,
    };
    if killed {
        return Ending::Killed(place);
    }
    if out_of_gas {
        return Ending::Limit(LimitName::Gas, place);
    }
    match error.clone().to_trap() {
        Some(TrapCode::StackOverflow) => Ending::Limit(LimitName::Stack, place),
        Some(code) => Ending::Trap(format!("{}{place}", code.message())),
        None => Ending::Trap(format!("{}{place}", error.message())),
    }
}

/// An exit code of 64 bits in 32: what does not fit is still no success.
fn exit_code(code: i64) -> i32 {
    i32::try_from(code).unwrap_or(-1)
}

/// The functions that were being executed, the innermost first.
fn frames(error: &RuntimeError) -> Vec<String> {
    let frames = error.trace().iter().take(FRAMES_MAX);
    frames
        .map(|frame| match frame.function_name() {
            Some(name) => format!("{} (at byte {:#x})", function_name(name), frame.module_offset()),
            None => format!("function {} (at byte {:#x})", frame.func_index(), frame.module_offset()),
        })
        .collect()
}
