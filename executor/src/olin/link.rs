//! From the table of imports to functions that a guest can call.

use wasmcloud_wire::Abi;
use wasmer::{AsStoreMut, Extern, Function, FunctionEnv, FunctionEnvMut, WasmTypeList};

use super::memory::GuestMemory;
use super::{Host, State, dagger, env, h, io, log, random, resource, runtime, startup, time};
use crate::engine::OlinProgram;
use crate::guest::Stop;

/// Every function that a program imports, in its own order. `None` if one is not provided, which
/// inspection has made sure of.
pub(crate) fn link(
    store: &mut impl AsStoreMut,
    env: &FunctionEnv<State>,
    program: &OlinProgram,
) -> Option<Vec<Extern>> {
    let functions = program.imports.iter().map(|needed| match program.inspection.abi {
        Abi::Olin => function(store, env, needed.name, !needed.ty.results().is_empty()),
        Abi::Dagger => dagger::function(store, env, needed),
        Abi::H => Some(take1(store, env, needed.name, h::print)),
        _ => None,
    });
    functions.map(|function| function.map(Extern::Function)).collect()
}

/// Finds what a host function works on and counts the call.
pub(crate) fn enter<R>(
    mut ctx: FunctionEnvMut<'_, State>,
    name: &'static str,
    call: impl FnOnce(&mut Host<'_>) -> Result<R, Stop>,
) -> Result<R, Stop> {
    let (state, store) = ctx.data_and_store_mut();
    let memory = state.memory.clone();
    let session = state.session.as_mut().ok_or(Stop::Killed)?;
    // A guest that is being killed begins nothing new.
    if session.watch.reason().is_some() {
        return Err(Stop::Killed);
    }
    *session.used.host_calls.entry(name).or_insert(0) += 1;
    call(&mut Host {
        session,
        resources: &mut state.resources,
        descriptors: &mut state.descriptors,
        memory: GuestMemory::new(memory.as_ref().map(|memory| memory.view(&store))),
    })
}

macro_rules! adaptors {
    ($($adaptor:ident ( $($arg:ident),* );)*) => {$(
        /// A host function as an import; every argument is an `i32`.
        fn $adaptor<R: WasmTypeList + 'static>(
            store: &mut impl AsStoreMut,
            env: &FunctionEnv<State>,
            name: &'static str,
            call: fn(&mut Host<'_>, $(adaptors!(@i32 $arg)),*) -> Result<R, Stop>,
        ) -> Function {
            let host_function = move |ctx: FunctionEnvMut<'_, State>, $($arg: i32),*| -> Result<R, Stop> {
                enter(ctx, name, |host| call(host, $($arg),*))
            };
            Function::new_typed_with_env(store, env, host_function)
        }
    )*};
    (@i32 $arg:ident) => { i32 };
}

adaptors! {
    take0();
    take1(a);
    take2(a, b);
    take3(a, b, c);
    take4(a, b, c, d);
}

fn function(
    store: &mut impl AsStoreMut,
    env: &FunctionEnv<State>,
    name: &'static str,
    has_result: bool,
) -> Option<Function> {
    Some(match name {
        "env_get" => take4(store, env, name, env::get),
        "io_get_stdin" => take0(store, env, name, io::stdin),
        "io_get_stdout" => take0(store, env, name, io::stdout),
        "io_get_stderr" => take0(store, env, name, io::stderr),
        "log_write" => take3(store, env, name, log::write),
        "random_i32" | "random_u32" => take0(store, env, name, random::i32),
        "random_i64" | "random_u64" => take0(store, env, name, random::i64),
        "resource_open" => take2(store, env, name, resource::open),
        "resource_read" => take3(store, env, name, resource::read),
        "resource_write" => take3(store, env, name, resource::write),
        "resource_flush" => take1(store, env, name, resource::flush),
        "resource_close" if has_result => take1(store, env, name, resource::close),
        "resource_close" => take1(store, env, name, resource::close_unit),
        "runtime_exit" => take1(store, env, name, runtime::exit),
        "runtime_spec_major" => take0(store, env, name, runtime::spec_major),
        "runtime_spec_minor" => take0(store, env, name, runtime::spec_minor),
        "runtime_name" => take2(store, env, name, runtime::name),
        "runtime_msleep" => take1(store, env, name, runtime::msleep),
        "startup_arg_len" => take0(store, env, name, startup::arg_len),
        "startup_arg_at" => take3(store, env, name, startup::arg_at),
        "time_now" => take0(store, env, name, time::now),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use olin::abi::{IMPORTS, ValType};
    use wasmer::{Store, Type};

    use super::super::resource::Resources;
    use super::*;

    #[test]
    fn every_row_of_the_table_is_linked_with_each_of_its_types() {
        let mut store = Store::new(<wasmer::Engine as wasmer::sys::NativeEngineExt>::headless());
        let state = State {
            memory: None,
            session: None,
            resources: Resources::default(),
            descriptors: Default::default(),
        };
        let env = FunctionEnv::new(&mut store, state);
        let lower = |types: &[ValType]| -> Vec<Type> {
            types.iter().map(|ty| if *ty == ValType::I32 { Type::I32 } else { Type::I64 }).collect()
        };
        for import in IMPORTS {
            for signature in import.signatures {
                let has_result = !signature.results.is_empty();
                let function = function(&mut store, &env, import.name, has_result)
                    .unwrap_or_else(|| panic!("{} is not linked", import.name));
                let ty = function.ty(&store);
                assert_eq!(ty.params(), lower(signature.params), "{}", import.name);
                assert_eq!(ty.results(), lower(signature.results), "{}", import.name);
            }
        }
    }
}
