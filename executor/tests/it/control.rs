//! A control plane that lives in the test: it can be watched, and told to fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, InvocationId, LogLine, Receipt, Record, RouteKey, UserId,
};

use crate::app::within;

/// The day of what is said to have been run elsewhere: each one.
pub const ANYWHEN: i64 = -1;

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
    /// What each executor told last of each account.
    pub usage: HashMap<(UserId, Uuid), AccountUse>,
    /// What executors that are not there have run, on whatever day and in whatever minute is asked for.
    pub elsewhere: HashMap<UserId, AccountUse>,
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

    /// What all others have run for an account.
    fn others(&self, executor: Uuid, used: &AccountUse) -> AccountUse {
        let mut sum =
            AccountUse { invocations: 0, cpu_us: 0, minute_invocations: 0, running: 0, ..used.clone() };
        let known =
            self.usage.iter().filter(|((account, by), _)| *account == used.account && *by != executor);
        for other in known.map(|(_, other)| other).chain(self.elsewhere.get(&used.account)) {
            let (is_today, is_now) = (other.day == used.day, other.minute == used.minute);
            let is_anywhen = other.day == ANYWHEN;
            sum.invocations += if is_today || is_anywhen { other.invocations } else { 0 };
            sum.cpu_us += if is_today || is_anywhen { other.cpu_us } else { 0 };
            sum.minute_invocations += if is_now || is_anywhen { other.minute_invocations } else { 0 };
            sum.running += other.running;
        }
        sum
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

    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        self.check()?;
        Ok(self.update(|state| {
            for used in &used {
                state.usage.insert((used.account, executor), used.clone());
            }
            used.iter().map(|used| state.others(executor, used)).collect()
        }))
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
