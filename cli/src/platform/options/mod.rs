//! A server's settings: flags before `WASMCLOUD_*` before `server.toml` before defaults, merged once.

mod check;
mod egress;
mod engine;
mod oidc;
mod settings_file;
mod storage;
mod text;
mod tls;

use std::path::PathBuf;

use serde::Deserialize;

use crate::failure::Failure;

pub use check::{LimitPair, trusted_proxies};
pub use engine::EngineOptions;
pub use oidc::{OidcFile, providers};
pub use storage::StorageOptions;
pub use text::{DatabaseUrl, EdgeUrlText, List, LogFormat, PublicUrlText, Range, RegistrationText};
pub use tls::{API, TlsMode, absolute, how_to_trust};

/// Declares a group of settings, each a flag, an environment variable and a key of `server.toml`.
macro_rules! group {
    (
        $(#[$doc:meta])* $group:ident, $section:literal;
        $( $(#[$field_doc:meta])* $key:literal $flag:literal $(| $short:literal)? $env:literal $field:ident: $ty:ty $(, $value:literal)?; )*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, clap::Args, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $group {
            $(
                $(#[$field_doc])*
                #[arg(id = $flag, long = $flag $(, visible_alias = $short)?, env = $env $(, value_name = $value)?, help_heading = $section)]
                #[serde(rename = $key)]
                pub $field: Option<$ty>,
            )*
        }

        impl $group {
            /// These settings, completed by what the file says.
            fn or(self, file: $group) -> $group {
                $group { $( $field: self.$field.or(file.$field), )* }
            }
        }
    };
}

group! {
    /// Where the API listens, and what it allows.
    ApiOptions, "API options";
    /// Where the API listens [default: 127.0.0.1:3000]
    "listen" "api-listen" "WASMCLOUD_API_LISTEN" listen: text::Listen, "ADDR";
    /// The API's certificate chain (PEM); makes it HTTPS
    "tls_cert" "api-tls-cert" "WASMCLOUD_API_TLS_CERT" tls_cert: PathBuf, "FILE";
    /// The certificate's private key (PEM)
    "tls_key" "api-tls-key" "WASMCLOUD_API_TLS_KEY" tls_key: PathBuf, "FILE";
    /// self-signed: HTTPS with a certificate that is made here and kept in the data directory
    "tls" "api-tls" "WASMCLOUD_API_TLS" tls: TlsMode, "MODE";
    /// Where people find the API and the panel, such as https://cloud.example.net [default: localhost, and the API's port]
    "public_url" "public-url" "WASMCLOUD_PUBLIC_URL" public_url: PublicUrlText, "URL";
    /// Who may register: off, open, or invitation [default: off]
    "registration" "registration" "WASMCLOUD_REGISTRATION" registration: RegistrationText, "MODE";
    /// For how many days logs and receipts are kept [default: 7]
    "record_days" "record-days" "WASMCLOUD_RECORD_DAYS" record_days: u32, "DAYS";
    /// How many log lines, and how many receipts, are kept at most [default: 1000000]
    "record_rows_max" "record-rows-max" "WASMCLOUD_RECORD_ROWS_MAX" record_rows_max: u64, "ROWS";
    /// For how many days the audit log is kept [default: 365]
    "audit_days" "audit-days" "WASMCLOUD_AUDIT_DAYS" audit_days: u32, "DAYS";
    /// How many entries of the audit log are kept at most [default: 1000000]
    "audit_rows_max" "audit-rows-max" "WASMCLOUD_AUDIT_ROWS_MAX" audit_rows_max: u64, "ROWS";
    /// The database: a postgres:// URL [default: SQLite in the data directory]
    #[arg(hide_env_values = true)]
    "database" "database" "WASMCLOUD_DATABASE" database: DatabaseUrl, "URL";
    /// The key that handlers' settings are encrypted with [default: settings-key in the data directory]
    "settings_key_file" "settings-key-file" "WASMCLOUD_SETTINGS_KEY_FILE" settings_key_file: PathBuf, "FILE";
    /// Proxies before API and edge that are believed when they say whom a request is from, such as 10.0.0.0/8
    "trusted_proxies" "trusted-proxies" "WASMCLOUD_TRUSTED_PROXIES" trusted_proxies: text::List<text::Range>, "RANGES";
    /// DNS servers that are asked who owns a host, such as 192.0.2.53 or 127.0.0.1:5353 [default: the system's]
    "dns_servers" "dns-server" "WASMCLOUD_DNS_SERVERS" dns_servers: text::List<text::DnsServer>, "ADDRS";
    /// Hosts that no user may route, nor any below them: the API's own, for instance
    "reserved_hosts" "reserved-hosts" "WASMCLOUD_RESERVED_HOSTS" reserved_hosts: text::List<wasmcloud_wire::HostName>, "NAMES";
    /// The key that signs tokens [default: jwt-key.pk8 in the data directory]
    "jwt_key_file" "jwt-key-file" "WASMCLOUD_JWT_KEY_FILE" jwt_key_file: PathBuf, "FILE";
}

group! {
    /// Where handlers answer.
    EdgeOptions, "Edge options";
    /// Where handlers' own traffic is taken [default: 127.0.0.1:3001]
    "listen" "edge-listen" "WASMCLOUD_EDGE_LISTEN" listen: text::Listen, "ADDR";
    /// The domain that handlers' names stand before [default: localhost]
    "domain" "edge-domain" "WASMCLOUD_EDGE_DOMAIN" domain: String, "NAME";
    /// Where clients find the edge, if not at its own port: https://example.net, for instance
    "url" "edge-url" "WASMCLOUD_EDGE_URL" url: EdgeUrlText, "URL";
    /// Whether handlers answer at /~NAME/ too, all in one origin [default: only on loopback]
    "by_path" "edge-by-path" "WASMCLOUD_EDGE_BY_PATH" by_path: bool, "BOOL";
    /// The edge's certificate chain (PEM); makes it HTTPS
    "tls_cert" "edge-tls-cert" "WASMCLOUD_EDGE_TLS_CERT" tls_cert: PathBuf, "FILE";
    /// The certificate's private key (PEM)
    "tls_key" "edge-tls-key" "WASMCLOUD_EDGE_TLS_KEY" tls_key: PathBuf, "FILE";
    /// self-signed: HTTPS with a certificate that is made here and kept in the data directory
    "tls" "edge-tls" "WASMCLOUD_EDGE_TLS" tls: TlsMode, "MODE";
}

group! {
    /// How the planes find and trust each other when they are separate processes.
    PlaneOptions, "Options between API and executor";
    /// A file with the token that both planes know: `openssl rand -hex 32`; with two of them, one a line, while it is changed
    "service_token_file" "service-token-file" | "token-file" "WASMCLOUD_SERVICE_TOKEN_FILE" service_token_file: PathBuf, "FILE";
    /// The certificates (PEM) that the other plane is trusted by [default: the system's]
    "ca_file" "plane-ca" "WASMCLOUD_PLANE_CA" ca_file: PathBuf, "FILE";
}

group! {
    /// Where an executor takes the API's calls.
    InternalOptions, "Internal listener options";
    /// Where the API's calls are taken [default: 127.0.0.1:3002]
    "listen" "internal-listen" "WASMCLOUD_INTERNAL_LISTEN" listen: text::Listen, "ADDR";
    /// How the API reaches it, such as https://10.0.0.2:3002 [default: the address that it listens on]
    "url" "internal-url" "WASMCLOUD_INTERNAL_URL" url: String, "URL";
    /// The internal listener's certificate chain (PEM); required unless it listens on loopback
    "tls_cert" "internal-tls-cert" "WASMCLOUD_INTERNAL_TLS_CERT" tls_cert: PathBuf, "FILE";
    /// The certificate's private key (PEM)
    "tls_key" "internal-tls-key" "WASMCLOUD_INTERNAL_TLS_KEY" tls_key: PathBuf, "FILE";
    /// self-signed: HTTPS with a certificate that is made here and kept in the data directory
    "tls" "internal-tls" "WASMCLOUD_INTERNAL_TLS" tls: TlsMode, "MODE";
}

group! {
    /// What an invocation may use: by default, and at most by its handler's policy.
    LimitOptions, "Limits of one invocation";
    /// Weighted instructions [default: 2000000000]
    "gas" "limit-gas" "WASMCLOUD_LIMIT_GAS" gas: u64, "GAS";
    /// The most gas that a handler's policy may ask for [default: 60000000000]
    "gas_max" "limit-gas-max" "WASMCLOUD_LIMIT_GAS_MAX" gas_max: u64, "GAS";
    /// CPU time where instructions are not counted, in milliseconds [default: 1000]
    "cpu_ms" "limit-cpu-ms" "WASMCLOUD_LIMIT_CPU_MS" cpu_ms: u64, "MS";
    /// The most CPU time that a handler's policy may ask for, at most 30000 [default: 30000]
    "cpu_ms_max" "limit-cpu-ms-max" "WASMCLOUD_LIMIT_CPU_MS_MAX" cpu_ms_max: u64, "MS";
    /// Wall time, in milliseconds [default: 30000]
    "wall_ms" "limit-wall-ms" "WASMCLOUD_LIMIT_WALL_MS" wall_ms: u64, "MS";
    /// The most wall time that a handler's policy may ask for, at most 300000 [default: 300000]
    "wall_ms_max" "limit-wall-ms-max" "WASMCLOUD_LIMIT_WALL_MS_MAX" wall_ms_max: u64, "MS";
    /// Linear memory, in bytes [default: 134217728]
    "memory_bytes" "limit-memory-bytes" "WASMCLOUD_LIMIT_MEMORY_BYTES" memory_bytes: u64, "BYTES";
    /// The most memory that a handler's policy may ask for, at most 1 GiB [default: 1073741824]
    "memory_bytes_max" "limit-memory-bytes-max" "WASMCLOUD_LIMIT_MEMORY_BYTES_MAX" memory_bytes_max: u64, "BYTES";
    /// Size of the answer, in bytes [default: 104857600]
    "response_bytes" "limit-response-bytes" "WASMCLOUD_LIMIT_RESPONSE_BYTES" response_bytes: u64, "BYTES";
    /// A body that streams through a wasi:http program, each way, in bytes [default: 4294967296]
    "stream_bytes" "limit-stream-bytes" "WASMCLOUD_LIMIT_STREAM_BYTES" stream_bytes: u64, "BYTES";
    /// Log text, in bytes [default: 262144]
    "log_bytes" "limit-log-bytes" "WASMCLOUD_LIMIT_LOG_BYTES" log_bytes: u64, "BYTES";
    /// CPU time that compiling one module may take, in seconds [default: 60]
    "compile_cpu_s" "limit-compile-cpu-s" "WASMCLOUD_LIMIT_COMPILE_CPU_S" compile_cpu_s: u64, "S";
    /// Memory that compiling one module may take, in bytes of address space [default: 2147483648]
    "compile_memory_bytes" "limit-compile-memory-bytes" "WASMCLOUD_LIMIT_COMPILE_MEMORY_BYTES" compile_memory_bytes: u64, "BYTES";
}

group! {
    /// What handlers reach, once their policies let them, and how much of it.
    EgressOptions, "Outbound options";
    /// Addresses to open that are closed by default, such as 10.0.0.0/8,127.0.0.1
    "open" "egress-open" "WASMCLOUD_EGRESS_OPEN" open: text::List<text::Range>, "RANGES";
    /// Addresses to close, whatever else is open: the operator's own, for instance
    "close" "egress-close" "WASMCLOUD_EGRESS_CLOSE" close: text::List<text::Range>, "RANGES";
    /// Ports to open that are closed by default, since they are other protocols': 25, for instance
    "ports" "egress-ports" "WASMCLOUD_EGRESS_PORTS" ports: text::List<text::Port>, "PORTS";
    /// Certificates (PEM) that outbound connections trust besides the system's
    "ca_file" "egress-ca" "WASMCLOUD_EGRESS_CA" ca_file: PathBuf, "FILE";
    /// Outbound requests of one invocation [default: 50]
    "requests_max" "egress-requests-max" "WASMCLOUD_EGRESS_REQUESTS_MAX" requests_max: u64, "COUNT";
    /// Outbound connections of one invocation at once [default: 6]
    "at_once_max" "egress-at-once-max" "WASMCLOUD_EGRESS_AT_ONCE_MAX" at_once_max: u64, "COUNT";
    /// Time to connect, in milliseconds [default: 10000]
    "connect_ms" "egress-connect-ms" "WASMCLOUD_EGRESS_CONNECT_MS" connect_ms: u64, "MS";
    /// Time for one outbound request in all, in milliseconds [default: 30000]
    "request_ms" "egress-request-ms" "WASMCLOUD_EGRESS_REQUEST_MS" request_ms: u64, "MS";
    /// Size of the answer to an outbound request, in bytes [default: 10485760]
    "response_bytes" "egress-response-bytes" "WASMCLOUD_EGRESS_RESPONSE_BYTES" response_bytes: u64, "BYTES";
}

group! {
    /// The server's own log, on standard error.
    LogOptions, "Log options";
    /// What is logged, such as `info` or `warn,wasmcloud_executor=debug` [default: info]
    "filter" "log" "WASMCLOUD_LOG" filter: String, "FILTER";
    /// human or json [default: human]
    "format" "log-format" "WASMCLOUD_LOG_FORMAT" format: LogFormat, "FORMAT";
}

/// What every server command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Common {
    /// Where everything is kept [default: wasmcloud in the user's data folder]
    #[arg(long, env = "WASMCLOUD_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The settings file [default: server.toml in the data directory, if it is there]
    #[arg(long, env = "WASMCLOUD_SETTINGS", value_name = "FILE")]
    pub settings: Option<PathBuf>,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub log: LogOptions,
}

/// What `server.toml` says about the other plane.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaneFile {
    pub service_token_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    /// For `wasmcloud api`: the executors' internal addresses.
    pub executors: Vec<String>,
    /// For `wasmcloud executor`: the API's address, or several that are tried in turn.
    pub api: Option<Addresses>,
}

/// An address, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl From<Addresses> for Vec<String> {
    fn from(addresses: Addresses) -> Vec<String> {
        match addresses {
            Addresses::One(address) => vec![address],
            Addresses::Several(addresses) => addresses,
        }
    }
}

