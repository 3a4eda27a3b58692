//! Every function of WASI 0.1, under both of its names, in a world without host files and sockets: the error
//! numbers are those of the specification (`typenames.witx`), and where it leaves a choice, wasmtime's.

use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Call, Event, Invoker, Outcome};

use super::calls::{FUNCTIONS, SNAPSHOT, UNSTABLE, World, call, one_of};
use crate::allocations::largest_allocation;
use crate::app::{TestExecutor, call as call_of};
use crate::invoker::events;
use crate::local::{a_run, ran};
use crate::wasm::wat;

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

/// What every function answers where there are only the three standard streams.
const WITHOUT_FILES: &Table = &[
    ("args_sizes_get 2048 2052", OK),
    ("args_get 2064 2080", OK),
    ("environ_sizes_get 2056 2060", OK),
    ("environ_get 8192 16384", OK),
    ("clock_res_get 0 2304", OK),
    ("clock_res_get 1 2312", OK),
    ("clock_res_get 2 2320", BADF),
    ("clock_res_get 3 2320", BADF),
    ("clock_time_get 0 1 2328", OK),
    ("clock_time_get 1 1 2336", OK),
    ("clock_time_get 2 1 2320", BADF),
    ("clock_time_get 3 1 2320", BADF),
    ("fd_advise 0 0 0 0", BADF),
    ("fd_advise 9 0 0 0", BADF),
    ("fd_allocate 1 0 1", BADF),
    ("fd_allocate 9 0 1", BADF),
    ("fd_close 3", BADF),
    ("fd_close -1", BADF),
    ("fd_datasync 1", BADF),
    ("fd_datasync 9", BADF),
    ("fd_fdstat_get 0 2400", OK),
    ("fd_fdstat_get 1 2424", OK),
    ("fd_fdstat_get 2 2448", OK),
    ("fd_fdstat_get 3 2472", BADF),
    ("fd_fdstat_set_flags 1 0", BADF),
    ("fd_fdstat_set_flags 9 0", BADF),
    ("fd_fdstat_set_rights 1 0 0", BADF),
    ("fd_fdstat_set_rights 9 0 0", BADF),
    ("fd_filestat_get 0 2496", OK),
    ("fd_filestat_get 1 2560", OK),
    ("fd_filestat_get 9 2624", BADF),
    ("fd_filestat_set_size 1 0", BADF),
    ("fd_filestat_set_times 1 0 0 0", BADF),
    ("fd_filestat_set_times 1 0 0 3", INVAL),
    ("fd_pread 0 0 1 0 2640", SPIPE),
    ("fd_pread 1 0 1 0 2640", BADF),
    ("fd_pread 9 0 1 0 2640", BADF),
    ("fd_prestat_get 0 2640", BADF),
    ("fd_prestat_get 3 2640", BADF),
    ("fd_prestat_dir_name 0 2640 8", NOTDIR),
    ("fd_prestat_dir_name 3 2640 8", BADF),
    ("fd_pwrite 1 0 1 0 2640", SPIPE),
    ("fd_pwrite 0 0 1 0 2640", BADF),
    ("fd_pwrite 9 0 1 0 2640", BADF),
    ("fd_read 0 0 1 2648", OK),
    ("fd_read 0 0 1 2652", OK),
    ("fd_read 1 0 1 2640", BADF),
    ("fd_read 9 0 1 2640", BADF),
    ("fd_readdir 0 4096 64 0 2640", BADF),
    ("fd_readdir 9 4096 64 0 2640", BADF),
    ("fd_renumber 1 1", OK),
    ("fd_renumber 9 1", BADF),
    ("fd_renumber 1 9", BADF),
    ("fd_seek 0 0 0 2640", SPIPE),
    ("fd_seek 1 0 1 2640", SPIPE),
    ("fd_seek 9 0 0 2640", BADF),
    ("fd_sync 1", BADF),
    ("fd_sync 9", BADF),
    ("fd_tell 0 2640", SPIPE),
    ("fd_tell 9 2640", BADF),
    ("fd_write 2 0 1 2656", OK),
    ("fd_write 2 8 1 2660", OK),
    ("fd_write 2 0 0 2664", OK),
    ("fd_write 0 0 1 2640", BADF),
    ("fd_write 9 0 1 2640", BADF),
    ("path_create_directory 3 'a'", BADF),
    ("path_filestat_get 3 0 'a' 2640", BADF),
    ("path_filestat_set_times 3 0 'a' 0 0 0", BADF),
    ("path_link 3 0 'a' 3 'b'", BADF),
    ("path_open 3 0 'a' 0 0 0 0 2640", BADF),
    ("path_open 0 0 'a' 0 0 0 0 2640", BADF),
    ("path_readlink 3 'a' 4096 16 2640", BADF),
    ("path_remove_directory 3 'a'", BADF),
    ("path_rename 3 'a' 3 'b'", BADF),
    ("path_symlink 'a' 3 'b'", BADF),
    ("path_unlink_file 3 'a'", BADF),
    ("poll_oneoff 512 3072 0 2640", INVAL),
    ("poll_oneoff 512 3072 1 2668", OK),
    ("poll_oneoff 640 3104 1 2640", INVAL),
    ("poll_oneoff 768 3104 1 2672", OK),
    ("poll_oneoff 896 3136 1 2676", OK),
    ("poll_oneoff 1024 3168 1 2640", BADF),
    ("poll_oneoff 1152 3200 1 2680", OK),
    ("poll_oneoff 1280 3232 1 2684", OK),
    ("proc_raise 14", NOTSUP),
    ("random_get 3300 32", OK),
    ("random_get 3300 0", OK),
    ("sched_yield", OK),
    ("sock_recv 0 0 1 0 2640 2644", NOTSOCK),
    ("sock_recv 9 0 1 0 2640 2644", BADF),
    ("sock_send 1 0 1 0 2640", NOTSOCK),
    ("sock_send 9 0 1 0 2640", BADF),
    ("sock_shutdown 1 1", NOTSOCK),
    ("sock_shutdown 9 1", BADF),
];

