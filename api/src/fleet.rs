//! Which executors there are to call: those that were heard of lately, and those that an operator named.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wasmcloud_plane::{Address, speaks_no_plain_http, unanswered};
use wasmcloud_wire::{ExecutorReport, GONE_AFTER_S, Timestamp};

use crate::store::FleetStore;

/// How long the list of executors is taken for true before the store is asked again.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long the store may take to answer; until it does, the executors are those that were known last.
const ASK_MAX: Duration = Duration::from_secs(1);
/// How long those that reported are remembered when the store, all at once, knows of nobody.
const GONE_AFTER: Duration = Duration::from_secs(GONE_AFTER_S);
/// How long it is remembered that an executor could not be called, if it is not tried again.
const TROUBLE_FOR: Duration = Duration::from_secs(600);
/// Most executors that are called; the rest are passed over, and the log says so.
const EXECUTORS_MAX: usize = 1_000;

/// An executor that can be called.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Where it is called.
    pub address: Address,
    /// Whom requests to it are signed for: its id, or its address where it is known by nothing else.
    pub audience: String,
    /// Whether it is about to stop.
    pub draining: bool,
}

/// The executors of an installation.
pub(crate) struct Fleet {
    store: Arc<dyn FleetStore>,
    fixed: Vec<Address>,
    known: Mutex<Known>,
    turn: AtomicUsize,
    /// Who could not be called when that was last tried, by whom requests are signed for.
    troubles: SyncMutex<BTreeMap<String, Trouble>>,
}

#[derive(Debug)]
struct Trouble {
    why: String,
    at: Instant,
}

#[derive(Default)]
struct Known {
    members: Vec<Member>,
    asked_at: Option<Instant>,
    /// When somebody was last among those that report.
    seen_at: Option<Instant>,
    /// The store did not answer when it was last asked, and the log says so.
    is_away: bool,
}

impl Fleet {
    pub(crate) fn new(store: Arc<dyn FleetStore>, fixed: Vec<Address>) -> Fleet {
        Fleet {
            store,
            fixed,
            known: Mutex::default(),
            turn: AtomicUsize::new(0),
            troubles: SyncMutex::default(),
        }
    }

    /// Who is to be called, in this order: the next one in turn first, those that are about to stop last.
    /// With `now`, as the store has them at this moment.
    pub(crate) async fn members(&self, now: bool) -> Vec<Member> {
        let mut known = self.known.lock().await;
        if now || known.asked_at.is_none_or(|asked_at| asked_at.elapsed() >= FRESH_FOR) {
            self.ask(&mut known).await;
        }
        let mut members = known.members.clone();
        drop(known);
        if !members.is_empty() {
            let first = self.turn.fetch_add(1, Ordering::Relaxed) % members.len();
            members.rotate_left(first);
        }
        // Stable: the order is kept otherwise.
        members.sort_by_key(|member| member.draining);
        members
    }

    /// Remembers whether an executor could be called. What broke off later says nothing of that.
    pub(crate) fn note(&self, member: &Member, answer: &reqwest::Result<Response>) {
        let why = match answer {
            Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                Some("it refuses this API's signature; the log has its reason".to_owned())
            }
            Ok(_) => None,
            Err(error) if error.is_connect() => Some(unanswered(&member.address, error)),
            Err(error) if speaks_no_plain_http(error) => Some(unanswered(&member.address, error)),
            Err(_) => return,
        };
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            None => drop(troubles.remove(&member.audience)),
            Some(why) => {
                troubles.retain(|_, trouble| trouble.at.elapsed() < TROUBLE_FOR);
                if troubles.len() < EXECUTORS_MAX || troubles.contains_key(&member.audience) {
                    troubles.insert(member.audience.clone(), Trouble { why, at: Instant::now() });
                }
            }
        }
    }

    /// Why an executor could not be called when that was last tried, lately, and how long ago that was.
    pub(crate) fn trouble(&self, audience: &str) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let Trouble { why, at } = troubles.get(audience)?;
        let ago = at.elapsed();
        (ago < TROUBLE_FOR).then(|| format!("{why} ({} s ago)", ago.as_secs()))
    }

    /// Asks the store; if it does not answer, what was known last stays.
    async fn ask(&self, known: &mut Known) {
        let since = Timestamp(Timestamp::now().0 - GONE_AFTER_S.cast_signed() * 1_000);
        let answer = match tokio::time::timeout(ASK_MAX, self.store.executors(since)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {ASK_MAX:?}")),
        };
        known.asked_at = Some(Instant::now());
        match answer {
            // When this machine's clock jumps, nobody has reported lately, until they do again.
            Ok(reports)
                if reports.is_empty() && known.seen_at.is_some_and(|at| at.elapsed() < GONE_AFTER) => {}
            Ok(reports) => {
                known.seen_at = (!reports.is_empty()).then(Instant::now).or(known.seen_at);
                known.members = self.merge(reports.into_iter().map(|(report, _)| report));
                known.is_away = false;
            }
            Err(error) => {
                if !known.is_away {
                    tracing::warn!(error, "cannot ask which executors there are; calling those known last");
                }
                if known.members.is_empty() {
                    known.members = self.merge([]);
                }
                known.is_away = true;
            }
        }
    }

    /// One of each address; who reports is known by its id.
    fn merge(&self, reports: impl IntoIterator<Item = ExecutorReport>) -> Vec<Member> {
        let mut members = BTreeMap::new();
        for address in &self.fixed {
            let audience = address.to_string();
            members.insert(audience.clone(), Member { address: address.clone(), audience, draining: false });
        }
        let mut started: BTreeMap<String, Timestamp> = BTreeMap::new();
        for report in reports {
            // One that shares its API's process is called there.
            let Some(url) = report.internal_url else { continue };
            // Reports with other addresses are refused; this is one of another program's version.
            let Ok(address) = url.parse::<Address>() else {
                tracing::warn!(executor = report.name, url, "an executor's internal address cannot be used");
                continue;
            };
            let key = address.to_string();
            // An address that two have is the one's who came last: the other is gone.
            if started.get(&key).is_some_and(|at| *at > report.started_at) {
                continue;
            }
            started.insert(key.clone(), report.started_at);
            let member = Member { address, audience: report.id.to_string(), draining: report.draining };
            members.insert(key, member);
        }
        if members.len() > EXECUTORS_MAX {
            tracing::warn!(executors = members.len(), called = EXECUTORS_MAX, "there are too many executors");
        }
        members.into_values().take(EXECUTORS_MAX).collect()
    }
}
