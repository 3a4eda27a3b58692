//! Types in the words of the WebAssembly text format.

use wasmparser::types::{CoreTypeId, EntityType, TypesRef};
use wasmparser::{FuncType, ValType};

/// `func`, `memory`, `table`, `global` or `tag`.
pub(crate) fn kind(entity: &EntityType) -> &'static str {
    match entity {
        EntityType::Func(_) | EntityType::FuncExact(_) => "func",
        EntityType::Table(_) => "table",
        EntityType::Memory(_) => "memory",
        EntityType::Global(_) => "global",
        EntityType::Tag(_) => "tag",
    }
}

/// A number of memory's pages: `1 page`, `2 pages`.
pub(crate) fn pages(number: u64) -> String {
    format!("{number} {}", if number == 1 { "page" } else { "pages" })
}

/// An import's type.
pub(crate) fn entity(types: TypesRef<'_>, entity: &EntityType) -> String {
    match entity {
        EntityType::Func(id) | EntityType::FuncExact(id) => func(&func_type(types, *id)),
        EntityType::Memory(memory) => match memory.maximum {
            Some(maximum) => format!("(memory {} {maximum})", memory.initial),
            None => format!("(memory {})", memory.initial),
        },
        EntityType::Table(table) => format!("(table {} {})", table.initial, table.element_type),
        EntityType::Global(global) if global.mutable => format!("(global (mut {}))", global.content_type),
        EntityType::Global(global) => format!("(global {})", global.content_type),
        EntityType::Tag(_) => "(tag)".to_owned(),
    }
}

/// A function's type, such as `(func (param i32 i32) (result i32))`.
pub(crate) fn func(func: &FuncType) -> String {
    let mut text = String::from("(func");
    for (word, types) in [("param", func.params()), ("result", func.results())] {
        if !types.is_empty() {
            text.push_str(&format!(" ({word} {})", list(types)));
        }
    }
    text.push(')');
    text
}

fn list(types: &[ValType]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The type behind a function's id.
#[expect(
    clippy::indexing_slicing,
    reason = "the validator gave the id for these very types, and for a function"
)]
pub(crate) fn func_type(types: TypesRef<'_>, id: CoreTypeId) -> FuncType {
    types[id].unwrap_func().clone()
}
