//! One run of one Olin program, in an instance of its own.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use wasmcloud_cgi::escape_to;
use wasmcloud_wire::{Abi, LimitName, Limits};
use wasmer::sys::vm::TrapCode;
use wasmer::{Extern, FunctionEnv, Instance, InstantiationError, RuntimeError, Store, Value};

use super::State;
use super::link::link;
use super::resource::Resources;
use crate::engine::{Fuse, MEMORY, Program, START};
use crate::guest::{Session, Stop};

/// Most frames of a backtrace that are logged.
const FRAMES_MAX: usize = 32;
/// Longest function name that is told, in characters.
const NAME_CHARS_MAX: usize = 200;

/// How a run ended.
pub(crate) enum Ending {
    /// The program ended by itself with this status.
    Exit(i32),
    /// A host call ended it.
    Stopped(Stop),
    /// It was interrupted, in this function; the session's watch knows why.
    Killed(String),
    /// Gas, stack or memory ran out, in this function or for this reason.
    Limit(LimitName, String),
    /// It begins with so much memory, which is more than its limit.
    TooLarge(u64),
    /// It did what WebAssembly forbids.
    Trap(String),
    /// It could not be started.
    Internal(String),
}

/// What a run leaves behind.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) backtrace: Vec<String>,
    pub(crate) gas: u64,
    pub(crate) memory_peak_bytes: u64,
    /// The most that its memory was to grow to and that its limit, not its own maximum, refused.
    pub(crate) memory_refused_bytes: Option<u64>,
    pub(crate) session: Box<Session>,
}

/// Runs a program to its end. Blocks: call it where that is allowed.
///
/// `gas` is what the run may spend. The instance and all its memory are gone when this returns.
pub(crate) fn run(program: &Program, session: Box<Session>, limits: &Limits, gas: u64) -> Option<Ended> {
    if let Some(ending) = above_memory_limit(program, limits) {
        return Some(Ended {
            ending,
            backtrace: Vec::new(),
            gas: 0,
            memory_peak_bytes: 0,
            memory_refused_bytes: None,
            session,
        });
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

/// A limit that was lowered after the program was uploaded may be below what it begins with.
fn above_memory_limit(program: &Program, limits: &Limits) -> Option<Ending> {
    let begins_with = program.inspection.memory_bytes_min;
    (begins_with > limits.memory_bytes).then_some(Ending::TooLarge(begins_with))
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
    program: &Program,
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
            Some(name) => {
                // As they stand in the source, without the hash that Rust adds. They are the module's own, of any
                // length and with any character.
                let name = demangled(name);
                let name = escape_to(name.as_bytes(), NAME_CHARS_MAX, "…");
                format!("{name} (at byte {:#x})", frame.module_offset())
            }
            None => format!("function {} (at byte {:#x})", frame.func_index(), frame.module_offset()),
        })
        .collect()
}

/// A function's name as its source has it, cut soon after what is told of it: a name may stand for one that
/// is much longer.
fn demangled(name: &str) -> String {
    struct Cut(String);
    impl fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.0.len() > 4 * NAME_CHARS_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut cut = Cut(String::new());
    // An error says that it was cut, which the caller does anyway.
    let _ = write!(cut, "{:#}", rustc_demangle::demangle(name));
    cut.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_as_in_their_source() {
        for (name, told) in [
            ("parse_header", "parse_header"),
            ("_ZN4core6option13unwrap_failed17h0123456789abcdefE", "core::option::unwrap_failed"),
            ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
        ] {
            assert_eq!(demangled(name), told);
        }
    }
}
