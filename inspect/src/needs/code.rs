//! Which constant names a module's code gives to functions that read settings.
//!
//! Each function that calls such a function is followed once from its beginning to its end (`walk.rs`). One
//! that always passes its own parameters on is one more that reads settings; this is repeated a few times. So
//! the time is linear in the code, and what is found was in the code as a constant: nothing is guessed.

use std::collections::HashMap;

use wasmparser::{BinaryReader, CodeSectionReader, FunctionBody, Operator};

use super::module::Module;
use super::sink::{Kind, Sink};
use super::walk::{Param, Walk};

/// How many functions may lie between the one that has a name and the one that reads it.
const LEVELS_MAX: usize = 4;

/// How many steps are taken for all of a file: an instruction, or a value that it makes.
pub(super) struct Budget(pub(super) u64);

impl Budget {
    /// Takes steps from it; `None` when it is spent.
    pub(super) fn spend(&mut self, steps: u64) -> Option<()> {
        self.0 = self.0.checked_sub(steps)?;
        Some(())
    }
}

/// Finds the names that a module's code reads; without a budget left, those that were found until then.
pub(super) fn find<'a>(module: &Module<'a>, budget: &mut Budget, found: &mut dyn FnMut(Kind, &'a [u8])) {
    let mut sinks = module.sinks.clone();
    let mut latest = sinks.clone();
    for _ in 0..LEVELS_MAX {
        if latest.is_empty() {
            return;
        }
        let Some(wrappers) = callers(module, &latest, &sinks, budget, found) else { return };
        sinks.extend(wrappers.iter().map(|(function, sink)| (*function, *sink)));
        latest = wrappers;
    }
}

/// Functions that read settings, by their index.
pub(super) type Sinks = HashMap<u32, Sink>;

/// Follows every function that calls one of these, and returns those that pass their parameters on.
fn callers<'a>(
    module: &Module<'a>,
    latest: &Sinks,
    known: &Sinks,
    budget: &mut Budget,
    found: &mut dyn FnMut(Kind, &'a [u8]),
) -> Option<Sinks> {
    let mut wrappers = Sinks::new();
    let (start, bytes) = module.code?;
    let bodies = CodeSectionReader::new(BinaryReader::new(bytes, start)).ok()?;
    for (index, body) in bodies.into_iter().enumerate() {
        let body = body.ok()?;
        let function = module.imported.checked_add(u32::try_from(index).ok()?)?;
        let (params, calls) = outline(module, function, &body, latest, budget)?;
        if !calls {
            continue;
        }
        let mut walk = Walk::new(module, params);
        walk.follow(&body, latest, budget, found)?;
        if let Some(sink) = walk.passes_on
            && !known.contains_key(&function)
        {
            wrappers.insert(function, sink);
        }
    }
    Some(wrappers)
}

/// Whether a function calls any of these, and which of its parameters keep their value. `None` when the
/// budget is spent.
fn outline(
    module: &Module<'_>,
    function: u32,
    body: &FunctionBody<'_>,
    sinks: &Sinks,
    budget: &mut Budget,
) -> Option<(Vec<Param>, bool)> {
    let params = module.func_type(function).map_or(0, |ty| ty.params().len());
    let mut params = vec![Param::Kept; params];
    let mut calls = false;
    let Ok(operators) = body.get_operators_reader() else { return Some((params, false)) };
    for operator in operators {
        budget.spend(1)?;
        match operator {
            Ok(Operator::Call { function_index }) => calls |= sinks.contains_key(&function_index),
            Ok(Operator::LocalSet { local_index } | Operator::LocalTee { local_index }) => {
                if let Some(param) = params.get_mut(local_index as usize) {
                    *param = Param::Assigned;
                }
            }
            Ok(_) => {}
            Err(_) => return Some((params, false)),
        }
    }
    Some((params, calls))
}
