//! Settings that a module reads and its handler does not have.

use std::collections::BTreeSet;

use wasmcloud_cgi::{EnvError, check_env};
use wasmcloud_wire::{HandlerName, Need, Needs};

/// Names that a sentence lists at most.
const NAMES_SHOWN_MAX: usize = 16;

/// Names of settings that are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Those that the module says it cannot do without.
    pub required: Vec<String>,
    /// Those that its code reads; it may know how to miss them.
    pub optional: Vec<String>,
}

impl Missing {
    /// What of these needs is not among these names. What the platform itself sets is never missing.
    pub(super) fn of(needs: &Needs, names: &BTreeSet<String>) -> Missing {
        let missing = |required: bool| -> BTreeSet<String> {
            let needs = needs.env.iter().chain(&needs.config).filter(|need| need.required == required);
            let not_there = |need: &&Need| !names.contains(&need.name) && !is_the_platforms(&need.name);
            needs.filter(not_there).map(|need| need.name.clone()).collect()
        };
        let (required, mut optional) = (missing(true), missing(false));
        optional.retain(|name| !required.contains(name));
        Missing { required: required.into_iter().collect(), optional: optional.into_iter().collect() }
    }

    /// A sentence about what the module reads and may know how to miss, if there is any.
    pub(super) fn warnings(&self, name: &HandlerName) -> Vec<String> {
        if self.optional.is_empty() {
            return Vec::new();
        }
        vec![format!("it reads {}: {}", are_not_set(&self.optional), command(name, &self.optional))]
    }

    /// Sentences about all of it, of a version that is live already.
    pub(super) fn all_in_words(&self, name: &HandlerName) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.required.is_empty() {
            let needs = are_not_set(&self.required);
            sentences.push(format!("the live version needs {needs}: {}", command(name, &self.required)));
        }
        sentences.extend(self.warnings(name));
        sentences
    }
}

fn is_the_platforms(name: &str) -> bool {
    let alone = [(name.to_owned(), String::new())].into();
    matches!(check_env(&alone), Err(EnvError::Reserved { .. }))
}

/// `API_KEY, which is not set`
pub(super) fn are_not_set(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
    let others = names.len().saturating_sub(shown.len());
    let are = if names.len() == 1 { "is" } else { "are" };
    match (shown.as_slice(), others) {
        ([first @ .., last], 0) if !first.is_empty() => {
            format!("{} and {last}, which {are} not set", first.join(", "))
        }
        (_, 0) => format!("{}, which {are} not set", shown.join(", ")),
        (_, others) => format!("{} and {others} others, which {are} not set", shown.join(", ")),
    }
}

/// The command that sets them.
pub(super) fn command(name: &HandlerName, names: &[String]) -> String {
    let names = names.iter().take(NAMES_SHOWN_MAX);
    let pairs: Vec<String> = names.map(|setting| format!("{setting}=…")).collect();
    format!("wasmcloud env set {name} {}", pairs.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(name: &str, required: bool) -> Need {
        Need { name: name.to_owned(), required }
    }

    #[test]
    fn what_is_set_or_comes_from_the_platform_is_not_missing() {
        let needs = Needs {
            env: vec![need("API_KEY", true), need("DEBUG", false), need("HTTP_HOST", false), need("A", true)],
            config: vec![need("API_KEY", false), need("PATH_INFO", true), need("B", true)],
        };
        let missing = Missing::of(&needs, &["A".to_owned()].into());
        assert_eq!(
            (missing.required.join(" "), missing.optional.join(" ")),
            ("API_KEY B".into(), "DEBUG".into())
        );
        let none = Missing::of(&Needs::default(), &BTreeSet::new());
        assert!(none.warnings(&"hello".parse().unwrap()).is_empty(), "{none:?}");
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_sets_it() {
        let name: HandlerName = "hello".parse().unwrap();
        let names = |count: usize| (0..count).map(|number| format!("N{number}")).collect::<Vec<_>>();
        assert_eq!(are_not_set(&names(1)), "N0, which is not set");
        assert_eq!(are_not_set(&names(3)), "N0, N1 and N2, which are not set");
        assert!(are_not_set(&names(20)).ends_with("N15 and 4 others, which are not set"));
        let missing = Missing { required: names(1), optional: names(2) };
        assert_eq!(
            missing.all_in_words(&name),
            [
                "the live version needs N0, which is not set: wasmcloud env set hello N0=…",
                "it reads N0 and N1, which are not set: wasmcloud env set hello N0=… N1=…",
            ]
        );
    }
}
