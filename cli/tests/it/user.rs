//! A user of the command line: a home, a settings file, and commands that are typed.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub struct User {
    pub home: tempfile::TempDir,
    environment: Vec<(&'static str, PathBuf)>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl User {
    pub fn new() -> User {
        User { home: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Trusts this CA (PEM) alone.
    pub fn trust(&mut self, ca: &Path) {
        self.environment.push(("SSL_CERT_FILE", ca.to_owned()));
    }

    /// A user who is logged in at this server with the token `token-a`.
    pub fn logged_in_at(server: &str) -> User {
        let user = User::new();
        user.write_settings(
            &serde_json::json!({"api_server": server, "token": "token-a", "username": "ada"}),
        );
        user
    }

    pub fn settings_path(&self) -> PathBuf {
        self.home.path().join(".wasmc.json")
    }

    pub fn write_settings(&self, settings: &Value) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.settings_path(), settings.to_string()).unwrap();
        std::fs::set_permissions(self.settings_path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn settings(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.settings_path()).unwrap()).unwrap()
    }

    /// A file in the user's home.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary with these arguments, in an environment that holds nothing but a home, and perhaps a CA.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmcloud"));
        command.args(args).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(self.command(args).output().unwrap())
    }

    /// Runs with this input, from a file: a command that does not read it breaks no pipe.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Done {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        Done::of(self.command(args).stdin(file).output().unwrap())
    }
}

impl Done {
    pub fn of(output: std::process::Output) -> Done {
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn good(self) -> Done {
        self.code(0)
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Everything on standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Done {
        assert!(self.stderr.contains(words), "no `{words}` on standard error: {self:?}");
        self
    }
}
