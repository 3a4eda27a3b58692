//! A function, followed once from its beginning to its end.
//!
//! Of values it is known whether they are constants or the function's own parameters, as long as no more than
//! copying and adding is done to them. Where two ways through the code come together, what was assigned on them is
//! forgotten.

use std::collections::HashMap;

use wasmparser::{BlockType, FunctionBody, ModuleArity, Operator};

use super::code::{Budget, Sinks};
use super::module::Module;
use super::sink::{Given, Kind, Sink};

/// Values that are followed at once in a function: one that has more is left.
const VALUES_MAX: usize = 10_000;

/// What becomes of a parameter in its function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// It is never assigned to.
    Kept,
    /// It is, somewhere.
    Assigned,
}

/// What is known of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Unknown,
    Const(u32),
    Param(u32),
}

/// A block that is open.
struct Frame {
    /// Values that lie below it.
    height: usize,
    results: usize,
    /// Whether its code cannot be reached from where the walk stands.
    dead: bool,
}

/// A function on the way from its beginning to its end.
pub(super) struct Walk<'m, 'a> {
    module: &'m Module<'a>,
    params: Vec<Param>,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// What was assigned to locals, and in which straight piece of code.
    locals: HashMap<u32, (Value, u64)>,
    /// The number of the straight piece of code; 0 is the function's beginning.
    piece: u64,
    /// Whether a branch has been passed: what comes now may never run.
    branched: bool,
    /// How many values the last step took and gave, where those can be many.
    moved: u64,
    /// What it reads itself, if it always passes its parameters on.
    pub(super) passes_on: Option<Sink>,
}

impl<'m, 'a> Walk<'m, 'a> {
    pub(super) fn new(module: &'m Module<'a>, params: Vec<Param>) -> Walk<'m, 'a> {
        Walk {
            module,
            params,
            stack: Vec::new(),
            frames: vec![Frame { height: 0, results: 0, dead: false }],
            locals: HashMap::new(),
            piece: 0,
            branched: false,
            moved: 0,
            passes_on: None,
        }
    }

    /// `None` when the budget is spent. A function that cannot be followed to its end is left where that is.
    pub(super) fn follow(
        &mut self,
        body: &FunctionBody<'a>,
        sinks: &Sinks,
        budget: &mut Budget,
        found: &mut dyn FnMut(Kind, &'a [u8]),
    ) -> Option<()> {
        let Ok(operators) = body.get_operators_reader() else { return Some(()) };
        for operator in operators {
            let Ok(operator) = operator else { return Some(()) };
            if let Operator::Call { function_index } = operator
                && let Some(sink) = sinks.get(&function_index)
            {
                self.meet(function_index, *sink, found);
            }
            let went = self.step(&operator);
            budget.spend(1 + std::mem::take(&mut self.moved))?;
            if went.is_none() || self.stack.len() > VALUES_MAX {
                return Some(());
            }
        }
        Some(())
    }

    /// A call of a function that reads a setting: its arguments are on top of the stack.
    fn meet(&mut self, function: u32, sink: Sink, found: &mut dyn FnMut(Kind, &'a [u8])) {
        if self.frames.last().is_none_or(|frame| frame.dead) {
            return;
        }
        let Some(params) = self.module.func_type(function).map(|ty| ty.params().len()) else { return };
        let argument = |given: Given| match given {
            Given::Const(value) => Some(Given::Const(value)),
            Given::Param(index) => {
                let below = params.checked_sub(index as usize)?;
                match self.stack.get(self.stack.len().checked_sub(below)?)? {
                    Value::Const(value) => Some(Given::Const(*value)),
                    Value::Param(index) => Some(Given::Param(*index)),
                    Value::Unknown => None,
                }
            }
        };
        let Some(at) = argument(sink.at) else { return };
        let len = match sink.len.map(argument) {
            Some(None) => return,
            Some(len) => len,
            None => None,
        };
        let name = match (at, len) {
            (Given::Const(at), None) => self.module.image.c_string(at, super::NAME_BYTES_MAX),
            (Given::Const(at), Some(Given::Const(len))) => self.module.image.bytes(at, len),
            // What reads a setting only in some cases may read something else in others.
            _ if self.branched => None,
            _ => {
                self.passes_on = Some(Sink { kind: sink.kind, at, len });
                None
            }
        };
        if let Some(name) = name {
            found(sink.kind, name);
        }
    }

    /// Takes one step. `None` where the walk cannot go on.
    fn step(&mut self, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::I32Const { value } => self.stack.push(Value::Const(value.cast_unsigned())),
            Operator::LocalGet { local_index } => self.stack.push(self.local(*local_index)),
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.locals.insert(*local_index, (value, self.piece));
            }
            Operator::LocalTee { local_index } => {
                let value = self.stack.last().copied().unwrap_or(Value::Unknown);
                self.locals.insert(*local_index, (value, self.piece));
            }
            Operator::I32Add => {
                let (right, left) = (self.pop(), self.pop());
                self.stack.push(match (left, right) {
                    (Value::Const(left), Value::Const(right)) => Value::Const(left.wrapping_add(right)),
                    _ => Value::Unknown,
                });
            }
            Operator::Call { function_index } => {
                let ty = self.module.func_type(*function_index)?;
                self.replace(ty.params().len(), ty.results().len());
            }
            Operator::CallIndirect { type_index, .. } => {
                let ty = self.module.types.get(*type_index as usize)?.as_ref()?;
                self.replace(1 + ty.params().len(), ty.results().len());
            }
            Operator::Block { blockty } => self.open(*blockty, false)?,
            Operator::Loop { blockty } => {
                self.join();
                self.open(*blockty, true)?;
            }
            Operator::If { blockty } => {
                self.pop();
                self.branched = true;
                self.open(*blockty, false)?;
            }
            Operator::Else => {
                self.join();
                self.branched = true;
                let above = self.frames.len().checked_sub(2)?;
                let dead = self.frames.get(above)?.dead;
                let frame = self.frames.last_mut()?;
                frame.dead = dead;
                // A block's parameters are not known here any more.
                self.stack.truncate(frame.height);
            }
            Operator::End => self.close()?,
            Operator::BrIf { .. } => {
                self.pop();
                self.branched = true;
            }
            Operator::Br { .. } | Operator::BrTable { .. } | Operator::Return | Operator::Unreachable => {
                self.branched = true;
                let frame = self.frames.last_mut()?;
                frame.dead = true;
                self.stack.truncate(frame.height);
            }
            other => {
                let (takes, gives) = other.operator_arity(&Fixed)?;
                self.replace(takes as usize, gives as usize);
            }
        }
        Some(())
    }

