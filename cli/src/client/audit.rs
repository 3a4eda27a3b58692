//! Requests about the audit log.

use std::time::Duration;

use reqwest::Method;
use wasmcloud_wire::body::Audit;

use super::Client;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::since::Since;

/// How long an export may be silent.
const EXPORT_IDLE_MAX: Duration = Duration::from_secs(60);

/// Which entries of the audit log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only those from this time on.
    pub since: Option<Since>,
    /// Only what this user did.
    pub actor: Option<String>,
    /// Only this action, or those that begin with it up to a dot.
    pub action: Option<String>,
    /// Only what was done to this.
    pub subject: Option<String>,
}

impl AuditQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<_> = self.since.iter().map(|since| ("since", since.0.0.to_string())).collect();
        pairs.extend(self.actor.clone().map(|actor| ("actor", actor)));
        pairs.extend(self.action.clone().map(|action| ("action", action)));
        pairs.extend(self.subject.clone().map(|subject| ("subject", subject)));
        pairs
    }
}

impl Client {
    /// The newest entries, before a position if one is given.
    pub async fn audit(&self, query: &AuditQuery, before: Option<i64>, limit: u32) -> Result<Audit, Failure> {
        let mut pairs = query.pairs();
        pairs.push(("limit", limit.to_string()));
        pairs.extend(before.map(|before| ("before", before.to_string())));
        self.fetch(self.request(Method::GET, "/audit", &pairs)).await
    }

    /// All entries, oldest first, line by line as they are to be kept.
    pub async fn export_audit(&self, query: &AuditQuery, format: &str) -> Result<Lines, Failure> {
        let mut pairs = query.pairs();
        pairs.push(("format", format.to_owned()));
        self.stream(self.request(Method::GET, "/audit/export", &pairs), EXPORT_IDLE_MAX).await
    }
}
