//! Says what a WebAssembly file is, what it asks for, and whether it can run here.
//!
//! Pure: bytes in, an [`Inspection`] or a [`Refusal`] out. The control plane asks before anything
//! is stored, the executor asks again before it compiles, and `wasmcloud inspect` asks on the
//! user's own machine; all three get the same answer.

mod abi;
mod component;
mod features;
mod file_kind;
pub mod files;
mod hints;
mod imports;
mod interfaces;
mod limits;
mod module;
mod needs;
mod sections;
mod text;
mod wasi;
mod wit;

use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{Inspection, Limits, Refusal};

pub use abi::entry;
pub use features::{FEATURES, WASI_FEATURES};
use file_kind::FileKind;
pub use interfaces::provided_interfaces;
pub use needs::NEEDS_SECTION;
pub use wasi::preview1_functions;

/// Inspects a file: is it WebAssembly, valid, within the limits, and is all that it imports there?
///
/// # Errors
///
/// A [`Refusal`] that names the import or the number at fault and says what to do.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, Refusal> {
    check_size(bytes)?;
    let mut inspection = match file_kind::check(bytes)? {
        FileKind::Module => module::inspect(bytes, limits)?,
        FileKind::Component => component::inspect(bytes, limits)?,
    };
    inspection.files = files::list(bytes, inspection.abi)?;
    inspection.needs = needs::find(bytes)?;
    Ok(inspection)
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

#[cfg(test)]
mod tests;
