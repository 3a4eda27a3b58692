//! Compiling where it can do no harm: in a child process with a budget of its own.
//!
//! A module is a stranger's input to a large program, the compiler. One that needs too much time or
//! memory, or makes the compiler fail, costs its owner a refusal and nobody else anything.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use wasmcloud_wire::{Limits, Refusal};

use crate::program::compile;

/// The argument by which a program knows that it is to be [`compile_child`].
pub const COMPILE_COMMAND: &str = "compile-module";

/// Wall time that compiling one module may take, on a machine that has more to do.
const WALL_MAX: Duration = Duration::from_secs(150);
/// CPU time of the first try, in seconds, and its wall time.
const QUICK_CPU_S: u64 = 3;
const QUICK_WALL_MAX: Duration = Duration::from_secs(15);
/// Largest artifact that is taken from a child.
const ARTIFACT_BYTES_MAX: u64 = 1 << 30;
/// How much a child lets others go first, at its first try and at its second.
const QUICK_NICENESS: i32 = 10;
const LONG_NICENESS: i32 = 19;
/// The exit code of a child whose standard output is a [`Refusal`].
const REFUSED: u8 = 3;

/// What compiling one module may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileBudget {
    /// CPU time, in seconds, of all of the compiler's threads together.
    pub cpu_s: u64,
    /// Address space, in bytes.
    pub memory_bytes: u64,
}

impl Default for CompileBudget {
    fn default() -> CompileBudget {
        CompileBudget { cpu_s: 60, memory_bytes: 2 << 30 }
    }
}

/// What a child is told before it gets the module.
#[derive(Serialize, Deserialize)]
struct Order {
    budget: CompileBudget,
    niceness: i32,
    limits: Limits,
    count_gas: bool,
}

/// Where modules are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this very process: for one's own modules.
    Here,
    /// In a child process of this program, called with [`COMPILE_COMMAND`], within this budget.
    Child(PathBuf, CompileBudget),
}

/// Most modules are compiled within a second. How long one takes shows only when it is tried, so every
/// one is tried for a short time first; one that needs longer is tried again among its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    /// For a short time.
    Quick,
    /// For as long as the budget says.
    Long,
}

/// Why there is no artifact.
pub(crate) enum CompileError {
    /// It takes longer than [`Try::Quick`] lasts.
    TakesLong,
    /// The module is at fault.
    Refused(Refusal),
    /// The machine is.
    Failed(String),
}

impl Compiler {
    /// Compiles a module, in a child within the budget.
    pub(crate) async fn compile(
        &self,
        module: &Bytes,
        limits: &Limits,
        count_gas: bool,
        which: Try,
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::Here => {
                let (module, limits) = (module.clone(), limits.clone());
                match tokio::task::spawn_blocking(move || compile(&module, &limits, count_gas)).await {
                    Ok(compiled) => compiled.map_err(CompileError::Refused),
                    Err(error) => Err(CompileError::Failed(error.to_string())),
                }
            }
            Compiler::Child(program, budget) => {
                let is_last = which == Try::Long || budget.cpu_s <= QUICK_CPU_S;
                let (budget_now, wall_max, niceness) = match which {
                    Try::Long => (*budget, WALL_MAX, LONG_NICENESS),
                    Try::Quick if is_last => (*budget, WALL_MAX, QUICK_NICENESS),
                    Try::Quick => {
                        (CompileBudget { cpu_s: QUICK_CPU_S, ..*budget }, QUICK_WALL_MAX, QUICK_NICENESS)
                    }
                };
                let order = Order { budget: budget_now, niceness, limits: limits.clone(), count_gas };
                let child = tokio::time::timeout(wall_max, in_child(program, order, module, *budget)).await;
                match child.unwrap_or(Err(CompileError::TakesLong)) {
                    Err(CompileError::TakesLong) if is_last => Err(over_budget("time", *budget)),
                    compiled => compiled,
                }
            }
        }
    }
}

