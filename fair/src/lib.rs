//! Places, or bytes, that are shared fairly: as a pool fills, everybody's share of it shrinks.
//!
//! The rule is one comparison: something is given to whoever holds less of the pool than the square
//! of what is free, both as parts of the whole. With half of the pool free one may hold up to a
//! quarter of it, with a quarter free up to a sixteenth, and whoever holds nothing is served as long as
//! anything is free. So `n` who come one after the other and keep all that they can get leave about
//! one part in `n + 1` free for whoever comes next. No part is set aside, and nobody is counted. Who takes
//! piece by piece, and holds some while it waits for more, does so by [`Growing`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod growing;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

pub use growing::Growing;

/// Most who wait for one pool at once; one more is turned away without waiting.
pub const WAITING_MAX: usize = 4_096;
/// Beyond this many, those who have given up are looked for before another one waits.
const WAITING_UNTIDIED_MAX: usize = 512;

/// A pool that is shared fairly among keys, such as users.
#[derive(Clone, Debug)]
pub struct FairPool<K: Copy + Eq + Hash>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K: Copy + Eq + Hash> {
    total: usize,
    state: Mutex<State<K>>,
    /// Whose turn it is to grow beyond the pool.
    reserve: Arc<Semaphore>,
}

#[derive(Debug)]
struct State<K: Copy + Eq + Hash> {
    taken: usize,
    /// What each key holds; keys that hold nothing are not in it.
    held: HashMap<K, usize>,
    /// In the order of arrival. None of them could be served when the pool was last left alone.
    waiting: VecDeque<Waiter<K>>,
}

#[derive(Debug)]
struct Waiter<K: Copy + Eq + Hash> {
    key: K,
    amount: usize,
    turn: oneshot::Sender<Share<K>>,
}

/// A part of a pool, given back when it is dropped.
#[derive(Debug)]
pub struct Share<K: Copy + Eq + Hash> {
    pool: Arc<Inner<K>>,
    key: K,
    amount: usize,
}

/// Nothing was given in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// What whoever asked holds already; with nothing, it was the pool itself that is full.
    pub held: usize,
    /// What is free.
    pub free: usize,
}

impl<K: Copy + Eq + Hash> FairPool<K> {
    /// A pool of this size.
    pub fn new(total: usize) -> FairPool<K> {
        let state = State { taken: 0, held: HashMap::new(), waiting: VecDeque::new() };
        FairPool(Arc::new(Inner { total, state: Mutex::new(state), reserve: Arc::new(Semaphore::new(1)) }))
    }

    /// Takes an amount, or waits for it. Of those who wait, whoever holds least is served first.
    ///
    /// # Errors
    ///
    /// It was not to be had until then, or [`WAITING_MAX`] wait already.
    pub async fn take(&self, key: K, amount: usize, until: Instant) -> Result<Share<K>, Full> {
        let turn = match self.take_or_queue(key, amount)? {
            Taken::Now(share) => return Ok(share),
            Taken::Queued(turn) => turn,
        };
        match tokio::time::timeout_at(until, turn).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(self.0.state().full(&self.0, key)),
        }
    }

    /// Takes an amount if it can be had at once.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub fn try_take(&self, key: K, amount: usize) -> Result<Share<K>, Full> {
        let mut state = self.0.state();
        if !state.fits(&self.0, key, amount) {
            return Err(state.full(&self.0, key));
        }
        state.add(key, amount);
        Ok(Share { pool: Arc::clone(&self.0), key, amount })
    }

    /// What is held by all together.
    pub fn taken(&self) -> usize {
        self.0.state().taken
    }

    fn take_or_queue(&self, key: K, amount: usize) -> Result<Taken<K>, Full> {
        let mut state = self.0.state();
        if state.fits(&self.0, key, amount) {
            state.add(key, amount);
            return Ok(Taken::Now(Share { pool: Arc::clone(&self.0), key, amount }));
        }
        if state.waiting.len() >= WAITING_UNTIDIED_MAX {
            state.waiting.retain(|waiter| !waiter.turn.is_closed());
        }
        if state.waiting.len() >= WAITING_MAX {
            return Err(state.full(&self.0, key));
        }
        let (turn, receiver) = oneshot::channel();
        state.waiting.push_back(Waiter { key, amount, turn });
        Ok(Taken::Queued(receiver))
    }
}

