//! Core modules of WASI 0.1.

use super::*;

/// A program with these imports.
fn program(imports: &str) -> String {
    format!(r#"(module {imports} (memory (export "memory") 1) (func (export "_start")))"#)
}

#[test]
fn a_command_of_wasi_0_1_is_known_by_either_module() {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let inspection = inspect_wat(&program(&format!(
            r#"(import "{module}" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#
        )))
        .unwrap();
        assert_eq!(inspection.abi, Abi::Wasi);
        assert_eq!(inspection.memory_bytes_min, 65_536);
        assert_eq!(inspection.imports[0].module, module);
    }
    let both = program(
        r#"(import "wasi_unstable" "sched_yield" (func (result i32)))
           (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#,
    );
    assert_eq!(inspect_wat(&both).unwrap().abi, Abi::Wasi);
}

#[test]
fn functions_that_are_none_of_wasi_are_named_with_what_may_be_meant() {
    for (import, name, hint) in [
        (r#""wasi_snapshot_preview1" "fd_wriet" (func)"#, "wasi_snapshot_preview1.fd_wriet", "WASI 0.1"),
        (r#""wasi_snapshot_preview1" "fd_writ" (func)"#, "fd_writ", "`fd_write`"),
        (
            r#""wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32))"#,
            "sock_accept",
            "WASI 0.1",
        ),
        (r#""wasix_32v1" "proc_fork" (func)"#, "wasix_32v1.proc_fork", "WASIX"),
        (r#""env" "emscripten_notify_memory_growth" (func (param i32))"#, "emscripten_notify", "Emscripten"),
        (r#""a" "b" (func)"#, "a.b", "Emscripten"),
        (r#""wbg" "__wbg_new" (func (result i32))"#, "wbg.__wbg_new", "wasm-bindgen"),
        (r#""env" "abort" (func (param i32 i32 i32 i32))"#, "env.abort", "AssemblyScript"),
        (r#""env" "mystery" (func)"#, "env.mystery", "define the function"),
        (r#""cwa" "time_now" (func (result i64))"#, "cwa.time_now", "either WASI or Olin"),
        (r#""wasi" "thread-spawn" (func (param i32) (result i32))"#, "wasi.thread-spawn", "threads"),
        (r#""wasi:cli/environment@0.2.0" "x" (func)"#, "wasi:cli/environment", "component new"),
    ] {
        let refused = refusal(&program(&format!(
            r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (import {import})"#
        )));
        assert_eq!(refused.code, "unmet_import", "{import}: {refused}");
        assert!(refused.message.contains(name), "{import}: {refused}");
        assert!(refused.hint.contains(hint), "{import}: {}", refused.hint);
    }
}

#[test]
fn a_function_of_another_type_is_refused_with_the_right_one() {
    let refused =
        refusal(&program(r#"(import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i32 i32 i32)))"#));
    assert_eq!(
        refused.message,
        "the module imports `wasi_snapshot_preview1.fd_seek` as (func (param i32 i32 i32 i32)); it is provided as \
         (func (param i32 i64 i32 i32) (result i32))"
    );
    let memory = refusal(
        r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                   (import "env" "memory" (memory 1)) (func (export "_start")))"#,
    );
    assert!(memory.message.contains("only functions are provided"), "{memory}");
}

#[test]
fn a_command_needs_its_entry_and_its_memory() {
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    let library =
        refusal(&format!(r#"(module {import} (memory (export "memory") 1) (func (export "_initialize")))"#));
    assert_eq!(library.code, "missing_entry");
    assert!(library.hint.contains("build a command"), "{}", library.hint);
    let nothing = refusal(&format!(r#"(module {import} (memory (export "memory") 1))"#));
    assert!(nothing.hint.contains("`main`"), "{}", nothing.hint);
    let blind = refusal(&format!(r#"(module {import} (memory 1) (func (export "_start")))"#));
    assert_eq!(blind.code, "missing_memory");
    let typed = refusal(&format!(
        r#"(module {import} (memory (export "memory") 1) (func (export "_start") (result i32) i32.const 0))"#
    ));
    assert!(typed.hint.contains("proc_exit"), "{}", typed.hint);
}

#[test]
fn every_function_of_wasi_0_1_is_met_and_has_a_name_once() {
    let imports: String = [
        ("fd_read", "(func (param i32 i32 i32 i32) (result i32))"),
        ("fd_readdir", "(func (param i32 i32 i32 i64 i32) (result i32))"),
        ("path_open", "(func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))"),
        ("path_filestat_set_times", "(func (param i32 i32 i32 i32 i64 i64 i32) (result i32))"),
        ("clock_time_get", "(func (param i32 i64 i32) (result i32))"),
        ("poll_oneoff", "(func (param i32 i32 i32 i32) (result i32))"),
        ("proc_exit", "(func (param i32))"),
        ("random_get", "(func (param i32 i32) (result i32))"),
        ("sock_recv", "(func (param i32 i32 i32 i32 i32 i32) (result i32))"),
    ]
    .map(|(name, ty)| format!(r#"(import "wasi_snapshot_preview1" "{name}" {ty})"#))
    .concat();
    assert_eq!(inspect_wat(&program(&imports)).unwrap().imports.len(), 9);
}

#[test]
fn references_to_the_hosts_values_are_refused_in_programs_of_wasi_alone() {
    let table = r#"(table 1 externref)"#;
    let refused = refusal(&program(&format!(
        r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) {table}"#
    )));
    assert_eq!(refused.code, "unsupported_feature");
    assert!(refused.message.contains("externref"), "{refused}");
    inspect_wat(&program(table)).unwrap();
    inspect_wat(&program(
        r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (table 1 funcref)"#,
    ))
    .unwrap();
}

#[test]
fn threads_are_refused_by_name() {
    let refused = refusal(
        r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                   (memory (export "memory") 1 1 shared) (func (export "_start")))"#,
    );
    assert_eq!(refused.code, "unsupported_feature");
    assert!(refused.message.contains("threads"), "{refused}");
}
