//! Programs that call functions of WASI 0.1, written as lines: `fd_seek 1 0 2 2048`.
//!
//! A number is an argument, whatever its type; a text in quotes is a path, and so two arguments. A call's results
//! go where its pointers say; what calls returned is what the program writes.

use wasmcloud_executor::local::Run;

use crate::local::{Ran, a_run, ran};
use crate::wasm::{escaped, wat};

pub const SNAPSHOT: &str = "wasi_snapshot_preview1";
pub const UNSTABLE: &str = "wasi_unstable";

/// Where what calls returned is kept.
const RETURNED: usize = 49_152;
/// Where paths lie.
const PATHS: usize = 40_960;

/// The functions, and the types of their arguments: `i` for 32 bits, `l` for 64. All but `proc_exit` return an error
/// number.
pub const FUNCTIONS: [(&str, &str); 45] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// The imports of all functions that this module has.
pub fn imports(module: &str) -> String {
    let functions = FUNCTIONS.iter().filter(|(name, _)| module == SNAPSHOT || *name != "sock_accept");
    let mut text: String = functions
        .map(|(name, types)| {
            let types: String = types.chars().map(|ty| if ty == 'l' { " i64" } else { " i32" }).collect();
            format!("(import {module:?} {name:?} (func ${name} (param{types}) (result i32)))\n")
        })
        .collect();
    text.push_str(&format!("(import {module:?} \"proc_exit\" (func $proc_exit (param i32)))\n"));
    text
}

/// A call with these arguments as an expression.
pub fn call(name: &str, arguments: &[i64]) -> String {
    let (_, types) = FUNCTIONS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(types.len(), arguments.len(), "{name}");
    let arguments: String = types
        .chars()
        .zip(arguments)
        .map(|(ty, value)| match ty {
            'l' => format!(" (i64.const {value})"),
            _ => format!(" (i32.const {})", *value as i32),
        })
        .collect();
    format!("(call ${name}{arguments})")
}

/// What calls find and leave.
#[derive(Clone, Default)]
pub struct World {
    /// What lies in memory: where, and which bytes.
    pub data: Vec<(usize, Vec<u8>)>,
    /// Files that come with the program.
    pub files: Vec<(String, Vec<u8>)>,
}

impl World {
    /// Makes these calls one after the other, and gives what they returned and what was in memory then, from its
    /// beginning to the paths.
    pub async fn make(
        &self,
        module: &str,
        lines: &[&str],
        adjust: impl FnOnce(Run) -> Run,
    ) -> (Vec<i32>, Vec<u8>) {
        let mut paths = Vec::new();
        let mut body = String::new();
        for (line, number) in lines.iter().zip(0..) {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            let mut arguments = Vec::new();
            for word in rest.split_whitespace() {
                match word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
                    Some(path) => {
                        arguments.extend([(PATHS + paths.len()) as i64, path.len() as i64]);
                        paths.extend_from_slice(path.as_bytes());
                    }
                    None => arguments.push(word.parse().unwrap_or_else(|_| panic!("{word} in {line}"))),
                }
            }
            body +=
                &format!("(i32.store (i32.const {}) {})\n", RETURNED + 4 * number, call(name, &arguments));
        }
        let mut data = self.data.clone();
        data.push((PATHS, paths));
        let data: String = data
            .iter()
            .map(|(at, bytes)| {
                let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
                format!("(data (i32.const {at}) \"{bytes}\")\n")
            })
            .collect();
        let (all, imports) = (RETURNED + 4 * lines.len(), imports(module));
        let text = format!(
            r#"(module {imports} (memory (export "memory") 1) {data}
              (func (export "_start")
                {body}
                (i32.store (i32.const 65520) (i32.const 0))
                (i32.store (i32.const 65524) (i32.const {all}))
                (if (call $fd_write (i32.const 1) (i32.const 65520) (i32.const 1) (i32.const 65528))
                  (then (unreachable)))))"#
        );
        let Ran { receipt, mut bytes, lines: log, .. } = ran(adjust(a_run(&self.with_files(&text)))).await;
        assert_eq!(bytes.len(), all, "{:?} {log:?}", receipt.outcome);
        let returned = bytes.split_off(RETURNED);
        let returned = returned.chunks(4).map(|four| i32::from_le_bytes(four.try_into().unwrap()));
        bytes.truncate(PATHS);
        (returned.collect(), bytes)
    }

    fn with_files(&self, text: &str) -> Vec<u8> {
        let module = wat(text);
        match self.files.is_empty() {
            true => module,
            false => wasmcloud_inspect::files::append(&module, &self.files).unwrap(),
        }
    }
}

/// A program that writes a header and then makes one of these calls: the one whose number, as two bytes, is the
/// request's body.
pub fn one_of(calls: &[String]) -> Vec<u8> {
    let imports = imports(SNAPSHOT);
    let functions: String = calls
        .iter()
        .zip(0..)
        .map(|(call, number)| format!("(func $call{number} (result i32) {call})\n"))
        .collect();
    let names: String = (0..calls.len()).map(|number| format!(" $call{number}")).collect();
    let header = escaped("A: b\n\n");
    wat(&format!(
        r#"(module {imports} (memory (export "memory") 1)
          (type $call (func (result i32)))
          (data (i32.const 512) "{header}")
          (table funcref (elem{names}))
          {functions}
          (func (export "_start")
            (i32.store (i32.const 528) (i32.const 512))
            (i32.store (i32.const 532) (i32.const 6))
            (drop (call $fd_write (i32.const 1) (i32.const 528) (i32.const 1) (i32.const 540)))
            (i32.store (i32.const 528) (i32.const 544))
            (i32.store (i32.const 532) (i32.const 2))
            (drop (call $fd_read (i32.const 0) (i32.const 528) (i32.const 1) (i32.const 540)))
            (drop (call_indirect (type $call) (i32.load16_u (i32.const 544))))))"#
    ))
}
