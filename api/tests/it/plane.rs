//! A control plane over a store that is given: one process of several that share a database.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmcloud_api::store::Store;
use wasmcloud_api::{Config, Core, ServeError, serve};
use wasmcloud_blob::FsBlobs;
use wasmcloud_wire::Invoker;

use crate::app::{Client, FakeInvoker, PASSWORD, module};

pub struct Plane {
    pub core: Arc<Core>,
    base: String,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    _dir: TempDir,
}

impl Plane {
    pub async fn start(store: Arc<dyn Store>) -> Plane {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::open(dir.path().join("modules")).await.unwrap();
        let config = Config::new(dir.path().join("jwt.key"), "http://localhost:3001".parse().unwrap());
        let core = Core::new(store, Arc::new(blobs), config).await.unwrap();
        let listener = wasmcloud_listener::bind(([127, 0, 0, 1], 0).into(), "--api-listen").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let invoker: Arc<dyn Invoker> = Arc::new(FakeInvoker::default());
        let serving = tokio::spawn(serve(Arc::clone(&core), invoker, listener, None, shutdown.clone()));
        Plane { core, base, shutdown, serving, _dir: dir }
    }

    /// A new user, logged in.
    pub async fn user(&self, name: &str) -> Client {
        let user = self.core.create_user(name.parse().unwrap(), PASSWORD.to_owned(), false).await.unwrap();
        let grant = self.core.grant_token(&user, "test", 1).await.unwrap();
        Client { token: Some(grant.token), ..self.anonymous() }
    }

    pub fn anonymous(&self) -> Client {
        Client { http: reqwest::Client::new(), base: self.base.clone(), token: None, keys: None }
    }

    /// Deploys a handler over HTTP, as a user of its own.
    pub async fn deploy(&self, name: &str) {
        let user = self.user(&format!("owner-of-{name}")).await;
        let answer = user.create(name, module(name)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Ends the server, and waits until it has ended.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
    }
}
