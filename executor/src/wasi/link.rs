//! What guests may import, and the counting of their host calls.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::Linker;
use wasmtime::component::Linker as ComponentLinker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{WasiView as _, p0, p1};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use super::engine::Variant;
use super::preview1;
use super::settings::{HasOwn, Own, logging, logging_draft, store_draft, store_rc};
use super::state::{ComponentState, HasHost as _, ModuleState};

/// The modules from which a core module imports WASI 0.1.
pub(super) const SNAPSHOT: &str = "wasi_snapshot_preview1";
pub(super) const UNSTABLE: &str = "wasi_unstable";
/// A name that no program can import from, for functions on their way to theirs.
const COUNTED: &str = "counted";

/// The functions of WASI 0.1, in the order of their numbers.
pub(super) const FUNCTIONS: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// Functions that `wasi_unstable` does not have.
const ONLY_IN_SNAPSHOT: &[&str] = &["sock_accept"];

/// Everything that a core module may import.
///
/// # Errors
///
/// The engine refuses a definition, which would be an error of this program.
pub(super) fn modules(engine: &Engine) -> wasmtime::Result<Linker<ModuleState>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    // All functions are defined anew for every name, with the name's number, and that one is kept.
    for (number, name) in FUNCTIONS.iter().enumerate() {
        p1::add_to_linker_async(&mut linker, move |state| wasi(state, number))?;
        linker.alias(SNAPSHOT, name, COUNTED, name)?;
        if !ONLY_IN_SNAPSHOT.contains(name) {
            p0::add_to_linker_async(&mut linker, move |state| wasi(state, number))?;
            linker.alias(UNSTABLE, name, COUNTED, &format!("old {name}"))?;
        }
    }
    for name in FUNCTIONS {
        linker.alias(COUNTED, name, SNAPSHOT, name)?;
        if !ONLY_IN_SNAPSHOT.contains(name) {
            linker.alias(COUNTED, &format!("old {name}"), UNSTABLE, name)?;
        }
    }
    preview1::define(&mut linker)?;
    Ok(linker)
}

/// What the function with this number works on.
fn wasi(state: &mut ModuleState, number: usize) -> &mut WasiP1Ctx {
    state.host.guest.usage.call(number);
    &mut state.wasi
}

/// Links interfaces whose calls are counted, and gives their names in the order of their numbers.
macro_rules! interfaces {
    ($($function:ident($linker:ident) { $($name:literal $number:literal: $($path:ident)::+ as $data:ty $(, $options:expr)? => |$state:ident| $view:expr;)* })*) => {
        /// The interfaces of components, in the order of their numbers.
        pub(super) const INTERFACES: &[&str] = &[$($($name,)*)*];

        $(fn $function($linker: &mut ComponentLinker<ComponentState>) -> wasmtime::Result<()> {
            $($($path)::+::add_to_linker::<ComponentState, $data>($linker, $($options,)? |$state| {
                $state.host().guest.usage.call($number);
                $view
            })?;)*
            Ok(())
        })*
    };
}

use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p3::bindings as p3;
use wasmtime_wasi_http::p2::bindings::http as http2;
use wasmtime_wasi_http::p3::bindings::http as http3;
use wasmtime_wasi_io::bindings::wasi::io;

/// `wasi:io` works on nothing but the table of handles.
struct HasTable;

impl wasmtime::component::HasData for HasTable {
    type Data<'a> = &'a mut wasmtime::component::ResourceTable;
}

