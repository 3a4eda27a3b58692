//! Where a listener's certificate comes from.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use wasmcloud_listener::{SelfSigned, Tls, TlsError};

use super::Common;
use crate::failure::Failure;
use crate::platform::failed;

/// What the API's listener is called.
pub const API: &str = "API";
/// Where Linux keeps the machine's name.
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";

/// A certificate that is in no files of the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// One that the server makes and that signs itself, for the first minute.
    SelfSigned,
}

/// What a listener was told about its certificate. `which` is the prefix of its flags.
pub struct Wanted<'a> {
    pub which: &'a str,
    pub cert: Option<&'a PathBuf>,
    pub key: Option<&'a PathBuf>,
    pub mode: Option<TlsMode>,
}

impl Wanted<'_> {
    /// The certificate, if one is wanted. `names` are those for which one is made.
    pub fn tls(&self, common: &Common, names: Vec<String>) -> Result<Option<Tls>, Failure> {
        let which = self.which;
        let hint = format!("give both --{which}-tls-cert FILE and --{which}-tls-key FILE");
        match (self.cert, self.key, self.mode) {
            (None, None, None) => Ok(None),
            (Some(cert), Some(key), None) => Tls::from_files(cert, key).map(Some).map_err(|error| {
                let hint = if is_denied(&error) { "make it readable for the server's user" } else { &hint };
                failed("certificate", error, hint)
            }),
            (None, None, Some(TlsMode::SelfSigned)) => {
                let folder = common.data_dir()?.join("tls");
                Tls::self_signed(&folder, which, &names).map(Some).map_err(|error| {
                    let hint = "make the folder writable, or name another data directory with --data";
                    failed("certificate", error, hint)
                })
            }
            (_, _, Some(_)) => Err(Failure::usage(
                format!("--{which}-tls self-signed and certificate files exclude each other"),
                format!("leave out --{which}-tls to use the files"),
            )),
            _ => Err(Failure::usage("a certificate and its key belong together", hint)),
        }
    }
}

/// Whether a file is there that this user may not read.
fn is_denied(error: &TlsError) -> bool {
    matches!(error, TlsError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// What a listener at `address` is called by those who connect to it: this machine's names, and its address.
pub fn local_names(address: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Ok(name) = std::fs::read_to_string(HOSTNAME_FILE) {
        names.extend(host_name(&name));
    }
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names
}

/// A name that a certificate can be for: of letters, digits, `-` and dots, or an address.
pub fn host_name(text: &str) -> Option<String> {
    let name = text.trim().trim_matches(['[', ']']);
    if name.parse::<IpAddr>().is_ok() {
        return Some(name.to_owned());
    }
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(label).then(|| name.to_owned())
}

/// Where a certificate is that was made here, for whoever is in another folder.
pub fn absolute(made: &SelfSigned) -> PathBuf {
    std::path::absolute(made.certificate()).unwrap_or_else(|_| made.certificate().to_owned())
}

/// What is said at the start about certificates that clients do not trust by themselves. `width` is that of the
/// words that the lines around it begin with.
pub fn how_to_trust(width: usize, certificates: &[(&str, Option<&Tls>)]) -> Vec<String> {
    let mut said = Vec::new();
    for (which, tls) in certificates {
        let Some(made) = tls.and_then(Tls::made_here) else { continue };
        let path = absolute(made);
        let path = path.display();
        said.push(format!(
            "  {:width$}  {path} for the {which}: it signs itself, sha256 {}",
            "trust",
            made.sha256()
        ));
        if *which == API {
            said.push(format!("  {:width$}  the command line does after: export SSL_CERT_FILE={path}", ""));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_comes_from_files_or_is_made_and_not_both() {
        let folder = tempfile::tempdir().unwrap();
        let common = Common { data: Some(folder.path().into()), ..Common::default() };
        let wanted = |cert, key, mode| Wanted { which: "edge", cert, key, mode };
        let names = || vec!["localhost".to_owned()];
        let file = folder.path().join("cert.pem");
        assert!(wanted(None, None, None).tls(&common, names()).unwrap().is_none());
        assert!(wanted(Some(&file), None, None).tls(&common, names()).is_err());
        let both = wanted(Some(&file), Some(&file), Some(TlsMode::SelfSigned));
        let error = both.tls(&common, names()).unwrap_err().to_string();
        assert!(error.contains("--edge-tls self-signed"), "{error}");
        let made = wanted(None, None, Some(TlsMode::SelfSigned)).tls(&common, names()).unwrap().unwrap();
        assert_eq!(made.made_here().unwrap().certificate(), folder.path().join("tls/edge.pem"));
        let said = how_to_trust(5, &[("edge", Some(&made)), (API, None)]);
        assert!(
            matches!(&said[..], [line] if line.starts_with("  trust  /") && line.contains("tls/edge.pem for the edge")),
            "{said:?}"
        );
    }

    #[test]
    fn a_file_that_may_not_be_read_is_told_from_one_that_is_not_there() {
        let error =
            |kind: std::io::ErrorKind| TlsError::Unreadable { path: "key".into(), source: kind.into() };
        assert!(is_denied(&error(std::io::ErrorKind::PermissionDenied)));
        assert!(!is_denied(&error(std::io::ErrorKind::NotFound)));
    }

    #[test]
    fn names_that_no_certificate_can_have_are_left_out() {
        assert_eq!(host_name("box-1.example.net\n").as_deref(), Some("box-1.example.net"));
        assert_eq!(host_name("[::1]").as_deref(), Some("::1"));
        for text in ["", "my_box", "a..b", "*.net"] {
            assert_eq!(host_name(text), None, "{text}");
        }
        let names = local_names("10.0.0.2:3002".parse().unwrap());
        assert!(names.contains(&"10.0.0.2".to_owned()) && names.contains(&"localhost".to_owned()));
        assert!(!local_names("0.0.0.0:1".parse().unwrap()).contains(&"0.0.0.0".to_owned()));
    }
}
