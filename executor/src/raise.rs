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
    Stream,
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
            Raisable::Stream => ("stream_bytes", limits.stream_bytes, None),
        }
    }
}

/// What to do about a limit that a call hit: twice of what it was, and more than so much, as far as the
/// ceiling allows it.
pub(crate) fn raise(limit: Raisable, at_least: u64, call: &Call, ceiling: &Limits) -> String {
    let (setting, value, ceiling) = limit.of(&call.deployment.limits, ceiling);
    let flag = setting.replace('_', "-");
    let more = value.saturating_mul(2).max(match limit {
        Raisable::Memory => Limits::memory_bytes_for(at_least, u64::MAX),
        _ => at_least,
    });
    match (call.trigger, ceiling) {
        // Whoever runs a program on their own machine has no ceiling, but for memory, which there is no more of.
        (Trigger::Run, Some(most)) if limit == Raisable::Memory && more > most => {
            match value < most && at_least <= most {
                true => format!("raise it to the most that there is: wasmcloud run --{flag}={most} …"),
                false => format!("no program may have more than {most}"),
            }
        }
        (Trigger::Run, _) => format!("raise it: wasmcloud run --{flag}={more} …"),
        (Trigger::Edge | Trigger::Chosen | Trigger::Invoke | Trigger::Replay, Some(ceiling))
            if value < ceiling && at_least <= ceiling =>
        {
            let how = if more > ceiling { "raise it to this server's ceiling" } else { "raise it" };
            format!("{how}: wasmcloud policy set {} --{flag} {}", call.deployment.name, more.min(ceiling))
        }
        (Trigger::Edge | Trigger::Chosen | Trigger::Invoke | Trigger::Replay, Some(ceiling)) => format!(
            "this server's ceiling is {ceiling}; its operator can raise that: {setting}_max under [limits] in server.toml"
        ),
        (Trigger::Edge | Trigger::Chosen | Trigger::Invoke | Trigger::Replay, None) => {
            format!("the server's operator can raise it: {setting} under [limits] in server.toml")
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::{
        Abi, Deployment, Digest, HandlerId, InvocationId, RequestHead, Scheme, UserId, VersionNumber,
    };

    use super::*;

    const MIB: u64 = 1 << 20;

    fn advice(trigger: Trigger, memory_mib: u64, at_least: u64, ceiling_mib: u64) -> String {
        let deployment = Deployment {
            handler: HandlerId::new(),
            name: "hello".parse().unwrap(),
            owner: UserId::new(),
            version: VersionNumber(1),
            digest: Digest::of(b"module"),
            abi: Abi::Olin,
            env: Default::default(),
            limits: Limits { memory_bytes: memory_mib * MIB, ..Limits::default() },
            urls: Default::default(),
            forward_authorization: false,
            secrets: Default::default(),
            split: None,
            recording: None,
            quota: Default::default(),
            suspended: None,
        };
        let request = RequestHead {
            method: "GET".to_owned(),
            scheme: Scheme::Http,
            protocol: "HTTP/1.1".to_owned(),
            server_name: "hello.localhost".to_owned(),
            server_port: 3001,
            script_name: String::new(),
            target: "/".to_owned(),
            headers: Vec::new(),
            remote_addr: "127.0.0.1".to_owned(),
        };
        let call = Call {
            invocation: InvocationId::new(),
            deployment,
            trigger,
            request,
            body: None,
            count_gas: false,
            inputs: None,
        };
        let ceiling = Limits { memory_bytes: ceiling_mib * MIB, ..Limits::ceiling() };
        raise(Raisable::Memory, at_least, &call, &ceiling)
    }

    #[test]
    fn memory_is_advised_with_room_to_allocate_and_a_ceiling_below_is_named() {
        let edge = |memory, at_least, ceiling| advice(Trigger::Edge, memory, at_least, ceiling);
        let set = "wasmcloud policy set hello --memory-bytes";
        assert_eq!(edge(128, 256 * MIB, 1024), format!("raise it: {set} {}", 512 * MIB));
        assert_eq!(edge(128, 129 * MIB, 1024), format!("raise it: {set} {}", 256 * MIB));
        assert_eq!(
            edge(128, 256 * MIB, 300),
            format!("raise it to this server's ceiling: {set} {}", 300 * MIB)
        );
        assert!(edge(128, 256 * MIB, 200).starts_with("this server's ceiling is 209715200;"));
        let run = |memory, at_least| advice(Trigger::Run, memory, at_least, 1024);
        assert_eq!(run(128, 256 * MIB), format!("raise it: wasmcloud run --memory-bytes={} …", 512 * MIB));
        let most = format!("raise it to the most that there is: wasmcloud run --memory-bytes={} …", 1 << 30);
        assert_eq!(run(128, 900 * MIB), most);
        assert_eq!(run(1024, 1025 * MIB), "no program may have more than 1073741824");
    }
}
