//! Files that are damaged: whatever is left of one, it is refused or described, and nothing panics.

use super::*;

const WASI: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2 16)
    (table 2 funcref)
    (elem (i32.const 0) $f $f)
    (data (i32.const 8) "API_KEY\00 and more")
    (func $f (param i32) (result i32) local.get 0)
    (func (export "_start") (drop (call $write (i32.const 1) (call $f (i32.const 8)) (i32.const 0) (i32.const 4)))))"#;

const COMPONENT: &str = r#"(component
    (import "wasi:cli/environment@0.2.0" (instance $env
        (export "get-environment" (func (result (list (tuple string string)))))))
    (core module $m (memory (export "memory") 1) (func (export "run") (result i32) i32.const 0))
    (core instance $c (instantiate $m))
    (func $run (result (result)) (canon lift (core func $c "run")))
    (instance $i (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $i)))"#;

fn files() -> Vec<Vec<u8>> {
    [HELLO, WASI, COMPONENT].map(|text| wat::parse_str(text).unwrap()).to_vec()
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    for whole in files() {
        inspect(&whole, &Limits::default()).unwrap();
        for len in 0..whole.len() {
            // What is cut off may be a section that the file can do without, such as names at its end.
            if let Err(refused) = inspect(&whole[..len], &Limits::default()) {
                let expected =
                    ["not_wasm", "invalid_module", "missing_entry", "missing_memory", "unmet_import"];
                assert!(expected.contains(&refused.code.as_str()), "{len}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_file_with_any_byte_changed_is_refused_or_described() {
    for whole in files() {
        for at in 0..whole.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at].wrapping_add(1)] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = inspect(&bytes, &Limits::default());
            }
        }
    }
}

#[test]
fn a_file_with_bytes_moved_doubled_or_left_out_is_refused_or_described() {
    // A generator of numbers that are the same in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for whole in files() {
        for _ in 0..2_000 {
            let mut bytes = whole.clone();
            for _ in 0..=next(3) {
                let (from, to) = (next(bytes.len()), next(bytes.len()));
                match next(3) {
                    0 => bytes.swap(from, to),
                    1 => bytes.insert(to, whole[from % whole.len()]),
                    _ => drop(bytes.remove(from)),
                }
            }
            let _ = inspect(&bytes, &Limits::default());
        }
    }
}
