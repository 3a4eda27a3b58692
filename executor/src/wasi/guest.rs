//! What a guest and its watcher share while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::usage::Usage;
use crate::guest::{Reader, Session, Stop};
use crate::recording::Tap;

/// A running guest's surroundings.
pub(crate) struct Guest {
    session: Mutex<Option<Box<Session>>>,
    /// Whoever reads the answer; `None` where output is printed as it comes.
    pub(super) reader: Option<Reader>,
    stop: Mutex<Option<Stop>>,
    stopped: Notify,
    /// What was used so far.
    pub(super) usage: Arc<Usage>,
}

impl Guest {
    pub(super) fn new(session: Box<Session>, reader: Option<Reader>, usage: Arc<Usage>) -> Arc<Guest> {
        Arc::new(Guest {
            session: Mutex::new(Some(session)),
            reader,
            stop: Mutex::default(),
            stopped: Notify::new(),
            usage,
        })
    }

    /// Works on the session. `None` once the guest has ended.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_deref_mut().map(work)
    }

    /// What records the request and the answer as they pass.
    pub(super) fn tap(&self) -> Option<&Tap> {
        self.reader.as_ref()?.tap.as_deref()
    }

    /// Takes the session away, when the guest has ended.
    pub(super) fn take(&self) -> Option<Box<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the guest for this reason; the first one counts. The error is for the host function's result.
    pub(super) fn stop(&self, stop: Stop) -> wasmtime::Error {
        let error = wasmtime::Error::msg(stop.to_string());
        self.stopping().get_or_insert(stop);
        self.stopped.notify_one();
        error
    }

    /// Whether something has ended the guest.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopping().is_some()
    }

    /// Notes that the guest has computed for long.
    pub(super) fn computes_long(&self) {
        self.with(|session| session.watch.computes_long());
    }

    /// Whether the guest is being killed from outside.
    pub(super) fn is_killed(&self) -> bool {
        self.with(|session| session.watch.reason().is_some()).unwrap_or(true)
    }

    /// Waits until something has ended the guest.
    pub(super) async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Why the guest was ended, if it was.
    pub(super) fn why(&self) -> Option<Stop> {
        self.stopping().take()
    }

    fn stopping(&self) -> MutexGuard<'_, Option<Stop>> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
