//! How often one may try a password: so many tries a minute for an account and for an address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmcloud_wire::Timestamp;

use crate::{ApiError, Core};

/// Tries a minute for one account, of each kind that is guessed.
const ACCOUNT_TRIES_MAX: u32 = 5;
/// Logins and sessions a minute of one account with a password, those that are good among them.
const ACCOUNT_LOGINS_MAX: u32 = 30;
/// How often programs at one address may ask a minute for the tokens of their logins; an IPv6 /64 counts as one.
const PEER_POLLS_MAX: u32 = 120;
/// Tries a minute from one address; an IPv6 /64 counts as one.
const PEER_TRIES_MAX: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts, and addresses, that are watched at once; beyond it the oldest is forgotten.
const WATCHED_MAX: usize = 10_000;

/// What is tried for an account. Each kind is counted by itself: whatever name somebody gives, it counts for no other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tries {
    /// Passwords; a right one makes them good.
    Passwords,
    /// Logins and sessions, good or not.
    Logins,
    /// Codes of logins that somebody looks at.
    Codes,
    /// Codes of logins that somebody decides on.
    Decisions,
}

impl Tries {
    fn at_most(self) -> u32 {
        match self {
            Tries::Passwords | Tries::Codes | Tries::Decisions => ACCOUNT_TRIES_MAX,
            Tries::Logins => ACCOUNT_LOGINS_MAX,
        }
    }

    /// Its key in the store. No kind is the beginning of another one with a space after it.
    fn key(self, account: &str) -> String {
        let kind = match self {
            Tries::Passwords => "account",
            Tries::Logins => "logins",
            Tries::Codes => "codes",
            Tries::Decisions => "decisions",
        };
        // PostgreSQL's texts cannot hold a NUL.
        format!("{kind} {}", account.replace('\0', "\u{fffd}").chars().take(64).collect::<String>())
    }
}

/// Counts tries, first those that come to this process, then those of all processes in each minute: who is refused
/// here does not reach the store.
#[derive(Default)]
pub(crate) struct LoginLimiter {
    accounts: Mutex<Windows<(Tries, String)>>,
    polls: Mutex<Windows<IpAddr>>,
    peers: Mutex<Windows<IpAddr>>,
}

impl LoginLimiter {
    /// Counts a try from an address; 429 if there were too many, 503 if the store cannot say.
    pub(crate) async fn limit_peer(&self, core: &Core, peer: IpAddr) -> Result<(), ApiError> {
        self.try_peer(peer, Instant::now())?;
        let counted = core.count_try(&peer_key(peer), PEER_TRIES_MAX, Timestamp::now()).await?;
        counted.map_err(|wait| too_many("from this address", wait))
    }

    /// Counts that a program asks for a login's token; 429 if its address did so too often. Each process counts by itself: to
    /// ask the store is what this is to bound.
    pub(crate) fn limit_polls(&self, peer: IpAddr) -> Result<(), ApiError> {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = polls.count(network(peer), PEER_POLLS_MAX, Instant::now());
        counted.map_err(|wait| too_many("from this address", wait))
    }

    /// Counts a try of some kind for an account, whether or not there is such an account; the same.
    pub(crate) async fn limit(&self, core: &Core, tries: Tries, account: &str) -> Result<(), ApiError> {
        self.try_account(tries, account, Instant::now())?;
        let counted = core.count_try(&tries.key(account), tries.at_most(), Timestamp::now()).await?;
        counted.map_err(|wait| too_many("for this user", wait))
    }

    /// Forgets the tries that a right password has made good, here and in the store.
    pub(crate) async fn forgive(&self, core: &Core, account: &str, peer: IpAddr) {
        self.succeeded(account, peer);
        core.forgive_tries(&Tries::Passwords.key(account), &peer_key(peer), Timestamp::now()).await;
    }

    /// Counts a try from an address; 429 if there were too many.
    fn try_peer(&self, peer: IpAddr, now: Instant) -> Result<(), ApiError> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.count(network(peer), PEER_TRIES_MAX, now).map_err(|wait| too_many("from this address", wait))
    }

    /// Counts a try for an account, whether or not there is such an account.
    fn try_account(&self, tries: Tries, account: &str, now: Instant) -> Result<(), ApiError> {
        let key = (tries, account.chars().take(64).collect());
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.count(key, tries.at_most(), now).map_err(|wait| too_many("for this user", wait))
    }

    /// Forgets the tries that a right password has made good.
    fn succeeded(&self, account: &str, peer: IpAddr) {
        let key = (Tries::Passwords, account.chars().take(64).collect::<String>());
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).0.remove(&key);
        if let Some(window) =
            self.peers.lock().unwrap_or_else(PoisonError::into_inner).0.get_mut(&network(peer))
        {
            window.tries = window.tries.saturating_sub(1);
        }
    }
}

