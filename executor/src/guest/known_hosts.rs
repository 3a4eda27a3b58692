//! Certificates that were seen before: Gemini trusts a server on first use, and then its certificate.
//!
//! Each handler has a file of its own, so that none can push another's servers out. A certificate is the
//! one to expect until its own date says that it is over; then the next one is trusted as the first was.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use wasmcloud_wire::{Digest, Timestamp};

/// Most servers that one handler's file remembers; the one that was seen first goes first.
const HOSTS_MAX: usize = 64;
/// Largest file that is read: [`HOSTS_MAX`] entries are far smaller.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The folder of certificates that were seen before.
pub(crate) struct KnownHosts {
    dir: PathBuf,
    /// One at a time reads and writes a file.
    lock: Mutex<()>,
}

/// A certificate that was seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Of the whole certificate.
    sha256: Digest,
    not_after: Timestamp,
    first_seen: Timestamp,
}

/// Why a server is not trusted. What is to be done, and by whom, is not said here; where the files are is
/// for the operator alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    /// It shows another certificate than before.
    #[error("{host} shows another certificate than before, whose time is not over")]
    Changed { host: String, file: PathBuf },
    /// It shows what is no certificate.
    #[error("{host} shows a certificate that cannot be read")]
    Unreadable { host: String },
    /// What was seen before is not known.
    #[error("the certificates that were seen before cannot be read or kept")]
    Store { file: PathBuf, source: std::io::Error },
}

impl KnownHosts {
    /// With a file for each handler in this folder, which is made when it is needed.
    pub(crate) fn new(dir: PathBuf) -> KnownHosts {
        KnownHosts { dir, lock: Mutex::new(()) }
    }

    /// Whether a server is the one that it was, and remembers it if it is seen for the first time. Blocks.
    ///
    /// `owner` is a file's name; `host` has its port.
    ///
    /// # Errors
    ///
    /// [`Distrust`] says why it is not.
    pub(crate) fn trust(
        &self,
        owner: &str,
        host: &str,
        certificate: &[u8],
        now: Timestamp,
    ) -> Result<(), Distrust> {
        let unreadable = || Distrust::Unreadable { host: host.to_owned() };
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
        let not_after = Timestamp(parsed.validity().not_after.timestamp().saturating_mul(1000));
        let path = self.dir.join(format!("{owner}.json"));
        let _one_at_a_time = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let store = |source| Distrust::Store { file: path.clone(), source };
        let mut hosts = read(&path).map_err(store)?;
        let sha256 = Digest::of(certificate);
        match hosts.get(host) {
            Some(known) if known.sha256 == sha256 => return Ok(()),
            Some(known) if known.not_after > now => {
                return Err(Distrust::Changed { host: host.to_owned(), file: path });
            }
            _ => {}
        }
        hosts.insert(host.to_owned(), Known { sha256, not_after, first_seen: now });
        while hosts.len() > HOSTS_MAX {
            let oldest =
                hosts.iter().filter(|(name, _)| *name != host).min_by_key(|(_, known)| known.first_seen.0);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { break };
            hosts.remove(&oldest);
        }
        write(&self.dir, &path, &hosts).map_err(store)
    }
}

fn read(path: &Path) -> std::io::Result<BTreeMap<String, Known>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            return Err(std::io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    }
    let text = std::fs::read(path)?;
    Ok(serde_json::from_slice(&text)?)
}

fn write(dir: &Path, path: &Path, hosts: &BTreeMap<String, Known>) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&serde_json::to_vec_pretty(hosts)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    /// Noon of the year's second day, near enough.
    fn in_year(year: i64) -> Timestamp {
        Timestamp((year - 1970) * YEAR_MS + (year - 1970) / 4 * 24 * 3600 * 1000 + 36 * 3600 * 1000)
    }

    #[test]
    fn the_first_certificate_is_the_one_to_expect_until_its_time_is_over() {
        let dir = tempfile::TempDir::new().unwrap();
        let (first, second) = (certificate(2030), certificate(2040));
        let trust = |certificate: &[u8], year| {
            // A new value each time: what it knows is in the file.
            KnownHosts::new(dir.path().join("hosts")).trust(
                "owner",
                "a.example:1965",
                certificate,
                in_year(year),
            )
        };
        trust(&first, 2026).unwrap();
        trust(&first, 2027).unwrap();
        let distrust = trust(&second, 2028).unwrap_err();
        let said = distrust.to_string();
        assert!(said.contains("a.example:1965") && !said.contains("owner.json"), "{said}");
        let Distrust::Changed { file, .. } = distrust else { panic!("{said}") };
        assert_eq!(file, dir.path().join("hosts/owner.json"));
        trust(&first, 2029).unwrap();
        trust(&second, 2031).unwrap();
        assert!(matches!(trust(&first, 2032), Err(Distrust::Changed { .. })));
    }

    #[test]
    fn owners_know_nothing_of_each_other_and_hosts_are_told_apart_by_port() {
        let dir = tempfile::TempDir::new().unwrap();
        let hosts = KnownHosts::new(dir.path().to_owned());
        let (first, second) = (certificate(2030), certificate(2030));
        hosts.trust("one", "a.example:1965", &first, in_year(2026)).unwrap();
        hosts.trust("two", "a.example:1965", &second, in_year(2026)).unwrap();
        hosts.trust("one", "a.example:1966", &second, in_year(2026)).unwrap();
        assert!(hosts.trust("one", "a.example:1965", &second, in_year(2026)).is_err());
    }

    #[test]
    fn a_handlers_file_is_bounded_and_what_is_no_certificate_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let hosts = KnownHosts::new(dir.path().to_owned());
        let certificate = certificate(2030);
        for number in 0..HOSTS_MAX + 3 {
            let now = Timestamp(in_year(2026).0 + i64::try_from(number).unwrap());
            hosts.trust("owner", &format!("{number}.example:1965"), &certificate, now).unwrap();
        }
        let kept = read(&dir.path().join("owner.json")).unwrap();
        assert_eq!(kept.len(), HOSTS_MAX);
        assert!(!kept.contains_key("2.example:1965") && kept.contains_key("3.example:1965"));
        let refused = hosts.trust("owner", "a.example:1965", b"nonsense", in_year(2026));
        assert!(matches!(refused, Err(Distrust::Unreadable { .. })));
    }

    #[test]
    fn a_file_that_is_damaged_is_no_reason_to_trust() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::write(dir.path().join("owner.json"), "{").unwrap();
        let hosts = KnownHosts::new(dir.path().to_owned());
        let refused = hosts.trust("owner", "a.example:1965", &certificate(2030), in_year(2026));
        assert!(matches!(refused, Err(Distrust::Store { .. })));
    }
}