interfaces! {
    link_2(linker) {
        "wasi:io/error" 0: io::error as HasTable => |state| state.ctx().table;
        "wasi:io/poll" 1: io::poll as HasTable => |state| state.ctx().table;
        "wasi:io/streams" 2: io::streams as HasTable => |state| state.ctx().table;
        "wasi:clocks/wall-clock" 3: p2::clocks::wall_clock as WasiClocks => |state| state.clocks();
        "wasi:clocks/monotonic-clock" 4: p2::clocks::monotonic_clock as WasiClocks => |state| state.clocks();
        "wasi:random/random" 5: p2::random::random as WasiRandom => |state| state.random();
        "wasi:random/insecure" 6: p2::random::insecure as WasiRandom => |state| state.random();
        "wasi:random/insecure-seed" 7: p2::random::insecure_seed as WasiRandom => |state| state.random();
        "wasi:cli/environment" 8: p2::cli::environment as WasiCli => |state| state.cli();
        "wasi:cli/exit" 9: p2::cli::exit as WasiCli => |state| state.cli();
        "wasi:cli/stdin" 10: p2::cli::stdin as WasiCli => |state| state.cli();
        "wasi:cli/stdout" 11: p2::cli::stdout as WasiCli => |state| state.cli();
        "wasi:cli/stderr" 12: p2::cli::stderr as WasiCli => |state| state.cli();
        "wasi:cli/terminal-input" 13: p2::cli::terminal_input as WasiCli => |state| state.cli();
        "wasi:cli/terminal-output" 14: p2::cli::terminal_output as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stdin" 15: p2::cli::terminal_stdin as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stdout" 16: p2::cli::terminal_stdout as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stderr" 17: p2::cli::terminal_stderr as WasiCli => |state| state.cli();
        "wasi:filesystem/preopens" 18: p2::filesystem::preopens as WasiFilesystem => |state| state.filesystem();
        "wasi:filesystem/types" 19: p2::filesystem::types as WasiFilesystem => |state| state.filesystem();
        "wasi:sockets/instance-network" 20: p2::sockets::instance_network as WasiSockets => |state| state.sockets();
        "wasi:sockets/network" 21: p2::sockets::network as WasiSockets, &p2::sockets::network::LinkOptions::default() => |state| state.sockets();
        "wasi:sockets/ip-name-lookup" 22: p2::sockets::ip_name_lookup as WasiSockets => |state| state.sockets();
        "wasi:sockets/tcp" 23: p2::sockets::tcp as WasiSockets => |state| state.sockets();
        "wasi:sockets/tcp-create-socket" 24: p2::sockets::tcp_create_socket as WasiSockets => |state| state.sockets();
        "wasi:sockets/udp" 25: p2::sockets::udp as WasiSockets => |state| state.sockets();
        "wasi:sockets/udp-create-socket" 26: p2::sockets::udp_create_socket as WasiSockets => |state| state.sockets();
        "wasi:http/types" 27: http2::types as WasiHttp, &http2::types::LinkOptions::default() => |state| state.http();
        "wasi:http/outgoing-handler" 28: http2::outgoing_handler as WasiHttp => |state| state.http();
        "wasi:config/store@0.2.0-draft" 29: store_draft as HasOwn => |state| Own(&mut state.host);
        "wasi:config/store@0.2.0-rc.1" 30: store_rc as HasOwn => |state| Own(&mut state.host);
        "wasi:logging/logging" 31: logging as HasOwn => |state| Own(&mut state.host);
        "wasi:logging/logging@0.1.0-draft" 32: logging_draft as HasOwn => |state| Own(&mut state.host);
    }
    link_3(linker) {
        "wasi:clocks/monotonic-clock@0.3" 33: p3::clocks::monotonic_clock as WasiClocks => |state| state.clocks();
        "wasi:clocks/system-clock@0.3" 34: p3::clocks::system_clock as WasiClocks => |state| state.clocks();
        "wasi:clocks/types@0.3" 35: p3::clocks::types as WasiClocks => |state| state.clocks();
        "wasi:random/random@0.3" 36: p3::random::random as WasiRandom => |state| state.random();
        "wasi:random/insecure@0.3" 37: p3::random::insecure as WasiRandom => |state| state.random();
        "wasi:random/insecure-seed@0.3" 38: p3::random::insecure_seed as WasiRandom => |state| state.random();
        "wasi:cli/environment@0.3" 39: p3::cli::environment as WasiCli => |state| state.cli();
        "wasi:cli/exit@0.3" 40: p3::cli::exit as WasiCli => |state| state.cli();
        "wasi:cli/stdin@0.3" 41: p3::cli::stdin as WasiCli => |state| state.cli();
        "wasi:cli/stdout@0.3" 42: p3::cli::stdout as WasiCli => |state| state.cli();
        "wasi:cli/stderr@0.3" 43: p3::cli::stderr as WasiCli => |state| state.cli();
        "wasi:cli/terminal-input@0.3" 44: p3::cli::terminal_input as WasiCli => |state| state.cli();
        "wasi:cli/terminal-output@0.3" 45: p3::cli::terminal_output as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stdin@0.3" 46: p3::cli::terminal_stdin as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stdout@0.3" 47: p3::cli::terminal_stdout as WasiCli => |state| state.cli();
        "wasi:cli/terminal-stderr@0.3" 48: p3::cli::terminal_stderr as WasiCli => |state| state.cli();
        "wasi:filesystem/types@0.3" 49: p3::filesystem::types as WasiFilesystem => |state| state.filesystem();
        "wasi:filesystem/preopens@0.3" 50: p3::filesystem::preopens as WasiFilesystem => |state| state.filesystem();
        "wasi:sockets/types@0.3" 51: p3::sockets::types as WasiSockets => |state| state.sockets();
        "wasi:sockets/ip-name-lookup@0.3" 52: p3::sockets::ip_name_lookup as WasiSockets => |state| state.sockets();
        "wasi:http/types@0.3" 53: http3::types as WasiHttp => |state| state.http();
        "wasi:http/client@0.3" 54: http3::client as WasiHttp => |state| state.http();
    }
}