#[tokio::test]
async fn every_function_answers_as_specified_where_there_are_no_files() {
    for module in [SNAPSHOT, UNSTABLE] {
        let with = |run: Run| Run {
            args: vec!["one".into(), "two".into()],
            body: Some(Bytes::from_static(b"twenty bytes to read")),
            ..run
        };
        let before = wasmcloud_wire::Timestamp::now().0.unsigned_abs();
        let memory = check(&world(module), module, WITHOUT_FILES, with).await;
        let after = wasmcloud_wire::Timestamp::now().0.unsigned_abs();

        // parrot, one, two; each with its zero byte.
        assert_eq!((u32_at(&memory, 2048), u32_at(&memory, 2052)), (3, 15), "{module}");
        assert_eq!(&memory[2080..2095], b"parrot\0one\0two\0", "{module}");
        assert_eq!([0, 4, 8].map(|at| u32_at(&memory, 2064 + at)), [2080, 2087, 2091], "{module}");
        let (count, bytes) = (u32_at(&memory, 2056) as usize, u32_at(&memory, 2060) as usize);
        let variables: Vec<&[u8]> = memory[16_384..16_384 + bytes - 1].split(|byte| *byte == 0).collect();
        assert_eq!(variables.len(), count, "{module}");
        assert!(variables.contains(&b"REQUEST_METHOD=GET".as_slice()), "{module}");

        // Clocks are coarse: whole milliseconds.
        assert_eq!([u64_at(&memory, 2304), u64_at(&memory, 2312)], [1_000_000; 2], "{module}");
        let now = u64_at(&memory, 2328);
        assert!(
            now.is_multiple_of(1_000_000) && (before..=after).contains(&(now / 1_000_000)),
            "{module}: {now}"
        );
        assert_eq!(u64_at(&memory, 2336) % 1_000_000, 0, "{module}");

        // Standard streams are of no known type; one reads, two write.
        for (fd, rights) in [(0, 1u64 << 1), (1, 1 << 6), (2, 1 << 6)] {
            let at = 2400 + 24 * fd;
            let (ty, flags) = (memory[at], u16::from_le_bytes([memory[at + 2], memory[at + 3]]));
            assert_eq!((ty, flags, u64_at(&memory, at + 8)), (0, 0, rights), "{module}: {fd}");
        }

        // 16 bytes, then what is left of 20; then writing 16, none and none.
        let counts = [2648, 2652, 2656, 2660, 2664].map(|at| u32_at(&memory, at));
        assert_eq!(counts, [16, 4, 16, 0, 0], "{module}");
        // One event each, with the subscription's own number, no error, and its type.
        for (count, event, number, ty) in [
            (2668, 3072, 77, 0),
            (2672, 3104, 88, 1),
            (2676, 3136, 88, 2),
            (2680, 3200, 77, 0),
            (2684, 3232, 77, 0),
        ] {
            assert_eq!(u32_at(&memory, count), 1, "{module}: {event}");
            assert_eq!(
                (u64_at(&memory, event), memory[event + 8], memory[event + 10]),
                (number, 0, ty),
                "{module}"
            );
        }
        assert_ne!(&memory[3300..3332], [0; 32], "{module}: 32 random bytes are all zero");
    }
}

