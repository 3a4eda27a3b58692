//! Hosts that users want to route, and how they show that these are theirs.
//!
//! Anybody may add any host; it is served for whoever has proven it by a DNS record, or was granted it by an
//! operator. Whoever controls a name's DNS owns it now: a newer proof takes the host from an older one. A grant is
//! not taken by a proof.

use std::net::IpAddr;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use wasmcloud_wire::body::{Grant, Host, HostState};
use wasmcloud_wire::limits::HOSTS_PER_USER_MAX;
use wasmcloud_wire::{Change, HOST_BYTES_MAX, HostName, Invoker, Timestamp, UserId, UserName};

use super::dns::Unproven;
use super::{Core, DAY_MS};
use crate::ApiError;
use crate::store::{AddHost, HostRow, NewHostRow, ProveHost, RemoveHost, StoreError};

/// What stands before a host's name in the name of the DNS record that proves it.
const RECORD_LABEL: &str = "_wasmcloud";
/// Longest host that such a record has room for, in bytes.
const PROVABLE_BYTES_MAX: usize = HOST_BYTES_MAX - RECORD_LABEL.len() - 1;
/// Randomness of what a record has to say, in bytes.
const CHALLENGE_BYTES: usize = 16;
/// How long a proof is believed before DNS is asked again.
const RECHECK_AFTER_MS: i64 = DAY_MS;
/// Hosts that are checked again in one round, of which there is one an hour, and at once.
const RECHECK_ROUND_MAX: u32 = 1_000;
const RECHECK_AT_ONCE: usize = 4;

impl Core {
    /// A user's hosts by name.
    pub(crate) async fn hosts(&self, owner: UserId) -> Result<Vec<Host>, ApiError> {
        Ok(self.store.hosts(owner).await?.into_iter().map(host_body).collect())
    }

    /// A user's host.
    pub(crate) async fn host(&self, owner: UserId, host: &HostName) -> Result<Host, ApiError> {
        let row = self.store.host(owner, host).await?;
        row.map(host_body).ok_or_else(|| ApiError::host_not_found(host.as_str()))
    }

    /// Notes that a user wants to route a host; whether it was added only now. `own` is the host under which this
    /// server was asked.
    pub(crate) async fn add_host(
        &self,
        owner: UserId,
        name: &str,
        own: Option<&str>,
    ) -> Result<(Host, bool), ApiError> {
        let new = self.new_host(owner, name, own)?;
        match self.store.add_host(&new, HOSTS_PER_USER_MAX).await? {
            AddHost::Added(row) => Ok((host_body(*row), true)),
            AddHost::Known(row) => Ok((host_body(*row), false)),
            AddHost::GrantedToAnother => Err(granted_to_another(&new.name)),
            AddHost::TooMany => Err(too_many_hosts()),
        }
    }

    /// A host that may be added, by its name.
    pub(super) fn new_host(
        &self,
        owner: UserId,
        name: &str,
        own: Option<&str>,
    ) -> Result<NewHostRow, ApiError> {
        let name = host_name(name)?;
        if name.as_str().len() > PROVABLE_BYTES_MAX {
            return Err(invalid_host(
                format!(
                    "`{name}` has {} bytes; its DNS record needs room for `{RECORD_LABEL}.` before it, so that it \
                     can have {PROVABLE_BYTES_MAX}",
                    name.as_str().len()
                ),
                "choose a shorter host",
            ));
        }
        let edge = &self.config.edge_url.domain;
        if is_below(name.as_str(), edge) {
            return Err(reserved(
                format!("`{name}` is this installation's own: handlers answer below {edge} by themselves"),
                "choose a host of your own",
            ));
        }
        let own = own.and_then(|own| own.parse::<HostName>().ok());
        let mut kept = self.config.reserved_hosts.iter().map(HostName::as_str).chain(["localhost"]);
        // The panel asks within the process, and its requests name no host.
        let is_own = own.is_some_and(|own| own == name) || self.config.public_url.host() == name.as_str();
        if is_own || kept.any(|kept| is_below(name.as_str(), kept)) {
            return Err(reserved(
                format!("`{name}` cannot be routed: this installation keeps it for itself"),
                "choose another host",
            ));
        }
        Ok(NewHostRow { name, owner, challenge: challenge()? })
    }

    /// Looks for a host's DNS record; with the right one the host's routes are served when this returns.
    pub(crate) async fn verify_host(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        host: &HostName,
    ) -> Result<Host, ApiError> {
        let row = self.store.host(owner, host).await?;
        let row = row.ok_or_else(|| ApiError::host_not_found(host.as_str()))?;
        if row.granted {
            return Ok(host_body(row));
        }
        self.dns.count(owner)?;
        let value = record_value(&row.challenge);
        let name = record_name(host);
        self.dns.prove(&name, &value).await.map_err(|unproven| unproven_error(&unproven, &name, &value))?;
        let next = challenge()?;
        let proven = self.store.prove_host(owner, host, &row.challenge, &next, Timestamp::now()).await;
        match proven.map_err(|error| proven_meanwhile(error, host))? {
            ProveHost::Proven(row) => {
                self.announce(invoker, Change::Host { host: host.clone() }).await;
                Ok(host_body(*row))
            }
            ProveHost::GrantedToAnother => Err(granted_to_another(host)),
            // It was removed, or taken from its user, while DNS was asked.
            ProveHost::NotFound => Err(ApiError::host_not_found(host.as_str())),
        }
    }

