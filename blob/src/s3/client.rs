//! The SDK's client, with nothing left to its defaults that may change with its version.

use std::time::Duration;

use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::{Client, Config};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::S3Config;
use crate::BlobError;

/// How long a body may stand still, in either direction.
const STALL_MAX: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request.
const IDLE_MAX: Duration = Duration::from_secs(60);

pub fn client(config: &S3Config) -> Result<Client, BlobError> {
    let patience = &config.patience;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience.connect)
        .read_timeout(patience.answer)
        .operation_attempt_timeout(patience.answer)
        .operation_timeout(patience.verb);
    let retries = RetryConfig::standard()
        .with_max_attempts(patience.attempts_max)
        .with_initial_backoff(patience.backoff)
        .with_max_backoff(patience.backoff_max);
    let credentials = Credentials::new(&config.key.id, &config.key.secret, None, None, "wasmcloud");
    let builder = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http_client(config)?)
        .region(Region::new(config.region().to_owned()))
        .credentials_provider(credentials)
        .force_path_style(config.path_style())
        // Checksums of newer kinds in headers and trailers are refused by several stores. The digest decides here,
        // and what is sent is signed with its sha256 anyway.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(timeouts.build())
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL_MAX).build())
        .retry_config(retries)
        // Its own, so that one bucket's failures do not use up the retries of another in the same process.
        .retry_partition(RetryPartition::custom("wasmcloud").build());
    let builder = match &config.endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    };
    Ok(Client::from_conf(builder.build()))
}

fn http_client(config: &S3Config) -> Result<SharedHttpClient, BlobError> {
    let builder = aws_smithy_http_client::Builder::new().pool_idle_timeout(IDLE_MAX);
    if config.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
        return Ok(builder.build_http());
    }
    let trust = match &config.ca_pem {
        Some(pem) => {
            check_certificates(pem)?;
            TrustStore::empty().with_pem_certificate(pem.as_slice())
        }
        None => TrustStore::default(),
    };
    let unsuitable =
        |error: aws_smithy_http_client::HttpClientError| BlobError::Unsuitable(error.to_string());
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(unsuitable)?;
    Ok(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https())
}

/// The SDK takes certificates only later, and panics at bad ones.
fn check_certificates(pem: &[u8]) -> Result<(), BlobError> {
    let unsuitable = |error: String| {
        BlobError::Unsuitable(format!(
            "the file of --storage-ca has no certificate that can be used: {error}"
        ))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unsuitable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unsuitable(error.to_string()))?;
    }
    if roots.is_empty() { Err(unsuitable("it begins with no BEGIN CERTIFICATE".to_owned())) } else { Ok(()) }
}
