//! Says what a WebAssembly module is, what it asks for, and whether it can run here.
//!
//! Pure: bytes in, an [`Inspection`] or a [`Refusal`] out. The control plane asks before anything
//! is stored, the executor asks again before it compiles, and `wasmcloud inspect` asks on the
//! user's own machine; all three get the same answer.

mod abi;
mod features;
mod file_kind;
mod imports;
mod text;

use wasmcloud_wire::limits::{PAGE_BYTES, UPLOAD_BYTES_MAX};
use wasmcloud_wire::{Abi, Export, Import, Inspection, Limits, Needs, Refusal};
use wasmparser::Validator;
use wasmparser::types::{EntityType, TypesRef};

pub use abi::entry;
pub use features::FEATURES;
use olin::abi::MEMORY;

/// Inspects a module: is it WebAssembly, valid, within the limits, and is all that it imports there?
///
/// # Errors
///
/// A [`Refusal`] that names the import or the number at fault and says what to do.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, Refusal> {
    check_size(bytes)?;
    file_kind::check(bytes)?;
    let types = Validator::new_with_features(FEATURES)
        .validate_all(bytes)
        .map_err(|error| features::explain(bytes, &error))?;
    let types = types.as_ref();

    let asked = list_imports(types);
    let abi = abi::detect(&asked);
    match abi {
        Abi::Dagger => abi::check_dagger(&asked)?,
        Abi::H => abi::check_h(&asked)?,
        _ => imports::check(&asked)?,
    }
    check_entry(types, abi)?;
    if abi == Abi::Olin {
        check_memory_export(types, &asked)?;
    }
    check_memory(types, limits)?;
    check_tables(types, limits)?;

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

fn check_size(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() <= UPLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(Refusal::new(
        "over_limit",
        format!("the module has {} bytes; the upload limit is {UPLOAD_BYTES_MAX}", bytes.len()),
        "build in release mode and strip debug information (`wasm-tools strip`, or `strip = true` in Cargo's \
         release profile)",
    ))
}

/// An import with the type that it is checked by.
struct Asked {
    import: Import,
    func: Option<wasmparser::FuncType>,
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
    let found = types.core_exports().and_then(|mut exports| exports.find(|(export, _)| *export == name));
    let Some((_, EntityType::Func(id) | EntityType::FuncExact(id))) = found else {
        return Err(Refusal::new(
            "missing_entry",
            format!("the module exports no function called `{name}`"),
            format!(
                "export the program's entry point as `{name}`, with no parameters; in Rust: \
                 `#[unsafe(no_mangle)] pub extern \"C\" fn {name}()`"
            ),
        ));
    };
    let func = text::func_type(types, id);
    if func.params().is_empty() && abi::is_entry_result(abi, func.results()) {
        return Ok(());
    }
    Err(Refusal::new(
        "missing_entry",
        format!("`{name}` has the type {}; it has to be (func)", text::func(&func)),
        "give the entry point no parameters and no result; a program ends with a status through `runtime_exit`",
    ))
}

/// An Olin program shows its memory, if anything that it imports takes a pointer.
fn check_memory_export(types: TypesRef<'_>, asked: &[Asked]) -> Result<(), Refusal> {
    let exported = types.core_exports().is_some_and(|mut exports| {
        exports.any(|(name, ty)| name == MEMORY && matches!(ty, EntityType::Memory(_)))
    });
    // Whatever takes a pointer takes a length as well.
    let takes_pointer = |asked: &&Asked| asked.func.as_ref().is_some_and(|func| func.params().len() > 1);
    match asked.iter().find(takes_pointer) {
        Some(pointed) if !exported => Err(Refusal::new(
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

fn check_memory(types: TypesRef<'_>, limits: &Limits) -> Result<(), Refusal> {
    if types.memory_count() == 0 {
        return Ok(());
    }
    let pages = types.memory_at(0).initial;
    let pages_max = u64::from(limits.memory_pages());
    if pages > pages_max {
        return Err(Refusal::new(
            "over_limit",
            format!(
                "the module begins with {} of memory ({} bytes); the memory limit is {} ({} bytes)",
                text::pages(pages),
                pages.saturating_mul(PAGE_BYTES),
                text::pages(pages_max),
                pages_max * PAGE_BYTES
            ),
            "declare a smaller initial memory, or less static data",
        ));
    }
    Ok(())
}

fn check_tables(types: TypesRef<'_>, limits: &Limits) -> Result<(), Refusal> {
    let elements =
        (0..types.table_count()).fold(0u64, |sum, i| sum.saturating_add(types.table_at(i).initial));
    let elements_max = u64::from(limits.table_elements);
    if elements <= elements_max {
        return Ok(());
    }
    Err(Refusal::new(
        "over_limit",
        format!("the module's tables begin with {elements} elements; the table limit is {elements_max}"),
        "use fewer indirect functions, or declare smaller tables",
    ))
}

#[cfg(test)]
mod tests;
