//! What to do about a URL that was refused, as a command to type.

use wasmcloud_egress::{CLOSED_BY_OPERATOR, Denial, DenialReason, EgressError};
use wasmcloud_wire::{HandlerId, HandlerName, Trigger};

use super::Distrust;

/// Whom to advise: the owner of a handler, or whoever typed `wasmcloud run`.
#[derive(Clone, Debug)]
pub(crate) enum Advice {
    /// The handler's owner.
    Owner(HandlerName, HandlerId),
    /// The user of `wasmcloud run`.
    Run,
}

impl Advice {
    /// For what asked for an invocation.
    pub(crate) fn new(trigger: Trigger, name: &HandlerName, handler: HandlerId) -> Advice {
        match trigger {
            Trigger::Run => Advice::Run,
            Trigger::Edge | Trigger::Chosen | Trigger::Invoke | Trigger::Replay => {
                Advice::Owner(name.clone(), handler)
            }
        }
    }

    /// Whose memory of other servers it is, in one word.
    pub(crate) fn owner(&self) -> String {
        match self {
            Advice::Owner(_, handler) => handler.to_string(),
            Advice::Run => "run".to_owned(),
        }
    }

    /// Why a server is not trusted, and what to do about it. Where the operator keeps files is nothing that
    /// a handler's owner is told: an id and a name are enough to find the entry.
    pub(crate) fn distrust(&self, distrust: &Distrust) -> String {
        match (self, distrust) {
            (Advice::Owner(_, handler), Distrust::Changed { host, .. }) => format!(
                "{distrust}; if its owner has changed it, the server's operator can let the old one be forgotten: \
                 \"{host}\", as handler {handler} has seen it"
            ),
            (Advice::Run, Distrust::Changed { host, file }) => format!(
                "{distrust}; if its owner has changed it, let the old one be forgotten: remove \"{host}\" from {}",
                file.display()
            ),
            (_, Distrust::Unreadable { .. }) => distrust.to_string(),
            (Advice::Owner(..), Distrust::Store { .. }) => {
                format!("{distrust}; the server's operator finds the reason in its log")
            }
            (Advice::Run, Distrust::Store { file, source }) => {
                format!("{distrust}: {}: {source}", file.display())
            }
        }
    }

    /// Writes to the server's own log which file is concerned.
    pub(crate) fn tell_operator(&self, distrust: &Distrust) {
        let Advice::Owner(name, handler) = self else { return };
        match distrust {
            Distrust::Changed { host, file } => tracing::info!(
                %handler, name = name.as_str(), host, file = %file.display(),
                "a Gemini server shows another certificate than before; its entry in the file can be removed"
            ),
            Distrust::Store { file, source } => tracing::error!(
                %handler, name = name.as_str(), file = %file.display(), error = %source,
                "certificates of Gemini servers cannot be read or kept"
            ),
            Distrust::Unreadable { .. } => {}
        }
    }

    /// What a denial says, and the command that would allow the URL.
    pub(crate) fn denial(&self, denial: &Denial) -> String {
        let how = match (self, &denial.reason) {
            (Advice::Owner(name, _), DenialReason::Disallowed(rule)) => {
                // Else it would be taken for a flag.
                let end_of_flags = if rule.starts_with('-') { "-- " } else { "" };
                format!("take the rule away: wasmcloud policy remove {name} {end_of_flags}{}", quoted(rule))
            }
            (Advice::Owner(name, _), DenialReason::NearMiss(_) | DenialReason::NotAllowed) => {
                format!("allow it: wasmcloud policy allow {name} {}", quoted(&denial.rule_to_add))
            }
            (_, DenialReason::TooCostly) => denial.hint(),
            (Advice::Run, DenialReason::Disallowed(rule)) => {
                format!("take the disallow rule {} out of the policy of this run", quoted(rule))
            }
            (Advice::Run, _) => format!("allow it: wasmcloud run --allow {} …", quoted(&denial.rule_to_add)),
        };
        format!("{denial}; {how}")
    }

