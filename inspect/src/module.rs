//! Core modules: of the Olin family, and of WASI 0.1.

use olin::abi::MEMORY;
use wasmcloud_wire::limits::PAGE_BYTES;
use wasmcloud_wire::{Abi, Export, Import, Inspection, Limits, Needs, Refusal};
use wasmparser::types::{EntityType, TypesRef};
use wasmparser::{Parser, Payload, Validator};

use crate::limits::Beginning;
use crate::{abi, entry, features, imports, text, wasi};

/// Inspects a file that begins like a core module.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, Refusal> {
    let features = if imports_wasi(bytes) { features::WASI_FEATURES } else { features::FEATURES };
    let types = Validator::new_with_features(features)
        .validate_all(bytes)
        .map_err(|error| features::explain(bytes, features, &error))?;
    let types = types.as_ref();

    let asked = list_imports(types);
    let abi = abi::detect(&asked);
    match abi {
        Abi::Dagger => abi::check_dagger(&asked)?,
        Abi::H => abi::check_h(&asked)?,
        Abi::Wasi => wasi::check(&asked)?,
        _ => imports::check(&asked)?,
    }
    check_entry(types, abi)?;
    match abi {
        Abi::Olin => check_memory_export(types, &asked)?,
        Abi::Wasi => wasi::check_memory_export(exports_memory(types))?,
        _ => {}
    }
    beginning(types).check(limits)?;

    let memory = (types.memory_count() > 0).then(|| types.memory_at(0));
    Ok(Inspection {
        abi,
        size_bytes: bytes.len() as u64,
        imports: asked.into_iter().map(|asked| asked.import).collect(),
        exports: list_exports(types),
        memory_bytes_min: memory.map_or(0, |memory| memory.initial.saturating_mul(PAGE_BYTES)),
        memory_bytes_max: memory
            .and_then(|memory| memory.maximum)
            .map(|pages| pages.saturating_mul(PAGE_BYTES)),
        needs: Needs::default(),
        files: Vec::new(),
    })
}

/// An import with the type that it is checked by.
pub(crate) struct Asked {
    pub(crate) import: Import,
    pub(crate) func: Option<wasmparser::FuncType>,
}

/// Whether a module imports anything of WASI 0.1, as far as it can be read: which features it may have
/// depends on that, and so it is asked before the module is known to be valid.
fn imports_wasi(bytes: &[u8]) -> bool {
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ImportSection(section)) => {
                return section
                    .into_imports()
                    .any(|import| import.is_ok_and(|import| wasi::MODULES.contains(&import.module)));
            }
            // Imports come before the code.
            Ok(Payload::CodeSectionStart { .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    false
}

fn list_imports(types: TypesRef<'_>) -> Vec<Asked> {
    let Some(imports) = types.core_imports() else { return Vec::new() };
    imports
        .map(|(module, name, entity)| Asked {
            import: Import {
                module: module.to_owned(),
                name: name.to_owned(),
                ty: text::entity(types, &entity),
            },
            func: match entity {
                EntityType::Func(id) | EntityType::FuncExact(id) => Some(text::func_type(types, id)),
                _ => None,
            },
        })
        .collect()
}

fn list_exports(types: TypesRef<'_>) -> Vec<Export> {
    let Some(exports) = types.core_exports() else { return Vec::new() };
    exports
        .map(|(name, entity)| Export { name: name.to_owned(), kind: text::kind(&entity).to_owned() })
        .collect()
}

fn check_entry(types: TypesRef<'_>, abi: Abi) -> Result<(), Refusal> {
    let name = entry(abi);
    let Some(func) = exported_func(types, name) else {
        if abi == Abi::Wasi {
            return Err(wasi::missing_entry(exported_func(types, wasi::REACTOR_ENTRY).is_some()));
        }
        return Err(Refusal::new(
            "missing_entry",
            format!("the module exports no function called `{name}`"),
            format!(
                "export the program's entry point as `{name}`, with no parameters; in Rust: \
                 `#[unsafe(no_mangle)] pub extern \"C\" fn {name}()`"
            ),
        ));
    };
    if func.params().is_empty() && abi::is_entry_result(abi, func.results()) {
        return Ok(());
    }
    let exit = if abi == Abi::Wasi { "proc_exit" } else { "runtime_exit" };
    Err(Refusal::new(
        "missing_entry",
        format!("`{name}` has the type {}; it has to be (func)", text::func(&func)),
        format!(
            "give the entry point no parameters and no result; a program ends with a status through `{exit}`"
        ),
    ))
}

fn exported_func(types: TypesRef<'_>, name: &str) -> Option<wasmparser::FuncType> {
    match types.core_exports()?.find(|(export, _)| *export == name)?.1 {
        EntityType::Func(id) | EntityType::FuncExact(id) => Some(text::func_type(types, id)),
        _ => None,
    }
}

fn exports_memory(types: TypesRef<'_>) -> bool {
    types.core_exports().is_some_and(|mut exports| {
        exports.any(|(name, ty)| name == MEMORY && matches!(ty, EntityType::Memory(_)))
    })
}

/// An Olin program shows its memory, if anything that it imports takes a pointer.
fn check_memory_export(types: TypesRef<'_>, asked: &[Asked]) -> Result<(), Refusal> {
    // Whatever takes a pointer takes a length as well.
    let takes_pointer = |asked: &&Asked| asked.func.as_ref().is_some_and(|func| func.params().len() > 1);
    match asked.iter().find(takes_pointer) {
        Some(pointed) if !exports_memory(types) => Err(Refusal::new(
            "missing_memory",
            format!(
                "the module imports `{}`.`{}`, which works on the module's memory, but exports no memory \
                 called `{MEMORY}`",
                pointed.import.module, pointed.import.name
            ),
            format!("export the memory as `{MEMORY}`"),
        )),
        _ => Ok(()),
    }
}

fn beginning(types: TypesRef<'_>) -> Beginning {
    let mut beginning = Beginning::of("module");
    for i in 0..types.memory_count() {
        beginning.memory(types.memory_at(i));
    }
    for i in 0..types.table_count() {
        beginning.table(types.table_at(i));
    }
    beginning
}
