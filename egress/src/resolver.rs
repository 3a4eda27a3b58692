//! From names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Most lookups under way at once. The system's resolver holds a thread for each, and keeps it when the
/// caller no longer waits.
const LOOKUPS_MAX: usize = 64;

/// Finds the addresses of a name. It is asked once for each connection, and what it says is checked and
/// then connected to.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a name, which is ASCII and no IP address. The caller bounds the time.
    ///
    /// # Errors
    /// The name has no addresses, or nobody could say.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system: `/etc/hosts`, DNS, and whatever else it is set up to ask.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> SystemResolver {
        SystemResolver { places: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            // The place is held until the thread is free, not until the caller gives up.
            let _place = place;
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_itself() {
        let found = SystemResolver::default().resolve("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_an_error() {
        assert!(SystemResolver::default().resolve("name.invalid").await.is_err());
    }
}
