//! Types of components, in the words of WIT.
//!
//! A type may refer to others, and those to more, so that all of it written out can be many times the size
//! of the file: names and structures stop at a depth and a length.

use std::fmt::Write as _;

use wasmparser::component_types::{
    ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentValType,
};
use wasmparser::types::TypesRef;

/// How deep a type is written out.
const DEPTH_MAX: u32 = 3;
/// How long a type's text becomes at most, about.
const CHARS_MAX: usize = 300;

/// `func`, `interface` (an instance), `type`, `module`, `component` or `value`.
pub(crate) fn kind(ty: &ComponentEntityType) -> &'static str {
    match ty {
        ComponentEntityType::Module(_) => "module",
        ComponentEntityType::Func(_) => "func",
        ComponentEntityType::Value(_) => "value",
        ComponentEntityType::Type { .. } => "type",
        ComponentEntityType::Instance(_) => "interface",
        ComponentEntityType::Component(_) => "component",
    }
}

/// A function's type, such as `func(key: string) -> result<option<string>, variant>`.
pub(crate) fn func(types: TypesRef<'_>, func: &ComponentFuncType) -> String {
    let mut text = String::from(if func.async_ { "async func(" } else { "func(" });
    for (index, (name, ty)) in func.params.iter().enumerate() {
        if text.len() > CHARS_MAX {
            text.push_str(", …");
            break;
        }
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(text, "{comma}{name}: ");
        value(types, *ty, DEPTH_MAX, &mut text);
    }
    text.push(')');
    if let Some(ty) = func.result {
        text.push_str(" -> ");
        value(types, ty, DEPTH_MAX, &mut text);
    }
    text
}

fn value(types: TypesRef<'_>, ty: ComponentValType, depth: u32, text: &mut String) {
    let id = match ty {
        ComponentValType::Primitive(primitive) => return push(text, &primitive.to_string()),
        ComponentValType::Type(id) => id,
    };
    if depth == 0 || text.len() > CHARS_MAX {
        return text.push('…');
    }
    let mut of = |word: &str, parts: &[Option<ComponentValType>]| {
        push(text, word);
        if parts.iter().all(Option::is_none) {
            return;
        }
        text.push('<');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            match part {
                Some(part) => value(types, *part, depth - 1, text),
                None => text.push('_'),
            }
        }
        text.push('>');
    };
    match types.get(id) {
        Some(ComponentDefinedType::Primitive(primitive)) => push(text, &primitive.to_string()),
        Some(
            ComponentDefinedType::List { element, .. }
            | ComponentDefinedType::FixedLengthList { element, .. },
        ) => {
            of("list", &[Some(*element)]);
        }
        Some(ComponentDefinedType::Map { key, value, .. }) => of("map", &[Some(*key), Some(*value)]),
        Some(ComponentDefinedType::Option { ty, .. }) => of("option", &[Some(*ty)]),
        Some(ComponentDefinedType::Result { ok, err: None, .. }) => of("result", &[*ok]),
        Some(ComponentDefinedType::Result { ok, err, .. }) => of("result", &[*ok, *err]),
        Some(ComponentDefinedType::Future { ty, .. }) => of("future", &[*ty]),
        Some(ComponentDefinedType::Stream { ty, .. }) => of("stream", &[*ty]),
        Some(ComponentDefinedType::Tuple(tuple)) => {
            let parts: Vec<Option<ComponentValType>> =
                tuple.types.iter().copied().map(Some).take(8).collect();
            of("tuple", &parts);
        }
        Some(ComponentDefinedType::Record(_)) => text.push_str("record"),
        Some(ComponentDefinedType::Variant(_)) => text.push_str("variant"),
        Some(ComponentDefinedType::Flags(_)) => text.push_str("flags"),
        Some(ComponentDefinedType::Enum(_)) => text.push_str("enum"),
        Some(ComponentDefinedType::Own(_)) => text.push_str("own"),
        Some(ComponentDefinedType::Borrow(_)) => text.push_str("borrow"),
        _ => text.push('…'),
    }
}

fn push(text: &mut String, word: &str) {
    text.push_str(word);
}
