//! The same over TLS.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wasmcloud_listener::{Settings, Tls};

use crate::harness::{Client, GET, Port, SHORT, assert_status, patient, within};

pub struct Files {
    pub _folder: TempDir,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub other_key: PathBuf,
    pub der: CertificateDer<'static>,
}

pub fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let path = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    Files {
        certificate: path("cert.pem", made.cert.pem()),
        key: path("key.pem", made.signing_key.serialize_pem()),
        other_key: path("other.pem", other.serialize_pem()),
        der: made.cert.der().clone(),
        _folder: folder,
    }
}

pub type Encrypted = tokio_rustls::client::TlsStream<TcpStream>;

/// A connection whose client offers `alpn`, in this order, and trusts the certificate of `files`.
pub async fn dial(port: &Port, files: &Files, alpn: &[&str]) -> io::Result<Encrypted> {
    let mut roots = RootCertStore::empty();
    roots.add(files.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(port.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    within("TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
}

async fn connect(port: &Port, files: &Files) -> Client<Encrypted> {
    Client::new(dial(port, files, &["http/1.1"]).await.unwrap())
}

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let files = files();
    let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
    let port = Port::start_with(Settings { idle_timeout: SHORT, ..patient() }, Some(tls)).await;
    let mut client = connect(&port, &files).await;
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client.send(format!("{GET}GET /peer HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    assert!(client.answer().await.ends_with("path /\n"));
    assert!(client.answer().await.contains(" true "));
    // The end is an orderly one: without TLS's own farewell this would be an error.
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn limits_hold_over_tls() {
    let files = files();
    let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
    let settings = Settings { write_timeout: SHORT, header_timeout: SHORT * 10, ..patient() };
    let mut port = Port::start_with(settings, Some(tls)).await;
    let mut client = connect(&port, &files).await;
    client.send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    port.event("body gone").await;
    let mut client = connect(&port, &files).await;
    client.send("GET / HT").await;
    assert_status(&client.answer().await, 408);
    let mut client = connect(&port, &files).await;
    client.send("GET / HTTP/1.1\r\nhost: a\ncontent-length: 5\r\n\r\n").await;
    assert_status(&client.rest().await, 400);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let files = files();
    let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
    let port = Port::start_with(Settings { header_timeout: SHORT, ..patient() }, Some(tls)).await;
    let mut client = port.client().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_client_that_offers_both_gets_http_2_where_the_port_speaks_it() {
    let files = files();
    for (http2, chosen) in [(true, &b"h2"[..]), (false, b"http/1.1")] {
        let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
        let port = Port::start_with(Settings { http2, ..patient() }, Some(tls)).await;
        let stream = dial(&port, &files, &["http/1.1", "h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen));
    }
}

#[test]
fn files_that_do_not_do_are_named() {
    let files = files();
    let missing = files.certificate.with_file_name("missing.pem");
    for (certificate, key, said) in [
        (&missing, &files.key, "cannot read"),
        (&files.certificate, &missing, "missing.pem"),
        (&files.key, &files.key, "has no certificate"),
        (&files.certificate, &files.certificate, "has no private key"),
        (&files.certificate, &files.other_key, "does not belong to"),
    ] {
        let error = Tls::from_files(certificate, key).unwrap_err().to_string();
        assert!(error.contains(said), "expected `{said}` in: {error}");
    }
}