enum Taken<K: Copy + Eq + Hash> {
    Now(Share<K>),
    Queued(oneshot::Receiver<Share<K>>),
}

impl<K: Copy + Eq + Hash> Share<K> {
    /// Makes one of two shares of the same key and pool.
    pub fn join(&mut self, mut other: Share<K>) {
        debug_assert!(self.key == other.key && Arc::ptr_eq(&self.pool, &other.pool));
        self.amount += std::mem::take(&mut other.amount);
    }
}

impl<K: Copy + Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        // Whoever gave up in the very moment of being served gives back too, once the lock is free.
        let given_up = self.pool.give_back(self.key, self.amount);
        drop(given_up);
    }
}

impl<K: Copy + Eq + Hash> Inner<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an amount back, and serves those who wait. Returns what nobody took.
    fn give_back(self: &Arc<Self>, key: K, amount: usize) -> Vec<Share<K>> {
        let mut state = self.state();
        state.remove(key, amount);
        let mut refused = Vec::new();
        if state.waiting.is_empty() || amount == 0 {
            return refused;
        }
        state.waiting.retain(|waiter| !waiter.turn.is_closed());
        while let Some(Waiter { key, amount, turn }) = state.next(self) {
            state.add(key, amount);
            refused.extend(turn.send(Share { pool: Arc::clone(self), key, amount }).err());
        }
        refused
    }
}

impl<K: Copy + Eq + Hash> State<K> {
    fn held(&self, key: K) -> usize {
        self.held.get(&key).copied().unwrap_or(0)
    }

    fn full(&self, pool: &Inner<K>, key: K) -> Full {
        Full { held: self.held(key), free: pool.total - self.taken }
    }

    /// The rule.
    fn fits(&self, pool: &Inner<K>, key: K, amount: usize) -> bool {
        let (held, free, total) =
            (self.held(key) as u128, (pool.total - self.taken) as u128, pool.total as u128);
        amount as u128 <= free && held * total < free * free
    }

    fn add(&mut self, key: K, amount: usize) {
        self.taken += amount;
        *self.held.entry(key).or_insert(0) += amount;
    }

    fn remove(&mut self, key: K, amount: usize) {
        self.taken -= amount;
        if let Some(held) = self.held.get_mut(&key) {
            *held -= amount;
            if *held == 0 {
                self.held.remove(&key);
            }
        }
    }