    /// Forgets a user's host.
    pub(crate) async fn remove_host(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        host: &HostName,
    ) -> Result<(), ApiError> {
        match self.store.remove_host(owner, host).await? {
            RemoveHost::Removed => {
                self.announce(invoker, Change::Host { host: host.clone() }).await;
                Ok(())
            }
            RemoveHost::HasRoutes(count) => Err(ApiError::new(
                409,
                "host_has_routes",
                if count == 1 {
                    format!("`{host}` has a route")
                } else {
                    format!("`{host}` has {count} routes")
                },
                format!(
                    "remove what it routes first: wasmcloud route list {host}, then wasmcloud route remove"
                ),
            )),
            RemoveHost::NotFound => Err(ApiError::host_not_found(host.as_str())),
        }
    }

    /// Lets a user route a host without a proof, and nobody else.
    pub(crate) async fn grant_host(
        &self,
        invoker: &Arc<dyn Invoker>,
        by: UserId,
        host: &str,
        user: &str,
        own: Option<&str>,
    ) -> Result<Grant, ApiError> {
        let user = match user.parse::<UserName>() {
            Ok(name) => self.store.account_by_name(&name).await?,
            Err(_) => None,
        }
        .ok_or_else(|| user_not_found(user))?;
        let new = self.new_host(user.id, host, own)?;
        let granted = self.store.grant_host(&new, by, Timestamp::now()).await;
        let taken_from = granted.map_err(|error| proven_meanwhile(error, &new.name))?;
        self.announce(invoker, Change::Host { host: new.name.clone() }).await;
        tracing::info!(host = %new.name, user = %user.name, "a host was granted");
        Ok(Grant { host: new.name, user: Some(user.name), taken_from })
    }

    /// Lets nobody route a host until it is proven or granted anew.
    pub(crate) async fn revoke_host(
        &self,
        invoker: &Arc<dyn Invoker>,
        host: &HostName,
    ) -> Result<Grant, ApiError> {
        let Some(user) = self.store.revoke_host(host, &challenge()?).await? else {
            return Err(ApiError::new(
                404,
                "host_not_found",
                format!("nobody has proven `{host}`, and nobody was granted it"),
                "check the name",
            ));
        };
        self.announce(invoker, Change::Host { host: host.clone() }).await;
        tracing::info!(%host, %user, "a host was taken from its user");
        Ok(Grant { host: host.clone(), user: None, taken_from: Some(user) })
    }

    /// Asks DNS again about hosts whose proof is a day old, and keeps what it says for their owners to see. Nobody
    /// loses a host by that: a name server may be away for a while. Returns how many were asked about.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn recheck_hosts(&self, now: Timestamp) -> Result<usize, ApiError> {
        let before = Timestamp(now.0.saturating_sub(RECHECK_AFTER_MS));
        let rows = self.store.take_hosts_to_check(before, now, RECHECK_ROUND_MAX).await?;
        let checks = stream::iter(&rows).map(Ok);
        checks.try_for_each_concurrent(RECHECK_AT_ONCE, |row| self.recheck_host(row)).await?;
        Ok(rows.len())
    }

    async fn recheck_host(&self, row: &HostRow) -> Result<(), ApiError> {
        let name = record_name(&row.name);
        let problem = match self.dns.prove(&name, &record_value(&row.challenge)).await {
            Ok(()) => None,
            Err(unproven) => Some(format!("{name} {unproven}")),
        };
        if let Some(problem) = &problem {
            tracing::warn!(host = %row.name, problem, "a proven host's DNS record is not as it was");
        }
        // Noted when it comes and when it goes, not each hour.
        let note = match (&row.problem, &problem) {
            (None, Some(problem)) => Some(("host.proof_missing", json!({ "problem": problem }))),
            (Some(_), None) => Some(("host.proof_back", json!({}))),
            _ => None,
        };
        let noted = match note {
            None => None,
            Some((action, detail)) => {
                Some(self.note_by_server(action, row.name.as_str(), Some(row.owner), &detail).await?)
            }
        };
        self.store.keep_host_problem(row.owner, &row.name, problem.as_deref()).await?;
        if let Some(position) = noted {
            self.finish_audit(position, 200).await;
        }
        Ok(())
    }
}

/// Nobody has this name.
pub(super) fn user_not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(404, "user_not_found", format!("there is no user `{name}`"), "check the name")
}

