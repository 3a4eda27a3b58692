//! `wasmcloud policy`: what a handler may open and use.

mod shown;

use std::path::PathBuf;
use std::str::FromStr;

use wasmcloud_policy::{Target, Verdict};
use wasmcloud_wire::{HandlerName, Policy, PolicyMode, PolicyPatch, PolicyRules};

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy_file;
use crate::session::Session;
use crate::since::Since;
use crate::text::one_line;

pub use shown::pretty;

/// What can be done with a handler's policy.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what a handler may open and use
    Show {
        /// The handler
        name: HandlerName,
    },
    /// Let a handler open the URLs that a rule matches
    Allow(Rules),
    /// Forbid a handler the URLs that a rule matches, whatever is allowed
    Disallow(Rules),
    /// Remove rules, whether they allow or disallow
    Remove(Rules),
    /// Change the mode and the limits, or everything by a file
    Set(Set),
    /// Print the smallest policy that would have allowed what the handler did
    Learned {
        /// The handler
        name: HandlerName,
        /// Make it the handler's policy
        #[arg(long)]
        apply: bool,
        /// Learn only from this time on: 30s, 10m, 2h or 7d ago, or 2026-11-21T08:09:10Z
        #[arg(long, value_name = "TIME")]
        since: Option<Since>,
    },
}

/// A handler and rules.
#[derive(Debug, clap::Args)]
pub struct Rules {
    /// The handler
    name: HandlerName,
    /// Regular expressions over whole URLs, such as '^https://api\.example\.com/'
    #[arg(required = true, value_name = "RULE")]
    rules: Vec<String>,
}

/// The arguments of `policy set`.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The handler
    name: HandlerName,
    #[command(flatten)]
    changes: Changes,
}

/// What can be set; at least one of them has to be.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// A whole policy, which replaces the handler's: JSON, or a policy file of Olin; `-` for standard input
    #[arg(long, value_name = "POLICY")]
    file: Option<PathBuf>,
    /// What happens to a URL that is not allowed: deny tells the program, end ends it, observe opens it and
    /// records it
    #[arg(long, value_name = "deny|end|observe")]
    mode: Option<PolicyMode>,
    /// Weighted instructions that an invocation may use
    #[arg(long, value_name = "N|default")]
    gas: Option<Limit>,
    /// CPU time that an invocation may use whose instructions are not counted, in milliseconds
    #[arg(long, value_name = "N|default")]
    cpu_ms: Option<Limit>,
    /// Wall time that an invocation may use, in milliseconds
    #[arg(long, value_name = "N|default")]
    wall_ms: Option<Limit>,
    /// Linear memory that an invocation may use, in bytes
    #[arg(long, value_name = "N|default")]
    memory_bytes: Option<Limit>,
}

/// A limit of the policy's own, or the server's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit(Option<u64>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        match text {
            "default" => Ok(Limit(None)),
            digits => digits.parse().map(|number| Limit(Some(number))).map_err(|_| {
                format!("`{text}` is no limit: write a whole number, or `default` for the server's")
            }),
        }
    }
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show { name } => show(session, &name).await,
        Command::Allow(Rules { name, rules }) => {
            let add = PolicyRules { allow: rules, ..PolicyRules::default() };
            change(session, &name, &PolicyPatch { add, ..PolicyPatch::default() }).await
        }
        Command::Disallow(Rules { name, rules }) => {
            let add = PolicyRules { disallow: rules, ..PolicyRules::default() };
            change(session, &name, &PolicyPatch { add, ..PolicyPatch::default() }).await
        }
        Command::Remove(Rules { name, rules }) => remove(session, &name, rules).await,
        Command::Set(Set { name, changes }) => set(session, &name, changes).await,
        Command::Learned { name, apply, since } => learned(session, &name, apply, since).await,
    }
}

async fn show(session: &Session, name: &HandlerName) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = client.policy(name).await?;
    if session.output.json {
        return session.output.document(&policy);
    }
    let server = client.server_info().await?;
    shown::lines(&policy, &server.limits, &server.limits_max)
        .iter()
        .try_for_each(|line| session.output.line(line))
}

async fn change(session: &Session, name: &HandlerName, patch: &PolicyPatch) -> Result<(), Failure> {
    let policy = session.client()?.change_policy(name, patch).await?;
    for rule in &patch.add.allow {
        if policy.disallow.contains(rule) {
            session.output.warn(&format!("a disallow rule is the same, and wins: {rule}"));
        }
    }
    warn_of_missing_schemes(session, &patch.add.allow);
    done(session, name, &policy)
}

/// Warns of rules that are to allow and look like a URL whose scheme was left out.
pub fn warn_of_missing_schemes(session: &Session, allow: &[String]) {
    for rule in allow.iter().filter(|rule| names_no_scheme(rule)) {
        session.output.warn(&format!(
            "a URL begins with its scheme, so `{rule}` allows none: `{}` would",
            with_scheme(rule)
        ));
    }
}