#[tokio::test]
async fn a_socket_is_accepted_nowhere_and_only_the_snapshot_has_the_function() {
    let table = &[("sock_accept 0 0 2640", NOTSOCK), ("sock_accept 9 0 2640", BADF)];
    check(&world(SNAPSHOT), SNAPSHOT, table, same).await;
    let module = wat(&format!(
        r#"(module (import "{UNSTABLE}" "sock_accept" (func (param i32 i32 i32) (result i32)))
             (memory (export "memory") 1) (func (export "_start")))"#
    ));
    let refused = crate::local::try_run(a_run(&module)).await;
    assert!(refused.err().is_some_and(|error| error.to_string().contains("sock_accept")));
}

#[tokio::test]
async fn at_the_end_of_the_standard_input_reading_gives_nothing() {
    for module in [SNAPSHOT, UNSTABLE] {
        let table = &[("fd_read 0 0 1 2048", OK), ("fd_read 0 0 1 2052", OK), ("fd_read 0 0 1 2056", OK)];
        let with = |run: Run| Run { body: Some(Bytes::from_static(b"abc")), ..run };
        let memory = check(&world(module), module, table, with).await;
        assert_eq!([2048, 2052, 2056].map(|at| u32_at(&memory, at)), [3, 0, 0], "{module}");
        assert_eq!(&memory[4096..4100], b"abc\0", "{module}");
    }
}

#[tokio::test]
async fn several_subscriptions_are_waited_for_at_once() {
    for module in [SNAPSHOT, UNSTABLE] {
        // One that is a long time away, one that is ready at once, and one whose time comes.
        let subscriptions = [
            clock_subscription(module, 1, 3_600_000_000_000, 0),
            fd_subscription(module, 2, 1),
            fd_subscription(module, 1, 0),
        ];
        let mut world = world(module);
        world.data.push((3400, subscriptions.concat()));
        let table = &[("poll_oneoff 3400 3600 3 2048", OK), ("poll_oneoff 3400 3600 3 2052", OK)];
        let memory = check(&world, module, table, same).await;
        assert_eq!([u32_at(&memory, 2048), u32_at(&memory, 2052)], [2, 2], "{module}");
        for (event, ty) in [(3600, 2), (3632, 1)] {
            assert_eq!(
                (u64_at(&memory, event), memory[event + 8], memory[event + 10]),
                (88, 0, ty),
                "{module}"
            );
        }
        assert_eq!(&memory[3400..3400 + subscriptions.concat().len()], subscriptions.concat(), "{module}");
    }
}

#[tokio::test]
async fn numbers_that_name_nothing_end_the_program() {
    for module in [SNAPSHOT, UNSTABLE] {
        for call in [
            call("clock_res_get", &[4, 2320]),
            call("clock_time_get", &[4, 1, 2320]),
            call("fd_advise", &[0, 0, 0, 99]),
            call("fd_seek", &[0, 0, 3, 2640]),
            call("proc_raise", &[99]),
        ] {
            let imports = super::calls::imports(module);
            let text = format!(
                r#"(module {imports} (memory (export "memory") 1) (func (export "_start") (drop {call})))"#
            );
            let outcome = ran(a_run(&wat(&text))).await.receipt.outcome;
            assert!(
                matches!(&outcome, Outcome::Trap { message } if message.contains("Invalid enum value")),
                "{module}: {call}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn standard_streams_can_be_closed_and_moved() {
    for module in [SNAPSHOT, UNSTABLE] {
        let text = format!(
            r#"(module {} (memory (export "memory") 1)
              (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "moved")
              (func (export "_start")
                (if (call $fd_close (i32.const 0)) (then (unreachable)))
                (if (i32.ne (call $fd_close (i32.const 0)) (i32.const {BADF})) (then (unreachable)))
                (if (i32.ne (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const {BADF}))
                  (then (unreachable)))
                (if (call $fd_renumber (i32.const 2) (i32.const 1)) (then (unreachable)))
                (if (i32.ne (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const {BADF}))
                  (then (unreachable)))
                (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)) (then (unreachable)))))"#,
            super::calls::imports(module)
        );
        let ran = ran(a_run(&wat(&text))).await;
        assert_eq!(ran.receipt.outcome, Outcome::Ok, "{module}: {:?}", ran.lines);
        assert_eq!((ran.output.as_str(), ran.lines[0].text.as_str()), ("", "moved"), "{module}");
    }
}

