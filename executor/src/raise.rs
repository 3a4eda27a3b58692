//! How a limit that was hit is raised: the command to type, with a number that helps.

use wasmcloud_wire::{Call, Limits, Trigger};

/// A limit that can be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raisable {
    Gas,
    Cpu,
    Wall,
    Memory,
    Response,
}

impl Raisable {
    /// The limit's name among the settings, its value, and the operator's ceiling if handlers' owners set it.
    fn of(self, limits: &Limits, ceiling: &Limits) -> (&'static str, u64, Option<u64>) {
        match self {
            Raisable::Gas => ("gas", limits.gas, Some(ceiling.gas)),
            Raisable::Cpu => ("cpu_ms", limits.cpu_ms, Some(ceiling.cpu_ms)),
            Raisable::Wall => ("wall_ms", limits.wall_ms, Some(ceiling.wall_ms)),
            Raisable::Memory => ("memory_bytes", limits.memory_bytes, Some(ceiling.memory_bytes)),
            Raisable::Response => ("response_bytes", limits.response_bytes, None),
        }
    }
}

/// What to do about a limit that a call hit: twice of what it was, and at least so much.
pub(crate) fn raise(limit: Raisable, at_least: u64, call: &Call, ceiling: &Limits) -> String {
    let (setting, value, ceiling) = limit.of(&call.deployment.limits, ceiling);
    let flag = setting.replace('_', "-");
    let more = value.saturating_mul(2).max(at_least);
    match (call.trigger, ceiling) {
        (Trigger::Run, _) => format!("raise it: wasmcloud run --{flag}={more} …"),
        (Trigger::Edge | Trigger::Invoke, Some(ceiling)) if value < ceiling && at_least <= ceiling => {
            format!("raise it: wasmcloud policy set {} --{flag} {}", call.deployment.name, more.min(ceiling))
        }
        (Trigger::Edge | Trigger::Invoke, Some(ceiling)) => format!(
            "this server's ceiling is {ceiling}; its operator can raise that: {setting}_max under [limits] in server.toml"
        ),
        (Trigger::Edge | Trigger::Invoke, None) => {
            format!("the server's operator can raise it: {setting} under [limits] in server.toml")
        }
    }
}
