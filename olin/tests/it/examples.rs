use std::path::{Path, PathBuf};

use olin::abi;
use wasmparser::{CompositeInnerType, Parser, Payload, TypeRef, Validator, WasmFeatures};

/// Fixtures whose point is an import that the table does not have.
const UNMET: [&str; 2] = ["unknown_import", "wrong_type"];
/// Fixtures whose point is an export that is not there.
const INCOMPLETE: [&str; 2] = ["missing_memory", "missing_start"];

#[test]
fn every_example_is_a_valid_module() {
    for path in sources() {
        let wasm = compile(&path);
        Validator::new_with_features(WasmFeatures::all())
            .validate_all(&wasm)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn every_example_imports_what_the_table_has_unless_that_is_its_point() {
    for path in sources() {
        let unmet = unmet_imports(&compile(&path));
        assert_eq!(!unmet.is_empty(), UNMET.contains(&name(&path)), "{}: {unmet:?}", path.display());
    }
}

#[test]
fn every_example_exports_entry_and_memory_unless_that_is_its_point() {
    for path in sources() {
        let exports = exports(&compile(&path));
        let complete = [abi::ENTRY, abi::MEMORY].iter().all(|needed| exports.iter().any(|e| e == needed));
        assert_eq!(!complete, INCOMPLETE.contains(&name(&path)), "{}: {exports:?}", path.display());
    }
}

#[test]
fn the_fixtures_use_every_import_and_both_modules() {
    let used: Vec<(String, String)> =
        sources().iter().flat_map(|path| function_imports(&compile(path))).map(|(m, n, _)| (m, n)).collect();
    for import in abi::IMPORTS {
        assert!(used.iter().any(|(_, name)| name == import.name), "no fixture calls {}", import.name);
    }
    for module in abi::MODULES {
        assert!(used.iter().any(|(used, _)| used == module), "no fixture imports from {module}");
    }
}

#[test]
fn the_fixtures_close_resources_under_both_types() {
    let mut results: Vec<usize> = sources()
        .iter()
        .flat_map(|path| function_imports(&compile(path)))
        .filter(|(_, name, _)| name == "resource_close")
        .map(|(_, _, ty)| ty.1.len())
        .collect();
    results.sort_unstable();
    results.dedup();
    assert_eq!(results, [0, 1]);
}

/// A function's type in the table's words; `None` for what the table has no word for.
type Type = (Vec<Option<abi::ValType>>, Vec<Option<abi::ValType>>);

fn unmet_imports(wasm: &[u8]) -> Vec<String> {
    function_imports(wasm)
        .into_iter()
        .filter(|(module, name, (params, results))| {
            let known = abi::MODULES.contains(&module.as_str());
            let params: Option<Vec<_>> = params.iter().copied().collect();
            let results: Option<Vec<_>> = results.iter().copied().collect();
            let accepted = params
                .zip(results)
                .is_some_and(|(p, r)| abi::import(name).is_some_and(|import| import.accepts(&p, &r)));
            !(known && accepted)
        })
        .map(|(module, name, _)| format!("{module}.{name}"))
        .collect()
}

fn function_imports(wasm: &[u8]) -> Vec<(String, String, Type)> {
    let mut types = Vec::new();
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.unwrap().into_types() {
                        types.push(match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => (words(ty.params()), words(ty.results())),
                            _ => (vec![None], Vec::new()),
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    if let TypeRef::Func(index) = import.ty {
                        let ty = types[index as usize].clone();
                        imports.push((import.module.to_owned(), import.name.to_owned(), ty));
                    }
                }
            }
            _ => {}
        }
    }
    imports
}

fn words(types: &[wasmparser::ValType]) -> Vec<Option<abi::ValType>> {
    let word = |ty: &wasmparser::ValType| match ty {
        wasmparser::ValType::I32 => Some(abi::ValType::I32),
        wasmparser::ValType::I64 => Some(abi::ValType::I64),
        _ => None,
    };
    types.iter().map(word).collect()
}

fn exports(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            names.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
        }
    }
    names
}

fn compile(path: &Path) -> Vec<u8> {
    wat::parse_file(path).unwrap_or_else(|error| panic!("{error}"))
}

fn name(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// Every file in the text format among the examples.
fn sources() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut found = Vec::new();
    for folder in [examples.clone(), examples.join("fixtures")] {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "wat") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 40, "only {} examples found", found.len());
    found
}
