//! Gas: every instruction has a price, and what is spent is known exactly after every run.
//!
//! The count is kept by instructions that are compiled into the guest itself, one subtraction for
//! a basic block, so that the same input costs the same gas on every run and every machine.

use std::sync::Arc;

use wasmer::sys::{CompilerConfig, Cranelift};
use wasmer::wasmparser::Operator;
use wasmer::{GlobalType, ModuleInfo, Mutability, Type};
use wasmer_middlewares::Metering;

use super::bulk_cost;

/// How many globals the middleware adds: the count, then whether it ran out.
const GLOBALS: usize = 2;

/// Makes a compiler count gas. An instance begins with none: see `Fuse::recharge`.
pub(crate) fn install(compiler: &mut Cranelift) {
    compiler.push_middleware(Arc::new(Metering::new(0, cost)));
}

/// The price of an instruction. What only marks structure costs nothing; all else costs one unit,
/// besides what `bulk_cost.rs` takes for lengths.
fn cost(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::Nop | Operator::Block { .. } | Operator::Loop { .. } | Operator::Else | Operator::End => 0,
        _ => 1,
    }
}

/// Which of the globals that an instance has of its own is the count; the one that says whether it ran out
/// follows it. Both come after all that the module itself has, and before those of `bulk_cost.rs`.
pub(super) fn count_index(module: &ModuleInfo) -> Option<usize> {
    let index = module.globals.len().checked_sub(bulk_cost::GLOBALS + GLOBALS)?;
    let mut from_count = module.globals.values().skip(index);
    let is_here = from_count.next() == Some(&GlobalType::new(Type::I64, Mutability::Var))
        && from_count.next() == Some(&GlobalType::new(Type::I32, Mutability::Var));
    is_here.then(|| index.checked_sub(module.num_imported_globals))?
}

/// Gives an instance so much to spend from now on, by its exports.
#[cfg(test)]
pub(super) fn recharge(store: &mut wasmer::Store, instance: &wasmer::Instance, gas: u64) {
    wasmer_middlewares::metering::set_remaining_points(store, instance, gas);
}
