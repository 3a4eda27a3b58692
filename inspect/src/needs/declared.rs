//! What a program declares of itself: a custom section with a small JSON object.
//!
//! Compilers join sections of one name end to end, so a section may have several objects, one after the
//! other, and a component several sections, in the modules within it.

use serde::Deserialize;
use serde_json::{Map, Value};
use wasmcloud_wire::Refusal;

use super::sink::Kind;
use super::{List, NAME_BYTES_MAX, NEEDS_MAX, is_name, is_of_cgi};

/// The name of the custom section in which a program says what settings it cannot do without:
/// `{"env":["API_KEY"],"config":["greeting"]}`.
pub const NEEDS_SECTION: &str = "wasmcloud.needs";

/// Bytes of all declarations of a file.
const DECLARED_BYTES_MAX: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    config: Vec<String>,
}

/// Reads one section; `bytes` counts those of all sections of the file.
pub(super) fn read(section: &[u8], bytes: &mut usize, list: &mut List) -> Result<(), Refusal> {
    *bytes = bytes.saturating_add(section.len());
    if *bytes > DECLARED_BYTES_MAX {
        return Err(refusal(format!("has {bytes} bytes; the limit is {DECLARED_BYTES_MAX}")));
    }
    // Objects alone: a list would be taken for the values of the fields in their order.
    for object in serde_json::Deserializer::from_slice(section).into_iter::<Map<String, Value>>() {
        let declared = object.and_then(|object| serde_json::from_value::<Declared>(Value::Object(object)));
        let declared = declared.map_err(|error| refusal(format!("cannot be read: {error}")))?;
        for (kind, names) in [(Kind::Env, declared.env), (Kind::Config, declared.config)] {
            for name in names {
                add(kind, name, list)?;
            }
        }
    }
    Ok(())
}

fn add(kind: Kind, name: String, list: &mut List) -> Result<(), Refusal> {
    let shown: String = name.chars().take(NAME_BYTES_MAX).flat_map(char::escape_debug).collect();
    if !is_name(kind, &name) {
        return Err(refusal(format!(
            "names `{shown}`, which is no name of a setting: letters, digits and `_`, no digit first, at most \
             {NAME_BYTES_MAX}"
        )));
    }
    if kind == Kind::Env && is_of_cgi(&name) {
        return Err(refusal(format!("names `{shown}`, which the server sets for every request")));
    }
    let names = list.of(kind);
    names.insert(name, true);
    if names.values().filter(|required| **required).count() > NEEDS_MAX {
        return Err(refusal(format!("names more than {NEEDS_MAX} settings of a kind")));
    }
    Ok(())
}

fn refusal(problem: String) -> Refusal {
    Refusal::new(
        "invalid_section",
        format!("the custom section `{NEEDS_SECTION}` {problem}"),
        r#"it should be a JSON object such as {"env":["API_KEY"],"config":["greeting"]}"#,
    )
}