fn files() -> Vec<(String, Vec<u8>)> {
    vec![("a.txt".to_owned(), b"hello".to_vec()), ("dir/b.txt".to_owned(), b"inner".to_vec())]
}

/// What functions answer where there are files, `/` being 3: they can be read.
const WITH_FILES: &Table = &[
    ("fd_prestat_get 3 2048", OK),
    ("fd_prestat_dir_name 3 2056 1", OK),
    ("fd_prestat_dir_name 3 2056 0", NAMETOOLONG),
    ("fd_prestat_get 4 2640", BADF),
    ("path_filestat_get 3 0 'a.txt' 2064", OK),
    ("path_filestat_get 3 0 'dir' 2128", OK),
    ("path_filestat_get 3 0 'missing' 2640", NOENT),
    ("path_open 3 1 'a.txt' 0 2 0 0 2192", OK),
    ("path_open 3 1 'dir/b.txt' 0 2 0 0 2196", OK),
    ("path_open 3 1 'dir/../a.txt' 0 2 0 0 2200", OK),
    ("path_open 3 1 'dir' 2 2 0 0 2204", OK),
    ("path_open 3 1 'a.txt' 2 2 0 0 2640", NOTDIR),
    ("path_open 3 1 'missing' 0 2 0 0 2640", NOENT),
    ("fd_read 4 0 1 2208", OK),
    ("fd_read 4 0 1 2212", OK),
    ("fd_tell 4 2216", OK),
    ("fd_pread 5 0 1 1 2224", OK),
    ("fd_filestat_get 4 2232", OK),
    ("fd_advise 4 0 0 0", OK),
    ("fd_readdir 3 5000 1000 0 2296", OK),
    ("fd_readdir 7 6000 1000 0 2300", OK),
    ("path_readlink 3 'a.txt' 4096 16 2640", INVAL),
    ("fd_close 4", OK),
    ("fd_read 4 0 1 2640", BADF),
];

/// Ways out of the folder of files, and ways to change it: all are refused.
const REFUSED: &[&str] = &[
    "path_open 3 1 '../etc/passwd' 0 2 0 0 2640",
    "path_open 3 1 'dir/../../x' 0 2 0 0 2640",
    "path_open 3 1 '/etc/passwd' 0 2 0 0 2640",
    "path_open 3 1 '..' 2 2 0 0 2640",
    "path_filestat_get 3 1 '../' 2640",
    "path_filestat_get 3 1 '/' 2640",
    "path_open 3 1 'a.txt' 0 64 0 0 2640",
    "path_open 3 1 'a.txt' 0 66 0 1 2640",
    "path_open 3 1 'a.txt' 8 2 0 0 2640",
    "path_open 3 1 'new' 1 64 0 0 2640",
    "path_open 3 1 'new' 1 2 0 0 2640",
    "path_open 3 1 'new' 5 66 0 0 2640",
    "path_create_directory 3 'new'",
    "path_filestat_set_times 3 0 'a.txt' 0 0 2",
    "path_link 3 0 'a.txt' 3 'b'",
    "path_remove_directory 3 'dir'",
    "path_rename 3 'a.txt' 3 'b'",
    "path_symlink '/etc/passwd' 3 'b'",
    "path_symlink 'a.txt' 3 'b'",
    "path_unlink_file 3 'a.txt'",
    "fd_filestat_set_times 3 0 0 2",
    "fd_filestat_set_size 4 0",
    "fd_filestat_set_times 4 0 0 2",
    "fd_allocate 4 0 100",
    "fd_write 4 0 1 2640",
    "fd_pwrite 4 0 1 0 2640",
];

