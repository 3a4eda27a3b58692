//! What DNS says of who owns a host: TXT records and nothing else, of one name that users cannot choose freely.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{TokioResolver, system_conf};
use tokio::sync::Semaphore;
use wasmcloud_wire::UserId;

use crate::ApiError;
use crate::auth::Windows;

/// How long one server has for one question.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often a question is asked again that was not answered.
const RETRIES_MAX: usize = 1;
/// How long a lookup may take, with every server and every alias on the way.
const LOOKUP_MAX: Duration = Duration::from_secs(8);
/// Lookups at once, of all users together.
const LOOKUPS_AT_ONCE: usize = 8;
/// Lookups that one user may cause within a minute.
pub(super) const LOOKUPS_PER_MINUTE_MAX: u32 = 10;
/// Records that are shown of those that were found, and characters of each.
const SHOWN_RECORDS_MAX: usize = 3;
const SHOWN_CHARS_MAX: usize = 80;

/// Asks DNS, in bounds.
pub(super) struct Dns {
    resolver: Result<TokioResolver, String>,
    places: Semaphore,
    asked: Mutex<Windows<UserId>>,
}

/// Why a record did not prove anything.
#[derive(Debug)]
pub(super) enum Unproven {
    /// There is nothing of this name.
    NoSuchName,
    /// There is something of this name, but no text.
    NoText,
    /// Texts, none of which is the right one.
    OtherTexts(Vec<String>),
    /// No server answered in time.
    NoAnswer,
    /// A server answered that it cannot say, or cannot be reached.
    Failed(String),
    /// It is not known whom to ask.
    NoResolver(String),
}

impl Dns {
    /// Asks these servers; those of the system if there are none.
    pub(super) fn new(servers: &[SocketAddr]) -> Dns {
        let resolver = resolver(servers).map_err(|error| error.to_string());
        if let Err(error) = &resolver {
            tracing::warn!(%error, "there is no DNS resolver: nobody can prove the ownership of a host");
        }
        Dns { resolver, places: Semaphore::new(LOOKUPS_AT_ONCE), asked: Mutex::default() }
    }

    /// Counts a user's lookup; 429 if there were too many.
    pub(super) fn count(&self, user: UserId) -> Result<(), ApiError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.count(user, LOOKUPS_PER_MINUTE_MAX, Instant::now()).map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            ApiError::new(
                429,
                "too_many_tries",
                format!("you asked for {LOOKUPS_PER_MINUTE_MAX} looks at DNS within a minute"),
                format!("wait {seconds} s, then try again"),
            )
            .retry_after(seconds)
        })
    }

    /// Whether one of the texts of this name is this one. Aliases (CNAME) are followed.
    pub(super) async fn prove(&self, name: &str, text: &str) -> Result<(), Unproven> {
        let looking = async {
            let _place = self.places.acquire().await.map_err(|error| Unproven::Failed(error.to_string()))?;
            self.texts(name).await
        };
        let texts = tokio::time::timeout(LOOKUP_MAX, looking).await.map_err(|_| Unproven::NoAnswer)??;
        match texts.iter().any(|found| found.trim() == text) {
            true => Ok(()),
            false if texts.is_empty() => Err(Unproven::NoText),
            false => Err(Unproven::OtherTexts(texts)),
        }
    }

    async fn texts(&self, name: &str) -> Result<Vec<String>, Unproven> {
        let resolver = self.resolver.as_ref().map_err(|error| Unproven::NoResolver(error.clone()))?;
        let mut name: Name = name.parse().map_err(|_| Unproven::NoSuchName)?;
        // Whatever the system's search list says.
        name.set_fqdn(true);
        let found = resolver.txt_lookup(name).await.map_err(|error| unproven(&error))?;
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            // A long text is several strings in one record (RFC 7208 section 3.3).
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let (config, mut options) = match servers {
        [] => system_conf::read_system_conf()?,
        servers => {
            let servers = servers.iter().map(name_server).collect();
            (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
        }
    };
    options.timeout = ANSWER_MAX;
    options.attempts = RETRIES_MAX;
    // Whoever has just set a record wants it to be seen; the system's own resolver remembers enough.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    let provider = TokioRuntimeProvider::default();
    TokioResolver::builder_with_config(config, provider).with_options(options).build()
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    server.connections = server.connections.into_iter().map(at).collect();
    server
}

fn unproven(error: &NetError) -> Unproven {
    match error {
        NetError::Timeout => Unproven::NoAnswer,
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Unproven::NoSuchName,
            ResponseCode::NoError => Unproven::NoText,
            code => Unproven::Failed(code.to_string()),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Unproven::Failed(code.to_string()),
        error => Unproven::Failed(error.to_string()),
    }
}

/// In words that follow the name of the record.
impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unproven::NoSuchName => f.write_str("is not there (NXDOMAIN)"),
            Unproven::NoText => f.write_str("has no TXT record"),
            Unproven::OtherTexts(texts) => {
                let shown = texts.iter().take(SHOWN_RECORDS_MAX).map(|text| shown(text));
                let shown = shown.collect::<Vec<_>>().join(", ");
                match texts.len().checked_sub(SHOWN_RECORDS_MAX) {
                    None | Some(0) => write!(f, "says {shown}"),
                    Some(more) => write!(f, "says {shown} and {more} more"),
                }
            }
            Unproven::NoAnswer => f.write_str("was asked for, and no DNS server answered in time"),
            Unproven::Failed(why) => write!(f, "cannot be looked up: {why}"),
            Unproven::NoResolver(_) => f.write_str("cannot be looked up: this server has no DNS resolver"),
        }
    }
}

/// A stranger's text between quotes, escaped and shortened.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("\"{}{dots}\"", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_shown_short_and_cannot_drive_a_terminal() {
        let found =
            |texts: &[&str]| Unproven::OtherTexts(texts.iter().map(|text| text.to_string()).collect());
        assert_eq!(found(&["v=spf1 -all"]).to_string(), "says \"v=spf1 -all\"");
        assert_eq!(found(&["a", "b", "c", "d", "e"]).to_string(), "says \"a\", \"b\", \"c\" and 2 more");
        let long = format!("\u{1b}[2J{}", "x".repeat(500));
        let said = found(&[&long]).to_string();
        assert!(said.contains("\\u{1b}") && said.ends_with("…\"") && said.len() < 120, "{said}");
    }
}
