//! `wasmcloud inspect`

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;
use wasmcloud_wire::{Abi, Digest, Import, Inspection, Limits};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::module_file;
use crate::output::Table;
use crate::session::Session;
use crate::text::{plural, size_and_bytes};

/// Imports that are named in a summary; the others are counted.
const IMPORTS_SHOWN_MAX: usize = 12;

/// The arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program: a .wasm file, WebAssembly text, or `-` for standard input
    #[arg(value_name = "PROGRAM")]
    file: PathBuf,
}

/// Says what a file is and asks for, with the same code that a server decides by.
pub fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let module = module_file::read(&args.file)?;
    let inspection = wasmcloud_inspect::inspect(&module, &Limits::default())?;
    let digest = Digest::of(&module);
    let output = &session.output;
    if output.json {
        let mut document = serde_json::to_value(&inspection).map_err(|error| {
            Failure::new(Exit::Failure, "output", format!("cannot write JSON: {error}"), "")
        })?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("digest".to_owned(), json!(digest));
        }
        return output.document(&document);
    }
    for (label, value) in [
        ("ABI", inspection.abi.to_string()),
        ("size", size_and_bytes(inspection.size_bytes)),
        ("sha256", digest.to_string()),
        ("memory", memory_in_words(&inspection)),
    ] {
        output.line(&format!("{label:<8}{value}"))?;
    }
    for table in tables(&inspection) {
        output.line("")?;
        output.table(&table)?;
    }
    Ok(())
}

/// What a program imports and exports, and, if there are any, the settings that it reads and its files.
fn tables(inspection: &Inspection) -> Vec<Table> {
    let mut imports = Table::new(&["ASKS FOR", "TYPE"]);
    for import in &inspection.imports {
        imports.row([full_name(import), import.ty.clone()]);
    }
    let mut exports = Table::new(&["OFFERS", "KIND"]);
    for export in &inspection.exports {
        exports.row([export.name.clone(), export.kind.clone()]);
    }
    let mut needs = Table::new(&["READS", "KIND", "KNOWN FROM"]);
    for (kind, list) in [("variable", &inspection.needs.env), ("config", &inspection.needs.config)] {
        for need in list {
            let known_from = if need.required { "its declaration: required" } else { "its code" };
            needs.row([need.name.clone(), kind.to_owned(), known_from.to_owned()]);
        }
    }
    let mut files = Table::new(&["FILE", "BYTES"]);
    for file in &inspection.files {
        files.row([file.path.clone(), file.size_bytes.to_string()]);
    }
    let mut tables = vec![imports, exports];
    if !inspection.needs.env.is_empty() || !inspection.needs.config.is_empty() {
        tables.push(needs);
    }
    if !inspection.files.is_empty() {
        tables.push(files);
    }
    tables
}

/// An import's name: `cwa.log_write`, or `wasi:random/random@0.2.0#get-random-u64`, as WIT's own tools write it.
fn full_name(import: &Import) -> String {
    match import.module.as_str() {
        "" => import.name.clone(),
        interface if interface.contains('/') => format!("{interface}#{}", import.name),
        module => format!("{module}.{}", import.name),
    }
}

/// What a module asks its host for, in a line: `cwa.log_write, cwa.io_get_stdout`; of a component the interfaces.
pub fn imports_in_words(inspection: &Inspection) -> String {
    let is_component = matches!(inspection.abi, Abi::WasiCli | Abi::WasiHttp | Abi::WasiHttp3);
    let name = |import: &Import| {
        if is_component && !import.module.is_empty() { import.module.clone() } else { full_name(import) }
    };
    let names: BTreeSet<String> = inspection.imports.iter().map(name).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let hidden = names.len().saturating_sub(IMPORTS_SHOWN_MAX);
    let mut words = names.into_iter().take(IMPORTS_SHOWN_MAX).collect::<Vec<_>>().join(", ");
    if hidden > 0 {
        words.push_str(&format!(" and {}", plural(hidden, "other", "others")));
    }
    crate::text::one_line(&words)
}

/// A module's memory, in words.
pub fn memory_in_words(inspection: &Inspection) -> String {
    let first = size_and_bytes(inspection.memory_bytes_min);
    match inspection.memory_bytes_max {
        _ if inspection.memory_bytes_min == 0 && inspection.memory_bytes_max.is_none() => {
            "none at first".to_owned()
        }
        Some(max) => format!("{first} at first, never more than {}", size_and_bytes(max)),
        None => format!("{first} at first"),
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::{Need, ShippedFile};

    use super::*;

    fn inspection(imports: usize) -> Inspection {
        let import =
            |index| Import { module: "cwa".to_owned(), name: format!("f{index:02}"), ty: String::new() };
        Inspection {
            abi: Abi::Olin,
            size_bytes: 8,
            imports: (0..imports).map(import).collect(),
            exports: Vec::new(),
            memory_bytes_min: 65_536,
            memory_bytes_max: Some(131_072),
            needs: Default::default(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_long_list_of_imports_is_cut_with_a_count() {
        assert_eq!(imports_in_words(&inspection(0)), "nothing");
        assert_eq!(imports_in_words(&inspection(2)), "cwa.f00, cwa.f01");
        assert!(imports_in_words(&inspection(14)).ends_with("cwa.f11 and 2 others"));
    }

    #[test]
    fn a_components_imports_are_told_by_their_interfaces() {
        let import = |name: &str| Import {
            module: "wasi:random/random@0.2.0".to_owned(),
            name: name.to_owned(),
            ty: "func() -> u64".to_owned(),
        };
        let mut component = inspection(0);
        component.abi = Abi::WasiHttp;
        component.imports = vec![import("get-random-u64"), import("get-random-bytes")];
        assert_eq!(imports_in_words(&component), "wasi:random/random@0.2.0");
        assert_eq!(full_name(&component.imports[0]), "wasi:random/random@0.2.0#get-random-u64");
    }

    #[test]
    fn settings_and_files_are_shown_where_there_are_any() {
        assert_eq!(tables(&inspection(1)).len(), 2);
        let mut inspection = inspection(1);
        inspection.needs.env = vec![Need { name: "API_KEY".to_owned(), required: true }];
        inspection.files = vec![ShippedFile { path: "a.html".to_owned(), size_bytes: 3 }];
        assert_eq!(tables(&inspection).len(), 4);
    }

    #[test]
    fn memory_is_told_with_its_bounds() {
        assert_eq!(
            memory_in_words(&inspection(0)),
            "64.0 KiB (65536 bytes) at first, never more than 128.0 KiB (131072 bytes)"
        );
    }
}
