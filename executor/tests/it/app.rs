//! An executor with its edge, in front of a control plane of the test's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmcloud_executor::egress::{self, Egress};
use wasmcloud_executor::{Compiler, Edge, Executor, Settings};
use wasmcloud_wire::{
    Abi, Call, Change, ControlPlane, Deployment, Digest, HandlerId, InvocationId, Invoker, Limits,
    RequestHead, RouteKey, Scheme, Trigger, UserId, VersionNumber,
};

use crate::client::{Answer, Client};
use crate::control::{Control, Recorded};

/// Long enough for anything that should happen, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Handlers answer below this domain.
pub const DOMAIN: &str = "localhost";
pub const WORKER_ID: &str = "worker-7";

pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("did not happen in time: {what}"))
}

pub struct TestExecutor {
    pub control: Control,
    pub executor: Arc<Executor>,
    pub addr: SocketAddr,
    shutdown: CancellationToken,
    edge: JoinHandle<()>,
    cache: Option<TempDir>,
}

impl TestExecutor {
    pub async fn start() -> TestExecutor {
        let cache = TempDir::new().unwrap();
        let mut app = TestExecutor::start_in(cache.path(), Control::default()).await;
        app.cache = Some(cache);
        app
    }

    /// Starts with a cache and a control plane that others have used before.
    pub async fn start_in(cache: &Path, control: Control) -> TestExecutor {
        let edge = Edge { domain: DOMAIN.to_owned(), by_path: true, trusted_proxies: Default::default() };
        TestExecutor::start_with(cache, control, edge).await
    }

    pub async fn start_with(cache: &Path, control: Control, edge: Edge) -> TestExecutor {
        let plane = Arc::new(control.clone());
        TestExecutor::start_all(cache, control, plane, edge, closed(), false).await
    }

    /// Starts where the operator lets components with WASI 0.3 run.
    pub async fn start_with_wasi_http_3(egress: Egress) -> TestExecutor {
        let cache = TempDir::new().unwrap();
        let control = Control::default();
        let plane = Arc::new(control.clone());
        let edge = Edge { domain: DOMAIN.to_owned(), by_path: true, trusted_proxies: Default::default() };
        let mut app = TestExecutor::start_all(cache.path(), control, plane, edge, egress, true).await;
        app.cache = Some(cache);
        app
    }

    /// Starts with a way out of the test's own.
    pub async fn start_reaching(egress: Egress) -> TestExecutor {
        let cache = TempDir::new().unwrap();
        let control = Control::default();
        let plane = Arc::new(control.clone());
        let edge = Edge { domain: DOMAIN.to_owned(), by_path: true, trusted_proxies: Default::default() };
        let mut app = TestExecutor::start_all(cache.path(), control, plane, edge, egress, false).await;
        app.cache = Some(cache);
        app
    }

    /// Starts with some way to the control plane.
    pub async fn start_behind(cache: &Path, control: Control, plane: Arc<dyn ControlPlane>) -> TestExecutor {
        let edge = Edge { domain: DOMAIN.to_owned(), by_path: true, trusted_proxies: Default::default() };
        TestExecutor::start_all(cache, control, plane, edge, closed(), false).await
    }

    async fn start_all(
        cache: &Path,
        control: Control,
        plane: Arc<dyn ControlPlane>,
        edge: Edge,
        egress: Egress,
        wasi_http_3: bool,
    ) -> TestExecutor {
        let settings = Settings {
            cache_dir: cache.to_owned(),
            worker_id: WORKER_ID.to_owned(),
            limits_max: Limits::default(),
            compiler: Compiler::Here,
            egress,
            gemini_dir: cache.join("gemini-hosts"),
            wasi_http_3,
        };
        let executor = Executor::start(settings, plane).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let edge = tokio::spawn(executor.clone().serve_edge(edge, listener, None, shutdown.clone()));
        // What is looked up before the first `Resync` would be looked up again.
        control.heard().await;
        TestExecutor { control, executor, addr, shutdown, edge, cache: None }
    }

    /// What the executor remembers of the Gemini servers that a handler has seen.
    pub fn gemini_file(&self, handler: HandlerId) -> PathBuf {
        self.cache.as_ref().unwrap().path().join("gemini-hosts").join(format!("{handler}.json"))
    }

    /// Ends the edge, then the executor.
    pub async fn stop(self) {
        self.shutdown.cancel();
        within("the edge ends", self.edge).await.unwrap();
        within("the executor stops", self.executor.stop()).await;
    }

