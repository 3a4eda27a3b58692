//! A certificate chain and its key, from PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What a port needs to speak TLS 1.2 and 1.3. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Reads a certificate chain, the server's own certificate first, and its private key.
    pub fn from_files(cert_chain: &Path, key: &Path) -> Result<Tls, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&read(cert_chain)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Malformed { path: cert_chain.into(), reason: error.to_string() })?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: cert_chain.into() });
        }
        let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey { path: key.into() },
            other => TlsError::Malformed { path: key.into(), reason: other.to_string() },
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Rejected { reason: error.to_string() })?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch { cert_chain: cert_chain.into(), key: key.into() }
                }
                other => TlsError::Rejected { reason: other.to_string() },
            })?;
        // Nothing else is spoken here yet; a client that offers `h2` as well takes this.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config)))
    }

    /// What accepts handshakes.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

/// Never shows the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.into(), source })
}

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
}
