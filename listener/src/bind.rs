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