    fn local(&self, index: u32) -> Value {
        match (self.params.get(index as usize), self.locals.get(&index)) {
            (Some(Param::Kept), _) => Value::Param(index),
            (_, Some((value, piece))) if *piece == self.piece => *value,
            (Some(Param::Assigned), None) if self.piece == 0 => Value::Param(index),
            _ => Value::Unknown,
        }
    }

    fn pop(&mut self) -> Value {
        let height = self.frames.last().map_or(0, |frame| frame.height);
        // Code that is never reached may take what nobody gave.
        if self.stack.len() > height { self.stack.pop().unwrap_or(Value::Unknown) } else { Value::Unknown }
    }

    fn replace(&mut self, takes: usize, gives: usize) {
        self.moved = self.moved.saturating_add((takes + gives) as u64);
        for _ in 0..takes {
            self.pop();
        }
        self.stack.extend(std::iter::repeat_n(Value::Unknown, gives));
    }

    fn open(&mut self, ty: BlockType, is_loop: bool) -> Option<()> {
        let (params, results) = match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => {
                let ty = self.module.types.get(index as usize)?.as_ref()?;
                (ty.params().len(), ty.results().len())
            }
        };
        if is_loop {
            // They are others when the loop comes round.
            self.replace(params, params);
        }
        let around = self.frames.last()?;
        // Code that is never reached may lack the block's parameters.
        let height = self.stack.len().saturating_sub(params).max(around.height);
        self.frames.push(Frame { height, results, dead: around.dead });
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        self.join();
        let frame = self.frames.pop()?;
        self.stack.truncate(frame.height);
        self.replace(0, frame.results);
        Some(())
    }

    /// Ways through the code come together: what was assigned on one of them is not known.
    fn join(&mut self) {
        self.piece += 1;
    }
}

/// Instructions that take and give the same number of values in every module.
struct Fixed;

impl ModuleArity for Fixed {
    fn sub_type_at(&self, _: u32) -> Option<&wasmparser::SubType> {
        None
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }

    fn func_type_of_cont_type(&self, _: &wasmparser::ContType) -> Option<&wasmparser::FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &wasmparser::RefType) -> Option<&wasmparser::SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, wasmparser::FrameKind)> {
        None
    }
}
