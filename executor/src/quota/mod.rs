//! Quotas: what all handlers of an account together may run in a minute, in a day and at once.
//!
//! On one executor the counts are exact: asking and counting are one step. What other executors run is known as of
//! the last answer of the control plane (`usage.rs`), so that all of them together may run as much more as they begin
//! between two answers. Invocations are counted as they begin, CPU time when a run ends.

mod account;
#[cfg(test)]
mod tests;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wasmcloud_wire::limits::{GAS_PER_CPU_MS, USAGE_ACCOUNTS_MAX};
use wasmcloud_wire::{
    AccountQuota, AccountUse, Deployment, HandlerId, InvocationId, InvokeError, Receipt, Timestamp, UserId,
};

use crate::recorder::Recorder;
pub(crate) use account::Moment;
use account::{Account, Counted, Spent};
use told::Told;

/// Accounts whose counts are kept before those are forgotten that run nothing, though their day is not over.
const ACCOUNTS_MAX: usize = 50_000;

/// What accounts have run on one executor.
#[derive(Default)]
pub(crate) struct Quotas {
    accounts: Mutex<Accounts>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Accounts {
    known: HashMap<UserId, Account>,
    /// The day on which accounts were last forgotten whose day was over.
    swept_day: i64,
}

/// What is to be told of some accounts at once.
#[derive(Default)]
pub(crate) struct Due {
    /// One for each account and day; the days that are over come before today.
    pub(crate) used: Vec<AccountUse>,
    /// The accounts, the day that was told of each besides today, and how far its changes were told.
    accounts: Vec<(UserId, Option<i64>, u64)>,
}

/// An invocation that counts as running until this is dropped; and as one that began, once [`Begun::begun`] is
/// called.
pub(crate) struct Begun {
    quotas: Arc<Quotas>,
    account: UserId,
    counted: Option<Counted>,
}

impl Quotas {
    /// Counts an invocation of this deployment. Waits until `until` while too many run at once; whatever else is used
    /// up does not come back so soon.
    ///
    /// # Errors
    ///
    /// `OverQuota`, naming the quota, the plan, how much is used and when it resets.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        deployment: &Deployment,
        until: Instant,
    ) -> Result<Begun, InvokeError> {
        let account = deployment.owner;
        let mut is_late = false;
        loop {
            let spent = match self.count(account, &deployment.quota, Moment::now()) {
                Ok(counted) => return Ok(Begun { quotas: self.clone(), account, counted: Some(counted) }),
                Err(spent) => spent,
            };
            let Some(freed) = spent.freed.filter(|_| !is_late) else { return Err(spent.error) };
            // Of several places that come free before anybody waits, one leaves its mark: so there is a last look.
            is_late = tokio::time::timeout_at(until, freed.notified()).await.is_err();
        }
    }

    /// Whether an invocation of this deployment would be turned away for what was run in this minute or day. Nothing is
    /// counted, so that [`Quotas::begin`] has the last word: this is for whoever would do something costly before.
    ///
    /// # Errors
    ///
    /// `OverQuota`, as of [`Quotas::begin`].
    pub(crate) fn look(&self, deployment: &Deployment, now: Moment) -> Result<(), InvokeError> {
        let account = deployment.owner;
        let looked = self.accounts().of(account, now).look(account, &deployment.quota, now);
        looked.map_err(|spent| spent.error)
    }

    fn count(&self, account: UserId, quota: &AccountQuota, now: Moment) -> Result<Counted, Spent> {
        self.accounts().of(account, now).begin(account, quota, now)
    }

    /// Counts the CPU time of an invocation that is over.
    pub(crate) fn charge(&self, account: UserId, receipt: &Receipt, cpu: Duration) {
        let now = Moment::now();
        self.accounts().of(account, now).charge(account, cpu_us(receipt, cpu), now);
    }

    /// Tells a handler's owner, in its log and not too often, that an invocation did not begin.
    pub(crate) fn tell_owner(
        &self,
        recorder: &Recorder,
        handler: HandlerId,
        invocation: InvocationId,
        why: &str,
    ) {
        let now = Timestamp::now();
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).is_first(handler, now) {
            recorder.push(told::record(handler, invocation, why, now));
        }
    }

    /// What is to be told to the control plane, in batches of at most [`USAGE_ACCOUNTS_MAX`].
    pub(crate) fn due(&self, now: Moment) -> Vec<Due> {
        let mut accounts = self.accounts();
        accounts.sweep(now);
        let mut batches = vec![Due::default()];
        for (account, known) in accounts.known.iter_mut().filter(|(_, known)| known.is_due()) {
            let (ended, used, changes) = known.used(*account, now);
            if batches.last().is_none_or(|batch| batch.used.len() + 2 > USAGE_ACCOUNTS_MAX) {
                batches.push(Due::default());
            }
            if let Some(batch) = batches.last_mut() {
                batch.accounts.push((*account, ended.as_ref().map(|ended| ended.day), changes));
                batch.used.extend(ended.into_iter().chain([used]));
            }
        }
        batches.retain(|batch| !batch.used.is_empty());
        batches
    }

    /// Keeps what others have run for the accounts of a batch that has arrived.
    pub(crate) fn heard(&self, due: Due, others: Vec<AccountUse>, now: Moment) {
        // Of an account's two days, the later one counts.
        let mut by_account: HashMap<UserId, AccountUse> = HashMap::with_capacity(others.len());
        for used in others {
            match by_account.get(&used.account) {
                Some(known) if known.day >= used.day => {}
                _ => drop(by_account.insert(used.account, used)),
            }
        }
        let mut accounts = self.accounts();
        for (account, ended_day, changes) in due.accounts {
            if let Some(known) = accounts.known.get_mut(&account) {
                known.heard(changes, ended_day, by_account.remove(&account), now);
            }
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    fn of(&mut self, account: UserId, now: Moment) -> &mut Account {
        if self.known.len() >= ACCOUNTS_MAX && !self.known.contains_key(&account) {
            self.make_room(now);
        }
        self.known.entry(account).or_insert_with(|| Account::new(now))
    }

    /// Forgets accounts whose day is over, once a day.
    fn sweep(&mut self, now: Moment) {
        if self.swept_day != now.day() {
            self.swept_day = now.day();
            self.known.retain(|_, account| !account.is_over(now));
        }
    }

    /// Forgets as little as makes room. Those that run something stay: there are no more of them than invocations.
    fn make_room(&mut self, now: Moment) {
        self.known.retain(|_, account| !account.is_over(now));
        if self.known.len() >= ACCOUNTS_MAX {
            tracing::warn!(
                accounts = self.known.len(),
                "too many accounts use this executor on one day; what they used is forgotten early"
            );
            self.known.retain(|_, account| !account.is_idle(now));
        }
        if self.known.len() >= ACCOUNTS_MAX {
            self.known.retain(|_, account| !account.is_still());
        }
    }
}

impl Begun {
    /// The invocation begins: it counts for its minute and its day.
    pub(crate) fn begun(&mut self) {
        self.counted = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut accounts = self.quotas.accounts();
        // What runs is not forgotten.
        let Some(account) = accounts.known.get_mut(&self.account) else { return };
        if let Some(counted) = self.counted {
            account.take_back(counted);
        }
        account.end();
    }
}

/// CPU time as quotas count it, in microseconds: as measured, and of the Olin family no less than its gas comes to.
fn cpu_us(receipt: &Receipt, cpu: Duration) -> u64 {
    let measured = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
    match receipt.abi.is_wasi() {
        true => measured,
        false => measured.max(receipt.gas / (GAS_PER_CPU_MS / 1000)),
    }
}