    /// What any refusal or failure says, and what to do about it.
    pub(crate) fn line(&self, error: &EgressError) -> String {
        if let Some(denial) = error.denial() {
            let to = self.denial(denial);
            return match error {
                EgressError::Redirect { from, .. } => format!("{from} redirects: {to}"),
                _ => to,
            };
        }
        let how = match (self, error.innermost()) {
            (_, EgressError::Address { range, kind: CLOSED_BY_OPERATOR, .. }) => Some(format!(
                "the server's operator has closed it: {range} is in `close` under [egress] in server.toml"
            )),
            (Advice::Owner(..), EgressError::Address { address, .. }) => Some(format!(
                "the server's operator can open it: open = [\"{address}\"] under [egress] in server.toml"
            )),
            (Advice::Owner(..), EgressError::Port { port, .. }) => Some(format!(
                "the server's operator can open it: ports = [{port}] under [egress] in server.toml"
            )),
            (Advice::Run, EgressError::Address { address, .. }) => {
                Some(format!("open it: wasmcloud run --open {address} …"))
            }
            _ => error.hint(),
        };
        match how {
            Some(how) => format!("{error}; {how}"),
            None => error.to_string(),
        }
    }
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use wasmcloud_egress::{Policy, Target};

    use super::*;

    fn denial(allow: &[&str], disallow: &[&str], url: &str) -> Denial {
        let policy = Policy::new(allow, disallow).unwrap();
        policy.check(&Target::parse(url).unwrap()).unwrap_err()
    }

    #[test]
    fn a_denial_says_the_command_that_would_allow_the_url() {
        let owner = Advice::Owner("hello".parse().unwrap(), HandlerId::new());
        let line = owner.denial(&denial(&[], &[], "https://a.example/it's"));
        let command = r"; allow it: wasmcloud policy allow hello '^https://a\.example/it'\''s$'";
        assert!(line.starts_with("the policy does not let https://a.example/it's be opened"), "{line}");
        assert!(line.ends_with(command), "{line}");
        let line = Advice::Run.denial(&denial(&[], &[], "https://a.example/"));
        assert!(line.ends_with(r"; allow it: wasmcloud run --allow '^https://a\.example/$' …"), "{line}");
    }

    #[test]
    fn a_rule_that_forbids_is_named_and_can_be_taken_away() {
        let denied = denial(&["https://a.example"], &["/admin"], "https://a.example/admin");
        let line = Advice::Owner("hello".parse().unwrap(), HandlerId::new()).denial(&denied);
        assert!(line.ends_with("; take the rule away: wasmcloud policy remove hello '/admin'"), "{line}");
        assert!(Advice::Run.denial(&denied).contains("'/admin'"));
    }

    #[test]
    fn an_owner_learns_nothing_of_the_operators_files_and_the_user_of_run_does() {
        let file = std::path::PathBuf::from("/srv/data/gemini-hosts/one.json");
        let handler = HandlerId::new();
        let owner = Advice::Owner("hello".parse().unwrap(), handler);
        let changed = Distrust::Changed { host: "a.example:1965".to_owned(), file: file.clone() };
        let unkept = Distrust::Store { file, source: std::io::Error::other("the disk is full") };
        for (distrust, parts) in [
            (&changed, vec!["\"a.example:1965\"".to_owned(), handler.to_string(), "operator".to_owned()]),
            (&unkept, vec!["cannot be read or kept".to_owned(), "operator".to_owned()]),
        ] {
            let line = owner.distrust(distrust);
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
            assert!(!line.contains("/srv") && !line.contains("disk"), "{line}");
            assert!(Advice::Run.distrust(distrust).contains("/srv/data/gemini-hosts/one.json"));
        }
    }

    #[test]
    fn an_address_is_opened_by_whoever_can() {
        let error = EgressError::Address {
            host: "db.example".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            range: "10.0.0.0/8".parse().unwrap(),
            kind: "private",
        };
        let line = Advice::Owner("hello".parse().unwrap(), HandlerId::new()).line(&error);
        assert!(line.contains("10.0.0.7") && line.ends_with("under [egress] in server.toml"), "{line}");
        assert!(Advice::Run.line(&error).ends_with("wasmcloud run --open 10.0.0.7 …"));
    }
}