#[tokio::test]
async fn files_that_come_with_a_program_can_be_read() {
    for module in [SNAPSHOT, UNSTABLE] {
        let world = World { files: files(), ..world(module) };
        let memory = check(&world, module, WITH_FILES, same).await;
        // A folder whose name has one byte: `/`.
        assert_eq!((memory[2048], u32_at(&memory, 2052), memory[2056]), (0, 1, b'/'), "{module}");
        let opened = [2192, 2196, 2200, 2204].map(|at| u32_at(&memory, at));
        assert_eq!(opened, [4, 5, 6, 7], "{module}");
        // Five bytes, and then the end; four from the second byte on.
        assert_eq!([2208, 2212, 2224].map(|at| u32_at(&memory, at)), [5, 0, 4], "{module}");
        assert_eq!((&memory[4096..4101], u64_at(&memory, 2216)), (b"nnero".as_slice(), 5), "{module}");
        // Names of the folder's entries, among their numbers.
        let entries = |from: usize, count: usize| {
            String::from_utf8_lossy(&memory[from..from + u32_at(&memory, count) as usize]).into_owned()
        };
        let (root, dir) = (entries(5000, 2296), entries(6000, 2300));
        assert!(root.contains("a.txt") && root.contains("dir"), "{module}: {root:?}");
        assert!(dir.contains("b.txt") && !dir.contains("a.txt"), "{module}: {dir:?}");
    }
}

#[tokio::test]
async fn no_way_leads_out_of_the_files_and_none_changes_them() {
    for module in [SNAPSHOT, UNSTABLE] {
        let world = World { files: files(), ..world(module) };
        let mut lines = vec!["path_open 3 1 'a.txt' 0 2 0 0 2640"];
        lines.extend_from_slice(REFUSED);
        lines.extend([
            "path_filestat_get 3 0 'a.txt' 2048",
            "fd_pread 4 0 1 0 2224",
            "path_filestat_get 3 0 'new' 2640",
        ]);
        let (returned, memory) = world.make(module, &lines, same).await;
        let (opened, rest) = returned.split_first().unwrap();
        let (refused, after) = rest.split_at(REFUSED.len());
        eprintln!("{module}: {:#?}", REFUSED.iter().zip(refused).collect::<Vec<_>>());
        assert_eq!(*opened, OK, "{module}");
        for (line, returned) in REFUSED.iter().zip(refused) {
            assert!([PERM, BADF, NOTSUP].contains(returned), "{module}: {line}: {returned}");
        }
        // All is as it was.
        assert_eq!(after, [OK, OK, NOENT], "{module}");
        assert_eq!(u32_at(&memory, 2224), 5, "{module}");
        assert_eq!(&memory[4096..4101], b"hello", "{module}");
    }
}

#[tokio::test]
async fn a_program_ends_with_whatever_status_it_gives() {
    for module in [SNAPSHOT, UNSTABLE] {
        for status in [0, 1, 3, 125, 126, 255, -1, i32::MIN] {
            let module = wat(&format!(
                r#"(module (import "{module}" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
                     (func (export "_start") (call $exit (i32.const {status})) (unreachable)))"#
            ));
            let expected = if status == 0 { Outcome::Ok } else { Outcome::Exit { status } };
            assert_eq!(ran(a_run(&module)).await.receipt.outcome, expected);
        }
    }
}

/// Calls of every function with numbers that no pointer and no length should have.
fn absurd_calls() -> Vec<String> {
    let mut calls = Vec::new();
    for (name, types) in FUNCTIONS {
        for value in [-1, 0x7fff_fff0, 65_528] {
            let all = vec![value; types.len()];
            let mut kinds = vec![all.clone()];
            for fd in [0, 1, 3] {
                let mut with_fd = all.clone();
                if let Some(first) = with_fd.first_mut() {
                    *first = fd;
                }
                let mut with_pointer = with_fd.clone();
                if let Some(second) = with_pointer.get_mut(1) {
                    *second = 4096;
                }
                kinds.extend([with_fd, with_pointer]);
            }
            kinds.sort();
            kinds.dedup();
            calls.extend(kinds.iter().map(|arguments| call(name, arguments)));
        }
    }
    calls
}

