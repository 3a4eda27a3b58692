mod components;
mod damaged;
mod wasi;

use wasmcloud_wire::Abi;

use super::*;

fn inspect_wat(text: &str) -> Result<Inspection, Refusal> {
    inspect(&wat::parse_str(text).unwrap(), &Limits::default())
}

fn refusal(text: &str) -> Refusal {
    inspect_wat(text).unwrap_err()
}

const HELLO: &str = r#"(module
    (import "cwa" "io_get_stdout" (func (result i32)))
    (import "env" "resource_write" (func (param i32 i32 i32) (result i32)))
    (memory (export "memory") 2 16)
    (func (export "_start")))"#;

#[test]
fn a_module_is_described() {
    let inspection = inspect_wat(HELLO).unwrap();
    assert_eq!(inspection.abi, Abi::Olin);
    assert_eq!((inspection.memory_bytes_min, inspection.memory_bytes_max), (131_072, Some(1_048_576)));
    let imports: Vec<String> = inspection
        .imports
        .iter()
        .map(|import| format!("{}.{} {}", import.module, import.name, import.ty))
        .collect();
    assert_eq!(
        imports,
        [
            "cwa.io_get_stdout (func (result i32))",
            "env.resource_write (func (param i32 i32 i32) (result i32))"
        ]
    );
    let exports: Vec<(&str, &str)> =
        inspection.exports.iter().map(|export| (export.name.as_str(), export.kind.as_str())).collect();
    assert_eq!(exports, [("memory", "memory"), ("_start", "func")]);
}

#[test]
fn every_import_of_the_table_is_met_under_both_modules_and_every_type() {
    for module in olin::abi::MODULES {
        for import in olin::abi::IMPORTS {
            for signature in import.signatures {
                let import = format!("(import \"{module}\" \"{}\" {signature})", import.name);
                let text =
                    format!("(module {import} (memory (export \"memory\") 1) (func (export \"_start\")))");
                inspect_wat(&text).unwrap_or_else(|refusal| panic!("{import}: {refusal}"));
            }
        }
    }
}

#[test]
fn unmet_imports_are_named() {
    let refused = refusal(
        r#"(module (import "cwa" "resource_opne" (func (param i32 i32) (result i32)))
                   (import "env" "abort" (func (param i32)))
                   (func (export "_start")))"#,
    );
    assert_eq!(refused.code, "unmet_import");
    assert!(refused.message.contains("`cwa.resource_opne`") && refused.message.contains("1 more: env.abort"));
    let typo = refusal(r#"(module (import "cwa" "tim_now" (func (result i64))) (func (export "_start")))"#);
    assert!(typo.hint.contains("`time_now`"), "{}", typo.hint);
}

