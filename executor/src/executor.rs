//! The executor as a value, and what the control plane asks of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmcloud_egress::Egress;
use wasmcloud_listener::Tls;
use wasmcloud_plane::ServiceKeys;
use wasmcloud_wire::{
    Call, Change, ControlPlane, Digest, Event, EventStream, Inspection, InvokeError, Invoker, Limits,
    PrepareError,
};

use crate::admission::Admission;
use crate::edge::{Bodies, Edge};
use crate::guest::{Network, Part};
use crate::invocation::{self, StartError};
use crate::long_runs::LongRuns;
use crate::programs::{Compiler, ProgramError, Programs};
use crate::quota::Quotas;
use crate::recorder::Recorder;
use crate::reporter::Reporter;
use crate::routes::Routes;
use crate::suspension::Suspension;
use crate::{edge, internal};

/// How long a stopping executor waits for running invocations, and then for their records to arrive.
const DRAIN: Duration = Duration::from_secs(30);

/// What an executor is told when it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where compiled modules are kept.
    pub cache_dir: PathBuf,
    /// The executor's name: a guest's `WORKER_ID`.
    pub worker_id: String,
    /// Modules above these limits are not compiled.
    pub limits_max: Limits,
    /// Where modules are compiled.
    pub compiler: Compiler,
    /// Makes every connection that a program asks for.
    pub egress: Egress,
    /// Where the certificates of Gemini servers are remembered, a small file for each handler.
    pub gemini_dir: PathBuf,
    /// Whether components that export `wasi:http/handler` 0.3 run: upstream gives this part no security patches
    /// yet.
    pub wasi_http_3: bool,
}

/// Why an executor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The folder for compiled modules cannot be used.
    #[error("cannot use {path} for compiled modules: {source}", path = path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs modules.
pub struct Executor {
    settings: Settings,
    pub(crate) control: Arc<dyn ControlPlane>,
    pub(crate) programs: Programs,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) admission: Admission,
    pub(crate) suspension: Arc<Suspension>,
    pub(crate) bodies: Bodies,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) network: Arc<Network>,
    pub(crate) tasks: TaskTracker,
    pub(crate) long_runs: Arc<LongRuns>,
    pub(crate) reporter: Reporter,
    pub(crate) stopped: CancellationToken,
}

impl Executor {
    /// Starts an executor, which follows the control plane's changes from now on.
    ///
    /// # Errors
    ///
    /// The folder for compiled modules cannot be used.
    pub fn start(settings: Settings, control: Arc<dyn ControlPlane>) -> Result<Arc<Executor>, ExecutorError> {
        let programs = Programs::open(
            &settings.cache_dir,
            settings.limits_max.clone(),
            settings.compiler.clone(),
            settings.wasi_http_3,
        )
        .map_err(|source| ExecutorError::Cache { path: settings.cache_dir.clone(), source })?;
        let suspension = Arc::new(Suspension::default());
        let routes = Arc::new(Routes::new(control.clone(), suspension.clone()));
        let recorder = Recorder::new();
        let stopped = CancellationToken::new();
        let (token, follower) = (stopped.clone(), routes.clone());
        tokio::spawn(async move { token.run_until_cancelled(follower.follow()).await });
        let (token, records, target) = (stopped.clone(), recorder.clone(), control.clone());
        tokio::spawn(async move { token.run_until_cancelled(records.run(target)).await });
        let network = Network::new(settings.egress.clone(), settings.gemini_dir.clone());
        let quotas = Arc::new(Quotas::default());
        let (admission, tasks) = (Admission::new(quotas.clone()), TaskTracker::new());
        Ok(Arc::new(Executor {
            settings,
            control,
            programs,
            quotas,
            admission,
            suspension,
            bodies: Bodies::default(),
            recorder,
            routes,
            network,
            tasks,
            long_runs: Arc::default(),
            reporter: Reporter::new(),
            stopped,
        }))
    }

    /// The executor's name.
    pub fn worker_id(&self) -> &str {
        &self.settings.worker_id
    }

    /// What the operator lets handlers have.
    pub(crate) fn ceiling(&self) -> &Limits {
        &self.settings.limits_max
    }

    /// How many invocations run right now.
    pub fn running(&self) -> usize {
        self.admission.running()
    }

    /// How much memory requests' bodies take that are kept whole, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.bodies.taken()
    }

    /// Serves handlers' own traffic until `shutdown`; returns when all connections are gone.
    pub async fn serve_edge(
        self: Arc<Self>,
        edge: Edge,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: CancellationToken,
    ) {
        edge::serve(self, edge, listener, tls, shutdown).await;
    }

    /// Serves the control plane's calls until `shutdown`; returns when all connections are gone.
    pub async fn serve_internal(
        self: Arc<Self>,
        keys: ServiceKeys,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: CancellationToken,
    ) {
        internal::serve(self, keys, listener, tls, shutdown).await;
    }

    /// Waits for running invocations and for their records to reach the control plane, both with a
    /// bound. To be called once no listener serves any more. Returns how many records were lost.
    pub async fn stop(&self) -> usize {
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                running = self.running(),
                "invocations still run; the executor stops without them"
            );
        }
        let lost = self.recorder.drain(Instant::now() + DRAIN).await;
        if lost > 0 {
            tracing::error!(records = lost, "records did not reach the control plane");
        }
        self.report_last().await;
        self.stopped.cancel();
        lost
    }
}

#[async_trait]
impl Invoker for Executor {
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError> {
        // Nobody's, until it is called.
        match self.programs.get(digest, None, &*self.control).await {
            Ok(program) => Ok(program.inspection().clone()),
            Err(ProgramError::Refused(refusal)) => Err(PrepareError::Refused(refusal)),
            Err(error) => Err(PrepareError::Unavailable(error.to_string())),
        }
    }

    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError> {
        let parts = match invocation::start(self, call, None, true).await {
            Ok(parts) => parts,
            Err(StartError::Invoke(error)) => return Err(error),
            Err(error @ (StartError::BadRequest(_) | StartError::Malformed(_))) => {
                return Err(InvokeError::BadRequest(error.to_string()));
            }
            Err(StartError::Program(error)) => return Err(InvokeError::Unavailable(error.to_string())),
        };
        let events = stream::unfold((parts, None), |(mut parts, kept)| async move {
            match kept {
                Some(event) => Some((event, (parts, None))),
                None => {
                    let (event, next) = events(parts.recv().await?);
                    Some((event, (parts, next)))
                }
            }
        });
        Ok(Box::pin(events))
    }

    async fn announce(&self, change: &Change) {
        self.routes.announce(change).await;
    }
}

/// A part as one or two events.
fn events(part: Part) -> (Event, Option<Event>) {
    let head = |status, mut headers: Vec<(String, String)>, content_length: Option<u64>| {
        headers.extend(content_length.map(|length| ("content-length".to_owned(), length.to_string())));
        Event::Head { status, headers }
    };
    match part {
        Part::Whole { status, headers, content_length, body } => {
            let body = (!body.is_empty()).then_some(Event::Body { bytes: body });
            (head(status, headers, content_length), body)
        }
        Part::Head { status, headers, content_length } => (head(status, headers, content_length), None),
        Part::Body(bytes) => (Event::Body { bytes }, None),
        Part::Trailers(fields) => (Event::Trailers { fields }, None),
        Part::Log(line) => (Event::Log { line }, None),
        Part::End { receipt, .. } => (Event::End { receipt }, None),
    }
}
