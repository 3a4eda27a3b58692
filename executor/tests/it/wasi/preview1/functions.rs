//! What every function answers where there are only the standard streams.

use bytes::Bytes;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::Outcome;

use super::super::calls::{SNAPSHOT, UNSTABLE, call};
use super::*;
use crate::local::{a_run, ran};
use crate::wasm::wat;

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
            let imports = super::super::calls::imports(module);
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
            super::super::calls::imports(module)
        );
        let ran = ran(a_run(&wat(&text))).await;
        assert_eq!(ran.receipt.outcome, Outcome::Ok, "{module}: {:?}", ran.lines);
        assert_eq!((ran.output.as_str(), ran.lines[0].text.as_str()), ("", "moved"), "{module}");
    }
}
