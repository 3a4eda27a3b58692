//! A certificate and its key, as their files have them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;

/// Largest file of a certificate chain or a key: many times what any needs.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the two files contain. It is compared, and shown to nobody.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    cert_chain: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub(super) fn read(cert_chain: &Path, key: &Path) -> Result<Contents, TlsError> {
        Ok(Contents { cert_chain: read(cert_chain)?, key: read(key)? })
    }
}

/// A certificate that can be used.
pub(super) struct Pair {
    pub(super) certified: CertifiedKey,
    pub(super) expires: SystemTime,
}

impl Pair {
    /// Reads the files' contents and checks that they belong together; the paths are for messages.
    pub(super) fn parse(contents: &Contents, cert_chain: &Path, key: &Path) -> Result<Pair, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&contents.cert_chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Malformed { path: cert_chain.into(), reason: error.to_string() })?;
        let Some(own) = chain.first() else {
            return Err(TlsError::NoCertificate { path: cert_chain.into() });
        };
        let expires =
            expiry(own).map_err(|reason| TlsError::Malformed { path: cert_chain.into(), reason })?;
        let private = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey { path: key.into() },
            other => TlsError::Malformed { path: key.into(), reason: other.to_string() },
        })?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { cert_chain: cert_chain.into(), key: key.into() }
            }
            other => TlsError::Rejected { reason: other.to_string() },
        })?;
        Ok(Pair { certified, expires })
    }
}

/// When a certificate ends.
pub(super) fn expiry(certificate: &[u8]) -> Result<SystemTime, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.into(), source };
    let mut contents = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut contents))
        .map_err(unreadable)?;
    Ok(contents)
}
