//! What a module may keep to itself and its host needs, turned into exports; and no others: each export is
//! made anew for each run, though nobody asks for it.
//!
//! The memory: programs for Dagger do not export theirs, and their host reads it all the same.
//!
//! The `start` function: WebAssembly runs it while the instance is being made, before its gas could be set and before
//! the host knows its memory. As an export it is called like the entry, right before it, under the
//! same limits.

use std::sync::Arc;

use wasmer::sys::{
    CompilerConfig, Cranelift, FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware,
};
use wasmer::wasmparser::Operator;
use wasmer::{ExportIndex, LocalFunctionIndex, ModuleInfo};

/// The `start` function's export. A guest's own export of that name is not callable and so not missed.
pub(crate) const START: &str = "wasmcloud:start";
/// The first memory's export.
pub(crate) const MEMORY: &str = "wasmcloud:memory";

/// Which of its own exports a module keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    /// The one with this name, which its host calls.
    Entry(&'static str),
    /// All, metering's included.
    #[cfg(test)]
    All,
}

/// Makes a compiler add these exports and leave others out. To be called after all else was installed: what
/// comes later finds no exports.
pub(crate) fn install(compiler: &mut Cranelift, kept: Kept) {
    compiler.push_middleware(Arc::new(HostExports(kept)));
}

#[derive(Debug)]
struct HostExports(Kept);

impl ModuleMiddleware for HostExports {
    fn generate_function_middleware<'a>(
        &self,
        _: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        Box::new(Unchanged)
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        match self.0 {
            Kept::Entry(entry) => module.exports.retain(|name, _| name == entry),
            #[cfg(test)]
            Kept::All => {}
        }
        module.exports.shift_remove(MEMORY);
        if let Some(memory) = module.memories.keys().next() {
            module.exports.insert(MEMORY.to_owned(), ExportIndex::Memory(memory));
        }
        module.exports.shift_remove(START);
        if let Some(start) = module.start_function.take() {
            module.exports.insert(START.to_owned(), ExportIndex::Function(start));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Unchanged;

impl<'a> FunctionMiddleware<'a> for Unchanged {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        state.push_operator(operator);
        Ok(())
    }
}
