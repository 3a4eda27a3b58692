//! Compiled modules in memory, each made once, and how users share the room that there is for them.
//!
//! Every program belongs to the user whose handler ran it last, or to nobody while it was only prepared.
//! When there is too much in all, whoever holds more than an equal share loses what they have not used for
//! longest; whoever holds no more than their share loses nothing. What runs is never dropped, so there may
//! be more than the bound for as long as it runs: it goes when it ends, not when the next one comes.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use wasmcloud_wire::{Digest, UserId};

/// A user, or nobody.
type Owner = Option<UserId>;

/// Programs by their modules' digests. A clone is the same value.
pub(super) struct Cache<P>(Arc<Inner<P>>);

struct Inner<P> {
    /// So much is kept at most, besides what runs.
    most: Held,
    state: Mutex<State<P>>,
}

struct State<P> {
    slots: HashMap<Digest, Slot<P>>,
    all: Held,
    /// What each owner holds of it; owners that hold nothing are not in it.
    owners: HashMap<Owner, Held>,
    /// Counts uses, to tell which was earlier.
    clock: u64,
}

/// A program, or the place where one is being made.
struct Slot<P> {
    program: Arc<OnceCell<Made<P>>>,
    /// What its program takes; nothing until it is made.
    bytes: usize,
    owner: Owner,
    last_used: u64,
    /// How many wait for it or run it.
    users: usize,
}

/// A number of programs, and the memory that they take in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) programs: usize,
    pub(super) bytes: usize,
}

/// A program, and the memory that it takes in bytes.
pub(super) struct Made<P> {
    pub(super) program: Arc<P>,
    pub(super) bytes: usize,
}

/// A program that is not dropped from the cache as long as this is held.
pub(crate) struct Lease<P> {
    program: Arc<P>,
    _place: Place<P>,
}

impl<P> Deref for Lease<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.program
    }
}

/// A use of a slot.
struct Place<P> {
    cache: Arc<Inner<P>>,
    digest: Digest,
}

impl<P> Cache<P> {
    /// Keeps so much at most, besides what runs.
    pub(super) fn new(most: Held) -> Cache<P> {
        let state = State { slots: HashMap::new(), all: Held::default(), owners: HashMap::new(), clock: 0 };
        Cache(Arc::new(Inner { most, state: Mutex::new(state) }))
    }

    /// The program of a module, for a user's handler or for nobody yet. If it is not there it is made,
    /// while others who ask for it wait.
    ///
    /// # Errors
    ///
    /// What `make` says. Nothing of a failure is remembered.
    pub(super) async fn get<E>(
        &self,
        digest: &Digest,
        owner: Option<UserId>,
        make: impl Future<Output = Result<Made<P>, E>>,
    ) -> Result<Lease<P>, E> {
        let (place, program) = self.0.take(digest, owner);
        let made = match program.get() {
            Some(made) => made,
            None => {
                let made = program.get_or_try_init(|| make).await?;
                self.0.weigh(digest, made.bytes);
                made
            }
        };
        Ok(Lease { program: made.program.clone(), _place: place })
    }

    #[cfg(test)]
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.0.state().slots.contains_key(digest)
    }

    /// What all programs take, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.state().all.bytes
    }
}

impl<P> Inner<P> {
    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A use of a module's slot, which is made if need be.
    fn take(self: &Arc<Self>, digest: &Digest, owner: Owner) -> (Place<P>, Arc<OnceCell<Made<P>>>) {
        let mut state = self.state();
        state.clock += 1;
        let last_used = state.clock;
        let is_new = !state.slots.contains_key(digest);
        let slot = state.slots.entry(*digest).or_insert_with(|| Slot {
            program: Arc::default(),
            bytes: 0,
            owner: None,
            last_used,
            users: 0,
        });
        let (before, bytes) = (slot.owner, slot.bytes);
        slot.last_used = last_used;
        slot.users += 1;
        slot.owner = owner.or(before);
        let (after, program) = (slot.owner, slot.program.clone());
        let held = Held { programs: 1, bytes };
        if is_new {
            state.add(after, held);
        } else if before != after {
            state.remove(before, held);
            state.add(after, held);
        }
        (Place { cache: Arc::clone(self), digest: *digest }, program)
    }

