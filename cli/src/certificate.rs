//! Why a server's certificate is not trusted, and what to do about that.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;

use rustls::CertificateError;
use wasmcloud_wire::Timestamp;

use crate::text::time;

/// Where the CAs' certificates are read from instead of the system's own place.
const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";
/// Most of that file that is read, in bytes; a system's own has a few hundred KiB.
const CA_FILE_BYTES_MAX: u64 = 8 << 20;
/// Names of a certificate that are shown.
const NAMES_SHOWN_MAX: usize = 5;

/// Why the server is not trusted and what to do, if its certificate is the reason.
pub fn distrust(error: &reqwest::Error) -> Option<(String, String)> {
    match rustls_cause(error)? {
        rustls::Error::InvalidCertificate(error) => {
            Some(said(error, std::env::var_os(CA_FILE_VARIABLE).as_deref()))
        }
        _ => None,
    }
}

/// What to do where no CA is known at all.
pub fn no_authorities() -> String {
    let file = std::env::var_os(CA_FILE_VARIABLE);
    let problem = file.and_then(|file| file_problem(Path::new(&file)));
    problem.unwrap_or_else(|| {
        format!("install the system's CA certificates, or name a file with {CA_FILE_VARIABLE}")
    })
}

fn said(error: &CertificateError, ca_file: Option<&OsStr>) -> (String, String) {
    let at = |time_of: &rustls::pki_types::UnixTime| {
        time(Timestamp(i64::try_from(time_of.as_secs()).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000)))
    };
    let renew =
        || "whoever runs the server has to renew it; if it is new, check this machine's clock".to_owned();
    let clock = || "check this machine's clock, and the server's when it was made".to_owned();
    let by_name = || "ask it by one of the names in its certificate".to_owned();
    match error {
        CertificateError::Expired => ("its certificate has expired".to_owned(), renew()),
        CertificateError::ExpiredContext { not_after, .. } => {
            (format!("its certificate has expired on {}", at(not_after)), renew())
        }
        CertificateError::NotValidYet => ("its certificate is not valid yet".to_owned(), clock()),
        CertificateError::NotValidYetContext { not_before, .. } => {
            (format!("its certificate is valid from {} on", at(not_before)), clock())
        }
        CertificateError::NotValidForName => ("its certificate is for another name".to_owned(), by_name()),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            "its certificate is for no name at all".to_owned(),
            "whoever runs the server has to make one with a subjectAltName".to_owned(),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => (
            format!("its certificate is not for {}, but for {}", expected.to_str(), names(presented)),
            by_name(),
        ),
        CertificateError::UnknownIssuer => (
            "nobody that is trusted here has signed its certificate".to_owned(),
            ca_file.and_then(|file| file_problem(Path::new(file))).unwrap_or_else(|| {
                format!("if its certificate is your own, name the CA's file with {CA_FILE_VARIABLE}")
            }),
        ),
        error => (
            format!("its certificate is of no use: {error}"),
            "whoever runs the server has to mend it".to_owned(),
        ),
    }
}

/// `DnsName("localhost")` and the like, without the kind.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, inner)| inner.trim_end_matches(')'));
        crate::text::one_line(inner.trim_matches('"'))
    };
    let mut shown: Vec<String> = presented.iter().take(NAMES_SHOWN_MAX).map(bare).collect();
    if presented.len() > NAMES_SHOWN_MAX {
        shown.push(format!("{} more", presented.len() - NAMES_SHOWN_MAX));
    }
    shown.join(", ")
}

/// Why this file says nothing of whom to trust.
fn file_problem(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(CA_FILE_BYTES_MAX).read_to_end(&mut bytes));
    let marker = b"-----BEGIN CERTIFICATE-----";
    match read {
        Err(error) => {
            Some(format!("{CA_FILE_VARIABLE} names {}, which cannot be read: {error}", path.display()))
        }
        Ok(_) if !bytes.windows(marker.len()).any(|part| part == marker) => {
            Some(format!("{CA_FILE_VARIABLE} names {}, which has no certificate in it (PEM)", path.display()))
        }
        Ok(_) => None,
    }
}

/// What TLS itself says; it is wrapped in errors of the system, which hide it from `source`.
fn rustls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a server on this machine that shows such a certificate, and is asked as `localhost`.
    async fn said_of(params: rcgen::CertificateParams, is_trusted: bool) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let config = std::sync::Arc::new(config.unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut tls = rustls::ServerConnection::new(config).unwrap();
            // The client ends it, when it has seen the certificate.
            while tls.complete_io(&mut socket).is_ok() {}
        });
        let trusted = is_trusted.then(|| reqwest::Certificate::from_der(cert.der()).unwrap());
        let client = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).build().unwrap();
        let error = client.get(format!("https://localhost:{port}/")).send().await.unwrap_err();
        serving.join().unwrap();
        distrust(&error).unwrap_or_else(|| panic!("{error:?}"))
    }

    fn params(name: &str) -> rcgen::CertificateParams {
        rcgen::CertificateParams::new([name.to_owned()]).unwrap()
    }

    #[tokio::test]
    async fn each_reason_to_distrust_has_its_own_words_and_hint() {
        let mut expired = params("localhost");
        expired.not_after = rcgen::date_time_ymd(2020, 2, 3);
        let (why, hint) = said_of(expired, true).await;
        assert_eq!(why, "its certificate has expired on 2020-02-03T00:00:00Z");
        assert!(hint.contains("has to renew it"), "{hint}");

        let mut early = params("localhost");
        early.not_before = rcgen::date_time_ymd(4000, 2, 3);
        let (why, hint) = said_of(early, true).await;
        assert_eq!(why, "its certificate is valid from 4000-02-03T00:00:00Z on");
        assert!(hint.contains("clock"), "{hint}");

        let (why, hint) = said_of(params("elsewhere.example"), true).await;
        assert_eq!(why, "its certificate is not for localhost, but for elsewhere.example");
        assert!(hint.contains("one of the names"), "{hint}");

        let (why, _) = said_of(params("127.0.0.1"), true).await;
        assert_eq!(why, "its certificate is not for localhost, but for 127.0.0.1");

        let (why, _) = said_of(params("localhost"), false).await;
        assert_eq!(why, "nobody that is trusted here has signed its certificate");
    }

    #[test]
    fn a_file_that_names_no_authority_is_the_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let hint = || said(&CertificateError::UnknownIssuer, Some(path.as_os_str())).1;
        assert!(hint().contains("ca.pem, which cannot be read: No such file"), "{}", hint());
        std::fs::write(&path, "no certificate").unwrap();
        assert!(hint().contains("ca.pem, which has no certificate"), "{}", hint());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----").unwrap();
        assert!(hint().contains("name the CA's file with SSL_CERT_FILE"), "{}", hint());
    }
}
