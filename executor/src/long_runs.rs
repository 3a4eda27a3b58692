//! Programs that compute for long, or keep others waiting, go on on threads of their own, one for each run, which
//! come after all others: whoever needs a moment does not wait for whoever needs a second.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustix::process::nice;
use tokio::runtime::{Builder, Handle, Runtime};
use wasmcloud_wire::limits::CONCURRENCY_PER_EXECUTOR_MAX;

use crate::guest::Watch;
use crate::wasi::Trust;

/// How much those threads let others go first.
const NICENESS: i32 = 10;

/// Most runs on threads of their own: as many as there are invocations.
const THREADS_MAX: usize = CONCURRENCY_PER_EXECUTOR_MAX + 64;

/// The threads of long runs, made when there is one.
#[derive(Default)]
pub(crate) struct LongRuns(OnceLock<Option<Runtime>>);

impl LongRuns {
    /// Runs an invocation's work to its end: here at first, as long as its program is trusted, and on a thread of
    /// its own once its watch says that it computes for long.
    pub(crate) async fn run(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
        watch: Arc<Watch>,
        trust: Arc<Trust>,
    ) {
        let here = Here { work: Some(Box::pin(work)), watch, trust };
        let Some(work) = here.await else { return };
        let Some(runtime) = self.0.get_or_init(runtime) else { return work.await };
        // Its timers and connections stay where they were made.
        let home = Handle::current();
        if let Err(error) = runtime.spawn_blocking(move || home.block_on(work)).await {
            tracing::error!(%error, "an invocation's work failed");
        }
    }
}

impl Drop for LongRuns {
    fn drop(&mut self) {
        // What still runs has no executor any more.
        if let Some(Some(runtime)) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> Option<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(THREADS_MAX)
        .thread_name("long-runs")
        .on_thread_start(lower_priority)
        .build();
    runtime
        .inspect_err(|error| tracing::error!(%error, "no threads for long runs; they run among the others"))
        .ok()
}

fn lower_priority() {
    // On Linux, the niceness is the calling thread's.
    if let Err(error) = nice(NICENESS) {
        tracing::warn!(error = %io::Error::from(error), "the priority of long runs cannot be lowered");
    }
}

/// Work that is given back instead of going on once it computes for long.
struct Here<F> {
    work: Option<Pin<Box<F>>>,
    watch: Arc<Watch>,
    trust: Arc<Trust>,
}

impl<F: Future<Output = ()>> Future for Here<F> {
    type Output = Option<Pin<Box<F>>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Pin<Box<F>>>> {
        // Between the program's turns others may have found out about it.
        if self.watch.is_long() || !self.trust.is_given() {
            return Poll::Ready(self.work.take());
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        match work.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if self.watch.is_long() => Poll::Ready(self.work.take()),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    async fn threads(trust: Arc<Trust>) -> Vec<String> {
        let runs = LongRuns::default();
        let watch = Arc::new(Watch::new(Instant::now() + Duration::from_secs(30)));
        let (report, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mark = watch.clone();
        let name = || thread::current().name().unwrap_or_default().to_owned();
        let work = async move {
            report.send(name()).unwrap();
            tokio::task::yield_now().await;
            report.send(name()).unwrap();
            mark.computes_long();
            tokio::task::yield_now().await;
            report.send(name()).unwrap();
        };
        runs.run(work, watch, trust).await;
        let mut names = Vec::new();
        while let Some(name) = told.recv().await {
            names.push(name);
        }
        names
    }

    #[tokio::test]
    async fn work_moves_to_a_thread_of_its_own_only_once_it_is_long() {
        let names = threads(Arc::new(Trust::given())).await;
        assert!(names[0] == names[1] && names[0] != "long-runs", "{names:?}");
        assert_eq!(names[2], "long-runs");
    }

    #[tokio::test]
    async fn a_program_that_is_not_trusted_begins_there() {
        assert_eq!(threads(Arc::default()).await, ["long-runs"; 3]);
    }
}
