//! Components: which of their exports a server can call, and whether all that they import is there.

use std::collections::HashSet;

use wasmcloud_wire::{Abi, Export, Import, Inspection, Limits, Needs, Refusal};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ResourceId};
use wasmparser::types::TypesRef;
use wasmparser::{Parser, Payload, Validator};

use crate::imports::{self, Unmet};
use crate::limits::Beginning;
use crate::{features, hints, interfaces, wit};

/// Modules and components within a component, at every depth. Validating takes as long as the square of their number.
const PARTS_MAX: usize = 256;
/// Functions and resources that a component may import in all.
const IMPORTS_MAX: usize = 10_000;
/// Exports that a component may have.
const EXPORTS_MAX: usize = 10_000;
/// Exports that a refusal names.
const NAMED_MAX: usize = 10;

/// Inspects a file that begins like a component.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, Refusal> {
    check_parts(bytes)?;
    let (types, is_async) = validate(bytes)?;
    let types = types.as_ref();
    let outline = Outline::read(bytes)?;
    let exports = list_exports(types, &outline);
    let abi = detect(&outline, &exports, is_async)?;
    let imports = list_imports(types, &outline, abi)?;
    outline.beginning.check(limits)?;
    Ok(Inspection {
        abi,
        size_bytes: bytes.len() as u64,
        imports,
        exports,
        memory_bytes_min: outline.beginning.memory_bytes_min(),
        memory_bytes_max: outline.beginning.memory_bytes_max(),
        needs: Needs::default(),
        files: Vec::new(),
    })
}

/// Counts what is within a component, before anything looks closer.
fn check_parts(bytes: &[u8]) -> Result<(), Refusal> {
    // Where it cannot be read any further, validating says why.
    let readable = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let is_part = |payload: &Payload<'_>| {
        matches!(payload, Payload::ModuleSection { .. } | Payload::ComponentSection { .. })
    };
    let parts = readable.filter(is_part).take(PARTS_MAX + 1).count();
    if parts <= PARTS_MAX {
        return Ok(());
    }
    Err(Refusal::new(
        "over_limit",
        format!("the component has more than {PARTS_MAX} modules and components within it"),
        "compose it of fewer parts",
    ))
}

/// Validates a component, and says whether it has the asynchronous parts of WASI 0.3.
fn validate(bytes: &[u8]) -> Result<(wasmparser::types::Types, bool), Refusal> {
    let with = |features| Validator::new_with_features(features).validate_all(bytes);
    if let Ok(types) = with(features::COMPONENT_FEATURES) {
        return Ok((types, false));
    }
    match with(features::ASYNC_FEATURES) {
        Ok(types) => Ok((types, true)),
        Err(error) => Err(features::explain(bytes, features::ASYNC_FEATURES, &error)),
    }
}

/// What is read from a component's sections, and from those within.
struct Outline<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    modules: usize,
    /// Of all modules within, at every depth.
    beginning: Beginning,
}

impl<'a> Outline<'a> {
    /// Reads a component that is known to be valid.
    fn read(bytes: &'a [u8]) -> Result<Outline<'a>, Refusal> {
        let mut outline = Outline {
            imports: Vec::new(),
            exports: Vec::new(),
            modules: 0,
            beginning: Beginning::of("component"),
        };
        let mut depth = 0u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| unreadable(&error))? {
                Payload::ModuleSection { .. } => {
                    depth += 1;
                    outline.modules += 1;
                }
                Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::MemorySection(section) => {
                    section.into_iter().flatten().for_each(|memory| outline.beginning.memory(memory));
                }
                Payload::TableSection(section) => {
                    section.into_iter().flatten().for_each(|table| outline.beginning.table(table.ty));
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    outline.imports.extend(section.into_iter().flatten().map(|import| import.name.name));
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    outline.exports.extend(section.into_iter().flatten().map(|export| export.name.name));
                }
                _ => {}
            }
        }
        for (kind, names, max) in
            [("imports", &outline.imports, IMPORTS_MAX), ("exports", &outline.exports, EXPORTS_MAX)]
        {
            if names.len() > max {
                return Err(too_many(kind, names.len(), max));
            }
        }
        Ok(outline)
    }
}

fn unreadable(error: &wasmparser::Error) -> Refusal {
    Refusal::new(
        "invalid_module",
        format!("the component cannot be read: {} (at byte {})", error.message(), error.offset()),
        "build the component again; the file may be cut off or damaged",
    )
}

fn too_many(kind: &str, number: usize, max: usize) -> Refusal {
    Refusal::new(
        "over_limit",
        format!("the component has {number} {kind} or more; the limit is {max}"),
        "build it with fewer interfaces",
    )
}

fn list_exports(types: TypesRef<'_>, outline: &Outline<'_>) -> Vec<Export> {
    let kind = |name: &str| types.component_item_for_export(name).map_or("value", |item| wit::kind(&item.ty));
    outline
        .exports
        .iter()
        .map(|name| Export { name: (*name).to_owned(), kind: kind(name).to_owned() })
        .collect()
}

