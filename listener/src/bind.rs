//! Taking an address.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Binds `address` and listens. `flag` is the option that chose it (`--api-listen`), for messages.
///
/// Connections are queued by the kernel from now on, so that everything can be bound before
/// anything is served.
pub async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address, flag },
        io::ErrorKind::PermissionDenied => BindError::Denied { address, flag },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address, flag },
        _ => BindError::Other { address, flag, source },
    })
}

/// Whether only one of these addresses can be listened on at a time.
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    // `[::]` takes IPv4 too; a port of 0 becomes one that is free.
    let takes = |this: SocketAddr, that: SocketAddr| {
        this.ip() == that.ip() || this.ip().is_unspecified() && (this.is_ipv6() || that.is_ipv4())
    };
    one.port() != 0 && one.port() == other.port() && (takes(one, other) || takes(other, one))
}

/// Why an address could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another socket listens there.
    #[error("{address} is already in use: stop the other process, or choose another address with {flag}")]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The option that chose it.
        flag: &'static str,
    },
    /// The port is reserved for privileged processes.
    #[error("no permission to listen on {address}: choose a port above 1023 with {flag}")]
    Denied {
        /// The address.
        address: SocketAddr,
        /// The option that chose it.
        flag: &'static str,
    },
    /// No interface has the address.
    #[error(
        "{address} is no address of this machine: choose one that is with {flag}, such as 127.0.0.1 or 0.0.0.0"
    )]
    NotHere {
        /// The address.
        address: SocketAddr,
        /// The option that chose it.
        flag: &'static str,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {address}: {source}; choose another address with {flag}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// The option that chose it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_where_only_one_of_them_can_be_bound() {
        let at = |one: &str, other: &str| collide(one.parse().unwrap(), other.parse().unwrap());
        assert!(at("127.0.0.1:3000", "127.0.0.1:3000") && at("0.0.0.0:3000", "127.0.0.1:3000"));
        assert!(at("127.0.0.1:3000", "[::]:3000") && at("[::1]:3000", "[::]:3000"));
        assert!(!at("127.0.0.1:3000", "127.0.0.1:3001") && !at("127.0.0.1:3000", "127.0.0.2:3000"));
        assert!(!at("0.0.0.0:3000", "[::1]:3000") && !at("127.0.0.1:0", "127.0.0.1:0"));
    }
}