/// Most calls under way at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_passed_to_a_function_it_fails_or_traps_and_nothing_is_allocated_for_it() {
    let calls = Arc::new(absurd_calls());
    assert!(calls.len() > 500, "{}", calls.len());
    let app = Arc::new(TestExecutor::start().await);
    for files in [Vec::new(), files()] {
        let module = one_of(&calls);
        let module = if files.is_empty() {
            module
        } else {
            wasmcloud_inspect::files::append(&module, &files).unwrap()
        };
        let deployment = app.deploy("hello", &module).await;
        app.executor.prepare(&deployment.digest).await.unwrap();
        let tasks = (0..AT_ONCE).map(|first| {
            let (app, calls, deployment) = (app.clone(), calls.clone(), deployment.clone());
            tokio::spawn(async move {
                for number in (first..calls.len()).step_by(AT_ONCE) {
                    let body = Bytes::copy_from_slice(&(number as u16).to_le_bytes());
                    let events = events(&app, Call { body: Some(body), ..call_of(&deployment, "/") }).await;
                    let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
                    let outcome = &receipt.outcome;
                    assert!(
                        matches!(outcome, Outcome::Ok | Outcome::Trap { .. }),
                        "{}: {outcome:?}",
                        calls[number]
                    );
                    assert!(receipt.host_calls.len() >= 2, "{}: {:?}", calls[number], receipt.host_calls);
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
    }
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}

#[tokio::test]
async fn lengths_that_a_programs_memory_has_room_for_are_served_or_refused_and_never_copied_whole() {
    // Each of these names 100 MiB, which are there.
    let bytes = 100 << 20;
    let calls: String = [
        call("path_open", &[3, 0, 0, bytes, 0, 0, 0, 0, bytes + 4096]),
        call("path_create_directory", &[3, 0, bytes]),
        call("path_unlink_file", &[3, 0, bytes]),
        call("path_symlink", &[0, bytes, 3, 0, bytes]),
        call("path_rename", &[3, 0, bytes, 3, 0, bytes]),
        call("path_readlink", &[3, 0, bytes, 0, bytes, bytes + 4096]),
        call("poll_oneoff", &[0, 0, 2_000_000, bytes + 4096]),
        call("fd_readdir", &[3, 0, bytes, 0, bytes + 4096]),
    ]
    .map(|call| format!("(drop {call})"))
    .concat();
    let imports = super::calls::imports(SNAPSHOT);
    let text =
        format!(r#"(module {imports} (memory (export "memory") 1601) (func (export "_start") {calls}))"#);
    for files in [Vec::new(), files()] {
        let module = wat(&text);
        let module = if files.is_empty() {
            module
        } else {
            wasmcloud_inspect::files::append(&module, &files).unwrap()
        };
        let ran = ran(a_run(&module)).await;
        assert_eq!(ran.receipt.outcome, Outcome::Ok, "{:?}", ran.lines);
    }
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}

#[tokio::test]
async fn files_that_are_opened_without_end_end_the_program() {
    let open = call("path_open", &[3, 1, 16, 5, 0, 2, 0, 0, 64]);
    let text = format!(
        r#"(module {} (memory (export "memory") 1) (data (i32.const 16) "a.txt")
             (func (export "_start") (loop $more (if {open} (then (unreachable))) (br $more))))"#,
        super::calls::imports(SNAPSHOT)
    );
    let module = wasmcloud_inspect::files::append(&wat(&text), &files()).unwrap();
    let receipt = ran(a_run(&module)).await.receipt;
    let Outcome::Trap { message } = &receipt.outcome else { panic!("{:?}", receipt.outcome) };
    assert!(message.contains("no free keys"), "{message}");
    assert!((50..=200).contains(&receipt.host_calls["path_open"]), "{:?}", receipt.host_calls);
}

#[tokio::test]
async fn a_large_buffer_is_written_and_filled_with_random_bytes_in_one_call() {
    // 20 MiB: more than the host copies at once.
    let bytes = 20 << 20;
    let text = format!(
        r#"(module {}  (memory (export "memory") 400)
          (func (export "_start") (local $at i32) (local $left i32)
            (if (call $random_get (i32.const 4096) (i32.const {bytes})) (then (unreachable)))
            (if (i64.eqz (i64.load (i32.const {last}))) (then (unreachable)))
            (memory.fill (i32.const 4096) (i32.const 120) (i32.const {bytes}))
            (local.set $at (i32.const 4096))
            (local.set $left (i32.const {bytes}))
            (loop $more
              (i32.store (i32.const 0) (local.get $at))
              (i32.store (i32.const 4) (local.get $left))
              (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))
              (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
              (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
              (br_if $more (local.get $left)))))"#,
        super::calls::imports(SNAPSHOT),
        last = 4096 + bytes - 8,
    );
    let ran = ran(a_run(&wat(&text))).await;
    assert_eq!(ran.receipt.outcome, Outcome::Ok, "{:?}", ran.lines);
    assert_eq!(ran.bytes.len(), bytes);
}
