//! A whole platform, started by the real binary as its operator starts it, in any of three shapes.

mod arguments;
mod certificates;
mod clock;
mod eventually;
mod keeping;
mod person;
mod ports;
mod process;
mod programs;
mod proxy;
mod running;
mod web;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::user::User;
use certificates::Certificates;
pub use eventually::eventually;
use keeping::Keeping;
pub use person::{Handler, Person};
pub use ports::free_port;
pub use process::Process;
pub use programs::{fixture, olin_echo, saying, saying_forever, slow};
use running::Running;
pub use web::{Reply, Web, block_on};

/// How the platform is cut into processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `wasmcloud serve`: one process, SQLite and a folder, plain HTTP, no settings.
    Serve,
    /// `wasmcloud api` and `wasmcloud executor`: PostgreSQL and S3, HTTPS everywhere, a service token.
    Split,
    /// Two of each, behind an nginx.
    Fleet,
}

impl Shape {
    /// How many processes of each kind there are, where they are separate.
    fn nodes(self) -> usize {
        if self == Shape::Fleet { 2 } else { 1 }
    }
}

/// Runs each of these stories, functions of a [`Shape`], as a test in every shape.
macro_rules! every_shape {
    ($($story:ident),+ $(,)?) => {
        mod on_serve {
            $( #[test] fn $story() { super::$story($crate::platform::Shape::Serve); } )+
        }
        larger_shapes![$($story),+];
    };
}

/// The same in the shapes whose planes are separate processes.
macro_rules! larger_shapes {
    ($($story:ident),+ $(,)?) => {
        mod on_api_and_executor {
            $( #[test] fn $story() { super::$story($crate::platform::Shape::Split); } )+
        }
        mod on_two_of_each {
            $( #[test] fn $story() { super::$story($crate::platform::Shape::Fleet); } )+
        }
    };
}

/// The domain of the larger shapes' edge. A certificate's `*` needs two labels behind it.
const SPLIT_DOMAIN: &str = "wasm.test";
/// A domain for hosts of users' own, which the certificate is good for too.
pub const ROUTED_DOMAIN: &str = "routed.test";
/// The service token of both planes.
pub const SERVICE_TOKEN: &str = "e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70";

/// Where a process listens.
struct Ports {
    /// The API, or the edge.
    public: u16,
    /// The executor's own for the API.
    internal: u16,
}

/// A platform of its own: data, ports, certificates and an operator's home.
pub struct Platform {
    pub shape: Shape,
    /// Where clients find the API.
    pub api_port: u16,
    /// Where clients find handlers.
    pub edge_port: u16,
    apis: Vec<Ports>,
    executors: Vec<Ports>,
    folder: tempfile::TempDir,
    keeping: Keeping,
    operator: Arc<User>,
    api_flags: Vec<String>,
    edge_flags: Vec<String>,
    common_flags: Vec<String>,
    executor_token: &'static str,
    /// Whether the processes' clock is what [`Platform::jump`] says.
    clock_jumps: bool,
    password: OnceLock<String>,
    running: Mutex<Running>,
    web: Web,
}

impl Platform {
    /// A running platform where users are invited.
    pub fn start(shape: Shape) -> Platform {
        Platform::new(shape).api_flags(&["--registration", "invitation"]).started()
    }

    /// A running platform with a database that no other test uses, so that it can be stopped.
    pub fn start_with_own_database(shape: Shape) -> Platform {
        let keeping = Keeping::apart(shape);
        Platform::keeping(shape, keeping).api_flags(&["--registration", "invitation"]).started()
    }

    /// A platform that does not run yet.
    pub fn new(shape: Shape) -> Platform {
        Platform::keeping(shape, Keeping::shared(shape))
    }

    fn keeping(shape: Shape, keeping: Keeping) -> Platform {
        let folder = tempfile::tempdir().unwrap();
        Certificates::shared().write_to(folder.path());
        let mut operator = User::new();
        if shape != Shape::Serve {
            operator.trust(&folder.path().join("ca.pem"));
        }
        let ports =
            || (0..shape.nodes()).map(|_| Ports { public: free_port(), internal: free_port() }).collect();
        let (apis, executors): (Vec<Ports>, Vec<Ports>) = (ports(), ports());
        let behind = |own: u16| if shape == Shape::Fleet { free_port() } else { own };
        Platform {
            shape,
            api_port: behind(apis[0].public),
            edge_port: behind(executors[0].public),
            apis,
            executors,
            web: Web::trusting(&Certificates::shared().ca),
            folder,
            keeping,
            operator: Arc::new(operator),
            api_flags: Vec::new(),
            edge_flags: Vec::new(),
            common_flags: Vec::new(),
            executor_token: SERVICE_TOKEN,
            clock_jumps: false,
            password: OnceLock::new(),
            running: Mutex::default(),
        }
    }

    /// Flags of `serve` or `api`.
    pub fn api_flags(mut self, flags: &[&str]) -> Platform {
        self.api_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// Flags of `serve` or `executor`.
    pub fn edge_flags(mut self, flags: &[&str]) -> Platform {
        self.edge_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
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

    /// Processes whose clock can be moved.
    pub fn with_a_clock_that_jumps(mut self) -> Platform {
        self.clock_jumps = true;
        self.jump("+0");
        self
    }

    /// Moves the processes' clock by so many seconds, as from when they began.
    pub fn jump(&self, seconds: &str) {
        // Replaced as a whole: a process may look at any moment.
        std::fs::write(self.file("clock.new"), seconds).unwrap();
        std::fs::rename(self.file("clock.new"), self.file("clock")).unwrap();
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
            Shape::Split | Shape::Fleet => format!("https://localhost:{}", self.api_port),
        }
    }

    /// One API process's own address, past whatever stands before it.
    pub fn api_url_at(&self, number: usize) -> String {
        let scheme = if self.shape == Shape::Serve { "http" } else { "https" };
        format!("{scheme}://localhost:{}", self.apis[number].public)
    }

    /// How many API processes there are.
    pub fn api_count(&self) -> usize {
        self.apis.len()
    }

    /// A handler's address.
    pub fn url(&self, label: &str) -> String {
        match self.shape {
            Shape::Serve => format!("http://{label}.localhost:{}/", self.edge_port),
            Shape::Split | Shape::Fleet => format!("https://{label}.{SPLIT_DOMAIN}:{}/", self.edge_port),
        }
    }

    /// The same handler's address at one executor, past whatever stands before it.
    pub fn url_at(&self, executor: usize, label: &str) -> String {
        format!("https://{label}.{SPLIT_DOMAIN}:{}/", self.executors[executor].public)
    }

    pub fn web(&self) -> &Web {
        &self.web
    }

    /// The CA of the certificates of the larger shapes.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn operator(&self) -> &Arc<User> {
        &self.operator
    }

    /// The data directory of `serve` or the first `api`.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The key of handlers' settings.
    pub fn settings_key(&self) -> PathBuf {
        self.keys().join("settings-key")
    }

    /// The folder of the keys that every API has.
    fn keys(&self) -> PathBuf {
        if self.shape == Shape::Serve { self.data() } else { self.folder.path().join("keys") }
    }

    /// What was compiled, on whichever executor.
    pub fn compiled(&self) -> Vec<PathBuf> {
        match self.shape {
            Shape::Serve => files(&self.data().join("compiled")),
            Shape::Split | Shape::Fleet => (0..self.executors.len())
                .flat_map(|number| files(&self.node_folder("executor", number).join("compiled")))
                .collect(),
        }
    }

    /// The data directory of one of several processes.
    fn node_folder(&self, kind: &str, number: usize) -> PathBuf {
        let name = if number == 0 { kind.to_owned() } else { format!("{kind}-{}", number + 1) };
        self.folder.path().join(name)
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
        if self.shape != Shape::Serve {
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
