//! A running process of the binary: its output as it comes, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::eventually::{PATIENCE, eventually};
use crate::user::User;

/// A process that ends with this value, whatever happens.
pub struct Process {
    child: Child,
    name: String,
    pub stdout: Lines,
    pub stderr: Lines,
}

impl Process {
    /// Starts the binary in a user's home.
    pub fn spawn<S: AsRef<str>>(user: &User, args: &[S]) -> Process {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        Process::of(&mut user.command(&args))
    }

    /// Starts this command, whose output is piped.
    pub fn of(command: &mut Command) -> Process {
        let mut child = command.spawn().unwrap();
        let stdout = Lines::read(child.stdout.take().unwrap());
        let stderr = Lines::read(child.stderr.take().unwrap());
        let name = command.get_args().next().map(|name| name.to_string_lossy().into_owned());
        Process { child, name: name.unwrap_or_default(), stdout, stderr }
    }

    /// The memory that it has, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends a signal by its name: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// The exit code, once there is one; all output has been read then.
    #[track_caller]
    pub fn code(&mut self) -> i32 {
        let status = eventually(&format!("the end of `{}`", self.name), || self.child.try_wait().unwrap());
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        status.code().unwrap_or(-1)
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Expects the end of a server that was sent a signal.
    #[track_caller]
    pub fn ends_well(mut self) {
        assert_eq!(self.code(), 0, "{}: {}", self.name, self.stderr.text());
        let log = self.stderr.text();
        assert!(!log.contains("panicked"), "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} wrote:\n{}{}---", self.name, self.stdout.text(), self.stderr.text());
        } else {
            let log = self.stderr.text();
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// The lines of a stream, read by a thread of their own.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<Output>, Condvar)>);

#[derive(Default)]
struct Output {
    text: String,
    ended: bool,
}

impl Lines {
    fn read(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let shared = lines.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                shared.change(|read| read.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            shared.change(|read| read.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Output)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// All that was written so far.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// The first line with these words, once it is there.
    #[track_caller]
    pub fn wait_for(&self, words: &str) -> String {
        let found = |read: &Output| {
            let whole = read.text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut lines = whole.filter(|line| line.contains(words));
            lines.next().map(|line| line.trim_end().to_owned())
        };
        match self.wait(|read| read.ended || found(read).is_some(), found) {
            Some(line) => line,
            None => panic!("no line with `{words}` in: {}", self.text()),
        }
    }

    #[track_caller]
    fn wait_for_end(&self) {
        self.wait(|read| read.ended, |_| ());
    }

    #[track_caller]
    fn wait<T>(&self, until: impl Fn(&Output) -> bool, then: impl FnOnce(&Output) -> T) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut read = self.0.0.lock().unwrap();
        while !until(&read) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            read = self.0.1.wait_timeout(read, left).unwrap().0;
        }
        then(&read)
    }
}
