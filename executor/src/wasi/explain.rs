//! From the engine's error to what is told of it.

use wasmcloud_wire::LimitName;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::ending::{Ending, FRAMES_MAX, function_name};
use crate::guest::Stop;

/// Why a guest was not let go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupted {
    /// Its CPU time is used up.
    #[error("CPU time used up")]
    Cpu,
    /// It is being killed; the session's watch or the guest's stop knows why.
    #[error("killed")]
    Killed,
}

/// How a run ended that failed with this error; `stop` is what a host function gave as its reason. The second
/// part is the functions that were being executed, the innermost first.
pub(super) fn explain(error: wasmtime::Error, stop: Option<Stop>) -> (Ending, Vec<String>) {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return (Ending::Exit(*status), Vec::new());
    }
    let backtrace = error.downcast_ref().map(frames).unwrap_or_default();
    let place = backtrace.first().map(|frame| format!(", in {frame}")).unwrap_or_default();
    let ending = match (stop, error.downcast_ref::<Interrupted>(), error.downcast_ref::<Trap>()) {
        (Some(Stop::Killed), ..) => Ending::Killed(place),
        (Some(stop), ..) => Ending::Stopped(stop),
        (None, Some(Interrupted::Killed), _) => Ending::Killed(place),
        (None, Some(Interrupted::Cpu), _) => Ending::Limit(LimitName::Cpu, place),
        (None, None, Some(Trap::OutOfFuel)) => Ending::Limit(LimitName::Gas, place),
        (None, None, Some(Trap::StackOverflow)) => Ending::Limit(LimitName::Stack, place),
        (None, None, Some(trap)) => Ending::Trap(format!("{}{place}", told(*trap))),
        // A host function refused its arguments, or the pool was out of room.
        (None, None, None) if backtrace.is_empty() => Ending::Internal(format!("{error:#}")),
        (None, None, None) => Ending::Trap(format!("{}{place}", error.root_cause())),
    };
    (ending, backtrace)
}

/// A trap in a few words; the engine's own begin with `wasm trap: `.
fn told(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let frames = backtrace.frames().iter().take(FRAMES_MAX);
    frames
        .map(|frame| {
            let name = frame.func_name().map(function_name);
            let name = name.unwrap_or_else(|| format!("function {}", frame.func_index()));
            match frame.module_offset() {
                Some(offset) => format!("{name} (at byte {offset:#x})"),
                None => name,
            }
        })
        .collect()
}
