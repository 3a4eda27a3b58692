//! Connections for Gemini and WebSockets.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmcloud_egress::{EgressError, OutboundLimits};

use crate::harness::{Server, ok, session, target};
use crate::tls::{identity, trusting};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

#[tokio::test]
async fn a_connection_carries_bytes_both_ways_and_counts_them() {
    let server = Server::start(|_| ok("hello")).await;
    let session = session(OutboundLimits::default());
    let mut connection =
        session.connect(&target(&format!("ws://a.example:{}/", server.port()))).await.unwrap();
    assert_eq!(connection.peer(), server.addr);
    connection.write_all(REQUEST).await.unwrap();
    let mut read = vec![0; b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".len()];
    connection.read_exact(&mut read).await.unwrap();
    assert!(read.ends_with(b"hello"));
    let usage = session.usage();
    assert_eq!((usage.bytes_sent, usage.bytes_received), (REQUEST.len() as u64, read.len() as u64));
}

#[tokio::test]
async fn a_connection_brings_no_more_than_an_answer_may() {
    let server = Server::start(|_| crate::harness::Reply::Endless).await;
    let session = session(OutboundLimits { response_bytes_max: 50_000, ..OutboundLimits::default() });
    let mut connection = session.connect(&target(&format!("ws://{}/", server.addr))).await.unwrap();
    connection.write_all(REQUEST).await.unwrap();
    let mut all = Vec::new();
    let error = connection.read_to_end(&mut all).await.unwrap_err();
    assert!(all.len() <= 50_000, "{}", all.len());
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<EgressError>());
    assert!(matches!(inner, Some(EgressError::ResponseTooLarge { max: 50_000, .. })), "{error}");
}

#[tokio::test]
async fn tls_is_verified_unless_the_caller_does() {
    let (tls, certificate) = identity();
    let server = Server::start_tls(tls, |_| ok("")).await;
    let gemini = target(&format!("gemini://a.example:{}/", server.port()));
    let mut connection = trusting(vec![certificate.clone()]).connect_tls(&gemini, None).await.unwrap();
    connection.write_all(REQUEST).await.unwrap();
    assert_eq!(connection.read_u8().await.unwrap(), b'H');

    let (_, other) = identity();
    let strict = trusting(vec![other]);
    let error = strict.connect_tls(&gemini, None).await.err().unwrap();
    assert!(matches!(error, EgressError::Tls { .. }), "{error}");

    // Trust on first use is the caller's verifier; what it saw is what the connection shows.
    let own = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let connection = strict.connect_tls(&gemini, Some(Arc::new(own))).await.unwrap();
    assert_eq!(connection.stream().get_ref().1.peer_certificates(), Some(&[certificate][..]));
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
