//! A control plane that lives in the test: it can be watched, and told to fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use tokio::sync::{Notify, mpsc};
use wasmcloud_wire::{
    Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport, HostName,
    HostRoute, InvocationId, LogLine, Receipt, Record, RouteKey,
};

use crate::app::within;

#[derive(Clone, Default)]
pub struct Control(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
pub struct State {
    pub deployments: HashMap<RouteKey, Deployment>,
    pub modules: HashMap<Digest, Bytes>,
    pub routes: HashMap<HostName, Vec<HostRoute>>,
    pub records: Vec<Record>,
    pub reports: Vec<ExecutorReport>,
    /// Whether only `record` fails, or everything.
    pub refuses_records: bool,
    pub is_down: bool,
    /// How often it was asked.
    pub resolved: usize,
    pub fetched: usize,
    pub routed: usize,
    pub refused: usize,
    followers: Vec<mpsc::UnboundedSender<Change>>,
    /// Changes handed to followers, and changes that they have dealt with.
    told: usize,
    applied: usize,
}

/// All that is known of one invocation.
#[derive(Debug)]
pub struct Recorded {
    pub lines: Vec<LogLine>,
    pub receipt: Receipt,
}

impl Recorded {
    pub fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// The one line that has this text in it.
    pub fn line(&self, part: &str) -> &LogLine {
        let found: Vec<&LogLine> = self.lines.iter().filter(|line| line.text.contains(part)).collect();
        assert_eq!(found.len(), 1, "{part:?} in {:#?}", self.texts());
        found[0]
    }
}

impl State {
    /// How often this line was logged.
    pub fn lines(&self, text: &str) -> usize {
        let lines = self.records.iter().flat_map(|record| &record.lines);
        lines.filter(|line| line.text == text).count()
    }

    pub fn recorded(&self, invocation: InvocationId) -> Option<Recorded> {
        let of = || self.records.iter().filter(|record| record.invocation == invocation);
        let receipt = of().find_map(|record| record.receipt.clone())?;
        Some(Recorded { lines: of().flat_map(|record| record.lines.clone()).collect(), receipt })
    }
}

impl Control {
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.0.state.lock().unwrap());
        self.0.changed.notify_waiters();
        result
    }

    pub fn see<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.lock().unwrap())
    }

    /// Waits until there is something to see.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let seen = async {
            loop {
                let changed = self.0.changed.notified();
                let mut changed = std::pin::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.see(&mut look) {
                    return found;
                }
                changed.await;
            }
        };
        within(what, seen).await
    }

    pub async fn recorded(&self, invocation: InvocationId) -> Recorded {
        self.until("the receipt is recorded", |state| state.recorded(invocation)).await
    }

    /// Waits until so many invocations have logged this line.
    pub async fn logged(&self, text: &str, times: usize) {
        self.until(&format!("{text:?} is logged {times} times"), |state| {
            (state.lines(text) >= times).then_some(())
        })
        .await;
    }

    /// Tells whoever follows of a change, and waits until it has been dealt with.
    pub async fn tell(&self, change: Change) {
        self.update(|state| {
            state.followers.retain(|follower| follower.send(change.clone()).is_ok());
            state.told += state.followers.len();
        });
        self.heard().await;
    }

    /// Waits until somebody follows and has dealt with every change.
    pub async fn heard(&self) {
        self.until("changes are applied", |state| {
            (state.applied > 0 && state.applied == state.told).then_some(())
        })
        .await;
    }

    /// Waits until somebody follows after [`Control::cut`], and has dealt with every change.
    pub async fn followed_again(&self) {
        self.until("changes are followed again", |state| {
            (!state.followers.is_empty() && state.applied == state.told).then_some(())
        })
        .await;
    }

    /// Ends all change streams.
    pub fn cut(&self) {
        self.update(|state| state.followers.clear());
    }

    fn check(&self) -> Result<(), ControlPlaneError> {
        match self.see(|state| state.is_down) {
            true => Err(ControlPlaneError::Unavailable("it is down".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl ControlPlane for Control {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        self.update(|state| state.resolved += 1);
        self.check()?;
        Ok(self.see(|state| state.deployments.get(key).cloned()))
    }

    async fn routes(&self, host: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        self.update(|state| state.routed += 1);
        self.check()?;
        Ok(self.see(|state| state.routes.get(host).cloned().unwrap_or_default()))
    }

    async fn report(&self, report: ExecutorReport) -> Result<(), ControlPlaneError> {
        self.check()?;
        self.update(|state| state.reports.push(report));
        Ok(())
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        self.check()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(Change::Resync).unwrap();
        self.update(|state| {
            state.followers.push(sender);
            state.told += 1;
        });
        let control = self.clone();
        Ok(Box::pin(stream::unfold((receiver, control, false), |(mut receiver, control, gave)| async move {
            // Whoever asks for the next change has dealt with the one before.
            if gave {
                control.update(|state| state.applied += 1);
            }
            let change = receiver.recv().await?;
            Some((change, (receiver, control, true)))
        })))
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        let refuses = self.see(|state| state.refuses_records);
        if refuses || self.check().is_err() {
            self.update(|state| state.refused += 1);
            return Err(ControlPlaneError::Unavailable("it takes no records".to_owned()));
        }
        self.update(|state| state.records.extend(batch));
        Ok(())
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        self.update(|state| state.fetched += 1);
        self.check()?;
        Ok(self.see(|state| state.modules.get(digest).cloned()))
    }
}
