//! A whole platform, started by the real binary as its operator starts it, in either of two shapes.

mod certificates;
mod eventually;
mod person;
mod ports;
mod process;
mod programs;
mod web;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::user::User;
use certificates::Certificates;
pub use eventually::eventually;
pub use person::{Handler, Person};
pub use ports::free_port;
pub use process::Process;
pub use programs::{fixture, olin_echo, saying, saying_forever, slow};
pub use web::{Reply, Web, block_on};

/// How the platform is cut into processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `wasmcloud serve`: one process, plain HTTP, no settings.
    Serve,
    /// `wasmcloud api` and `wasmcloud executor`: two processes, HTTPS everywhere, a service token.
    Split,
}

/// Runs each of these stories, functions of a [`Shape`], as a test in both shapes.
macro_rules! both_shapes {
    ($($story:ident),+ $(,)?) => {
        mod on_serve {
            $( #[test] fn $story() { super::$story($crate::platform::Shape::Serve); } )+
        }
        mod on_api_and_executor {
            $( #[test] fn $story() { super::$story($crate::platform::Shape::Split); } )+
        }
    };
}

/// The domain of the split shape's edge. A certificate's `*` needs two labels behind it.
const SPLIT_DOMAIN: &str = "wasm.test";
/// The service token of both planes.
const SERVICE_TOKEN: &str = "e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70";

/// A platform of its own: data, ports, certificates and an operator's home.
pub struct Platform {
    pub shape: Shape,
    pub api_port: u16,
    pub edge_port: u16,
    internal_port: u16,
    folder: tempfile::TempDir,
    operator: Arc<User>,
    api_flags: Vec<String>,
    common_flags: Vec<String>,
    executor_token: &'static str,
    password: OnceLock<String>,
    running: Mutex<Running>,
    web: Web,
}

#[derive(Default)]
struct Running {
    /// `serve`, or `api`.
    api: Option<Process>,
    /// `executor`; nothing where `serve` is both.
    executor: Option<Process>,
}

impl Platform {
    /// A running platform where users are invited.
    pub fn start(shape: Shape) -> Platform {
        Platform::new(shape).api_flags(&["--registration", "invitation"]).started()
    }

    /// A platform that does not run yet.
    pub fn new(shape: Shape) -> Platform {
        let folder = tempfile::tempdir().unwrap();
        Certificates::shared().write_to(folder.path());
        let mut operator = User::new();
        if shape == Shape::Split {
            operator.trust(&folder.path().join("ca.pem"));
        }
        Platform {
            shape,
            api_port: free_port(),
            edge_port: free_port(),
            internal_port: free_port(),
            web: Web::trusting(&Certificates::shared().ca),
            folder,
            operator: Arc::new(operator),
            api_flags: Vec::new(),
            common_flags: Vec::new(),
            executor_token: SERVICE_TOKEN,
            password: OnceLock::new(),
            running: Mutex::default(),
        }
    }

    /// Flags of `serve` or `api`.
    pub fn api_flags(mut self, flags: &[&str]) -> Platform {
        self.api_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// Flags of every process.
    pub fn common_flags(mut self, flags: &[&str]) -> Platform {
        self.common_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// An executor that was given another service token than the API.
    pub fn with_another_token_at_the_executor(mut self) -> Platform {
        self.executor_token = "0000000000000000000000000000000000000000000000000000000000000000";
        self
    }

    pub fn started(self) -> Platform {
        self.start_again();
        self
    }

    /// Starts whatever does not run.
    #[track_caller]
    pub fn start_again(&self) {
        if self.shape == Shape::Split {
            self.start_executor();
        }
        self.start_api();
    }

    /// Starts `serve` or `api`, unless it runs.
    pub fn start_api(&self) {
        let mut running = self.running();
        if running.api.is_some() {
            return;
        }
        let process = Process::spawn(&self.operator, &self.api_args());
        process.stdout.wait_for("next: ");
        self.learn_password(&process);
        running.api = Some(process);
    }

    pub fn start_executor(&self) {
        let mut running = self.running();
        if running.executor.is_some() {
            return;
        }
        let process = Process::spawn(&self.operator, &self.executor_args());
        process.stdout.wait_for("next: ");
        running.executor = Some(process);
    }

    /// The first start's password; logs the operator in where the start itself does not.
    fn learn_password(&self, process: &Process) {
        let lines = process.stdout.text();
        let Some((_, rest)) = lines.split_once("admin with the password ") else { return };
        let password = rest.split_whitespace().next().unwrap();
        self.password.set(password.to_owned()).expect("only the first start shows a password");
        if self.shape == Shape::Split {
            let login = ["login", "admin", "--password-stdin", "--api-server", &self.api_url()];
            self.operator.run_with_input(&login, password).good();
        }
    }

    /// Stops everything by SIGTERM, the executor first: its records have to reach the API.
    #[track_caller]
    pub fn stop(&self) {
        self.stop_by("TERM");
    }

    /// Stops everything by this signal, and expects that each process exits with 0.
    #[track_caller]
    pub fn stop_by(&self, signal: &str) {
        self.stop_executor_by(signal);
        self.stop_api_by(signal);
    }

    #[track_caller]
    pub fn stop_api_by(&self, signal: &str) {
        if let Some(process) = self.running().api.take() {
            process.ends_well_by(signal);
        }
    }

    #[track_caller]
    pub fn stop_executor_by(&self, signal: &str) {
        if let Some(process) = self.running().executor.take() {
            process.ends_well_by(signal);
        }
    }

    /// Waits for the end of `serve`, or of the executor, which was sent a signal, and stops the rest.
    #[track_caller]
    pub fn wait(&self) {
        let mut running = self.running();
        let process = running.executor.take().or_else(|| running.api.take());
        drop(running);
        process.expect("it ran").ends_well();
        self.stop();
    }

    /// `kill -9` for every process.
    pub fn kill(&self) {
        self.kill_api();
        self.kill_executor();
    }

    pub fn kill_api(&self) {
        drop(self.running().api.take());
    }

    pub fn kill_executor(&self) {
        drop(self.running().executor.take());
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        // A test that failed elsewhere is told by its own words.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What `serve` or `api` wrote to standard output.
    pub fn said(&self) -> String {
        self.running().api.as_ref().expect("it runs").stdout.text()
    }

    /// The log of `serve` or `api`.
    pub fn api_log(&self) -> String {
        self.running().api.as_ref().expect("it runs").stderr.text()
    }

    pub fn executor_log(&self) -> String {
        self.running().executor.as_ref().expect("it runs").stderr.text()
    }

    /// Sends a signal to `serve`, or to the executor.
    pub fn signal_edge(&self, signal: &str) {
        let running = self.running();
        running.executor.as_ref().or(running.api.as_ref()).expect("it runs").signal(signal);
    }

    /// The first start's password.
    pub fn password(&self) -> &str {
        self.password.get().expect("there was a first start")
    }

    pub fn api_url(&self) -> String {
        match self.shape {
            Shape::Serve => format!("http://localhost:{}", self.api_port),
            Shape::Split => format!("https://localhost:{}", self.api_port),
        }
    }

    /// A handler's address.
    pub fn url(&self, label: &str) -> String {
        match self.shape {
            Shape::Serve => format!("http://{label}.localhost:{}/", self.edge_port),
            Shape::Split => format!("https://{label}.{SPLIT_DOMAIN}:{}/", self.edge_port),
        }
    }

    pub fn web(&self) -> &Web {
        &self.web
    }

    pub fn operator(&self) -> &Arc<User> {
        &self.operator
    }

    /// The data directory of `serve` or `api`.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where compiled modules are kept.
    pub fn compiled(&self) -> PathBuf {
        match self.shape {
            Shape::Serve => self.data().join("compiled"),
            Shape::Split => self.folder.path().join("executor/compiled"),
        }
    }

    /// The modules that are stored.
    pub fn modules(&self) -> Vec<PathBuf> {
        files(&self.data().join("modules"))
    }

    /// The operator.
    pub fn admin(&self) -> Person<'_> {
        Person::new(self, self.operator.clone())
    }

    /// A user who was invited and has registered.
    #[track_caller]
    pub fn user(&self, name: &str) -> Person<'_> {
        let invitation = self.operator.run(&["invite"]).good().stdout;
        let user = self.stranger();
        let (code, api) = (invitation.trim(), self.api_url());
        let register =
            ["register", name, "--invitation", code, "--password-stdin", "--api-server", api.as_str()];
        user.run_with_input(&register, "correct horse").good();
        Person::new(self, Arc::new(user))
    }

    /// Somebody who is not logged in.
    pub fn stranger(&self) -> User {
        let mut user = User::new();
        if self.shape == Shape::Split {
            user.trust(&self.folder.path().join("ca.pem"));
        }
        user
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The command line of `serve` or `api`.
    pub fn api_args(&self) -> Vec<String> {
        let mut args = match self.shape {
            Shape::Serve => {
                vec!["serve".to_owned(), "--edge-listen".to_owned(), local(self.edge_port)]
            }
            Shape::Split => [
                "api",
                "--executor",
                &format!("https://localhost:{}", self.internal_port),
                "--edge-url",
                &format!("https://{SPLIT_DOMAIN}:{}", self.edge_port),
                "--api-tls-cert",
                &self.file("cert.pem"),
                "--api-tls-key",
                &self.file("key.pem"),
                "--plane-ca",
                &self.file("ca.pem"),
                "--service-token-file",
                &self.token_file("api", SERVICE_TOKEN),
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        args.extend(["--data", &self.file("data"), "--api-listen", &local(self.api_port)].map(str::to_owned));
        args.extend(self.api_flags.clone());
        args.extend(self.common_flags.clone());
        args
    }

    /// The command line of `executor`.
    pub fn executor_args(&self) -> Vec<String> {
        let mut args: Vec<String> = [
            "executor",
            "--data",
            &self.file("executor"),
            "--api",
            &self.api_url(),
            "--edge-listen",
            &local(self.edge_port),
            "--edge-domain",
            SPLIT_DOMAIN,
            "--edge-tls-cert",
            &self.file("cert.pem"),
            "--edge-tls-key",
            &self.file("key.pem"),
            "--internal-listen",
            &local(self.internal_port),
            "--internal-tls-cert",
            &self.file("cert.pem"),
            "--internal-tls-key",
            &self.file("key.pem"),
            "--plane-ca",
            &self.file("ca.pem"),
            "--service-token-file",
            &self.token_file("executor", self.executor_token),
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(self.common_flags.clone());
        args
    }

    fn token_file(&self, whose: &str, token: &str) -> String {
        let path = self.file(&format!("{whose}-service-token"));
        std::fs::write(&path, token).unwrap();
        path
    }
}

fn local(port: u16) -> String {
    format!("{}:{port}", Ipv4Addr::LOCALHOST)
}

/// Every file below a folder, in order; none if it is not there.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = folder.read_dir() else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
