//! Whom to believe: the certificates that TLS connections are checked against.

use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::EgressError;

/// TLS sessions that one invocation remembers, to connect again faster.
const SESSIONS_MAX: usize = 8;

/// Whose certificates are believed.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The certificates of the system.
    pub platform: bool,
    /// Others, in DER: a company's own authority, for example.
    pub extra: Vec<CertificateDer<'static>>,
}

impl Default for Roots {
    fn default() -> Roots {
        Roots { platform: true, extra: Vec::new() }
    }
}

impl Roots {
    /// Believes the certificates of a PEM file, too.
    ///
    /// # Errors
    /// [`EgressError::Setup`] if it is no PEM file, or has no certificate.
    pub fn and_pem(mut self, pem: &[u8]) -> Result<Roots, EgressError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found =
            found.map_err(|error| EgressError::Setup(format!("it is no well-formed PEM file: {error}")))?;
        if found.is_empty() {
            return Err(EgressError::Setup("the file has no certificate".to_owned()));
        }
        self.extra.extend(found);
        Ok(self)
    }
}

/// The TLS settings, made once, at the first connection that needs them: reading the system's certificates
/// takes longer than a worker process may take to start.
#[derive(Debug)]
pub(crate) struct Tls {
    platform: bool,
    extra: RootCertStore,
    made: OnceLock<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(roots: Roots) -> Result<Tls, EgressError> {
        let mut extra = RootCertStore::empty();
        for root in roots.extra {
            extra.add(root).map_err(|error| {
                EgressError::Setup(format!("an extra root certificate is unusable: {error}"))
            })?;
        }
        Ok(Tls { platform: roots.platform, extra, made: OnceLock::new() })
    }

    /// Settings for one invocation. Nothing is remembered from one invocation to the next, so that a server
    /// cannot tell that two tenants share this machine.
    pub(crate) fn for_session(&self, alpn: &[&[u8]]) -> Result<ClientConfig, EgressError> {
        let made = match self.made.get() {
            Some(made) => made,
            None => {
                let made = self.make()?;
                self.made.get_or_init(|| made)
            }
        };
        let mut config = made.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    fn make(&self) -> Result<ClientConfig, EgressError> {
        let mut roots = self.extra.clone();
        if self.platform {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "a system certificate cannot be read");
            }
            let (added, ignored) = roots.add_parsable_certificates(found.certs);
            tracing::debug!(added, ignored, "system certificates read");
            if roots.is_empty() {
                tracing::warn!("there are no root certificates: every outbound TLS connection will fail");
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| EgressError::Setup(error.to_string()))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}