/// `whole` is the budget that a refusal names, of which this may be a part.
async fn in_child(
    program: &Path,
    order: Order,
    module: &[u8],
    whole: CompileBudget,
) -> Result<Vec<u8>, CompileError> {
    let failed =
        |error: &dyn std::fmt::Display| CompileError::Failed(format!("the compiler's process: {error}"));
    let mut child = Command::new(program)
        .arg0("wasmcloud")
        .arg(COMPILE_COMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed(&"no pipes"));
    };
    let header = serde_json::to_vec(&order).map_err(|error| failed(&error))?;
    let sending = async {
        // A child that ends early does not read on; its status says why.
        let length = u32::try_from(header.len()).unwrap_or(0).to_le_bytes();
        for bytes in [length.as_slice(), &header, module] {
            if stdin.write_all(bytes).await.is_err() {
                break;
            }
        }
        drop(stdin);
    };
    let mut output = Vec::new();
    let mut bounded = stdout.take(ARTIFACT_BYTES_MAX);
    let ((), read) = tokio::join!(sending, bounded.read_to_end(&mut output));
    read.map_err(|error| failed(&error))?;
    let status = child.wait().await.map_err(|error| failed(&error))?;
    judge(status, output, whole)
}

fn judge(status: ExitStatus, output: Vec<u8>, budget: CompileBudget) -> Result<Vec<u8>, CompileError> {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
        (Some(0), _) => Ok(output),
        (Some(code), _) if code == i32::from(REFUSED) => match serde_json::from_slice(&output) {
            Ok(refusal) => Err(CompileError::Refused(refusal)),
            Err(error) => Err(CompileError::Failed(format!("the compiler's refusal is unreadable: {error}"))),
        },
        (_, Some(Signal::XCPU | Signal::KILL)) => Err(CompileError::TakesLong),
        // Whoever gets no memory aborts.
        (_, Some(Signal::ABORT)) => Err(over_budget("memory", budget)),
        _ => Err(CompileError::Refused(Refusal::new(
            "compile_failed",
            format!("the compiler failed on this module ({status})"),
            "build the module with another version of its compiler, or report it to the server's operator",
        ))),
    }
}

fn over_budget(what: &str, budget: CompileBudget) -> CompileError {
    let CompileBudget { cpu_s, memory_bytes } = budget;
    CompileError::Refused(Refusal::new(
        "compile_limit",
        format!(
            "compiling the module needs too much {what}: the limits are {cpu_s} s of CPU time and {memory_bytes} bytes \
             of memory"
        ),
        "make its functions smaller, and their number",
    ))
}

/// The child's whole life: takes limits and a module on standard input, gives an artifact or a
/// refusal on standard output.
pub fn compile_child() -> ExitCode {
    match try_compile_child() {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn try_compile_child() -> std::io::Result<ExitCode> {
    let mut stdin = std::io::stdin().lock();
    let mut length = [0; 4];
    stdin.read_exact(&mut length)?;
    let mut header = Vec::new();
    stdin.by_ref().take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut header)?;
    let Order { budget, niceness, limits, count_gas } = serde_json::from_slice(&header)?;
    keep_within(budget, niceness)?;
    let mut module = Vec::new();
    stdin.read_to_end(&mut module)?;
    let (code, output) = match compile(&module, &limits, count_gas) {
        Ok(artifact) => (ExitCode::SUCCESS, artifact),
        Err(refusal) => (ExitCode::from(REFUSED), serde_json::to_vec(&refusal)?),
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&output)?;
    stdout.flush()?;
    Ok(code)
}

/// Sets the budget before anything of the stranger's is read. It cannot be raised again.
fn keep_within(budget: CompileBudget, niceness: i32) -> std::io::Result<()> {
    let limit = |number| Rlimit { current: Some(number), maximum: Some(number) };
    setrlimit(Resource::Cpu, limit(budget.cpu_s))?;
    setrlimit(Resource::As, limit(budget.memory_bytes))?;
    setrlimit(Resource::Core, limit(0))?;
    setrlimit(Resource::Fsize, limit(0))?;
    nice(niceness)?;
    // A child whose server is gone works for nobody.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}