/// What `server.toml` may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub api: ApiOptions,
    pub oidc: Vec<OidcFile>,
    pub edge: EdgeOptions,
    pub plane: PlaneFile,
    pub internal: InternalOptions,
    pub egress: EgressOptions,
    pub engine: EngineOptions,
    pub storage: StorageOptions,
    pub limits: LimitOptions,
    pub log: LogOptions,
}

impl Common {
    /// The data directory.
    pub fn data_dir(&self) -> Result<PathBuf, Failure> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let base = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")));
        match base {
            Some(base) => Ok(base.join("wasmcloud")),
            None => Err(Failure::usage(
                "this user has no home, so there is no place for data",
                "name one: --data DIR",
            )),
        }
    }

    /// Reads the settings file and completes these settings by it.
    pub fn complete(self) -> Result<(Common, File), Failure> {
        let path = match &self.settings {
            Some(path) => Some(path.clone()),
            None => Some(self.data_dir()?.join("server.toml")).filter(|path| path.exists()),
        };
        let mut file = match path {
            Some(path) => settings_file::read(&path)?,
            None => File::default(),
        };
        let limits = self.limits.or(std::mem::take(&mut file.limits));
        let log = self.log.or(std::mem::take(&mut file.log));
        Ok((Common { limits, log, ..self }, file))
    }
}
