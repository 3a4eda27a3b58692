//! A port's certificate: read from files or made here, and exchanged while the port is served.

mod error;
mod pair;
mod self_signed;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

pub use self::error::TlsError;
use self::pair::{Contents, Pair};
pub use self::self_signed::SelfSigned;

/// What a client says that chooses HTTP/2.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";
/// A certificate that ends sooner than this is warned of.
const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 86_400);
/// Least time between two warnings of it.
const EXPIRY_WARNING_INTERVAL: Duration = Duration::from_secs(86_400);

/// What a port needs to speak TLS 1.2 and 1.3. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Certificate>);

/// The certificate in use, and where the next one comes from.
struct Certificate {
    cert_chain: PathBuf,
    key: PathBuf,
    self_signed: Option<SelfSigned>,
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    watched: Mutex<Watched>,
}

/// What handshakes are answered with.
struct Current(RwLock<Arc<CertifiedKey>>);

/// What was seen of the files.
struct Watched {
    /// The files of the certificate in use.
    used: Contents,
    /// When that ends.
    expires: SystemTime,
    warned: Option<SystemTime>,
    /// What cannot be used, and whether that was said.
    unusable: Option<(Result<Contents, io::ErrorKind>, bool)>,
}

impl Tls {
    /// Reads a certificate chain, the server's own certificate first, and its private key.
    ///
    /// While a port is served with it, the files are looked at every
    /// [`crate::Settings::certificate_interval`]. What they contain counts, so a link that leads
    /// elsewhere is seen as well. A new pair that belongs together is used for the handshakes that
    /// follow; what does not do is said once, and the old certificate stays in use.
    pub fn from_files(cert_chain: &Path, key: &Path) -> Result<Tls, TlsError> {
        Tls::load(cert_chain.into(), key.into(), None)
    }

    /// Makes a certificate that signs itself, for `names` (hosts and addresses), or finds the one
    /// that was made before.
    ///
    /// It is kept in `folder` as `NAME.pem`, its key beside it as `NAME.key` with mode 0600. It is
    /// renewed with the same key before it ends, and where it lacks one of `names`: who trusts the
    /// older certificate trusts the newer one.
    pub fn self_signed(folder: &Path, name: &str, names: &[String]) -> Result<Tls, TlsError> {
        let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let made = SelfSigned::open(&cert, &key, names, SystemTime::now())?;
        Tls::load(cert, key, Some(made))
    }

    /// The certificate that was made here, if it was.
    pub fn made_here(&self) -> Option<&SelfSigned> {
        self.0.self_signed.as_ref()
    }

    fn load(cert_chain: PathBuf, key: PathBuf, self_signed: Option<SelfSigned>) -> Result<Tls, TlsError> {
        let contents = Contents::read(&cert_chain, &key)?;
        let pair = Pair::parse(&contents, &cert_chain, &key)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair.certified))));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Rejected { reason: error.to_string() })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        let watched = Watched { used: contents, expires: pair.expires, warned: None, unusable: None };
        let tls = Certificate {
            cert_chain,
            key,
            self_signed,
            config: Arc::new(config),
            current,
            watched: Mutex::new(watched),
        };
        tls.warn_of_end(SystemTime::now());
        Ok(Tls(Arc::new(tls)))
    }

    /// What accepts handshakes.
    pub(crate) fn acceptor(&self, http2: bool) -> TlsAcceptor {
        let mut config = (*self.0.config).clone();
        config.alpn_protocols = match http2 {
            true => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
            false => vec![ALPN_HTTP1.to_vec()],
        };
        TlsAcceptor::from(Arc::new(config))
    }

    /// Looks at the files every now and then, for ever.
    pub(crate) async fn watch(&self, interval: Duration) {
        loop {
            sleep(interval).await;
            let certificate = Arc::clone(&self.0);
            let looked = tokio::task::spawn_blocking(move || certificate.look(SystemTime::now()));
            if let Err(error) = looked.await {
                tracing::error!(%error, "a certificate's files cannot be looked at");
            }
        }
    }
}