fn peer_key(peer: IpAddr) -> String {
    format!("peer {}", network(peer))
}

fn too_many(whose: &str, wait: Duration) -> ApiError {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    ApiError::new(
        429,
        "too_many_tries",
        format!("too many tries {whose} within a minute"),
        format!("wait {seconds} s, then try again"),
    )
    .retry_after(seconds)
}

/// The part of an address that one client cannot change at will.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

struct Window {
    began: Instant,
    tries: u32,
}

/// Counts what each key did within the last minute.
pub(crate) struct Windows<K>(HashMap<K, Window>);

impl<K> Default for Windows<K> {
    fn default() -> Windows<K> {
        Windows(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Windows<K> {
    /// Counts a try, or says how long to wait.
    pub(crate) fn count(&mut self, key: K, tries_max: u32, now: Instant) -> Result<(), Duration> {
        if self.0.len() >= WATCHED_MAX && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let window = self.0.entry(key).or_insert(Window { began: now, tries: 0 });
        let age = now.saturating_duration_since(window.began);
        if age >= WINDOW {
            *window = Window { began: now, tries: 0 };
        } else if window.tries >= tries_max {
            return Err(WINDOW.saturating_sub(age));
        }
        window.tries += 1;
        Ok(())
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
        if self.0.len() >= WATCHED_MAX
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, window)| window.began).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_try_within_a_minute_has_to_wait() {
        let limiter = LoginLimiter::default();
        let start = Instant::now();
        for _ in 0..ACCOUNT_TRIES_MAX {
            limiter.try_account(Tries::Passwords, "alice", start).unwrap();
        }
        let error =
            limiter.try_account(Tries::Passwords, "alice", start + Duration::from_secs(20)).unwrap_err();
        assert_eq!((error.status, error.retry_after_s), (429, Some(41)));
        limiter.try_account(Tries::Passwords, "bob", start).unwrap();
        limiter.try_account(Tries::Passwords, "alice", start + WINDOW).unwrap();
    }

    #[test]
    fn right_passwords_are_good_thirty_times_a_minute() {
        let (limiter, start) = (LoginLimiter::default(), Instant::now());
        for _ in 0..ACCOUNT_LOGINS_MAX {
            limiter.try_account(Tries::Logins, "alice", start).unwrap();
            limiter.try_account(Tries::Passwords, "alice", start).unwrap();
            limiter.succeeded("alice", IpAddr::from([192, 0, 2, 1]));
        }
        assert_eq!(limiter.try_account(Tries::Logins, "alice", start).unwrap_err().status, 429);
        limiter.try_account(Tries::Passwords, "alice", start).unwrap();
    }

    #[test]
    fn no_name_counts_for_another_kind_of_tries() {
        let kinds = [Tries::Passwords, Tries::Logins, Tries::Codes, Tries::Decisions];
        let names =
            ["mallory", "codes mallory", "decisions mallory", "logins mallory", "account mallory", ""];
        let keys: Vec<_> = kinds.iter().flat_map(|kind| names.map(|name| kind.key(name))).collect();
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
    }

    #[test]
    fn a_right_password_clears_the_account_but_not_the_address() {
        let limiter = LoginLimiter::default();
        let (start, peer) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..PEER_TRIES_MAX {
            limiter.try_peer(peer, start).unwrap();
        }
        limiter.succeeded("alice", peer);
        limiter.try_peer(peer, start).unwrap();
        assert!(limiter.try_peer(peer, start).is_err());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limiter = LoginLimiter::default();
        let start = Instant::now();
        for host in 0..PEER_TRIES_MAX {
            limiter.try_peer(format!("2001:db8::{host:x}").parse().unwrap(), start).unwrap();
        }
        assert!(limiter.try_peer("2001:db8::ffff".parse().unwrap(), start).is_err());
        limiter.try_peer("2001:db8:0:1::1".parse().unwrap(), start).unwrap();
    }

    #[test]
    fn what_is_watched_stays_bounded() {
        let mut windows = Windows::default();
        let start = Instant::now();
        for key in 0..WATCHED_MAX + 10 {
            windows.count(key, 1, start + Duration::from_nanos(key as u64)).unwrap();
        }
        assert_eq!(windows.0.len(), WATCHED_MAX);
    }
}
