//! wasmtime with its pooling allocator, copy-on-write images, and pages kept that were found present. No
//! metering, no epochs, the imports by hand.

use std::hint::black_box;

use wasmtime::{
    Caller, Config, Enabled, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store,
};

use super::must;

/// Instances at once: more than threads that are measured.
const INSTANCES_MAX: u32 = 100;
/// Largest memory: what a handler may have by default.
const MEMORY_BYTES_MAX: usize = 128 << 20;
/// What stays resident of a memory between two instances.
const KEEP_RESIDENT_BYTES: usize = 2 << 20;

pub(super) fn subject(wasm: &[u8]) -> anyhow::Result<Box<dyn Fn() + Sync>> {
    let engine = engine().map_err(anyhow::Error::msg)?;
    let prepared = prepare(&engine, wasm).map_err(anyhow::Error::msg)?;
    Ok(Box::new(move || must(run(&engine, &prepared))))
}

fn engine() -> Result<Engine, String> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).memory_init_cow(true);
    Engine::new(&config).map_err(|error| format!("{error:#}"))
}

fn prepare(engine: &Engine, wasm: &[u8]) -> Result<InstancePre<()>, String> {
    let linked = || {
        let mut linker = Linker::new(engine);
        linker.func_wrap("cwa", "io_get_stdout", || 1_i32)?;
        linker.func_wrap("cwa", "resource_write", write)?;
        linker.func_wrap("cwa", "log_write", log)?;
        linker.instantiate_pre(&Module::new(engine, wasm)?)
    };
    linked().map_err(|error| format!("{error:#}"))
}

fn run(engine: &Engine, prepared: &InstancePre<()>) -> wasmtime::Result<()> {
    let mut store = Store::new(engine, ());
    let instance = prepared.instantiate(&mut store)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

fn write(caller: Caller<'_, ()>, _: i32, at: i32, length: i32) -> wasmtime::Result<i32> {
    log(caller, 0, at, length)?;
    Ok(length)
}

fn log(mut caller: Caller<'_, ()>, _: i32, at: i32, length: i32) -> wasmtime::Result<()> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("no memory"))?;
    let mut text = vec![0; length as usize];
    memory.read(&caller, at as usize, &mut text)?;
    black_box(text);
    Ok(())
}
