//! wasmer as it comes: its default compiler settings and memories, no metering, the imports by hand.

use std::hint::black_box;

use wasmer::{
    Engine, Function, FunctionEnv, FunctionEnvMut, Instance, Memory, Module, RuntimeError, Store, imports,
};

use super::must;

pub(super) fn subject(wasm: &[u8]) -> anyhow::Result<Box<dyn Fn() + Sync>> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    run(&engine, &module)?;
    Ok(Box::new(move || must(run(&engine, &module))))
}

fn run(engine: &Engine, module: &Module) -> anyhow::Result<()> {
    let mut store = Store::new(engine.clone());
    let env = FunctionEnv::new(&mut store, None::<Memory>);
    let imports = imports! {
        "cwa" => {
            "io_get_stdout" => Function::new_typed(&mut store, || 1_i32),
            "resource_write" => Function::new_typed_with_env(&mut store, &env, write),
            "log_write" => Function::new_typed_with_env(&mut store, &env, log),
        },
    };
    let instance = Instance::new(&mut store, module, &imports)?;
    *env.as_mut(&mut store) = Some(instance.exports.get_memory("memory")?.clone());
    instance.exports.get_function("_start")?.call(&mut store, &[])?;
    Ok(())
}

fn write(env: FunctionEnvMut<'_, Option<Memory>>, _: i32, at: i32, length: i32) -> Result<i32, RuntimeError> {
    log(env, 0, at, length)?;
    Ok(length)
}

fn log(
    mut env: FunctionEnvMut<'_, Option<Memory>>,
    _: i32,
    at: i32,
    length: i32,
) -> Result<(), RuntimeError> {
    let (memory, store) = env.data_and_store_mut();
    let memory = memory.as_ref().ok_or_else(|| RuntimeError::new("no memory"))?;
    let mut text = vec![0; length as usize];
    memory.view(&store).read(at as u64, &mut text)?;
    black_box(text);
    Ok(())
}
