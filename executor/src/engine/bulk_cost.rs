//! The price of instructions whose work depends on a number: what fills, copies or grows.
//!
//! A loop of `memory.fill` over the whole memory would otherwise cost a unit a round and keep a core
//! for minutes. Compiled before each such instruction: the price of its length is taken from the gas
//! that is left, or the run ends as out of gas.

use std::sync::{Arc, Mutex, PoisonError};

use wasmer::sys::{
    CompilerConfig, Cranelift, FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware,
};
use wasmer::wasmparser::{BlockType, Operator};
use wasmer::{ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Type};

/// Bytes that are filled, copied or initialised for one unit, as a power of two: 8.
const BYTES_PER_GAS_LOG2: i64 = 3;
/// Units for a page that memory grows by: as much as filling it.
const GAS_PER_PAGE_LOG2: i64 = 16 - BYTES_PER_GAS_LOG2;

/// How many globals this adds, after those of metering.
pub(super) const GLOBALS: usize = 2;

/// Makes a compiler price such instructions. To be called after metering was installed.
pub(crate) fn install(compiler: &mut Cranelift) {
    compiler.push_middleware(Arc::new(BulkCost { globals: Mutex::new(None) }));
}

/// Where the count is, and where numbers are kept for a moment.
#[derive(Clone, Copy, Debug)]
struct Globals {
    remaining: u32,
    exhausted: u32,
    length: u32,
    cost: u32,
}

#[derive(Debug)]
struct BulkCost {
    globals: Mutex<Option<Globals>>,
}

impl ModuleMiddleware for BulkCost {
    fn generate_function_middleware<'a>(
        &self,
        _: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        Box::new(FunctionBulkCost { globals: *self.globals.lock().unwrap_or_else(PoisonError::into_inner) })
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        let metered = |name: &str| match module.exports.get(name) {
            Some(ExportIndex::Global(index)) => Ok(index.as_u32()),
            _ => Err(MiddlewareError::new("BulkCost", format!("metering left no global `{name}`"))),
        };
        let remaining = metered("wasmer_metering_remaining_points")?;
        let exhausted = metered("wasmer_metering_points_exhausted")?;
        let mut add = |ty, init| {
            module.global_initializers.push(init);
            module.globals.push(GlobalType::new(ty, Mutability::Var)).as_u32()
        };
        let length = add(Type::I32, GlobalInit::I32Const(0));
        let cost = add(Type::I64, GlobalInit::I64Const(0));
        let globals = Globals { remaining, exhausted, length, cost };
        *self.globals.lock().unwrap_or_else(PoisonError::into_inner) = Some(globals);
        Ok(())
    }
}

#[derive(Debug)]
struct FunctionBulkCost {
    globals: Option<Globals>,
}

impl<'a> FunctionMiddleware<'a> for FunctionBulkCost {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        if let (Some(price), Some(globals)) = (price(&operator), self.globals) {
            charge(globals, &price, state);
        }
        state.push_operator(operator);
        Ok(())
    }
}

/// From a length on the stack to its price: an operator that follows `i64.const`, and the constant.
struct Price(Operator<'static>, i64);

/// The price of an instruction's last operand, its length; `None` where it has none.
fn price(operator: &Operator<'_>) -> Option<Price> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
            Some(Price(Operator::I64ShrU, BYTES_PER_GAS_LOG2))
        }
        Operator::MemoryGrow { .. } => Some(Price(Operator::I64Shl, GAS_PER_PAGE_LOG2)),
        Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. } => Some(Price(Operator::I64Shl, 0)),
        _ => None,
    }
}

fn charge<'a>(globals: Globals, price: &Price, state: &mut MiddlewareReaderState<'a>) {
    let get = |global_index| Operator::GlobalGet { global_index };
    let set = |global_index| Operator::GlobalSet { global_index };
    state.extend([
        // cost = price(length); the length is the last operand, so it is on top of the stack.
        set(globals.length),
        get(globals.length),
        Operator::I64ExtendI32U,
        Operator::I64Const { value: price.1 },
        price.0.clone(),
        set(globals.cost),
        // if remaining < cost { exhausted = 1; trap }
        get(globals.remaining),
        get(globals.cost),
        Operator::I64LtU,
        Operator::If { blockty: BlockType::Empty },
        Operator::I32Const { value: 1 },
        set(globals.exhausted),
        Operator::Unreachable,
        Operator::End,
        // remaining -= cost
        get(globals.remaining),
        get(globals.cost),
        Operator::I64Sub,
        set(globals.remaining),
        get(globals.length),
    ]);
}
