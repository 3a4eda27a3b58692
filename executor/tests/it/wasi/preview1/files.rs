//! Files that came with a program: to be read, and nothing else.

use wasmcloud_wire::Outcome;

use super::super::calls::{SNAPSHOT, UNSTABLE, World, call};
use super::*;
use crate::local::{a_run, ran};
use crate::wasm::wat;

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
        let world = World { files: shipped(), ..world(module) };
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
        let world = World { files: shipped(), ..world(module) };
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
async fn files_that_are_opened_without_end_end_the_program() {
    let open = call("path_open", &[3, 1, 16, 5, 0, 2, 0, 0, 64]);
    let text = format!(
        r#"(module {} (memory (export "memory") 1) (data (i32.const 16) "a.txt")
             (func (export "_start") (loop $more (if {open} (then (unreachable))) (br $more))))"#,
        super::super::calls::imports(SNAPSHOT)
    );
    let module = wasmcloud_inspect::files::append(&wat(&text), &shipped()).unwrap();
    let receipt = ran(a_run(&module)).await.receipt;
    let Outcome::Trap { message } = &receipt.outcome else { panic!("{:?}", receipt.outcome) };
    assert!(message.contains("no free keys"), "{message}");
    assert!((50..=200).contains(&receipt.host_calls["path_open"]), "{:?}", receipt.host_calls);
}
