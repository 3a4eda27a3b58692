//! Accounts that are suspended: nothing of theirs begins, and what runs is ended.
//!
//! Whether an account is suspended, every deployment of its handlers says. When a handler changes that runs right
//! now, its deployment is asked for again (`routes.rs`); if it says so, whatever runs for the account is ended. An
//! invocation may have looked its deployment up before and begin only now, since its program had to be compiled: for
//! that case it is remembered which accounts were found suspended, and whoever begins for one of them looks again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmcloud_wire::{Deployment, HandlerId, HandlerName, InvokeError, RouteKey, UserId};

use crate::guest::{Kill, Watch};
use crate::routes::Routes;

/// Handlers that are remembered before those that run nothing are forgotten.
const HANDLERS_MAX: usize = 4_096;
/// Most accounts of which it is remembered that they were found suspended.
const SUSPENDED_MAX: usize = 10_000;

/// What runs on one executor, by handler, and which accounts were found suspended.
#[derive(Default)]
pub(crate) struct Suspension(Mutex<State>);

#[derive(Default)]
struct State {
    handlers: HashMap<HandlerId, Running>,
    /// With the reason. Only where to look again: an account may be suspended without being here, and the other way
    /// round.
    suspended: HashMap<UserId, String>,
    next: u64,
}

struct Running {
    name: HandlerName,
    owner: UserId,
    watches: HashMap<u64, Arc<Watch>>,
}

/// An invocation that is ended when its account is suspended; until this is dropped.
pub(crate) struct Listed {
    suspension: Arc<Suspension>,
    handler: HandlerId,
    number: u64,
}

impl Suspension {
    /// Lists an invocation that begins.
    ///
    /// # Errors
    ///
    /// `Suspended`: the account is, by now.
    pub(crate) async fn list(
        self: &Arc<Self>,
        deployment: &Deployment,
        watch: &Arc<Watch>,
        routes: &Routes,
    ) -> Result<Listed, InvokeError> {
        let (listed, doubt) = self.enter(deployment, watch);
        let Some(reason) = doubt else { return Ok(listed) };
        let live = RouteKey { handler: deployment.name.clone(), version: None };
        match routes.lookup(&live).await {
            Ok(Some(now)) => now.suspended.as_ref().map_or(Ok(listed), |reason| suspended(reason)),
            Ok(None) => Ok(listed),
            Err(_) => suspended(&reason),
        }
    }

    fn enter(self: &Arc<Self>, deployment: &Deployment, watch: &Arc<Watch>) -> (Listed, Option<String>) {
        let mut state = self.state();
        if state.handlers.len() >= HANDLERS_MAX {
            state.handlers.retain(|_, running| !running.watches.is_empty());
        }
        state.next += 1;
        let number = state.next;
        let running = state.handlers.entry(deployment.handler).or_insert_with(|| Running {
            name: deployment.name.clone(),
            owner: deployment.owner,
            watches: HashMap::new(),
        });
        // Handlers change hands.
        running.owner = deployment.owner;
        running.watches.insert(number, watch.clone());
        let doubt = state.suspended.get(&deployment.owner).cloned();
        (Listed { suspension: self.clone(), handler: deployment.handler, number }, doubt)
    }

    /// Takes note of what the control plane says of a handler, and ends what runs for its account if that is
    /// suspended.
    pub(crate) fn learn(&self, deployment: &Deployment) {
        let mut state = self.state();
        let Some(reason) = &deployment.suspended else {
            state.suspended.remove(&deployment.owner);
            return;
        };
        if state.suspended.len() >= SUSPENDED_MAX {
            state.suspended.clear();
        }
        state.suspended.insert(deployment.owner, reason.clone());
        for running in state.handlers.values().filter(|running| running.owner == deployment.owner) {
            running.watches.values().for_each(|watch| watch.ask_to_end(Kill::Suspended));
        }
    }

    /// Whether a handler of this name runs right now.
    pub(crate) fn runs(&self, name: &HandlerName) -> bool {
        let state = self.state();
        state.handlers.values().any(|running| running.name == *name && !running.watches.is_empty())
    }

    /// The handlers that run right now.
    pub(crate) fn running(&self) -> Vec<HandlerName> {
        let state = self.state();
        let running = state.handlers.values().filter(|running| !running.watches.is_empty());
        running.map(|running| running.name.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(running) = self.suspension.state().handlers.get_mut(&self.handler) {
            running.watches.remove(&self.number);
        }
    }
}

/// What whoever wants to begin is told.
fn suspended<T>(reason: &str) -> Result<T, InvokeError> {
    Err(InvokeError::Suspended(reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::admission::tests::deployment;

    #[test]
    fn what_is_remembered_is_bounded_and_what_runs_stays() {
        let suspension = Arc::new(Suspension::default());
        let watch = Arc::new(Watch::new(Instant::now() + Duration::from_secs(60)));
        let runs = deployment(UserId::new());
        let _listed = suspension.enter(&runs, &watch);
        for _ in 0..HANDLERS_MAX + 10 {
            drop(suspension.enter(&deployment(UserId::new()), &watch));
            assert!(suspension.state().handlers.len() <= HANDLERS_MAX);
        }
        assert!(suspension.runs(&runs.name) && suspension.running().len() == 1);
        for _ in 0..SUSPENDED_MAX + 10 {
            suspension.learn(&Deployment { suspended: Some(String::new()), ..deployment(UserId::new()) });
        }
        assert!(suspension.state().suspended.len() <= SUSPENDED_MAX);
        assert_eq!(watch.reason(), None);
    }
}
