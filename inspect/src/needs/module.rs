//! What of a core module the search for settings looks at.

use std::collections::HashMap;

use wasmparser::{FuncType, KnownCustom, Name, Payload, TypeRef};

use super::image::Image;
use super::sink::{self, Sink};

/// Longest name of a function that is looked at.
const FUNCTION_NAME_BYTES_MAX: usize = 256;

/// A core module, read section by section.
#[derive(Default)]
pub(super) struct Module<'a> {
    /// Its types; `None` where one is no function's.
    pub(super) types: Vec<Option<FuncType>>,
    /// The types of its functions, imported ones first.
    functions: Vec<u32>,
    /// How many of them are imported.
    pub(super) imported: u32,
    /// Functions that read settings.
    pub(super) sinks: HashMap<u32, Sink>,
    pub(super) image: Image<'a>,
    /// Its code section: where it begins in the file, and its bytes.
    pub(super) code: Option<(usize, &'a [u8])>,
}

impl<'a> Module<'a> {
    /// Reads one of its sections. Those of a valid module come in an order that suits.
    pub(super) fn section(&mut self, payload: Payload<'a>, file: &'a [u8]) {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.into_iter().flatten() {
                    self.types.extend(group.into_types().map(|ty| match ty.composite_type.inner {
                        wasmparser::CompositeInnerType::Func(func) => Some(func),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports().flatten() {
                    let TypeRef::Func(ty) = import.ty else { continue };
                    let sink = self
                        .types
                        .get(ty as usize)
                        .and_then(Option::as_ref)
                        .and_then(|ty| sink::of_import(import.module, import.name, ty));
                    if let Some(sink) = sink {
                        self.sinks.insert(self.imported, sink);
                    }
                    self.functions.push(ty);
                    self.imported = self.imported.saturating_add(1);
                }
            }
            Payload::FunctionSection(section) => self.functions.extend(section.into_iter().flatten()),
            Payload::ExportSection(section) => {
                for export in section.into_iter().flatten() {
                    if matches!(export.kind, wasmparser::ExternalKind::Func) {
                        self.named(export.index, export.name);
                    }
                }
            }
            Payload::CodeSectionStart { range, .. } => {
                self.code = file.get(range.clone()).map(|bytes| (range.start, bytes));
            }
            Payload::DataSection(section) => self.image = Image::read(section),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for name in names.into_iter().flatten() {
                        let Name::Function(functions) = name else { continue };
                        functions
                            .into_iter()
                            .flatten()
                            .for_each(|naming| self.named(naming.index, naming.name));
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn func_type(&self, function: u32) -> Option<&FuncType> {
        self.types.get(*self.functions.get(function as usize)? as usize)?.as_ref()
    }

    fn named(&mut self, function: u32, name: &str) {
        if name.len() > FUNCTION_NAME_BYTES_MAX || function < self.imported {
            return;
        }
        let sink = self.func_type(function).and_then(|ty| sink::of_name(name, ty));
        if let Some(sink) = sink {
            self.sinks.entry(function).or_insert(sink);
        }
    }
}
