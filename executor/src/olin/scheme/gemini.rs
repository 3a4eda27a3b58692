//! `gemini://`: the program writes one line, the URL that it asks for, and reads the answer to its end.
//!
//! Servers are trusted on first use: `crate::guest::KnownHosts` remembers their certificates.

use std::sync::Arc;

use olin::abi::Error;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wasmcloud_egress::{Connection, EgressError, Target};

use super::network::{authority, broken, target, told, wrong};
use crate::guest::Session;
use crate::olin::Failure;

/// Longest URL that can be asked for: the protocol's own limit.
const LINE_BYTES_MAX: usize = 1_024;

type Stream = Connection<tokio_rustls::client::TlsStream<TcpStream>>;

/// An open `gemini://`.
pub(crate) struct GeminiResource {
    opened: Target,
    state: State,
}

enum State {
    /// The line is being written.
    Writing(Vec<u8>),
    /// The answer is being read.
    Answered(Box<Stream>),
    /// There is no more, or it failed, which was told.
    Over(Error),
}

impl GeminiResource {
    pub(crate) fn open(session: &mut Session, url: &str) -> Result<GeminiResource, Failure> {
        Ok(GeminiResource { opened: target(session, url)?, state: State::Writing(Vec::new()) })
    }

    pub(crate) fn write(&mut self, session: &mut Session, bytes: &[u8]) -> Result<(), Failure> {
        let State::Writing(line) = &mut self.state else {
            return Err(wrong(session, "one resource is one Gemini request: open another for the next one"));
        };
        if line.len() + bytes.len() > LINE_BYTES_MAX + 2 {
            let text = format!("a Gemini request is one line of at most {LINE_BYTES_MAX} bytes");
            return Err(wrong(session, &text));
        }
        line.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends the line.
    pub(crate) fn flush(&mut self, session: &mut Session) -> Result<(), Failure> {
        let line = match &self.state {
            State::Writing(line) => line,
            State::Answered(_) | State::Over(Error::EndOfFile) => return Ok(()),
            State::Over(error) => return Err((*error).into()),
        };
        let asked = match asked(&self.opened, line) {
            Ok(asked) => asked,
            // The program may write the rest and flush again.
            Err(reason) => return Err(wrong(session, &format!("the Gemini request {reason}"))),
        };
        match ask(session, &asked) {
            Ok(stream) => {
                self.state = State::Answered(Box::new(stream));
                Ok(())
            }
            Err(failure) => {
                if let Failure::Error(error) = failure {
                    self.state = State::Over(error);
                }
                Err(failure)
            }
        }
    }

    /// Reads what has come. A line that was written and not flushed is sent first, as programs expect that
    /// were written for a plain connection.
    pub(crate) fn read(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<usize, Failure> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let State::Writing(_) = &self.state {
            self.flush(session)?;
        }
        let stream = match &mut self.state {
            State::Answered(stream) => stream,
            State::Over(error) => return Err((*error).into()),
            State::Writing(_) => return Err(Error::InvalidArgument.into()),
        };
        let failure: Failure = match session.wait(stream.read(buffer))? {
            Ok(0) => Error::EndOfFile.into(),
            Ok(bytes) => return Ok(bytes),
            // Many servers close without a word; what they had to say was said.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Error::EndOfFile.into(),
            Err(error) => told(session, &broken(&self.opened, &error)),
        };
        if let Failure::Error(error) = failure {
            // The connection's place is free from here on.
            self.state = State::Over(error);
        }
        Err(failure)
    }
}

/// The URL that a line asks for, which has to be at the host that was opened.
fn asked(opened: &Target, line: &[u8]) -> Result<Target, String> {
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err("is not complete: its line does not end".to_owned());
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| "is no UTF-8".to_owned())?;
    if text.contains(['\r', '\n']) {
        return Err("has more than one line".to_owned());
    }
    let asked = Target::parse(text).map_err(|error| error.to_string())?;
    if !asked.same_origin(opened) {
        return Err(format!("asks for {asked}, which is not at {}, which was opened", opened.origin()));
    }
    if asked.url().as_str().len() > LINE_BYTES_MAX {
        return Err(format!("asks for a URL of more than {LINE_BYTES_MAX} bytes"));
    }
    Ok(asked)
}

fn ask(session: &mut Session, asked: &Target) -> Result<Stream, Failure> {
    session.permit(asked)?;
    let way = session.way_out().map_err(|error| told(session, &error))?;
    let config = trust_on_first_use().map_err(|error| told(session, &error))?;
    let connected = session.wait(way.connect_tls(asked, Some(config)))?;
    session.note_urls();
    let mut stream = connected.map_err(|error| told(session, &error))?;
    let shown = stream.stream().get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
    session.trust(&authority(asked), &shown.unwrap_or_else(|| CertificateDer::from(Vec::new())))?;
    let line = format!("{}\r\n", asked.url());
    let written = session.wait(async {
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await
    })?;
    written.map_err(|error| told(session, &broken(asked, &error)))?;
    Ok(stream)
}

/// TLS settings for servers that nobody vouches for. Whether a certificate is the one to expect is decided
/// after the handshake, where looking it up may block.
fn trust_on_first_use() -> Result<Arc<ClientConfig>, EgressError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| EgressError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Believes every certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_asks_for_a_url_at_the_host_that_was_opened() {
        let opened = Target::parse("gemini://a.example/").unwrap();
        for line in ["gemini://a.example/x?y\r\n", "gemini://A.EXAMPLE:1965/x?y\n"] {
            assert_eq!(asked(&opened, line.as_bytes()).unwrap().as_str(), "gemini://a.example/x?y");
        }
        let long = format!("gemini://a.example/{}\r\n", "a".repeat(LINE_BYTES_MAX));
        for (line, why) in [
            ("", "does not end"),
            ("gemini://a.example/", "does not end"),
            ("gemini://b.example/\r\n", "not at gemini://a.example"),
            ("gemini://a.example:1966/\r\n", "not at"),
            ("https://a.example/\r\n", "not at"),
            ("/x\r\n", "is not a URL"),
            ("gemini://a.example/\r\nx\r\n", "more than one line"),
            (&long, "more than 1024"),
        ] {
            let said = asked(&opened, line.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{line:?}: {said}");
        }
    }
}