    /// Whoever is served next: of those who can be, whoever holds least, and came first.
    fn next(&mut self, pool: &Inner<K>) -> Option<Waiter<K>> {
        let fitting = self.waiting.iter().enumerate();
        let fitting = fitting.filter(|(_, waiter)| self.fits(pool, waiter.key, waiter.amount));
        let (place, _) = fitting.min_by_key(|(_, waiter)| self.held(waiter.key))?;
        self.waiting.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const PLACES: usize = 256;
    /// What a pool's user may have at most for other reasons.
    const EACH_MAX: usize = 64;

    fn all_that_it_can_get(pool: &FairPool<usize>, key: usize, most: usize) -> Vec<Share<usize>> {
        (0..most).map_while(|_| pool.try_take(key, 1).ok()).collect()
    }

    #[test]
    fn whoever_comes_next_gets_places_at_once_however_many_are_greedy() {
        // How many are greedy, one after the other, and what a newcomer gets at once.
        for (greedy, newcomer) in
            [(0, 64), (1, 64), (2, 34), (3, 21), (4, 14), (6, 7), (8, 4), (12, 2), (15, 1), (25, 1)]
        {
            let pool = FairPool::new(PLACES);
            let _held: Vec<_> = (0..greedy).map(|key| all_that_it_can_get(&pool, key, EACH_MAX)).collect();
            let got = all_that_it_can_get(&pool, usize::MAX, EACH_MAX).len();
            assert!(got >= newcomer, "{greedy} greedy ones leave {got} places");
        }
    }

    #[test]
    fn the_part_that_stays_free_is_one_in_the_number_of_those_who_share() {
        let pool = FairPool::new(10_000);
        let mut held = Vec::new();
        for key in 0..60 {
            let free = 10_000 - pool.taken();
            assert!(free * (key + 1) >= 10_000, "{free} free of 10000 after {key}");
            held.push(all_that_it_can_get(&pool, key, usize::MAX));
        }
    }

    #[test]
    fn greedy_ones_who_come_at_once_get_the_same() {
        let pool = FairPool::new(PLACES);
        let mut shares = Vec::new();
        loop {
            let before = shares.len();
            shares.extend((0..10).filter_map(|key| pool.try_take(key, 1).ok()));
            if shares.len() == before {
                break;
            }
        }
        let held: Vec<usize> = (0..10).map(|key| pool.0.state().held(key)).collect();
        assert!(held.iter().all(|one| (18..=19).contains(one)), "{held:?}");
    }

    #[test]
    fn a_pool_is_never_given_away_twice_and_is_whole_again_in_the_end() {
        let pool = FairPool::new(PLACES);
        let shares: Vec<_> = (0..2 * PLACES).filter_map(|key| pool.try_take(key, 1).ok()).collect();
        assert_eq!((shares.len(), pool.taken()), (PLACES, PLACES));
        assert_eq!(pool.try_take(0, 1).unwrap_err(), Full { held: 1, free: 0 });
        drop(shares);
        assert_eq!((pool.taken(), pool.0.state().held.len()), (0, 0));
    }

    #[test]
    fn amounts_count_by_their_size_and_can_be_joined() {
        let pool = FairPool::new(100);
        let mut share = pool.try_take(1, 30).unwrap();
        share.join(pool.try_take(1, 20).unwrap());
        assert_eq!((pool.taken(), pool.0.state().held(1)), (50, 50));
        assert_eq!(pool.try_take(1, 1).unwrap_err(), Full { held: 50, free: 50 });
        assert_eq!(pool.try_take(2, 51).unwrap_err(), Full { held: 0, free: 50 });
        drop(share);
        assert_eq!((pool.taken(), pool.0.state().held(1)), (0, 0));
    }

    fn far() -> Instant {
        Instant::now() + std::time::Duration::from_secs(3_600)
    }

    #[tokio::test]
    async fn of_those_who_wait_whoever_holds_least_is_served_first() {
        let pool = FairPool::new(4);
        let (one, two) = (pool.try_take(1, 1).unwrap(), pool.try_take(2, 3).unwrap());
        let (mut again, mut newcomer) = (Box::pin(pool.take(1, 1, far())), Box::pin(pool.take(3, 2, far())));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(again.as_mut().poll(&mut cx).is_pending());
        assert!(newcomer.as_mut().poll(&mut cx).is_pending());
        drop(two);
        assert!(again.as_mut().poll(&mut cx).is_pending(), "it holds one, and one is free");
        let share = newcomer.as_mut().poll(&mut cx);
        assert!(matches!(share, Poll::Ready(Ok(_))));
        drop((share, one));
        assert!(again.as_mut().poll(&mut cx).is_ready());
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let pool = FairPool::new(2);
        let first = pool.try_take(1, 2).unwrap();
        assert_eq!(pool.take(1, 1, Instant::now()).await.unwrap_err(), Full { held: 2, free: 0 });
        let mut served = Box::pin(pool.take(1, 1, far()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(served.as_mut().poll(&mut cx).is_pending());
        drop(first);
        // It was served, and is gone before it knew.
        drop(served);
        assert_eq!((pool.taken(), pool.0.state().waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let pool = FairPool::new(1);
        let held = pool.try_take(1, 1).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(pool.take(2, 1, far()))).collect();
        for waiter in &mut waiting {
            assert!(waiter.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(pool.take(3, 1, far()).await.unwrap_err(), Full { held: 0, free: 0 });
        waiting.truncate(1);
        assert!(Box::pin(pool.take(3, 1, far())).as_mut().poll(&mut cx).is_pending());
        drop(held);
        assert!(waiting[0].as_mut().poll(&mut cx).is_ready());
    }
}
