//! What is taken piece by piece, as it comes, because nobody knows how much it will be.
//!
//! Whoever holds a piece and waits for the next one holds it from others who wait: many who do so at once can
//! stall each other for good. So beyond the pool there is a reserve for one of them at a time: whoever has waited
//! longest takes all that it still needs from there, is done some time, and gives back what it holds. Whoever holds
//! nothing yet keeps nobody waiting, and waits for the pool alone. So does whoever asks for all that it needs at once.

use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::{FairPool, Full, Share};

/// A share that grows. What it holds is given back when it is dropped.
///
/// All of a pool together take at most the pool's total, and as much again as one of them grows to: how much that may
/// be is for the caller to bound.
#[derive(Debug)]
pub struct Growing<K: Copy + Eq + Hash> {
    pool: FairPool<K>,
    key: K,
    amount: usize,
    share: Option<Share<K>>,
    reserve: Option<OwnedSemaphorePermit>,
}

impl<K: Copy + Eq + Hash> Growing<K> {
    /// A share that has nothing yet.
    pub fn new(pool: &FairPool<K>, key: K) -> Growing<K> {
        Growing { pool: pool.clone(), key, amount: 0, share: None, reserve: None }
    }

    /// What it has, be it of the pool or of the reserve.
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Grows to this amount, or waits until it can. Nothing is done if it has as much already.
    ///
    /// # Errors
    ///
    /// It could not until then, or too many wait already.
    pub async fn grow_to(&mut self, amount: usize, until: Instant) -> Result<(), Full> {
        let more = amount.saturating_sub(self.amount);
        if more > 0 && self.reserve.is_none() {
            self.take(more, until).await?;
        }
        self.amount += more;
        Ok(())
    }

    async fn take(&mut self, more: usize, until: Instant) -> Result<(), Full> {
        let Some(held) = &mut self.share else {
            self.share = Some(self.pool.take(self.key, more, until).await?);
            return Ok(());
        };
        if let Ok(share) = self.pool.try_take(self.key, more) {
            held.join(share);
            return Ok(());
        }
        tokio::select! {
            biased;
            // Those who wait are served in the order in which they came.
            Ok(reserve) = Arc::clone(&self.pool.0.reserve).acquire_owned() => self.reserve = Some(reserve),
            share = self.pool.take(self.key, more, until) => held.join(share?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    const MIB: usize = 1 << 20;
    /// Long enough for anything that should happen, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn far() -> Instant {
        Instant::now() + PATIENCE
    }

    /// Nineteen want 31 MiB each of 256 MiB, take them in steps, and give all back as soon as they are whole.
    async fn nineteen(step: usize) {
        let (pool, mut all) = (FairPool::new(256 * MIB), JoinSet::new());
        for key in 0..19 {
            let mut growing = Growing::new(&pool, key);
            all.spawn(async move {
                for amount in (step..=31 * MIB).step_by(step) {
                    growing.grow_to(amount, far()).await?;
                    tokio::task::yield_now().await;
                }
                Ok::<usize, Full>(growing.amount())
            });
        }
        assert_eq!(all.join_all().await, [Ok(31 * MIB); 19]);
        assert_eq!(pool.taken(), 0);
    }

    #[tokio::test]
    async fn nineteen_who_grow_piece_by_piece_to_more_than_there_is_all_come_to_their_end() {
        nineteen(MIB).await;
        nineteen(MIB / 16).await;
    }

    #[tokio::test]
    async fn nineteen_who_take_all_at_once_come_to_their_end_one_after_the_other() {
        nineteen(31 * MIB).await;
    }

    #[tokio::test]
    async fn the_reserve_is_for_one_at_a_time_who_holds_something_already() {
        let pool = FairPool::new(10);
        let (mut one, mut two, mut none) =
            (Growing::new(&pool, 1), Growing::new(&pool, 2), Growing::new(&pool, 3));
        one.grow_to(5, far()).await.unwrap();
        two.grow_to(5, far()).await.unwrap();
        let full = none.grow_to(1, Instant::now()).await.unwrap_err();
        assert_eq!(full, Full { held: 0, free: 0 });
        one.grow_to(100, far()).await.unwrap();
        assert_eq!((one.amount(), pool.taken()), (100, 10));
        one.grow_to(7, Instant::now()).await.unwrap();
        assert_eq!(one.amount(), 100);
        assert_eq!(two.grow_to(6, Instant::now()).await.unwrap_err(), Full { held: 5, free: 0 });
        drop(one);
        two.grow_to(100, Instant::now()).await.unwrap();
        assert_eq!((two.amount(), pool.taken()), (100, 5));
        drop(two);
        assert_eq!(pool.taken(), 0);
    }
}
