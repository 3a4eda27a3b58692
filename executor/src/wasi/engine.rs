//! wasmtime as it is set up here, and the clock that interrupts its guests.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmcloud_wire::Abi;
use wasmcloud_wire::limits::CONCURRENCY_PER_EXECUTOR_MAX;
use wasmtime::component::Linker as ComponentLinker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Linker, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use super::link;
use super::state::{ComponentState, ModuleState};

/// How often a guest is asked whether it may go on; between two questions nobody else runs on its thread.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// So many ticks without a guest, and the clock sleeps until the next one.
const IDLE_TICKS: u32 = 500;
/// Asleep, it still looks now and then whether there are engines at all.
const ASLEEP_MAX: Duration = Duration::from_secs(10);

/// Stack of a guest's own code.
const GUEST_STACK_BYTES: usize = 1 << 20;
/// The whole stack of a guest: its own, and that of the host's functions which it calls.
const STACK_BYTES: usize = GUEST_STACK_BYTES + (512 << 10);
/// So much of a stack is zeroed by writing to it; beyond, pages are given back.
const STACK_KEPT_BYTES: usize = 32 << 10;
/// Memory that a slot keeps from one guest to the next, zeroed where it was written to.
const MEMORY_KEPT_BYTES: usize = 2 << 20;
/// The same of a table.
const TABLE_KEPT_BYTES: usize = 64 << 10;
/// Most memories, tables and core instances of one component. The pool has room for so many of every guest at
/// once: what one takes, no other misses.
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 32;
const INSTANCES_MAX: u32 = 64;
/// Elements of one table that the pool has room for; the invocation's own limit is usually less.
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Guests at once that the pool has room for: a few may still be on their way out.
const GUESTS_MAX: u32 = CONCURRENCY_PER_EXECUTOR_MAX as u32 + 64;
/// Most frames of a backtrace.
const FRAMES_MAX: usize = 32;

/// How a program was compiled, besides what all have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    /// CPU time is measured, instructions are not.
    Timed,
    /// Every instruction is counted as well: slower, and asked for.
    Counted,
    /// Timed, with the asynchronous component model of WASI 0.3.
    Async,
    /// Counted, with the asynchronous component model of WASI 0.3.
    AsyncCounted,
}

impl Variant {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Variant; 4] =
        [Variant::Timed, Variant::Counted, Variant::Async, Variant::AsyncCounted];

    /// How a program is to be compiled.
    pub(crate) fn of(abi: Abi, count_gas: bool) -> Variant {
        match (abi, count_gas) {
            (Abi::WasiHttp3, false) => Variant::Async,
            (Abi::WasiHttp3, true) => Variant::AsyncCounted,
            (_, false) => Variant::Timed,
            (_, true) => Variant::Counted,
        }
    }

    pub(crate) fn counts(self) -> bool {
        matches!(self, Variant::Counted | Variant::AsyncCounted)
    }

    pub(crate) fn is_async(self) -> bool {
        matches!(self, Variant::Async | Variant::AsyncCounted)
    }
}

/// What code is compiled for: the same where it is compiled and where it runs.
fn config(variant: Variant) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(variant.is_async())
        .concurrency_support(variant.is_async())
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .consume_fuel(variant.counts())
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        .async_stack_zeroing(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX))
        .generate_address_map(true)
        // Lines of the source would have to be looked up in debug information of a stranger's making, of any size,
        // while others wait.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true);
    config
}

/// An engine that only compiles. It needs no room for guests.
///
/// # Errors
///
/// This machine is none that the engine knows.
pub(crate) fn compiling(variant: Variant) -> wasmtime::Result<Engine> {
    Engine::new(&config(variant))
}

