//! WASI 0.1: what a command may import.
//!
//! Source: the witx files of `wasi_snapshot_preview1` and `wasi_unstable`, as they are lowered to core
//! WebAssembly: pointers, lengths, descriptors and flags are i32, times, offsets and rights i64.

use wasmcloud_wire::Refusal;
use wasmparser::{FuncType, ValType};

use crate::hints;
use crate::imports::{self, Unmet};
use crate::module::Asked;

/// The import modules of WASI 0.1: its last form, and the one before.
pub(crate) const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// What a library exports to be set up, where a program exports `_start`.
pub(crate) const REACTOR_ENTRY: &str = "_initialize";

/// Every function with its parameters, `i` for i32 and `I` for i64; each but `proc_exit` returns an i32.
const FUNCTIONS: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("sched_yield", ""),
    ("random_get", "ii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// The one function that came after `wasi_unstable`.
const NOT_UNSTABLE: &str = "sock_accept";

/// The functions of WASI 0.1. Whoever links them has the same.
pub fn preview1_functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The functions of one of the [`MODULES`], with their parameters.
fn functions(module: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let unstable = module == "wasi_unstable";
    FUNCTIONS.iter().copied().filter(move |(name, _)| !(unstable && *name == NOT_UNSTABLE))
}

/// Refuses a command that imports what nobody provides, naming every such import.
pub(crate) fn check(imports: &[Asked]) -> Result<(), Refusal> {
    imports::refuse(imports.iter().filter_map(unmet).collect())
}

fn unmet(asked: &Asked) -> Option<Unmet> {
    let import = &asked.import;
    let nobody = |hint: String| {
        Some(Unmet::new(
            asked,
            format!("the module imports `{}.{}`, which nobody provides here", import.module, import.name),
            hint,
        ))
    };
    let Some(func) = &asked.func else { return Some(imports::not_a_function(asked)) };
    if !MODULES.contains(&import.module.as_str()) {
        if ["cwa", "dagger", "h"].contains(&import.module.as_str()) {
            return nobody(
                "a program speaks either WASI or Olin: leave out the imports of one of them".to_owned(),
            );
        }
        return nobody(hints::core_import(&import.module, &import.name).unwrap_or_else(|| {
            "a WASI program imports only the functions of `wasi_snapshot_preview1`: define the function in the \
             module, or leave out the library that needs it"
                .to_owned()
        }));
    }
    let Some((_, params)) = functions(&import.module).find(|(name, _)| *name == import.name) else {
        let names = functions(&import.module).map(|(name, _)| name);
        return nobody(match imports::nearest(&import.name, names) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!(
                "it is no function of WASI 0.1 (`{}`): remove the import, or build with a toolchain's target for \
                 WASI 0.1 or 0.2",
                import.module
            ),
        });
    };
    let expected = func_type(&import.name, params);
    if *func == expected {
        return None;
    }
    Some(imports::other_type(asked, &crate::text::func(&expected)))
}

fn func_type(name: &str, params: &str) -> FuncType {
    let params = params.chars().map(|letter| if letter == 'I' { ValType::I64 } else { ValType::I32 });
    FuncType::new(params, (name != "proc_exit").then_some(ValType::I32))
}

/// Refuses a program without an entry; a library has another entry, and another hint.
pub(crate) fn missing_entry(reactor: bool) -> Refusal {
    if reactor {
        return Refusal::new(
            "missing_entry",
            "the module is a WASI library (a reactor): it exports `_initialize`, and no `_start` to begin at",
            "build a command: in C and Zig a program with `main` and without `-mexec-model=reactor`, in Rust \
             `src/main.rs` instead of a `cdylib`, in Go without `-buildmode=c-shared`",
        );
    }
    Refusal::new(
        "missing_entry",
        "the module is a WASI program, but exports no function called `_start`",
        "build a command, a program with a `main`: in Rust `src/main.rs` for the target wasm32-wasip1",
    )
}

/// WASI 0.1 reads and writes its caller's memory, which it finds by its name.
pub(crate) fn check_memory_export(exported: bool) -> Result<(), Refusal> {
    if exported {
        return Ok(());
    }
    Err(Refusal::new(
        "missing_memory",
        "the module is a WASI program, but exports no memory called `memory`",
        "export the memory as `memory`; the linker option `--import-memory` must not be set",
    ))
}
