//! Whether everything that a module imports is there.

use olin::abi::{IMPORTS, MODULES, ValType};
use wasmcloud_wire::Refusal;

use crate::hints;
use crate::module::Asked;

/// Unmet imports that a refusal names; the others are counted.
const NAMED_MAX: usize = 20;

/// An import that nobody provides as it is asked for.
pub(crate) struct Unmet {
    name: String,
    message: String,
    hint: String,
}

impl Unmet {
    pub(crate) fn new(asked: &Asked, message: String, hint: String) -> Unmet {
        Unmet { name: format!("{}.{}", asked.import.module, asked.import.name), message, hint }
    }

    /// Of anything that has a name.
    pub(crate) fn named(name: String, message: String, hint: String) -> Unmet {
        Unmet { name, message, hint }
    }
}

/// Refuses a module that imports what nobody provides, naming such imports.
pub(crate) fn check(imports: &[Asked]) -> Result<(), Refusal> {
    refuse(imports.iter().filter_map(unmet).collect())
}

/// Refuses, if there is anything unmet.
pub(crate) fn refuse(unmet: Vec<Unmet>) -> Result<(), Refusal> {
    let Some(first) = unmet.first() else { return Ok(()) };
    let message = match unmet.len() {
        1 => first.message.clone(),
        n => {
            let names: Vec<&str> =
                unmet.iter().skip(1).take(NAMED_MAX).map(|unmet| unmet.name.as_str()).collect();
            let dots = if n - 1 > NAMED_MAX { ", …" } else { "" };
            format!("{}; and {} more: {}{dots}", first.message, n - 1, names.join(", "))
        }
    };
    Err(Refusal::new("unmet_import", message, first.hint.clone()))
}

fn unmet(asked: &Asked) -> Option<Unmet> {
    let import = &asked.import;
    let nobody = |hint: String| {
        let message =
            format!("the module imports `{}.{}`, which nobody provides here", import.module, import.name);
        Some(Unmet::new(asked, message, hint))
    };
    let Some(func) = &asked.func else { return Some(not_a_function(asked)) };
    if !MODULES.contains(&import.module.as_str()) {
        return nobody(hints::core_import(&import.module, &import.name).unwrap_or_else(|| {
            "import only from `cwa` or `env`, the functions of docs/ABI.md; or build the program for WASI"
                .to_owned()
        }));
    }
    let Some(provided) = olin::abi::import(&import.name) else {
        return nobody(match nearest(&import.name, IMPORTS.iter().map(|import| import.name)) {
            Some(similar) => format!("did you mean `{similar}`? docs/ABI.md lists every function"),
            None => hints::core_import(&import.module, &import.name).unwrap_or_else(|| {
                "remove the import, or define the function in the module; docs/ABI.md lists every function that is \
                 provided"
                    .to_owned()
            }),
        });
    };
    let (params, results) = (lower(func.params()), lower(func.results()));
    if let (Some(params), Some(results)) = (params, results)
        && provided.accepts(&params, &results)
    {
        return None;
    }
    let types = provided.signatures.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    Some(other_type(asked, &types))
}

/// An import of a memory, a table or a global.
pub(crate) fn not_a_function(asked: &Asked) -> Unmet {
    let import = &asked.import;
    Unmet::new(
        asked,
        format!(
            "the module imports `{}.{}`, a {}; only functions are provided",
            import.module, import.name, import.ty
        ),
        "define memories, tables and globals in the module itself and export the memory as `memory` (linker option \
         `--import-memory` must not be set)"
            .to_owned(),
    )
}

/// An import of a function that is there with another type.
pub(crate) fn other_type(asked: &Asked, provided: &str) -> Unmet {
    let import = &asked.import;
    Unmet::new(
        asked,
        format!(
            "the module imports `{}.{}` as {}; it is provided as {provided}",
            import.module, import.name, import.ty
        ),
        "declare the import with that type".to_owned(),
    )
}

fn lower(types: &[wasmparser::ValType]) -> Option<Vec<ValType>> {
    let lowered = types.iter().map(|ty| match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        _ => None,
    });
    lowered.collect()
}

/// The first of these names that is one typing mistake away.
pub(crate) fn nearest(name: &str, mut names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names.find(|candidate| within_one_edit(name.as_bytes(), candidate.as_bytes()))
}

/// Whether one insertion, deletion or substitution makes one text of the other.
fn within_one_edit(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let same_front = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    let same_back = short.iter().rev().zip(long.iter().rev()).take_while(|(x, y)| x == y).count();
    match long.len() - short.len() {
        0 => same_front + same_back + 1 >= short.len(),
        1 => same_front + same_back >= short.len(),
        _ => false,
    }
}
