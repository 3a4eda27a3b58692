//! Settings that a program reads: what it declares, and what can be seen in its code.

mod code;
mod declared;
mod image;
mod module;
mod sink;
mod walk;

use std::collections::BTreeMap;

use code::Budget;
use module::Module;
use sink::Kind;
use wasmcloud_wire::limits::ENV_ENTRIES_MAX;
use wasmcloud_wire::{Need, Needs, Refusal};
use wasmparser::{Parser, Payload};

pub use declared::NEEDS_SECTION;

/// Longest name of a setting, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// Settings of each kind that are listed.
pub(crate) const NEEDS_MAX: usize = ENV_ENTRIES_MAX;

/// Steps through the code of one file, about one for each instruction that is looked at, each time that it is.
const STEPS_MAX: u64 = 100_000_000;

/// Variables that compilers' own libraries read in every program, whether or not its author knows of them.
const LIBRARIES_OWN: &[&str] = &[
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_MIN_STACK",
    "PWD",
    "OLDPWD",
    "TZ",
    "TMPDIR",
    "LC_ALL",
    "LANG",
];

/// Lists the settings that a valid module or component reads.
///
/// # Errors
///
/// A declaration that cannot be read.
pub(crate) fn find(bytes: &[u8]) -> Result<Needs, Refusal> {
    let mut list = List::default();
    let mut budget = Budget(STEPS_MAX);
    // The module that is being read, and those around it: components have modules in them, one after the other.
    let mut open: Vec<Option<Module<'_>>> = Vec::new();
    let mut declared_bytes = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding, .. } => {
                open.push((encoding == wasmparser::Encoding::Module).then(Module::default));
            }
            Payload::End(_) => {
                if let Some(Some(module)) = open.pop() {
                    code::find(&module, &mut budget, &mut |kind, name| list.found(kind, name));
                }
            }
            Payload::CustomSection(section) if section.name() == NEEDS_SECTION => {
                declared::read(section.data(), &mut declared_bytes, &mut list)?;
            }
            other => {
                if let Some(Some(module)) = open.last_mut() {
                    module.section(other, bytes);
                }
            }
        }
    }
    Ok(list.into_needs())
}

/// Names with whether they are required.
#[derive(Default)]
struct List {
    env: BTreeMap<String, bool>,
    config: BTreeMap<String, bool>,
}

impl List {
    fn of(&mut self, kind: Kind) -> &mut BTreeMap<String, bool> {
        match kind {
            Kind::Env => &mut self.env,
            Kind::Config => &mut self.config,
        }
    }

    /// Adds a name that was found in code, if it can be a setting's.
    fn found(&mut self, kind: Kind, name: &[u8]) {
        let Ok(name) = std::str::from_utf8(name) else { return };
        let names = self.of(kind);
        if is_name(kind, name) && !is_not_a_setting(kind, name) && names.len() < NEEDS_MAX {
            names.entry(name.to_owned()).or_insert(false);
        }
    }

    fn into_needs(self) -> Needs {
        let needs = |names: BTreeMap<String, bool>| {
            names.into_iter().map(|(name, required)| Need { name, required }).collect()
        };
        Needs { env: needs(self.env), config: needs(self.config) }
    }
}

/// Whether a text can be the name of such a setting: letters, digits and `_`, and no digit first; keys of
/// `wasi:config` may have `.` and `-` as well.
fn is_name(kind: Kind, name: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let is_rest = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte == b'_' || (kind == Kind::Config && matches!(byte, b'.' | b'-'))
    };
    name.len() <= NAME_BYTES_MAX && name.as_bytes().first().is_some_and(is_first) && name.bytes().all(is_rest)
}

/// Whether a variable is not a handler's own to set: CGI's, or a compiler's library's.
fn is_not_a_setting(kind: Kind, name: &str) -> bool {
    kind == Kind::Env && (is_of_cgi(name) || LIBRARIES_OWN.contains(&name))
}

/// Whether a variable belongs to CGI or to the platform, so that no handler may set it.
fn is_of_cgi(name: &str) -> bool {
    let env = BTreeMap::from([(name.to_owned(), String::new())]);
    matches!(wasmcloud_cgi::check_env(&env), Err(wasmcloud_cgi::EnvError::Reserved { .. }))
}

#[cfg(test)]
mod tests;
