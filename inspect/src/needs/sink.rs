//! Functions that are given the name of a setting.

use wasmparser::{FuncType, ValType};

/// What kind of setting a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Env,
    Config,
}

/// A function that reads the setting whose name it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sink {
    pub(super) kind: Kind,
    /// What points to the name.
    pub(super) at: Given,
    /// The name's length; without one, a zero ends the name.
    pub(super) len: Option<Given>,
}

/// What a function takes from its caller, or has of its own: compilers make functions for calls that have
/// something in common, such as names of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Param(u32),
    Const(u32),
}

/// What an imported function reads.
pub(super) fn of_import(module: &str, name: &str, ty: &FuncType) -> Option<Sink> {
    let kind = match (module, name) {
        ("cwa" | "env", "env_get") => Kind::Env,
        (_, "get") if module.starts_with("wasi:config/store@") => Kind::Config,
        _ => return None,
    };
    takes(ty, &[0, 1]).then_some(Sink { kind, at: Given::Param(0), len: Some(Given::Param(1)) })
}

/// What a function of the module itself reads, known by its name: C's `getenv`, and what Rust's
/// `std::env::var` and `var_os` come to.
pub(super) fn of_name(name: &str, ty: &FuncType) -> Option<Sink> {
    if name == "getenv" {
        let is_c = ty.params() == [ValType::I32] && ty.results() == [ValType::I32];
        return is_c.then_some(Sink { kind: Kind::Env, at: Given::Param(0), len: None });
    }
    // The answer's place, the name's address, the name's length.
    let is_rust =
        is_rusts(name) && ty.params().len() == 3 && ty.results().is_empty() && takes(ty, &[0, 1, 2]);
    is_rust.then_some(Sink { kind: Kind::Env, at: Given::Param(1), len: Some(Given::Param(2)) })
}

fn takes(ty: &FuncType, params: &[usize]) -> bool {
    params.iter().all(|index| ty.params().get(*index) == Some(&ValType::I32))
}

/// Whether a name is that of Rust's `std::env::_var` or `_var_os`, as compilers and linkers write it.
fn is_rusts(name: &str) -> bool {
    if let Some(mangled) = name.strip_prefix("_ZN3std3env") {
        return mangled.starts_with("4_var17h") || mangled.starts_with("7_var_os17h");
    }
    if name.starts_with("_RNvNt") {
        return name.ends_with("3std3env4__var") || name.ends_with("3std3env7__var_os");
    }
    let Some(rest) = name.strip_prefix("std") else { return false };
    // `std[2f1c…]::env::_var`, and `std::env::_var::h0123456789abcdef`.
    let rest = match rest.strip_prefix('[') {
        Some(hashed) => hashed.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    ["::env::_var", "::env::_var_os"]
        .iter()
        .any(|path| rest.strip_prefix(path).is_some_and(|end| end.is_empty() || is_hash(end)))
}

fn is_hash(end: &str) -> bool {
    end.strip_prefix("::h")
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rusts_functions_are_known_by_every_spelling_of_their_names() {
        for name in [
            "std::env::_var",
            "std::env::_var_os::h0123456789abcdef",
            "std[2f1c]::env::_var_os",
            "_ZN3std3env4_var17h0123456789abcdefE",
            "_RNvNtCs1234_3std3env7__var_os",
        ] {
            assert!(is_rusts(name), "{name}");
        }
        for name in [
            "std::env::_vars",
            "std::env::_var_os::closure",
            "mystd::env::_var",
            "std::env::var",
            "std[",
            "std",
        ] {
            assert!(!is_rusts(name), "{name}");
        }
    }
}
