//! A module's `start` function, turned into an export.
//!
//! WebAssembly runs it while the instance is being made, before its gas could be set and before
//! the host knows its memory. As an export it is called like the entry, right before it, under the
//! same limits.

use std::sync::Arc;

use wasmer::sys::{
    CompilerConfig, Cranelift, FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware,
};
use wasmer::wasmparser::Operator;
use wasmer::{ExportIndex, LocalFunctionIndex, ModuleInfo};

/// The export's name. A guest's own export of that name is not callable and so not missed.
pub(crate) const START: &str = "wasmcloud:start";

/// Makes a compiler turn `start` functions into exports.
pub(crate) fn install(compiler: &mut Cranelift) {
    compiler.push_middleware(Arc::new(StartAsExport));
}

#[derive(Debug)]
struct StartAsExport;

impl ModuleMiddleware for StartAsExport {
    fn generate_function_middleware<'a>(
        &self,
        _: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        Box::new(Unchanged)
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
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
