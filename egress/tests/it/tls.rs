//! HTTPS, with a certificate that configuration makes trusted.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;
use wasmcloud_egress::{Egress, EgressError, Roots, Session, Settings};

use crate::harness::{Server, fetch, loopback, ok, session_of, settings};

/// A server's side of TLS for `a.example`, and the certificate that makes it trusted.
pub fn identity() -> (TlsAcceptor, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// A session that trusts these certificates and no others.
pub fn trusting(extra: Vec<CertificateDer<'static>>) -> Session {
    let roots = Roots { platform: false, extra };
    session_of(Settings { roots, ..settings() }, loopback())
}

#[tokio::test]
async fn a_certificate_that_is_configured_is_trusted_for_its_name_alone() {
    let (tls, certificate) = identity();
    let server = Server::start_tls(tls, |_| ok("private")).await;
    let session = trusting(vec![certificate]);
    let url = |name: &str| format!("https://{name}:{}/", server.port());
    assert_eq!(fetch(&session, &url("a.example")).await.unwrap(), "private");
    let error = fetch(&session, &url("b.example")).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("b.example"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (tls, _) = identity();
    let (_, other) = identity();
    let server = Server::start_tls(tls, |_| ok("")).await;
    let error =
        fetch(&trusting(vec![other]), &format!("https://a.example:{}/", server.port())).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls { .. }), "{error}");
    assert!(server.requests().is_empty(), "nothing was said over it");
}

#[tokio::test]
async fn plain_text_where_tls_was_asked_for_is_refused() {
    let server = Server::start(|_| ok("")).await;
    let (_, any) = identity();
    let closing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closing.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = closing.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = fetch(&trusting(vec![any]), &format!("https://a.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls { .. }), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_root_that_is_no_certificate_is_found_at_the_start() {
    let roots = Roots { platform: false, extra: vec![CertificateDer::from(vec![1, 2, 3])] };
    let error = Egress::with_resolver(Settings { roots, ..settings() }, loopback()).err().unwrap();
    assert!(matches!(error, EgressError::Setup(_)), "{error}");
}