    /// Deploys a module as the next version of a handler, which is live when this returns.
    pub async fn deploy(&self, name: &str, module: &[u8]) -> Deployment {
        self.deploy_with(name, module, |_| ()).await
    }

    pub async fn deploy_with(
        &self,
        name: &str,
        module: &[u8],
        adjust: impl FnOnce(&mut Deployment),
    ) -> Deployment {
        let deployment = self.store(name, module, adjust);
        self.announce(name).await;
        deployment
    }

    /// Tells the executor that a handler has changed.
    pub async fn announce(&self, name: &str) {
        self.executor.announce(&Change::Handler { name: name.parse().unwrap() }).await;
    }

    /// Makes a version known to the control plane, which tells nobody.
    pub fn store(&self, name: &str, module: &[u8], adjust: impl FnOnce(&mut Deployment)) -> Deployment {
        let live: RouteKey = name.parse().unwrap();
        let before = self.control.see(|state| state.deployments.get(&live).cloned());
        let mut deployment = match before {
            Some(before) => Deployment {
                version: VersionNumber(before.version.0 + 1),
                digest: Digest::of(module),
                abi: abi(module),
                ..before
            },
            None => Deployment {
                handler: HandlerId::new(),
                name: live.handler.clone(),
                owner: UserId::new(),
                version: VersionNumber(1),
                digest: Digest::of(module),
                abi: abi(module),
                env: Default::default(),
                limits: Limits::default(),
                urls: Default::default(),
                forward_authorization: false,
                secrets: Default::default(),
                split: None,
                recording: None,
                quota: Default::default(),
                suspended: None,
            },
        };
        adjust(&mut deployment);
        let pinned = RouteKey { version: Some(deployment.version), ..live.clone() };
        self.control.update(|state| {
            state.modules.insert(deployment.digest, Bytes::copy_from_slice(module));
            state.deployments.insert(live, deployment.clone());
            state.deployments.insert(pinned, deployment.clone());
        });
        deployment
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Sends a request as it stands, over a connection of its own.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer(request.starts_with(b"HEAD ")).await
    }

    pub async fn request(&self, method: &str, handler: &str, target: &str, body: Option<&[u8]>) -> Answer {
        let length = body.map_or(String::new(), |body| format!("content-length: {}\r\n", body.len()));
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {handler}.{DOMAIN}\r\n{length}\r\n");
        self.raw([head.as_bytes(), body.unwrap_or_default()].concat()).await
    }

    pub async fn get(&self, handler: &str, target: &str) -> Answer {
        self.request("GET", handler, target, None).await
    }

    pub async fn post(&self, handler: &str, target: &str, body: &[u8]) -> Answer {
        self.request("POST", handler, target, Some(body)).await
    }

    pub async fn recorded(&self, answer: &Answer) -> Recorded {
        self.control.recorded(answer.invocation()).await
    }

    /// Deploys a module, asks it once, and waits for what is recorded of that.
    pub async fn try_out(
        &self,
        name: &str,
        module: &[u8],
        adjust: impl FnOnce(&mut Limits),
    ) -> (Answer, Recorded) {
        self.deploy_with(name, module, |deployment| adjust(&mut deployment.limits)).await;
        let answer = self.get(name, "/").await;
        let recorded = self.recorded(&answer).await;
        (answer, recorded)
    }
}

/// How a module speaks to the host. What cannot be inspected is refused elsewhere.
fn abi(module: &[u8]) -> Abi {
    wasmcloud_inspect::inspect(module, &Limits::default()).map_or(Abi::Olin, |inspection| inspection.abi)
}

/// A way out as servers have it that are told nothing: no address of this machine is open.
pub fn closed() -> Egress {
    Egress::new(egress::Settings::default()).unwrap()
}

pub fn request_head(method: &str, target: &str) -> RequestHead {
    RequestHead {
        method: method.to_owned(),
        scheme: Scheme::Http,
        protocol: "HTTP/1.1".to_owned(),
        server_name: "hello.localhost".to_owned(),
        server_port: 80,
        script_name: String::new(),
        target: target.to_owned(),
        headers: Vec::new(),
        remote_addr: "127.0.0.1".to_owned(),
    }
}

/// A call as the API makes it.
pub fn call(deployment: &Deployment, target: &str) -> Call {
    Call {
        invocation: InvocationId::new(),
        deployment: deployment.clone(),
        trigger: Trigger::Invoke,
        request: request_head("GET", target),
        body: None,
        count_gas: false,
        inputs: None,
    }
}
