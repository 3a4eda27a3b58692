//! Which interfaces components may import, and by which exports they are known.

use wasmcloud_wire::Abi;

/// A part of WASI with the interfaces of it that are provided here.
type Package = (&'static str, &'static [&'static str]);

/// What both versions have of `wasi:cli`.
const CLI: &[&str] = &[
    "environment",
    "exit",
    "stdin",
    "stdout",
    "stderr",
    "terminal-input",
    "terminal-output",
    "terminal-stdin",
    "terminal-stdout",
    "terminal-stderr",
];

/// WASI 0.2, every 0.2.x of it: what one of them asks for, a later one has.
const WASI_0_2: &[Package] = &[
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    ("wasi:cli", CLI),
    ("wasi:filesystem", &["types", "preopens"]),
    (
        "wasi:sockets",
        &[
            "network",
            "instance-network",
            "ip-name-lookup",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
    ("wasi:http", &["types", "outgoing-handler"]),
];

/// WASI 0.3, for components that export its handler.
const WASI_0_3: &[Package] = &[
    ("wasi:clocks", &["types", "monotonic-clock", "system-clock"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    ("wasi:cli", CLI),
    ("wasi:cli", &["types"]),
    ("wasi:filesystem", &["types", "preopens"]),
    ("wasi:sockets", &["types", "ip-name-lookup"]),
    ("wasi:http", &["types", "client"]),
];

/// Interfaces without a version that others may follow: these very names.
const EXACT: &[&str] = &[
    "wasi:config/store@0.2.0-draft",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:logging/logging",
    "wasi:logging/logging@0.1.0-draft",
];

/// Whether an interface is provided to components of this ABI.
pub(crate) fn is_provided(name: &str, abi: Abi) -> bool {
    if EXACT.contains(&name) {
        return true;
    }
    let Some((path, version)) = name.split_once('@') else { return false };
    let packages = match version_of(version) {
        Some((0, 2)) => WASI_0_2,
        Some((0, 3)) if abi == Abi::WasiHttp3 => WASI_0_3,
        _ => return false,
    };
    let Some((package, interface)) = path.split_once('/') else { return false };
    packages.iter().any(|(name, interfaces)| *name == package && interfaces.contains(&interface))
}

/// Every interface that is provided: those of 0.2 without a version, those of 0.3 with `@0.3`, others by their very
/// names. Whoever links them has the same.
pub fn provided_interfaces() -> Vec<String> {
    let of = |packages: &[Package], version: &str| -> Vec<String> {
        let names = packages.iter().flat_map(|(package, interfaces)| {
            interfaces.iter().map(move |interface| format!("{package}/{interface}{version}"))
        });
        names.collect()
    };
    let exact = EXACT.iter().map(|name| (*name).to_owned());
    of(WASI_0_2, "").into_iter().chain(of(WASI_0_3, "@0.3")).chain(exact).collect()
}

/// Whether an interface is of WASI 0.3, which only its own handlers may use.
pub(crate) fn is_of_0_3(name: &str) -> bool {
    name.starts_with("wasi:")
        && name.split_once('@').is_some_and(|(_, version)| version_of(version) == Some((0, 3)))
}

/// What a component is that exports an interface or a function of this name.
pub(crate) fn abi_of_export(name: &str) -> Option<Abi> {
    let (path, version) = name.split_once('@')?;
    match (path, version_of(version)?) {
        ("wasi:http/incoming-handler", (0, 2)) => Some(Abi::WasiHttp),
        ("wasi:http/handler", (0, 3)) => Some(Abi::WasiHttp3),
        ("wasi:cli/run", (0, 2)) => Some(Abi::WasiCli),
        _ => None,
    }
}

/// The first two numbers of a version that is no draft: 0 and 2 of `0.2.6`.
fn version_of(version: &str) -> Option<(u32, u32)> {
    let (numbers, _build) = version.split_once('+').unwrap_or((version, ""));
    let mut parts = numbers.split('.');
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next()?.parse::<u32>().ok()?;
    parts.next().is_none().then_some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_of_wasi_0_2_is_provided_and_no_draft_of_it() {
        for version in ["0.2.0", "0.2.1", "0.2.6", "0.2.12"] {
            assert!(is_provided(&format!("wasi:cli/environment@{version}"), Abi::WasiCli), "{version}");
        }
        for name in [
            "wasi:cli/environment@0.2.0-rc-2023-12-05",
            "wasi:cli/environment@0.1.0",
            "wasi:cli/environment@0.2",
            "wasi:cli/environment@1.2.0",
            "wasi:cli/environment",
            "wasi:clocks/timezone@0.2.0",
            "wasi:keyvalue/store@0.2.0",
            "wasi:cli/environment@0.2.0.1",
            "",
            "@",
        ] {
            assert!(!is_provided(name, Abi::WasiCli), "{name}");
        }
    }

    #[test]
    fn wasi_0_3_is_provided_to_its_own_handlers_alone() {
        assert!(is_provided("wasi:http/client@0.3.0", Abi::WasiHttp3));
        assert!(is_provided("wasi:cli/environment@0.2.3", Abi::WasiHttp3));
        for abi in [Abi::WasiCli, Abi::WasiHttp] {
            assert!(!is_provided("wasi:http/client@0.3.0", abi));
        }
        assert!(!is_provided("wasi:http/client@0.3.0-rc-2026-01-06", Abi::WasiHttp3));
    }

    #[test]
    fn drafts_are_provided_by_their_very_names() {
        for name in EXACT {
            assert!(is_provided(name, Abi::WasiHttp));
        }
        assert!(!is_provided("wasi:config/store@0.2.0-rc.2", Abi::WasiHttp));
    }
}
