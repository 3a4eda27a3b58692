//! Other programs: run, asked, looked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};

/// A program to run. Its standard input is empty: nothing here asks a person.
#[derive(Debug)]
pub struct Command(std::process::Command);

impl Command {
    /// The program of that name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        let mut command = std::process::Command::new(program);
        command.stdin(Stdio::null());
        Command(command)
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Command {
        self.0.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Command {
        self.0.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Command {
        self.0.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(mut self, name: &str) -> Command {
        self.0.env_remove(name);
        self
    }

    /// Sets the folder that it works in.
    pub fn current_dir(mut self, folder: &Path) -> Command {
        self.0.current_dir(folder);
        self
    }

    /// Runs it to its end, with its output where ours goes.
    ///
    /// # Errors
    /// If it cannot be started, or ends with anything but success; the message is the command.
    pub fn run(mut self) -> anyhow::Result<()> {
        let shown = self.shown();
        let status = self.0.status().with_context(|| format!("`{shown}` cannot be started"))?;
        if !status.success() {
            bail!("`{shown}` ended with {status}");
        }
        Ok(())
    }

    /// What it writes to its standard output, if it succeeds; its standard error is dropped.
    pub fn answer(mut self) -> Option<String> {
        let output = self.0.stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn shown(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// Every program of that name in the folders of `PATH`, in their order.
pub fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).filter(|program| program.is_file()).collect()
}

/// The files that a Debian package installed; none where there is no such package, or no dpkg.
pub fn package_files(package: &str) -> Vec<PathBuf> {
    let listing = Command::new("dpkg").args(["-L", package]).answer().unwrap_or_default();
    listing.lines().map(PathBuf::from).filter(|path| path.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_exit_code() {
        let error = Command::new("sh").args(["-c", "exit 3"]).run().unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` ended with exit status: 3");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Command::new("no-such-program").run().unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program` cannot be started");
    }

    #[test]
    fn an_answer_is_the_standard_output_of_a_success() {
        assert_eq!(Command::new("sh").args(["-c", "echo yes"]).answer().as_deref(), Some("yes\n"));
        assert_eq!(Command::new("sh").args(["-c", "echo no; exit 1"]).answer(), None);
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(!on_path("sh").is_empty());
        assert!(on_path("no-such-program").is_empty());
    }
}
