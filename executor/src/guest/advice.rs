//! What to do about a URL that was refused, as a command to type.

use wasmcloud_egress::{CLOSED_BY_OPERATOR, Denial, DenialReason, EgressError};
use wasmcloud_wire::{HandlerId, HandlerName, Trigger};

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
            Trigger::Edge | Trigger::Invoke => Advice::Owner(name.clone(), handler),
        }
    }

    /// Whose memory of other servers it is, in one word.
    pub(crate) fn owner(&self) -> String {
        match self {
            Advice::Owner(_, handler) => handler.to_string(),
            Advice::Run => "run".to_owned(),
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