    /// Notes what the program of a slot in use takes, and makes room for it.
    fn weigh(&self, digest: &Digest, bytes: usize) {
        let mut state = self.state();
        let Some(slot) = state.slots.get_mut(digest) else { return };
        let more = bytes - std::mem::replace(&mut slot.bytes, bytes).min(bytes);
        let owner = slot.owner;
        state.add(owner, Held { programs: 0, bytes: more });
        let dropped = state.make_room(self.most);
        drop(state);
        // Giving memory back takes its time: nobody waits for the lock meanwhile.
        drop(dropped);
    }
}

impl<P> Drop for Place<P> {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        let Some(slot) = state.slots.get_mut(&self.digest) else { return };
        slot.users -= 1;
        let failed = slot.users == 0 && !slot.program.initialized();
        let failed = if failed { state.forget(&self.digest) } else { None };
        let dropped = state.make_room(self.cache.most);
        drop(state);
        drop((failed, dropped));
    }
}

impl<P> State<P> {
    /// Drops programs until what is left is within the bound, or runs, or is within somebody's share.
    #[must_use = "it is dropped once the lock is free"]
    fn make_room(&mut self, most: Held) -> Vec<Slot<P>> {
        let mut dropped = Vec::new();
        while self.all.programs > most.programs || self.all.bytes > most.bytes {
            let Some(digest) = self.surplus(most) else { break };
            dropped.extend(self.forget(&digest));
        }
        dropped
    }

    /// Of those who hold more than an equal share of what there is too much of, the program that is idle
    /// for longest. Where there is too much, somebody holds more than their share, but it may all run.
    fn surplus(&self, most: Held) -> Option<Digest> {
        let owners = self.owners.len();
        let over = |held: &Held| {
            (self.all.programs > most.programs && held.programs * owners > most.programs)
                || (self.all.bytes > most.bytes && held.bytes.saturating_mul(owners) > most.bytes)
        };
        let idle = self.slots.iter().filter(|(_, slot)| slot.users == 0);
        let surplus = idle.filter(|(_, slot)| self.owners.get(&slot.owner).is_some_and(over));
        surplus.min_by_key(|(_, slot)| slot.last_used).map(|(digest, _)| *digest)
    }

    fn forget(&mut self, digest: &Digest) -> Option<Slot<P>> {
        let slot = self.slots.remove(digest)?;
        self.remove(slot.owner, Held { programs: 1, bytes: slot.bytes });
        Some(slot)
    }

    fn add(&mut self, owner: Owner, more: Held) {
        let of_owner = self.owners.entry(owner).or_default();
        for held in [&mut self.all, of_owner] {
            held.programs += more.programs;
            held.bytes += more.bytes;
        }
    }

