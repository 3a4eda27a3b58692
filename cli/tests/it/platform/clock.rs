//! A clock that a test moves under running processes: libfaketime, which stands between them and the system.

use std::path::Path;
use std::process::Command;

/// Has a process read the time as this file says: `+3600` is an hour later than it is.
pub(super) fn read_from(file: &str, command: &mut Command) {
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        // What measures how long something takes goes on as it does.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

fn library() -> String {
    let name = "faketime/libfaketimeMT.so.1";
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    let found = found.expect("libfaketime is not installed: install the package `libfaketime`");
    found.to_str().unwrap().to_owned()
}
