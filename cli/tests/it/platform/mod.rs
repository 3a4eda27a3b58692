//! A whole platform, started by the real binary as its operator starts it, in either of two shapes.

mod arguments;
mod certificates;
mod eventually;
mod person;
mod ports;
mod process;
mod programs;
mod running;
mod web;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::user::User;
use certificates::Certificates;
pub use eventually::eventually;
pub use person::{Handler, Person};
pub use ports::free_port;
pub use process::Process;
pub use programs::{fixture, olin_echo, saying, saying_forever, slow};
use running::Running;
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
