//! What settings mean, checked before anything is bound.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use wasmcloud_api::EdgeUrl;
use wasmcloud_executor::CompileBudget;
use wasmcloud_listener::Tls;
use wasmcloud_plane::ServiceToken;
use wasmcloud_wire::Limits;

use super::{ApiOptions, EdgeOptions, File, InternalOptions, LimitOptions, PlaneOptions};
use crate::failure::Failure;
use crate::platform::failed;

impl ApiOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> ApiOptions {
        self.or(file.api.clone())
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 3000).into())
    }

    /// The API's certificate, if it has one.
    pub fn tls(&self) -> Result<Option<Tls>, Failure> {
        tls(self.tls_cert.as_deref(), self.tls_key.as_deref(), "api")
    }
}

impl EdgeOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> EdgeOptions {
        self.or(file.edge.clone())
    }

    /// Where the edge listens.
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 3001).into())
    }

    /// The domain that handlers' names stand before.
    pub fn domain(&self) -> Result<String, Failure> {
        let domain = match (&self.domain, &self.url) {
            (Some(domain), _) => domain.trim_matches('.').to_ascii_lowercase(),
            (None, Some(url)) => url.0.domain.clone(),
            (None, None) => "localhost".to_owned(),
        };
        let label =
            |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if domain.len() > 200 || !domain.split('.').all(label) {
            return Err(Failure::usage(
                format!("`{domain}` is no domain"),
                "write it like example.net: --edge-domain",
            ));
        }
        Ok(domain)
    }

    /// Where clients find the edge that listens at `local`.
    pub fn url(&self, local: SocketAddr) -> Result<EdgeUrl, Failure> {
        if let Some(url) = &self.url {
            return Ok(url.0.clone());
        }
        let scheme = if self.tls_cert.is_some() {
            wasmcloud_wire::Scheme::Https
        } else {
            wasmcloud_wire::Scheme::Http
        };
        Ok(EdgeUrl { scheme, domain: self.domain()?, port: local.port() })
    }

    /// Which addresses are handlers'.
    pub fn edge(&self, local: SocketAddr) -> Result<wasmcloud_executor::Edge, Failure> {
        let by_path = self.by_path.unwrap_or_else(|| local.ip().is_loopback());
        Ok(wasmcloud_executor::Edge { domain: self.domain()?, by_path })
    }

    /// The edge's certificate, if it has one.
    pub fn tls(&self) -> Result<Option<Tls>, Failure> {
        tls(self.tls_cert.as_deref(), self.tls_key.as_deref(), "edge")
    }
}

impl PlaneOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> PlaneOptions {
        self.or(PlaneOptions {
            service_token_file: file.plane.service_token_file.clone(),
            ca_file: file.plane.ca_file.clone(),
        })
    }

    /// The token that both planes know.
    pub fn token(&self) -> Result<ServiceToken, Failure> {
        let hint = "make one: `openssl rand -hex 32 > service-token`, and give the same file to both planes";
        let Some(path) = &self.service_token_file else {
            return Err(Failure::usage("--service-token-file is missing", hint));
        };
        ServiceToken::from_file(path).map_err(|error| {
            failed("service_token", format!("--service-token-file {}: {error}", path.display()), hint)
        })
    }

    /// The certificates that the other plane is trusted by.
    pub fn ca(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let hint = "name a PEM file with the CA's certificate: --plane-ca FILE";
        let unusable = |reason: String| failed("plane_ca", format!("{}: {reason}", path.display()), hint);
        let pem = std::fs::read(path).map_err(|error| unusable(format!("cannot read it: {error}")))?;
        // Without any, every connection to the other plane would fail, each with a puzzle for a reason.
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => {}
            Ok(_) => return Err(unusable("it has no certificate".to_owned())),
            Err(error) => return Err(unusable(format!("it is no well-formed PEM file: {error}"))),
        }
        Ok(Some(pem))
    }
}

impl InternalOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> InternalOptions {
        self.or(file.internal.clone())
    }

    /// Where the API's calls are taken.
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 3002).into())
    }

    /// The internal listener's certificate. The service token travels here: beyond loopback it needs one.
    pub fn tls(&self) -> Result<Option<Tls>, Failure> {
        let tls = tls(self.tls_cert.as_deref(), self.tls_key.as_deref(), "internal")?;
        if tls.is_none() && !self.address().ip().is_loopback() {
            return Err(Failure::usage(
                format!("{} is reachable from elsewhere, but has no certificate", self.address()),
                "give it one: --internal-tls-cert FILE --internal-tls-key FILE",
            ));
        }
        Ok(tls)
    }
}

impl LimitOptions {
    /// An invocation's limits, within what the platform can keep.
    pub fn limits(&self) -> Result<Limits, Failure> {
        let usual = Limits::default();
        let limits = Limits {
            gas: within("gas", self.gas.unwrap_or(usual.gas), 1, i64::MAX.cast_unsigned())?,
            wall_ms: within("wall_ms", self.wall_ms.unwrap_or(usual.wall_ms), 1, 300_000)?,
            memory_bytes: within(
                "memory_bytes",
                self.memory_bytes.unwrap_or(usual.memory_bytes),
                65_536,
                1 << 30,
            )?,
            table_elements: usual.table_elements,
            response_bytes: within(
                "response_bytes",
                self.response_bytes.unwrap_or(usual.response_bytes),
                1,
                1 << 40,
            )?,
            log_bytes: within("log_bytes", self.log_bytes.unwrap_or(usual.log_bytes), 1, 16 << 20)?,
        };
        Ok(limits)
    }

    /// What compiling one module may use.
    pub fn compile_budget(&self) -> Result<CompileBudget, Failure> {
        let usual = CompileBudget::default();
        let (cpu_s, memory_bytes) = (
            self.compile_cpu_s.unwrap_or(usual.cpu_s),
            self.compile_memory_bytes.unwrap_or(usual.memory_bytes),
        );
        Ok(CompileBudget {
            cpu_s: within("compile_cpu_s", cpu_s, 1, 3_600)?,
            memory_bytes: within("compile_memory_bytes", memory_bytes, 256 << 20, 64 << 30)?,
        })
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<u64, Failure> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let flag = name.replace('_', "-");
    Err(Failure::usage(
        format!("the limit {name} is {value}"),
        format!("choose from {least} to {most}: --limit-{flag}"),
    ))
}

fn tls(cert: Option<&Path>, key: Option<&Path>, which: &str) -> Result<Option<Tls>, Failure> {
    let hint = format!("give both --{which}-tls-cert FILE and --{which}-tls-key FILE");
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            Tls::from_files(cert, key).map(Some).map_err(|error| failed("certificate", error, &hint))
        }
        _ => Err(Failure::usage("a certificate and its key belong together", hint)),
    }
}
