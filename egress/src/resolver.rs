//! From names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use wasmcloud_fair::{FairPool, Full};

use crate::User;

/// Most lookups under way at once, of all users together. The system's resolver holds a thread for each,
/// and keeps it when the caller no longer waits.
const LOOKUPS_MAX: usize = 64;
/// How long a lookup waits to begin. Less than it may take in all, so that whoever waits in vain is told why.
const LOOKUP_WAIT_MAX: Duration = Duration::from_secs(2);

/// Finds the addresses of a name. It is asked once for each connection, and what it says is checked and
/// then connected to.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a name, which is ASCII and no IP address. The caller bounds the time.
    ///
    /// # Errors
    /// The name has no addresses, or nobody could say.
    async fn resolve(&self, name: &str, user: User) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system: `/etc/hosts`, DNS, and whatever else it is set up to ask.
///
/// Users share it fairly ([`FairPool`]): whoever looks up many names that nobody answers for waits, and
/// others do not.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    places: FairPool<User>,
    wait_max: Duration,
}

impl Default for SystemResolver {
    fn default() -> SystemResolver {
        SystemResolver { places: FairPool::new(LOOKUPS_MAX), wait_max: LOOKUP_WAIT_MAX }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str, user: User) -> io::Result<Vec<IpAddr>> {
        let name = name.to_owned();
        let ask = move || {
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        };
        self.look_up(user, ask).await
    }
}

impl SystemResolver {
    /// Asks on a thread of its own, once there is a place for this user.
    async fn look_up(
        &self,
        user: User,
        ask: impl FnOnce() -> io::Result<Vec<IpAddr>> + Send + 'static,
    ) -> io::Result<Vec<IpAddr>> {
        let until = Instant::now() + self.wait_max;
        let place = self.places.take(user, 1, until).await.map_err(busy)?;
        let lookup = tokio::task::spawn_blocking(move || {
            // The place is held until the thread is free, not until the caller gives up.
            let _place = place;
            ask()
        });
        lookup.await.map_err(io::Error::other)?
    }
}

fn busy(Full { held, .. }: Full) -> io::Error {
    io::Error::other(match held {
        0 => format!("{LOOKUPS_MAX} names are being looked up on this server, as many as may be at once"),
        _ => format!(
            "{held} names are being looked up for handlers of the same user, as many as may be while this server is busy"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::mpsc::{Sender, channel};
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn the_system_knows_itself() {
        let found = SystemResolver::default().resolve("localhost", User::default()).await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_an_error() {
        assert!(SystemResolver::default().resolve("name.invalid", User::default()).await.is_err());
    }

    type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + 'a>>;

    fn poll(lookup: &mut Lookup<'_>) -> Poll<io::Result<Vec<IpAddr>>> {
        lookup.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// As many lookups as there are places, all of one user; nobody answers them before what comes with
    /// them is dropped.
    fn unanswered(resolver: &SystemResolver, user: User) -> Vec<(Lookup<'_>, Sender<()>)> {
        let begin = |_| {
            let (answer, answered) = channel::<()>();
            let ask = move || answered.recv().map(|()| Vec::new()).map_err(io::Error::other);
            let mut lookup: Lookup<'_> = Box::pin(resolver.look_up(user, ask));
            assert!(poll(&mut lookup).is_pending());
            (lookup, answer)
        };
        (0..LOOKUPS_MAX).map(begin).collect()
    }

    #[tokio::test]
    async fn whoever_looks_up_names_that_nobody_answers_holds_up_nobody_else() {
        let resolver = SystemResolver::default();
        let _held: Vec<_> = (1..=4).map(|user| unanswered(&resolver, User(user))).collect();
        let taken = resolver.places.taken();
        assert!(taken > LOOKUPS_MAX / 2, "{taken}");
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut lookup: Lookup<'_> = Box::pin(resolver.look_up(User(5), move || Ok(vec![address])));
        assert!(poll(&mut lookup).is_pending());
        assert_eq!(resolver.places.taken(), taken + 1, "it does not wait for a place");
        assert_eq!(lookup.await.unwrap(), [address]);
    }

    #[tokio::test]
    async fn a_lookup_counts_until_its_thread_is_free_whoever_has_given_up() {
        let resolver = SystemResolver { wait_max: Duration::ZERO, ..SystemResolver::default() };
        let (lookups, answers): (Vec<_>, Vec<_>) = unanswered(&resolver, User(1)).into_iter().unzip();
        let taken = resolver.places.taken();
        drop(lookups);
        assert_eq!(resolver.places.taken(), taken);
        let refused = resolver.look_up(User(1), || Ok(Vec::new())).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{taken} names are being looked up")), "{refused}");
        drop(answers);
        while resolver.places.taken() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