/// The rule that was most likely meant. In what is a plain host and path, a dot is a dot.
fn with_scheme(rule: &str) -> String {
    let plain = !rule.contains(['\\', '*', '+', '?', '[', '(', '{', '|', '^', '$']);
    let end = if plain && !rule.contains('/') { "/" } else { "" };
    let rule = if plain { rule.replace('.', r"\.") } else { rule.to_owned() };
    format!("^https://{rule}{end}")
}

/// Whether a rule that is to allow looks like a URL whose scheme was left out: `example.com/path`.
fn names_no_scheme(rule: &str) -> bool {
    let Ok(target) = Target::parse(&format!("https://{rule}")) else { return false };
    let Ok(policy) = wasmcloud_policy::Policy::new([rule], [""; 0]) else { return false };
    matches!(policy.verdict(&target), Verdict::NotAllowed { near: Some(_) })
}

/// A rule that no list has is most likely a slip of the keyboard.
async fn remove(session: &Session, name: &HandlerName, rules: Vec<String>) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = client.policy(name).await?;
    if let Some(missing) =
        rules.iter().find(|rule| !policy.allow.contains(rule) && !policy.disallow.contains(rule))
    {
        return Err(Failure::new(
            Exit::NotFound,
            "rule_not_found",
            format!("the policy of {name} has no rule `{}`", one_line(missing)),
            format!("`wasmcloud policy show {name}` lists its rules"),
        ));
    }
    let remove = PolicyRules { allow: rules.clone(), disallow: rules };
    let policy = client.change_policy(name, &PolicyPatch { remove, ..PolicyPatch::default() }).await?;
    done(session, name, &policy)
}

async fn set(session: &Session, name: &HandlerName, changes: Changes) -> Result<(), Failure> {
    let patch = PolicyPatch {
        mode: changes.mode,
        gas: changes.gas.map(|limit| limit.0),
        cpu_ms: changes.cpu_ms.map(|limit| limit.0),
        wall_ms: changes.wall_ms.map(|limit| limit.0),
        memory_bytes: changes.memory_bytes.map(|limit| limit.0),
        ..PolicyPatch::default()
    };
    let Some(file) = &changes.file else { return change(session, name, &patch).await };
    let policy = patch.apply(policy_file::read(file)?);
    put(session, &session.client()?, name, &policy).await
}

async fn learned(
    session: &Session,
    name: &HandlerName,
    apply: bool,
    since: Option<Since>,
) -> Result<(), Failure> {
    let client = session.client()?;
    let policy = client.learned_policy(name, since).await?;
    if apply {
        return put(session, &client, name, &policy).await;
    }
    if session.output.json {
        return session.output.document(&policy);
    }
    session.output.line(&pretty(&policy))?;
    let since = since.map(|since| format!(" --since {since}")).unwrap_or_default();
    session.output.note(&format!("to apply it: wasmcloud policy learned {name}{since} --apply"));
    Ok(())
}

async fn put(session: &Session, client: &Client, name: &HandlerName, policy: &Policy) -> Result<(), Failure> {
    let policy = client.set_policy(name, policy).await?;
    done(session, name, &policy)
}

fn done(session: &Session, name: &HandlerName, policy: &Policy) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(policy);
    }
    tell(session, name, policy);
    Ok(())
}

/// Tells people what policy is in force now.
pub fn tell(session: &Session, name: &HandlerName, policy: &Policy) {
    session.output.note(&format!("{name}: {}", shown::summary(policy)));
    if policy.mode == PolicyMode::Observe {
        session.output.note(&format!(
            "it opens every URL until the mode is another; what it needs: wasmcloud policy learned {name}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_without_a_scheme_is_noticed() {
        for rule in ["example.com", "example.com/path", "localhost:3000"] {
            assert!(names_no_scheme(rule), "{rule}");
        }
        for rule in ["^https://example.com", "https?://example.com", ".*", "http", "^random://", "(a|b)"] {
            assert!(!names_no_scheme(rule), "{rule}");
        }
    }

    #[test]
    fn the_rule_that_was_meant_is_suggested_and_is_no_mistake_itself() {
        for (rule, meant) in [
            ("example.com", r"^https://example\.com/"),
            ("example.com/path", r"^https://example\.com/path"),
            ("localhost:3000", "^https://localhost:3000/"),
        ] {
            assert_eq!(with_scheme(rule), meant);
            assert!(!names_no_scheme(&with_scheme(rule)), "{rule}");
        }
        assert_eq!(with_scheme(r"example\.com/(a|b)"), r"^https://example\.com/(a|b)");
    }

    #[test]
    fn a_limit_is_a_number_or_the_default() {
        assert_eq!("5".parse(), Ok(Limit(Some(5))));
        assert_eq!("default".parse(), Ok(Limit(None)));
        for text in ["", "-1", "1.5", "5s", "none"] {
            assert!(text.parse::<Limit>().unwrap_err().contains("`default`"), "{text}");
        }
    }
}