/// A host's name from a user, with a word for each of the things that it is often taken for.
fn host_name(text: &str) -> Result<HostName, ApiError> {
    let short: String = text.chars().take(HOST_BYTES_MAX).collect();
    if text.contains('*') {
        return Err(invalid_host(
            format!("`{short}` is a wildcard, which is not offered"),
            "add each host by its own name",
        ));
    }
    if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(invalid_host(
            format!("`{short}` is an address, and nobody can prove one"),
            "use a host's name, such as api.example.com",
        ));
    }
    text.parse().map_err(|error| invalid_host(error, "write the name alone, such as api.example.com"))
}

/// Whether a host is this domain or below it.
fn is_below(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain.trim_end_matches('.'));
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn challenge() -> Result<String, ApiError> {
    let mut random = [0; CHALLENGE_BYTES];
    getrandom::fill(&mut random).map_err(ApiError::internal)?;
    Ok(hex::encode(random))
}

fn record_name(host: &HostName) -> String {
    format!("{RECORD_LABEL}.{host}")
}

fn record_value(challenge: &str) -> String {
    format!("wasmcloud={challenge}")
}

pub(super) fn host_body(row: HostRow) -> Host {
    Host {
        state: match (row.proven_at, row.granted) {
            (None, _) => HostState::Unproven,
            (Some(_), false) => HostState::Proven,
            (Some(_), true) => HostState::Granted,
        },
        record_name: record_name(&row.name),
        record_value: record_value(&row.challenge),
        name: row.name,
        proven_at: row.proven_at,
        checked_at: row.checked_at,
        problem: row.problem,
        routes: row.routes,
        created_at: row.created_at,
    }
}

fn invalid_host(message: impl ToString, hint: &str) -> ApiError {
    ApiError::new(422, "invalid_host", message.to_string(), hint)
}

fn reserved(message: String, hint: &str) -> ApiError {
    ApiError::new(422, "host_reserved", message, hint)
}

pub(super) fn too_many_hosts() -> ApiError {
    ApiError::new(
        409,
        "too_many_hosts",
        format!("you have {HOSTS_PER_USER_MAX} hosts, which is the most that a user may have"),
        "remove those that you do not need: wasmcloud host remove HOST",
    )
}

pub(super) fn granted_to_another(host: &HostName) -> ApiError {
    ApiError::new(
        409,
        "host_taken",
        format!("`{host}` was granted to another user by whoever operates this server"),
        "if it is yours, ask them",
    )
}

/// Two who prove a host at once cannot both have it.
fn proven_meanwhile(error: StoreError, host: &HostName) -> ApiError {
    match error {
        StoreError::Conflict => ApiError::new(
            409,
            "host_taken",
            format!("somebody else has proven `{host}`, or was granted it, at this very moment"),
            "try again",
        ),
        other => other.into(),
    }
}

fn unproven_error(unproven: &Unproven, name: &str, value: &str) -> ApiError {
    let set = format!("set this record: {name} TXT \"{value}\"");
    let (status, code, hint) = match unproven {
        Unproven::NoSuchName | Unproven::NoText => (
            409,
            "host_record_missing",
            format!("{set}; a name server may go on for some minutes saying that there is none"),
        ),
        Unproven::OtherTexts(_) => (
            409,
            "host_record_wrong",
            format!("{set}; it may stand beside others, and old ones may be seen for a while"),
        ),
        Unproven::NoAnswer => (
            409,
            "dns_no_answer",
            "try again; the domain's name servers may be silent, or the DNS server that this server asks: whoever \
             operates it can name another with --dns-server"
                .to_owned(),
        ),
        Unproven::Failed(_) => (
            409,
            "dns_failed",
            "check that the domain's name servers answer for it, then try again".to_owned(),
        ),
        Unproven::NoResolver(_) => (
            503,
            "unavailable",
            "whoever operates this server has to name a DNS server: --dns-server".to_owned(),
        ),
    };
    let error = ApiError::new(status, code, format!("{name} {unproven}"), hint);
    match unproven {
        Unproven::NoResolver(cause) => error.because(cause.clone()),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_below_a_domain_at_a_dot_only() {
        for (host, domain, below) in [
            ("example.net", "example.net", true),
            ("a.example.net", "example.net", true),
            ("a.b.example.net", "example.net.", true),
            ("badexample.net", "example.net", false),
            ("net", "example.net", false),
            ("x.localhost", "localhost", true),
        ] {
            assert_eq!(is_below(host, domain), below, "{host} below {domain}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_a_word_for_what_it_is() {
        for (text, word) in [
            ("*.example.com", "wildcard"),
            ("192.0.2.1", "address"),
            ("[2001:db8::1]", "address"),
            ("localhost", "no host name"),
            ("https://example.com", "no host name"),
            ("example.com:80", "no host name"),
        ] {
            let error = host_name(text).unwrap_err();
            assert!(error.code == "invalid_host" && error.message.contains(word), "{text}: {error}");
        }
    }
}
