//! What settings mean, checked before anything is bound.

use std::net::{Ipv4Addr, SocketAddr};

use wasmcloud_api::{EdgeUrl, PublicUrl};
use wasmcloud_executor::CompileBudget;
use wasmcloud_listener::{Tls, TrustedProxies};
use wasmcloud_plane::{Address, ServiceKeys};
use wasmcloud_wire::Limits;
use wasmcloud_wire::limits::PAGE_BYTES;

use super::text::{List, Range};
use super::tls::{Wanted, host_name, local_names};
use super::{ApiOptions, Common, EdgeOptions, File, InternalOptions, LimitOptions, PlaneOptions};
use crate::failure::Failure;
use crate::platform::failed;
use crate::platform::serve::server;

/// The most gas that can be told to the database and to the metering of every engine.
const GAS_MAX: u64 = i64::MAX.cast_unsigned();

impl ApiOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> ApiOptions {
        self.or(file.api.clone())
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.listen.map_or_else(|| (Ipv4Addr::LOCALHOST, 3000).into(), |listen| listen.0)
    }

    /// The proxies that are believed.
    pub fn trusted_proxies(&self) -> TrustedProxies {
        trusted_proxies(self.trusted_proxies.as_ref())
    }

    /// Where people find the API that listens at `local`.
    pub fn public_url(&self, local: SocketAddr) -> Result<PublicUrl, Failure> {
        if let Some(url) = &self.public_url {
            return Ok(url.0.clone());
        }
        let here = server(local, self.tls_cert.is_some() || self.tls.is_some())?.to_string();
        here.parse()
            .map_err(|error| failed("public_url", error, "say it: --public-url https://cloud.example.net"))
    }

    /// The API's certificate, if it has one.
    pub fn tls(&self, common: &Common) -> Result<Option<Tls>, Failure> {
        let (cert, key) = (self.tls_cert.as_ref(), self.tls_key.as_ref());
        Wanted { which: "api", cert, key, mode: self.tls }.tls(common, local_names(self.address()))
    }
}

/// The proxies that are believed.
pub fn trusted_proxies(ranges: Option<&List<Range>>) -> TrustedProxies {
    TrustedProxies::new(ranges.iter().flat_map(|list| &list.0).map(|range| range.0))
}

