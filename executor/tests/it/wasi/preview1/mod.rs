//! Every function of WASI 0.1, under both of its names, in a world without host files and sockets: the error
//! numbers are those of the specification (`typenames.witx`), and where it leaves a choice, wasmtime's.

mod files;
mod functions;
mod lengths;

use wasmcloud_executor::local::Run;

use super::calls::{SNAPSHOT, World};

const OK: i32 = 0;
const BADF: i32 = 8;
const INVAL: i32 = 28;
const NAMETOOLONG: i32 = 37;
const NOENT: i32 = 44;
const NOTDIR: i32 = 54;
const NOTSOCK: i32 = 57;
const NOTSUP: i32 = 58;
const PERM: i32 = 63;
const SPIPE: i32 = 70;

/// Pairs of calls and what they return, each after the ones before it.
type Table = [(&'static str, i32)];

/// Checks a table, and gives what was in memory in the end.
async fn check(world: &World, module: &str, table: &Table, adjust: impl FnOnce(Run) -> Run) -> Vec<u8> {
    let lines: Vec<&str> = table.iter().map(|(line, _)| *line).collect();
    let (returned, memory) = world.make(module, &lines, adjust).await;
    let wrong: Vec<_> =
        table.iter().zip(&returned).filter(|((_, right), returned)| right != *returned).collect();
    assert!(wrong.is_empty(), "{module}: {wrong:#?}");
    memory
}

fn same(run: Run) -> Run {
    run
}

fn u32_at(memory: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(memory[at..at + 4].try_into().unwrap())
}

fn u64_at(memory: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(memory[at..at + 8].try_into().unwrap())
}

/// A subscription to a clock: that of `wasi_unstable` has one more field.
fn clock_subscription(module: &str, clock: u32, nanoseconds: u64, flags: u16) -> Vec<u8> {
    let mut bytes = vec![0; if module == SNAPSHOT { 48 } else { 56 }];
    bytes[0] = 77;
    let at = if module == SNAPSHOT { 16 } else { 24 };
    bytes[at..at + 4].copy_from_slice(&clock.to_le_bytes());
    bytes[at + 8..at + 16].copy_from_slice(&nanoseconds.to_le_bytes());
    bytes[at + 24..at + 26].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// A subscription to a file descriptor, for reading (1) or writing (2).
fn fd_subscription(module: &str, kind: u8, fd: u32) -> Vec<u8> {
    let mut bytes = vec![0; if module == SNAPSHOT { 48 } else { 56 }];
    (bytes[0], bytes[8]) = (88, kind);
    bytes[16..20].copy_from_slice(&fd.to_le_bytes());
    bytes
}

/// Memory at the beginning: a buffer of 16 bytes at 4096 that a vector at 0 names, an empty one that a vector at 8
/// names, subscriptions from 512 on.
fn world(module: &str) -> World {
    let mut vectors = Vec::new();
    for number in [4096u32, 16, 4096, 0] {
        vectors.extend_from_slice(&number.to_le_bytes());
    }
    World {
        data: vec![
            (0, vectors),
            (512, clock_subscription(module, 1, 1_000_000, 0)),
            (640, clock_subscription(module, 9, 0, 0)),
            (768, fd_subscription(module, 1, 0)),
            (896, fd_subscription(module, 2, 1)),
            (1024, fd_subscription(module, 1, 9)),
            (1152, clock_subscription(module, 0, 1, 1)),
            (1280, clock_subscription(module, 1, 1, 1)),
        ],
        files: Vec::new(),
    }
}

/// What comes with a program.
fn shipped() -> Vec<(String, Vec<u8>)> {
    vec![("a.txt".to_owned(), b"hello".to_vec()), ("dir/b.txt".to_owned(), b"inner".to_vec())]
}