#[test]
fn an_import_of_another_type_is_refused_with_the_right_one() {
    let refused =
        refusal(r#"(module (import "cwa" "time_now" (func (result i32))) (func (export "_start")))"#);
    assert_eq!(
        refused.message,
        "the module imports `cwa.time_now` as (func (result i32)); it is provided as (func (result i64))"
    );
    let memory = refusal(r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#);
    assert!(memory.message.contains("only functions are provided"), "{}", memory.message);
}

#[test]
fn a_program_needs_its_entry_and_its_memory() {
    assert_eq!(refusal("(module)").code, "missing_entry");
    assert_eq!(refusal(r#"(module (memory (export "_start") 1))"#).code, "missing_entry");
    let typed = refusal(r#"(module (func (export "_start") (param i32) (result i32) i32.const 0))"#);
    assert!(typed.message.contains("(func (param i32) (result i32))"), "{}", typed.message);
    let blind = refusal(
        r#"(module (import "cwa" "log_write" (func (param i32 i32 i32))) (memory 1) (func (export "_start")))"#,
    );
    assert_eq!(blind.code, "missing_memory");
}

#[test]
fn what_begins_above_a_limit_is_refused_with_both_numbers() {
    let memory = refusal(r#"(module (memory (export "memory") 2049) (func (export "_start")))"#);
    assert_eq!(memory.code, "over_limit");
    assert!(
        memory.message.contains("2049 pages") && memory.message.contains("2048 pages"),
        "{}",
        memory.message
    );
    assert!(inspect_wat(r#"(module (memory (export "memory") 2048) (func (export "_start")))"#).is_ok());
    let table = refusal(r#"(module (table 15000 funcref) (table 5001 funcref) (func (export "_start")))"#);
    assert!(table.message.contains("20001") && table.message.contains("20000"), "{}", table.message);
}

#[test]
fn unsupported_features_are_named() {
    for (text, name) in [
        (r#"(module (memory 1 1 shared) (func (export "_start")))"#, "threads"),
        (r#"(module (memory i64 1) (func (export "_start")))"#, "64-bit memories"),
        (r#"(module (memory 1) (memory 1) (func (export "_start")))"#, "multiple memories"),
        (r#"(module (func $f (export "_start") return_call $f))"#, "tail calls"),
        (r#"(module (tag) (func (export "_start")))"#, "exceptions"),
        (r#"(module (type (struct)) (func (export "_start")))"#, "garbage collection"),
    ] {
        let refused = refusal(text);
        assert_eq!(refused.code, "unsupported_feature", "{text}: {refused}");
        assert!(refused.message.contains(name), "{text}: {refused}");
    }
}

#[test]
fn the_features_of_current_compilers_are_offered() {
    inspect_wat(
        r#"(module
            (global (mut i32) (i32.add (i32.const 1) (i32.const 2)))
            (table 1 externref)
            (memory (export "memory") 1)
            (func $two (result i32 i32) i32.const 1 i32.const 2)
            (func (export "_start")
                (memory.fill (i32.const 0) (i32.const 0) (i32.const 8))
                (drop (i32.extend8_s (i32.const 255)))
                (drop (i32.trunc_sat_f32_s (f32.const 1)))
                (drop (i8x16.splat (i32.const 1)))
                call $two drop drop))"#,
    )
    .unwrap();
}

#[test]
fn files_of_other_kinds_are_refused_by_name() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"\x7fELF\x02\x01\x01", "ELF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"(module)", "text"),
        (b"(component)", "component as WebAssembly text"),
        (b"package wasi:http@0.2.0;", "interfaces"),
        (b"\x7fELF\x02\x01\x01 and so on .wasmtime.engine", "wasmtime compiled"),
        (b"#!/bin/sh", "script"),
        (b"\0asm", "version"),
        (b"\0asm\x02\0\0\0", "version"),
        (b"hello world", "does not begin"),
    ] {
        let refused = inspect(bytes, &Limits::default()).unwrap_err();
        assert_eq!(refused.code, "not_wasm");
        assert!(refused.message.contains(word), "{bytes:?}: {refused}");
    }
}

#[test]
fn a_module_above_the_upload_limit_is_refused() {
    let refused = inspect(&vec![0; UPLOAD_BYTES_MAX + 1], &Limits::default()).unwrap_err();
    assert_eq!(refused.code, "over_limit");
}

#[test]
fn a_dagger_program_is_known_by_its_imports_with_any_integer_types() {
    for (ptr, result) in [("i32", "i32"), ("i64", "i64"), ("i32", "i64")] {
        let inspection = inspect_wat(&format!(
            r#"(module (import "dagger" "open" (func (param {ptr} i32) (result {result})))
                       (import "dagger" "write" (func (param i64 {ptr} {ptr}) (result {result})))
                       (import "dagger" "flush" (func (param i32)))
                       (memory 1)
                       (func (export "main") (result i32) i32.const 0))"#
        ));
        assert_eq!(inspection.unwrap().abi, Abi::Dagger);
    }
    let import = r#"(import "dagger" "open" (func (param i32 i32) (result i32)))"#;
    for (text, word) in [
        (format!("(module {import})"), "`main`"),
        (
            format!(
                r#"(module {import} (import "cwa" "time_now" (func (result i64))) (func (export "main")))"#
            ),
            "cwa.time_now",
        ),
        (
            r#"(module (import "dagger" "opne" (func (param i32 i32) (result i32))) (func (export "main")))"#
                .to_owned(),
            "dagger.opne",
        ),
        (
            r#"(module (import "dagger" "open" (func (param i32) (result i32))) (func (export "main")))"#
                .to_owned(),
            "takes 2 integers",
        ),
        (
            r#"(module (import "dagger" "open" (func (param f32 i32) (result i32))) (func (export "main")))"#
                .to_owned(),
            "takes 2 integers",
        ),
    ] {
        let refused = refusal(&text);
        assert!(refused.message.contains(word), "{text}: {refused}");
    }
}

#[test]
fn an_h_program_is_known_by_its_one_import() {
    let h =
        r#"(module (import "h" "h" (func $h (param i32))) (func (export "h") (call $h (i32.const 104))))"#;
    assert_eq!(inspect_wat(h).unwrap().abi, Abi::H);
    assert_eq!(
        refusal(r#"(module (import "h" "h" (func (param i64))) (func (export "h")))"#).code,
        "unmet_import"
    );
    assert_eq!(
        refusal(r#"(module (import "h" "h" (func (param i32))) (func (export "main")))"#).code,
        "missing_entry"
    );
}