impl EdgeOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> EdgeOptions {
        self.or(file.edge.clone())
    }

    /// Where the edge listens.
    pub fn address(&self) -> SocketAddr {
        self.listen.map_or_else(|| (Ipv4Addr::LOCALHOST, 3001).into(), |listen| listen.0)
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
        let scheme = if self.tls_cert.is_some() || self.tls.is_some() {
            wasmcloud_wire::Scheme::Https
        } else {
            wasmcloud_wire::Scheme::Http
        };
        Ok(EdgeUrl { scheme, domain: self.domain()?, port: local.port() })
    }

    /// Which addresses are handlers'.
    pub fn edge(&self, local: SocketAddr) -> Result<wasmcloud_executor::Edge, Failure> {
        let by_path = self.by_path.unwrap_or_else(|| local.ip().is_loopback());
        let trusted_proxies = TrustedProxies::default();
        Ok(wasmcloud_executor::Edge { domain: self.domain()?, by_path, trusted_proxies })
    }

    /// The edge's certificate, if it has one.
    pub fn tls(&self, common: &Common) -> Result<Option<Tls>, Failure> {
        let domain = self.domain()?;
        let mut names = local_names(self.address());
        names.extend([format!("*.{domain}"), domain]);
        let (cert, key) = (self.tls_cert.as_ref(), self.tls_key.as_ref());
        Wanted { which: "edge", cert, key, mode: self.tls }.tls(common, names)
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

    /// The tokens that both planes know, read again as their file changes.
    pub fn keys(&self) -> Result<ServiceKeys, Failure> {
        let hint = "make one: `openssl rand -hex 32 > service-token`, and give the same file to both planes";
        let Some(path) = &self.service_token_file else {
            return Err(Failure::usage("--service-token-file is missing", hint));
        };
        ServiceKeys::from_file(path).map_err(|error| {
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
        self.listen.map_or_else(|| (Ipv4Addr::LOCALHOST, 3002).into(), |listen| listen.0)
    }

    /// How the API reaches what listens at `local`.
    pub fn url(&self, local: SocketAddr, tls: bool) -> Result<Address, Failure> {
        let hint = "say how the API reaches it: --internal-url https://10.0.0.2:3002";
        if let Some(url) = &self.url {
            return url.parse().map_err(|error| failed("internal_url", error, hint));
        }
        if local.ip().is_unspecified() {
            return Err(Failure::usage(format!("{local} is no address that the API can connect to"), hint));
        }
        let url = server(local, tls)?.to_string();
        url.parse().map_err(|error| failed("internal_url", error, hint))
    }

    /// The internal listener's certificate. Handlers' settings travel here: beyond loopback it needs one.
    pub fn tls(&self, common: &Common) -> Result<Option<Tls>, Failure> {
        let mut names = local_names(self.address());
        let url = self.url.as_deref().and_then(|url| url.parse::<reqwest::Url>().ok());
        names.extend(url.and_then(|url| host_name(url.host_str()?)));
        let (cert, key) = (self.tls_cert.as_ref(), self.tls_key.as_ref());
        let tls = Wanted { which: "internal", cert, key, mode: self.tls }.tls(common, names)?;
        if tls.is_none() && !self.address().ip().is_loopback() {
            return Err(Failure::usage(
                format!("{} is reachable from elsewhere, but has no certificate", self.address()),
                "give it one: --internal-tls self-signed, or --internal-tls-cert FILE --internal-tls-key FILE",
            ));
        }
        Ok(tls)
    }
}

/// An invocation's limits: what it has by default, and what its handler's policy may ask for at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitPair {
    /// Without a policy.
    pub usual: Limits,
    /// With one.
    pub max: Limits,
}

impl LimitOptions {
    /// An invocation's limits and their ceilings, within what the platform can keep.
    pub fn limits(&self) -> Result<LimitPair, Failure> {
        let (usual, ceiling) = (Limits::default(), Limits::ceiling());
        let (gas, gas_max) = pair("gas", (self.gas, usual.gas), (self.gas_max, ceiling.gas), (1, GAS_MAX))?;
        let (cpu_ms, cpu_ms_max) = pair(
            "cpu_ms",
            (self.cpu_ms, usual.cpu_ms),
            (self.cpu_ms_max, ceiling.cpu_ms),
            (1, ceiling.cpu_ms),
        )?;
        let (wall_ms, wall_ms_max) = pair(
            "wall_ms",
            (self.wall_ms, usual.wall_ms),
            (self.wall_ms_max, ceiling.wall_ms),
            (1, ceiling.wall_ms),
        )?;
        let (memory_bytes, memory_bytes_max) = pair(
            "memory_bytes",
            (self.memory_bytes, usual.memory_bytes),
            (self.memory_bytes_max, ceiling.memory_bytes),
            (PAGE_BYTES, ceiling.memory_bytes),
        )?;
        let stream_bytes = self.stream_bytes.unwrap_or(usual.stream_bytes);
        let response_bytes = self.response_bytes.unwrap_or(usual.response_bytes);
        let usual = Limits {
            gas,
            cpu_ms,
            wall_ms,
            memory_bytes,
            table_elements: usual.table_elements,
            stream_bytes: within("stream_bytes", stream_bytes, 1, 1 << 40)?,
            response_bytes: within("response_bytes", response_bytes, 1, 1 << 40)?,
            log_bytes: within("log_bytes", self.log_bytes.unwrap_or(usual.log_bytes), 1, 16 << 20)?,
        };
        let max = Limits {
            gas: gas_max,
            cpu_ms: cpu_ms_max,
            wall_ms: wall_ms_max,
            memory_bytes: memory_bytes_max,
            ..usual.clone()
        };
        Ok(LimitPair { usual, max })
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

/// A limit and its ceiling, each what was chosen or what is usual. One that was not chosen gives way to the
/// other; two that were chosen have to agree.
fn pair(
    name: &str,
    limit: (Option<u64>, u64),
    ceiling: (Option<u64>, u64),
    (least, most): (u64, u64),
) -> Result<(u64, u64), Failure> {
    let max_name = format!("{name}_max");
    let chosen =
        |name: &str, value: Option<u64>| value.map(|value| within(name, value, least, most)).transpose();
    match (chosen(name, limit.0)?, chosen(&max_name, ceiling.0)?) {
        (Some(limit), Some(max)) if limit > max => Err(Failure::usage(
            format!("the limit {name} is {limit}, above its ceiling {max_name}, which is {max}"),
            format!("lower --limit-{0}, or raise --limit-{0}-max", name.replace('_', "-")),
        )),
        (Some(limit), Some(max)) => Ok((limit, max)),
        (Some(limit), None) => Ok((limit, ceiling.1.max(limit))),
        (None, Some(max)) => Ok((limit.1.min(max), max)),
        (None, None) => Ok((limit.1, ceiling.1)),
    }
}

/// A limit of `[limits]`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_that_was_not_chosen_gives_way_and_one_that_was_does_not() {
        let limits = |gas, gas_max| {
            let limits = LimitOptions { gas, gas_max, ..LimitOptions::default() }.limits()?;
            Ok::<_, Failure>((limits.usual.gas, limits.max.gas))
        };
        assert_eq!(limits(None, None).unwrap(), (2_000_000_000, 60_000_000_000));
        assert_eq!(limits(Some(100_000_000_000), None).unwrap(), (100_000_000_000, 100_000_000_000));
        assert_eq!(limits(None, Some(1_000)).unwrap(), (1_000, 1_000));
        assert_eq!(limits(Some(5), Some(1_000)).unwrap(), (5, 1_000));
        let error = limits(Some(2_000), Some(1_000)).unwrap_err().to_string();
        assert!(error.contains("gas is 2000") && error.contains("gas_max, which is 1000"), "{error}");
        assert!(limits(Some(0), None).is_err());
    }

    #[test]
    fn no_ceiling_is_above_what_the_platform_can_keep() {
        for options in [
            LimitOptions { wall_ms_max: Some(300_001), ..LimitOptions::default() },
            LimitOptions { cpu_ms_max: Some(30_001), ..LimitOptions::default() },
            LimitOptions { cpu_ms: Some(2), cpu_ms_max: Some(1), ..LimitOptions::default() },
            LimitOptions { memory_bytes_max: Some((1 << 30) + 1), ..LimitOptions::default() },
            LimitOptions { memory_bytes: Some(65_535), ..LimitOptions::default() },
        ] {
            assert!(options.limits().is_err(), "{options:?}");
        }
    }
}