    fn remove(&mut self, owner: Owner, less: Held) {
        let Some(of_owner) = self.owners.get_mut(&owner) else { return };
        for held in [&mut self.all, &mut *of_owner] {
            held.programs -= less.programs;
            held.bytes -= less.bytes;
        }
        if of_owner.programs == 0 {
            self.owners.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// A program is its own name here, and takes as many bytes as it is told.
    async fn get(cache: &Cache<String>, name: &str, owner: Owner, bytes: usize) -> Lease<String> {
        let make = async { Ok::<_, Infallible>(Made { program: Arc::new(name.to_owned()), bytes }) };
        let Ok(lease) = cache.get(&digest(name), owner, make).await;
        assert_eq!(*lease, name);
        lease
    }

    fn has(cache: &Cache<String>, name: &str) -> bool {
        cache.has(&digest(name))
    }

    /// What is counted is what is there.
    fn held(cache: &Cache<String>) -> Held {
        let state = cache.0.state();
        let mut owners: HashMap<Owner, Held> = HashMap::new();
        for slot in state.slots.values() {
            let held = owners.entry(slot.owner).or_default();
            (held.programs, held.bytes) = (held.programs + 1, held.bytes + slot.bytes);
        }
        assert_eq!(state.owners, owners);
        let all = owners.values().fold(Held::default(), |all, held| Held {
            programs: all.programs + held.programs,
            bytes: all.bytes + held.bytes,
        });
        assert_eq!(state.all, all);
        all
    }

    fn cache(programs: usize, bytes: usize) -> Cache<String> {
        Cache::new(Held { programs, bytes })
    }

    #[tokio::test]
    async fn whoever_holds_no_more_than_their_share_loses_nothing_to_who_holds_more() {
        for cache in [cache(1_000, 100), cache(10, 1_000)] {
            let (modest, greedy) = (Some(UserId::new()), Some(UserId::new()));
            for name in ["a", "b", "c", "d", "e"] {
                drop(get(&cache, name, modest, 10).await);
            }
            for number in 0..40 {
                drop(get(&cache, &number.to_string(), greedy, 10).await);
            }
            for name in ["a", "b", "c", "d", "e", "35", "39"] {
                assert!(has(&cache, name), "{name}");
            }
            assert!(!has(&cache, "34"), "it was the oldest of too many");
            assert_eq!(held(&cache), Held { programs: 10, bytes: 100 });
        }
    }

    #[tokio::test]
    async fn what_runs_is_kept_and_goes_as_soon_as_it_ends_without_costing_others_theirs() {
        let cache = cache(1_000, 100);
        let (modest, greedy) = (Some(UserId::new()), Some(UserId::new()));
        drop(get(&cache, "a", modest, 50).await);
        let first = get(&cache, "1", greedy, 40).await;
        let second = get(&cache, "2", greedy, 40).await;
        let third = get(&cache, "3", greedy, 40).await;
        assert_eq!(held(&cache).bytes, 170);
        drop(second);
        assert!(has(&cache, "a") && !has(&cache, "2"));
        drop(first);
        assert!(!has(&cache, "1"));
        drop(third);
        assert!(has(&cache, "3"), "there is room for it");
        assert_eq!(held(&cache), Held { programs: 2, bytes: 90 });
    }

    #[tokio::test]
    async fn a_program_belongs_to_who_used_it_last_and_to_nobody_before() {
        let cache = cache(1_000, 100);
        let (first, second) = (Some(UserId::new()), Some(UserId::new()));
        drop(get(&cache, "a", None, 30).await);
        assert_eq!(cache.0.state().owners.get(&None), Some(&Held { programs: 1, bytes: 30 }));
        drop(get(&cache, "a", first, 30).await);
        drop(get(&cache, "a", second, 30).await);
        // Preparing it again takes it from nobody.
        drop(get(&cache, "a", None, 30).await);
        assert_eq!(cache.0.state().slots[&digest("a")].owner, second);
        assert_eq!(held(&cache), Held { programs: 1, bytes: 30 });
    }

    #[tokio::test]
    async fn of_ones_own_programs_the_one_unused_for_longest_goes_first() {
        let (cache, owner) = (cache(3, 1_000), Some(UserId::new()));
        for name in ["1", "2", "1", "3", "4"] {
            drop(get(&cache, name, owner, 1).await);
        }
        assert!(has(&cache, "1") && !has(&cache, "2") && has(&cache, "3") && has(&cache, "4"));
    }

    #[tokio::test]
    async fn nothing_is_remembered_of_what_failed_or_was_given_up() {
        let (cache, a, b) = (cache(10, 10), digest("a"), digest("b"));
        let failed = cache.get(&a, None, async { Err("it failed") }).await;
        assert_eq!(failed.err(), Some("it failed"));
        let never = std::future::pending::<Result<Made<String>, Infallible>>();
        let mut given_up = Box::pin(cache.get(&b, None, never));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(given_up.as_mut().poll(&mut context).is_pending());
        assert!(has(&cache, "b"));
        drop(given_up);
        assert_eq!(held(&cache), Held::default());
    }

    #[tokio::test]
    async fn a_program_is_made_once_however_many_ask_for_it() {
        let (cache, a) = (cache(10, 10), digest("a"));
        let (begin, begun) = tokio::sync::oneshot::channel::<()>();
        let slow = async {
            begun.await.unwrap();
            Ok::<_, Infallible>(Made { program: Arc::new("a".to_owned()), bytes: 3 })
        };
        let mut first = Box::pin(cache.get(&a, None, slow));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        let never = std::future::pending::<Result<Made<String>, Infallible>>();
        let mut second = Box::pin(cache.get(&a, None, never));
        assert!(second.as_mut().poll(&mut context).is_pending());
        begin.send(()).unwrap();
        let (Ok(first), Ok(second)) = tokio::join!(first, second);
        assert!(Arc::ptr_eq(&first.program, &second.program));
        assert_eq!(held(&cache), Held { programs: 1, bytes: 3 });
    }
}
