//! A compiled program, whichever engine runs it.

use wasmcloud_wire::{Inspection, Limits, Refusal};

use crate::engine::{self, OlinProgram};
use crate::wasi::{self, WasiProgram};

/// A compiled program, ready to be run any number of times.
pub(crate) enum Program {
    /// Of the Olin family, on wasmer.
    Olin(OlinProgram),
    /// Of the WASI family, on wasmtime.
    Wasi(WasiProgram),
}

impl Program {
    /// What the program is and asks for.
    pub(crate) fn inspection(&self) -> &Inspection {
        match self {
            Program::Olin(program) => &program.inspection,
            Program::Wasi(program) => &program.inspection,
        }
    }

    /// How many bytes of memory the program takes besides its code.
    pub(crate) fn data_bytes(&self) -> usize {
        match self {
            Program::Olin(program) => program.image_bytes(),
            // Its images are part of the code, mapped from there.
            Program::Wasi(_) => 0,
        }
    }
}

/// Inspects and compiles a module. Takes as long as it is large: call it where blocking is allowed.
///
/// # Errors
///
/// What inspection refuses, and what the compiler cannot compile.
pub(crate) fn compile(bytes: &[u8], limits: &Limits, count_gas: bool) -> Result<Vec<u8>, Refusal> {
    let inspection = wasmcloud_inspect::inspect(bytes, limits)?;
    match inspection.abi.is_wasi() {
        true => wasi::compile(bytes, &inspection, count_gas),
        false => engine::compile(bytes, &inspection),
    }
}
