//! Whether everything that a module imports is there.

use olin::abi::{IMPORTS, MODULES, ValType};
use wasmcloud_wire::Refusal;

use crate::Asked;

/// Refuses a module that imports what nobody provides, naming every such import.
pub(crate) fn check(imports: &[Asked]) -> Result<(), Refusal> {
    let unmet: Vec<Unmet> = imports.iter().filter_map(unmet).collect();
    let Some(first) = unmet.first() else { return Ok(()) };
    let message = match unmet.len() {
        1 => first.message.clone(),
        n => format!(
            "{}; and {} more: {}",
            first.message,
            n - 1,
            unmet.iter().skip(1).map(|unmet| unmet.name.as_str()).collect::<Vec<_>>().join(", ")
        ),
    };
    Err(Refusal::new("unmet_import", message, first.hint.clone()))
}

struct Unmet {
    name: String,
    message: String,
    hint: String,
}

fn unmet(asked: &Asked) -> Option<Unmet> {
    let import = &asked.import;
    let name = format!("{}.{}", import.module, import.name);
    let unmet = |message: String, hint: String| Some(Unmet { name: name.clone(), message, hint });
    let Some(func) = &asked.func else {
        return unmet(
            format!("the module imports `{name}`, a {}; only functions are provided", import.ty),
            "define memories, tables and globals in the module itself and export the memory as `memory` \
             (linker option `--import-memory` must not be set)"
                .to_owned(),
        );
    };
    if !MODULES.contains(&import.module.as_str()) {
        return unmet(
            format!("the module imports `{name}`, which nobody provides here"),
            whose(&import.module),
        );
    }
    let Some(provided) = olin::abi::import(&import.name) else {
        return unmet(
            format!("the module imports `{name}`, which nobody provides here"),
            match nearest(&import.name) {
                Some(similar) => format!("did you mean `{similar}`? docs/ABI.md lists every function"),
                None => "remove the import, or define the function in the module; docs/ABI.md lists every function \
                         that is provided"
                    .to_owned(),
            },
        );
    };
    let (params, results) = (lower(func.params()), lower(func.results()));
    if let (Some(params), Some(results)) = (params, results)
        && provided.accepts(&params, &results)
    {
        return None;
    }
    let types = provided.signatures.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    unmet(
        format!("the module imports `{name}` as {}; it is provided as {types}", import.ty),
        "declare the import with that type".to_owned(),
    )
}

/// What to do about a whole import module that is not provided.
fn whose(module: &str) -> String {
    match module {
        "wasi_snapshot_preview1" | "wasi_unstable" => {
            "this is a WASI program, which this server does not run: build it for wasm32-unknown-unknown with the \
             `olin` crate"
        }
        "wbg" | "__wbindgen_placeholder__" => {
            "this is a wasm-bindgen program, made for browsers: build it without wasm-bindgen, with the `olin` crate"
        }
        _ => "import only from `cwa` or `env`, the functions of docs/ABI.md",
    }
    .to_owned()
}

fn lower(types: &[wasmparser::ValType]) -> Option<Vec<ValType>> {
    let lowered = types.iter().map(|ty| match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        _ => None,
    });
    lowered.collect()
}

/// The provided function whose name is one typing mistake away, or shares the last word.
fn nearest(name: &str) -> Option<&'static str> {
    let close = |candidate: &&str| within_one_edit(name.as_bytes(), candidate.as_bytes());
    IMPORTS.iter().map(|import| import.name).find(close)
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