/// Everything that a component may import; WASI 0.3 too, where that is offered.
///
/// # Errors
///
/// The engine refuses a definition, which would be an error of this program.
pub(super) fn components(
    engine: &Engine,
    variant: Variant,
) -> wasmtime::Result<ComponentLinker<ComponentState>> {
    let mut linker = ComponentLinker::new(engine);
    link_2(&mut linker)?;
    if variant.is_async() {
        link_3(&mut linker)?;
    }
    Ok(linker)
}

/// Calls that need a socket, or the name of a machine: they are always refused.
const SOCKET_CALLS: &[&str] = &[
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/ip-name-lookup@0.3",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/types@0.3",
    "wasi:sockets/udp-create-socket",
];

/// What to tell a program's owner of calls that were refused, however often the program made them.
pub(super) fn refused(calls: &BTreeMap<&'static str, u64>) -> Option<String> {
    let call = SOCKET_CALLS.iter().find(|call| calls.contains_key(**call))?;
    let instead =
        if call.contains(':') { "use wasi:http" } else { "build it as a component and use wasi:http" };
    Some(format!(
        "the program tried to open a socket ({call}), which no program may; to reach other servers, {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::usage::CALLS_MAX;
    use super::*;

    #[test]
    fn what_inspection_lets_through_is_linked_and_nothing_else() {
        let linked: BTreeSet<String> = INTERFACES.iter().map(|name| (*name).to_owned()).collect();
        let mut provided: BTreeSet<String> = wasmcloud_inspect::provided_interfaces().into_iter().collect();
        // They have types alone, and nothing of them can be called.
        assert!(provided.remove("wasi:cli/types@0.3"));
        assert_eq!(linked, provided);
        let functions: BTreeSet<&str> = wasmcloud_inspect::preview1_functions().collect();
        assert_eq!(FUNCTIONS.iter().copied().collect::<BTreeSet<_>>(), functions);
    }

    #[test]
    fn every_function_and_every_interface_has_a_number_of_its_own() {
        for names in [FUNCTIONS, INTERFACES] {
            let mut sorted = names.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len());
            assert!(names.len() <= CALLS_MAX, "{}", names.len());
        }
    }
}
