//! A certificate for the first minute: it signs itself, and is trusted by its file.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::TlsError;
use super::pair::{expiry, read};

/// How long one is good for. Some clients take none that is good for longer than 398 days.
const LIFE: Duration = Duration::from_secs(365 * 86_400);
/// How long before its end it is renewed.
const RENEWAL: Duration = Duration::from_secs(60 * 86_400);
/// The clocks of clients may be behind.
const CLOCKS_APART: Duration = Duration::from_secs(86_400);
/// Who it is for, to those who look at it. Whoever trusts it goes by this and the key.
const SUBJECT: &str = "wasmcloud self-signed";

/// A certificate that was made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfSigned {
    names: Vec<String>,
    cert: PathBuf,
    sha256: String,
}

impl SelfSigned {
    /// Its file, for whoever is to trust it.
    pub fn certificate(&self) -> &Path {
        &self.cert
    }

    /// Its SHA-256 fingerprint as it was at the start: upper-case hex digits in pairs, separated by
    /// colons, as `openssl x509 -fingerprint -sha256` prints it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Finds what was made before, or makes it.
    pub(super) fn open(
        cert: &Path,
        key: &Path,
        names: &[String],
        now: SystemTime,
    ) -> Result<SelfSigned, TlsError> {
        let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        names.dedup();
        let mut made = SelfSigned { names, cert: cert.into(), sha256: String::new() };
        made.renew_if_due(cert, key, now)?;
        made.sha256 = fingerprint(&own(cert)?);
        Ok(made)
    }

    /// Makes a certificate if there is none, if it will end soon, or if it lacks a name.
    pub(super) fn renew_if_due(&self, cert: &Path, key: &Path, now: SystemTime) -> Result<(), TlsError> {
        let good = own(cert).is_ok_and(|own| {
            let lasts = expiry(&own).is_ok_and(|end| end > now + RENEWAL);
            lasts && names_of(&own).is_some_and(|has| self.names.iter().all(|name| has.contains(name)))
        });
        if good && key.exists() {
            return Ok(());
        }
        let fails = |path: &Path, reason: String| TlsError::NotMade { path: path.into(), reason };
        if let Some(folder) = cert.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| fails(folder, error.to_string()))?;
        }
        let pair = self.key(key)?;
        let pem = self.issue(&pair, now).map_err(|error| fails(cert, error.to_string()))?;
        // Whoever looks meanwhile sees the old one or the new one, and both belong to the key.
        replace(cert, &pem, 0o644).map_err(|error| fails(cert, error.to_string()))
    }

    /// The key that is there, or a new one. One that cannot be read is not replaced silently.
    fn key(&self, path: &Path) -> Result<KeyPair, TlsError> {
        let fails = |reason: String| TlsError::NotMade { path: path.into(), reason };
        if path.exists() {
            let text = String::from_utf8(read(path)?).map_err(|error| fails(error.to_string()))?;
            return KeyPair::from_pem(&text)
                .map_err(|error| fails(format!("{error}; remove the file to have another key made")));
        }
        let pair = KeyPair::generate().map_err(|error| fails(error.to_string()))?;
        replace(path, &pair.serialize_pem(), 0o600).map_err(|error| fails(error.to_string()))?;
        Ok(pair)
    }

    fn issue(&self, key: &KeyPair, now: SystemTime) -> Result<String, rcgen::Error> {
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, SUBJECT);
        params.not_before = (now - CLOCKS_APART).into();
        params.not_after = (now + LIFE).into();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(params.self_signed(key)?.pem())
    }
}

/// Writes a file as a whole or not at all.
fn replace(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().create_new(true).write(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// The first certificate of a file.
fn own(path: &Path) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(&read(path)?)
        .map_err(|error| TlsError::Malformed { path: path.into(), reason: error.to_string() })
}

/// The hosts and addresses that a certificate is for.
fn names_of(certificate: &[u8]) -> Option<Vec<String>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    Some(names.value.general_names.iter().filter_map(name).collect())
}

fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        if !text.is_empty() {
            text.push(':');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn it_stays_the_same_until_it_has_to_change_and_its_key_stays_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("tls/edge.pem"), folder.path().join("tls/edge.key"));
        let asked = names(&["Example.net", "*.example.net", "127.0.0.1", "::1"]);
        let now = SystemTime::now();
        let open = |names: &[String], now| SelfSigned::open(&cert, &key, names, now).unwrap();
        let first = open(&asked, now);
        assert_eq!(first.sha256().len(), 32 * 3 - 1);
        let secret = fs::read(&key).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(open(&asked, now), first);
        assert_eq!(open(&asked, now + LIFE - RENEWAL - CLOCKS_APART).sha256(), first.sha256());
        let renewed = open(&asked, now + LIFE - RENEWAL + CLOCKS_APART);
        assert_ne!(renewed.sha256(), first.sha256());
        let wider = open(&names(&["example.org"]), now);
        assert_ne!(wider.sha256(), renewed.sha256());
        assert_eq!(names_of(&own(&cert).unwrap()).unwrap(), ["example.org"]);
        assert_eq!(fs::read(&key).unwrap(), secret);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_named_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("edge.pem"), folder.path().join("edge.key"));
        fs::write(&key, "no key").unwrap();
        let error = SelfSigned::open(&cert, &key, &names(&["a"]), SystemTime::now()).unwrap_err();
        assert!(error.to_string().contains("edge.key"), "{error}");
        assert_eq!(fs::read(&key).unwrap(), b"no key");
    }
}
