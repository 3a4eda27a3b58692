//! Why there is no certificate.

use std::io;
use std::path::PathBuf;

/// Why a port cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file for the certificate chain has none.
    #[error(
        "{} has no certificate: it needs at least one `BEGIN CERTIFICATE` section, the server's own first",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file for the key has none.
    #[error("{} has no private key: it needs a `BEGIN PRIVATE KEY` section, not encrypted", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A file is no PEM.
    #[error("{} is no well-formed PEM file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "the key in {} does not belong to the first certificate in {}: give the key that the certificate was made for",
        key.display(),
        cert_chain.display()
    )]
    Mismatch {
        /// The file of the chain.
        cert_chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The TLS library does not take certificate or key.
    #[error("the certificate or its key cannot be used: {reason}")]
    Rejected {
        /// What it said.
        reason: String,
    },
    /// A certificate that signs itself cannot be made or kept.
    #[error("cannot make the certificate {}: {reason}", path.display())]
    NotMade {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
}

impl TlsError {
    /// What kind of failure the system told of, if it did.
    pub(super) fn kind(&self) -> io::ErrorKind {
        match self {
            TlsError::Unreadable { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        }
    }
}
