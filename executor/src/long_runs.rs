//! Programs that compute for long go on on threads of their own, which come after all others: whoever needs a
//! moment does not wait for whoever needs a second.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;

use rustix::process::nice;
use tokio::runtime::{Builder, Runtime};

use crate::guest::Watch;

/// How much those threads let others go first.
const NICENESS: i32 = 10;

/// The threads of long runs, made when there is one.
#[derive(Default)]
pub(crate) struct LongRuns(OnceLock<Option<Runtime>>);

impl LongRuns {
    /// Runs an invocation's work to its end: here at first, and among its like once its watch says that it
    /// computes for long.
    pub(crate) async fn run(&self, work: impl Future<Output = ()> + Send + 'static, watch: Arc<Watch>) {
        let here = Here { work: Some(Box::pin(work)), watch };
        let Some(work) = here.await else { return };
        match self.0.get_or_init(runtime) {
            Some(runtime) => {
                if let Err(error) = runtime.spawn(work).await {
                    tracing::error!(%error, "an invocation's work failed");
                }
            }
            None => work.await,
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
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("long-runs")
        .on_thread_start(lower_priority)
        .enable_all()
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
}

impl<F: Future<Output = ()>> Future for Here<F> {
    type Output = Option<Pin<Box<F>>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Pin<Box<F>>>> {
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
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn work_moves_to_other_threads_only_once_it_is_long() {
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
        runs.run(work, watch).await;
        let mut names = Vec::new();
        while let Some(name) = told.recv().await {
            names.push(name);
        }
        assert_eq!((names[0] == names[1], names[2].as_str()), (true, "long-runs"), "{names:?}");
    }
}
