//! A small CA, and the one certificate that every port of a split platform shows.

use std::path::Path;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::{ROUTED_DOMAIN, SPLIT_DOMAIN};

pub struct Certificates {
    /// The CA's certificate (PEM).
    pub ca: String,
    cert: String,
    key: String,
}

impl Certificates {
    /// The same for all tests of this process.
    pub fn shared() -> &'static Certificates {
        static SHARED: OnceLock<Certificates> = OnceLock::new();
        SHARED.get_or_init(Certificates::make)
    }

    fn make() -> Certificates {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.distinguished_name.push(DnType::CommonName, "a CA for tests");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();

        let names = ["localhost", "127.0.0.1", &format!("*.{SPLIT_DOMAIN}"), &format!("*.{ROUTED_DOMAIN}")]
            .map(str::to_owned);
        let mut leaf = CertificateParams::new(names).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, "a platform for tests");
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let cert = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap().pem();
        Certificates { ca: ca_pem, cert, key: key.serialize_pem() }
    }

    /// Writes `ca.pem`, `cert.pem` and `key.pem`.
    pub fn write_to(&self, folder: &Path) {
        for (name, text) in [("ca.pem", &self.ca), ("cert.pem", &self.cert), ("key.pem", &self.key)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
}