/// An engine that runs guests, with a pool of what they need.
fn running(variant: Variant, memory_bytes_max: u64) -> wasmtime::Result<Linked> {
    let memory_bytes = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX).min(4 << 30);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(GUESTS_MAX)
        .total_core_instances(GUESTS_MAX * INSTANCES_MAX)
        .total_memories(GUESTS_MAX * MEMORIES_MAX)
        .total_tables(GUESTS_MAX * TABLES_MAX)
        .total_stacks(GUESTS_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(1)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_core_instances_per_component(INSTANCES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(memory_bytes)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(TABLE_KEPT_BYTES)
        .async_stack_keep_resident(STACK_KEPT_BYTES)
        .max_unused_warm_slots(GUESTS_MAX)
        .pagemap_scan(Enabled::Auto);
    let mut config = config(variant);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let (modules, components) = (link::modules(&engine)?, link::components(&engine, variant)?);
    Ok(Linked { engine, modules, components })
}

/// A text that differs whenever artifacts of another build, machine or setting must not be loaded. The engine
/// itself refuses artifacts of another version, other settings and other CPU features.
pub(crate) fn artifact_key(variant: Variant) -> String {
    format!("wasmcloud {} wasmtime 48.0.8 wasi-2 {variant:?}", env!("CARGO_PKG_VERSION"))
}

/// An engine, and what its guests can import.
pub(crate) struct Linked {
    pub(super) engine: Engine,
    pub(super) modules: Linker<ModuleState>,
    pub(super) components: ComponentLinker<ComponentState>,
}

/// The engines of an executor, each made when it is first needed, and the clock that interrupts their guests.
pub(crate) struct Engines(Arc<Inner>);

struct Inner {
    memory_bytes_max: u64,
    linked: [OnceLock<Arc<Linked>>; 4],
    running: AtomicUsize,
    clock: OnceLock<Thread>,
    /// Whether the clock sleeps until there is a guest again.
    asleep: AtomicBool,
}

/// Keeps the clock going while a guest runs.
pub(crate) struct Running(Arc<Inner>);

impl Engines {
    /// Guests of these engines have at most so much memory.
    pub(crate) fn new(memory_bytes_max: u64) -> Engines {
        Engines(Arc::new(Inner {
            memory_bytes_max,
            linked: Default::default(),
            running: AtomicUsize::new(0),
            clock: OnceLock::new(),
            asleep: AtomicBool::new(false),
        }))
    }

    /// The engine for programs that were compiled in this way.
    ///
    /// # Errors
    ///
    /// The system has no room for the pool, or no thread for the clock.
    pub(crate) fn get(&self, variant: Variant) -> Result<Arc<Linked>, String> {
        let Some(place) = self.0.linked.get(variant as usize) else {
            return Err("no such engine".to_owned());
        };
        if let Some(linked) = place.get() {
            return Ok(linked.clone());
        }
        let linked = running(variant, self.0.memory_bytes_max).map_err(|error| format!("{error:#}"))?;
        if self.0.clock.get().is_none() {
            let clock = start_clock(&self.0).map_err(|error| error.to_string())?;
            // Two clocks, if another thread did the same just now, do no harm.
            let _ = self.0.clock.set(clock);
        }
        // Another thread may have been faster; its engine is as good.
        Ok(place.get_or_init(|| Arc::new(linked)).clone())
    }

    /// Says that a guest runs, until the result is dropped.
    pub(crate) fn running(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        if self.0.asleep.swap(false, Ordering::SeqCst)
            && let Some(clock) = self.0.clock.get()
        {
            clock.unpark();
        }
        Running(self.0.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    fn tick(&self) {
        for linked in self.linked.iter().filter_map(OnceLock::get) {
            linked.engine.increment_epoch();
        }
    }

    /// How long the clock may sleep after so many ticks without a guest.
    fn pause(&self, idle: u32) -> Duration {
        if idle < IDLE_TICKS {
            return TICK;
        }
        self.asleep.store(true, Ordering::SeqCst);
        // A guest that came in between did not see that it has to wake the clock.
        if self.running.load(Ordering::SeqCst) > 0 { TICK } else { ASLEEP_MAX }
    }
}

/// A thread that counts the engines' epochs on while guests run, and ends with the engines.
fn start_clock(engines: &Arc<Inner>) -> std::io::Result<Thread> {
    let engines: Weak<Inner> = Arc::downgrade(engines);
    let clock = thread::Builder::new().name("wasi-clock".to_owned()).spawn(move || {
        let mut idle: u32 = 0;
        while let Some(inner) = engines.upgrade() {
            inner.tick();
            idle = if inner.running.load(Ordering::SeqCst) == 0 { idle.saturating_add(1) } else { 0 };
            let pause = inner.pause(idle);
            drop(inner);
            thread::park_timeout(pause);
        }
    })?;
    Ok(clock.thread().clone())
}