/// Which of a component's exports is called. `wasi:http` 0.2 comes before 0.3, which is newer and guarded,
/// and both before a program for the command line; but whoever has asynchronous parts is of 0.3.
fn detect(outline: &Outline<'_>, exports: &[Export], is_async: bool) -> Result<Abi, Refusal> {
    let found: Vec<Abi> = exports
        .iter()
        .filter(|export| export.kind == "interface")
        .filter_map(|export| interfaces::abi_of_export(&export.name))
        .collect();
    let order: &[Abi] =
        if is_async { &[Abi::WasiHttp3] } else { &[Abi::WasiHttp, Abi::WasiHttp3, Abi::WasiCli] };
    if let Some(abi) = order.iter().find(|abi| found.contains(abi)) {
        return Ok(*abi);
    }
    if is_async && !found.is_empty() {
        return Err(Refusal::new(
            "unsupported_feature",
            "the component has asynchronous functions, which only components that export `wasi:http/handler@0.3.0` \
             may have",
            "build it for WASI 0.2, or export `wasi:http/handler@0.3.0`",
        ));
    }
    let only_types = exports.iter().all(|export| matches!(export.kind.as_str(), "type" | "component"));
    if outline.modules == 0 && only_types && !exports.is_empty() {
        return Err(Refusal::new(
            "missing_entry",
            "the file is a package of interfaces (WIT), not a program: there is no code in it",
            "upload the component that implements it",
        ));
    }
    Err(Refusal::new("missing_entry", no_entry(exports), entry_hint(exports)))
}

fn no_entry(exports: &[Export]) -> String {
    let names: Vec<String> =
        exports.iter().take(NAMED_MAX).map(|export| format!("`{}` ({})", export.name, export.kind)).collect();
    let exported = match exports.len() {
        0 => "nothing".to_owned(),
        n if n > NAMED_MAX => format!("{}, and {} more", names.join(", "), n - NAMED_MAX),
        _ => names.join(", "),
    };
    format!("the component exports {exported}: nothing that a request can be given to")
}

fn entry_hint(exports: &[Export]) -> String {
    let exports_with = |start: &str| exports.iter().any(|export| export.name.starts_with(start));
    let needed = "a component exports `wasi:http/incoming-handler@0.2.x`, or `wasi:cli/run@0.2.x`";
    if exports_with("wasi:cli/run@0.3") {
        return format!("{needed}: build the program for WASI 0.2");
    }
    if exports_with("wasi:http/") || exports_with("wasi:cli/") {
        return format!("{needed}: build it with tools for WASI 0.2.0 or later, not for a draft");
    }
    format!("{needed}; the first is a server's handler, the second a program with a `main`")
}

/// One row for each function and each resource of the interfaces that a component imports.
fn list_imports(types: TypesRef<'_>, outline: &Outline<'_>, abi: Abi) -> Result<Vec<Import>, Refusal> {
    let mut unmet = Vec::new();
    let mut rows = Vec::new();
    let mut resources = HashSet::new();
    for name in &outline.imports {
        let Some(item) = types.component_item_for_import(name) else { continue };
        let asked =
            asked_of(types, &mut resources, name, &item.ty, IMPORTS_MAX + 1 - rows.len().min(IMPORTS_MAX));
        if let Some(first) = asked.first()
            && !interfaces::is_provided(name, abi)
        {
            unmet.push(not_provided(name, first));
        }
        rows.extend(asked);
        if rows.len() > IMPORTS_MAX {
            return Err(too_many("imported functions", rows.len(), IMPORTS_MAX));
        }
    }
    imports::refuse(unmet)?;
    Ok(rows)
}

/// What a host has to have for an import: functions, and resources that no import before it had. Types alone
/// ask for nothing.
fn asked_of(
    types: TypesRef<'_>,
    resources: &mut HashSet<ResourceId>,
    name: &str,
    ty: &ComponentEntityType,
    max: usize,
) -> Vec<Import> {
    let mut row = |module: &str, item: &str, ty: &ComponentEntityType| {
        let text = match ty {
            ComponentEntityType::Func(id) => types.get(*id).map(|func| wit::func(types, func))?,
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                resources.insert(id.resource()).then(|| "resource".to_owned())?
            }
            ComponentEntityType::Type { .. } => return None,
            other => wit::kind(other).to_owned(),
        };
        Some(Import { module: module.to_owned(), name: item.to_owned(), ty: text })
    };
    match ty {
        ComponentEntityType::Instance(id) => {
            let Some(instance) = types.get(*id) else { return Vec::new() };
            instance
                .exports
                .iter()
                .filter_map(|(item, export)| row(name, item, &export.ty))
                .take(max)
                .collect()
        }
        other => row("", name, other).into_iter().collect(),
    }
}

fn not_provided(name: &str, first: &Import) -> Unmet {
    if first.module.is_empty() {
        return Unmet::named(
            name.to_owned(),
            format!(
                "the component imports `{name}`, {}, by itself; only interfaces of WASI are provided",
                first.ty
            ),
            hints::interface(name),
        );
    }
    let hint = if interfaces::is_of_0_3(name) && interfaces::is_provided(name, Abi::WasiHttp3) {
        "WASI 0.3 is for components that export `wasi:http/handler@0.3.0`: build this one for WASI 0.2"
            .to_owned()
    } else {
        hints::interface(name)
    };
    Unmet::named(
        name.to_owned(),
        format!(
            "the component imports `{}` of `{name}`, {}, which nobody provides here",
            first.name, first.ty
        ),
        hint,
    )
}
