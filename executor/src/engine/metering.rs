//! Gas: every instruction has a price, and what is spent is known exactly after every run.
//!
//! The count is kept by instructions that are compiled into the guest itself, one subtraction for
//! a basic block, so that the same input costs the same gas on every run and every machine.

use std::sync::Arc;

use wasmer::sys::{CompilerConfig, Cranelift};
use wasmer::wasmparser::Operator;
use wasmer::{AsStoreMut, ExportIndex, Instance, ModuleInfo};
use wasmer_middlewares::Metering;
use wasmer_middlewares::metering::{MeteringPoints, get_remaining_points, set_remaining_points};

/// The export under which the middleware leaves its count.
const REMAINING: &str = "wasmer_metering_remaining_points";

/// Makes a compiler count gas. An instance begins with none: see [`recharge`].
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

/// Which of the globals that an instance has of its own is the count.
pub(super) fn count_index(module: &ModuleInfo) -> Option<usize> {
    let ExportIndex::Global(index) = module.exports.get(REMAINING)? else { return None };
    usize::try_from(index.as_u32()).ok()?.checked_sub(module.num_imported_globals)
}

/// What an instance has left; `None` once it ran out.
pub(crate) fn remaining(store: &mut impl AsStoreMut, instance: &Instance) -> Option<u64> {
    match get_remaining_points(store, instance) {
        MeteringPoints::Remaining(points) => Some(points),
        MeteringPoints::Exhausted => None,
    }
}

/// Gives an instance so much to spend from now on.
pub(crate) fn recharge(store: &mut impl AsStoreMut, instance: &Instance, gas: u64) {
    set_remaining_points(store, instance, gas);
}