impl Certificate {
    /// Takes what the files contain now.
    fn look(&self, now: SystemTime) {
        if let Some(made) = &self.self_signed
            && let Err(error) = made.renew_if_due(&self.cert_chain, &self.key, now)
        {
            tracing::error!(%error, "the self-signed certificate cannot be renewed");
        }
        let contents = match Contents::read(&self.cert_chain, &self.key) {
            Ok(contents) => contents,
            Err(error) => return self.watched().complain(Err(error.kind()), &error),
        };
        if contents == self.watched().used {
            self.watched().unusable = None;
            return self.warn_of_end(now);
        }
        match Pair::parse(&contents, &self.cert_chain, &self.key) {
            Ok(pair) => {
                let expires = httpdate::fmt_http_date(pair.expires);
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair.certified);
                *self.watched() =
                    Watched { used: contents, expires: pair.expires, warned: None, unusable: None };
                tracing::info!(certificate = %self.cert_chain.display(), expires, "a new certificate is in use");
                self.warn_of_end(now);
            }
            Err(error) => self.watched().complain(Ok(contents), &error),
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the certificate in use has ended, or soon will.
    fn warn_of_end(&self, now: SystemTime) {
        let mut watched = self.watched();
        let warned_lately = watched
            .warned
            .is_some_and(|at| now.duration_since(at).is_ok_and(|since| since < EXPIRY_WARNING_INTERVAL));
        if warned_lately || watched.expires > now + EXPIRY_WARNING {
            return;
        }
        watched.warned = Some(now);
        let (certificate, expires) = (self.cert_chain.display(), httpdate::fmt_http_date(watched.expires));
        if watched.expires <= now {
            tracing::error!(%certificate, expires, "the certificate has expired: clients refuse it; replace the files, no restart is needed");
        } else {
            tracing::warn!(%certificate, expires, "the certificate expires soon: replace the files, no restart is needed");
        }
    }
}

impl Watched {
    /// Says once that the files cannot be used: at the second look, since they may be half written.
    fn complain(&mut self, contents: Result<Contents, io::ErrorKind>, error: &TlsError) {
        match &mut self.unusable {
            Some((seen, said)) if *seen == contents => {
                if !*said {
                    *said = true;
                    tracing::error!(%error, "the new certificate cannot be used, the old one stays in use");
                }
            }
            _ => self.unusable = Some((contents, false)),
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Never shows the key.
impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

/// Never shows the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Whether there is something to complain of, and whether that was said.
    fn complaint(tls: &Tls) -> Option<bool> {
        tls.0.watched().unusable.as_ref().map(|(_, said)| *said)
    }

    #[test]
    fn what_cannot_be_used_is_said_once_and_not_while_it_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        Tls::self_signed(folder.path(), "a", &["localhost".to_owned()]).unwrap();
        let (cert, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
        let tls = Tls::from_files(&cert, &key).unwrap();
        let now = SystemTime::now();
        let good = fs::read(&cert).unwrap();
        tls.0.look(now);
        assert_eq!(complaint(&tls), None);
        fs::write(&cert, &good[..good.len() / 2]).unwrap();
        tls.0.look(now);
        assert_eq!(complaint(&tls), Some(false), "it may be half written");
        tls.0.look(now);
        assert_eq!(complaint(&tls), Some(true));
        tls.0.look(now);
        assert_eq!(complaint(&tls), Some(true));
        fs::write(&cert, "other nonsense").unwrap();
        tls.0.look(now);
        assert_eq!(complaint(&tls), Some(false), "something else is wrong now");
        fs::remove_file(&cert).unwrap();
        tls.0.look(now);
        tls.0.look(now);
        assert_eq!(complaint(&tls), Some(true));
        fs::write(&cert, &good).unwrap();
        tls.0.look(now);
        assert_eq!(complaint(&tls), None);
    }

    #[test]
    fn the_end_of_a_certificate_is_warned_of_once_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        Tls::self_signed(folder.path(), "a", &names).unwrap();
        let tls = Tls::from_files(&folder.path().join("a.pem"), &folder.path().join("a.key")).unwrap();
        let warned = |now| {
            tls.0.look(now);
            tls.0.watched().warned == Some(now)
        };
        let expires = tls.0.watched().expires;
        let day = Duration::from_secs(86_400);
        assert!(!warned(expires - 15 * day));
        assert!(warned(expires - 14 * day));
        assert!(!warned(expires - 14 * day + Duration::from_secs(5)));
        assert!(warned(expires - 13 * day));
        assert!(warned(expires + day));
    }
}
