//! One compiled module, ready to be instantiated any number of times.

use std::sync::{Arc, Mutex};

use wasmcloud_wire::{Abi, Inspection, Limits, Refusal};
use wasmer::sys::{Cranelift, EngineBuilder, Features, NativeEngineExt, Target};
use wasmer::{
    Engine, Extern, ExternType, Function, FunctionType, ImportType, Instance, InstantiationError, Module,
    Store,
};

use super::host_exports::{self, Kept};
use super::pool::{Contents, Image, Origin, Pool, Segment};
use super::tunables::{Bounded, Bounds, styles};
use super::{Fuse, MEMORY, bulk_cost, metering};

/// A compiled module and what its host has to provide.
pub struct OlinProgram {
    /// What the module is and asks for.
    pub inspection: Inspection,
    pub(crate) module: Module,
    /// Keeps the code; stores have another, see [`STORES`].
    engine: Engine,
    origin: Arc<Origin>,
    /// How many bytes its image has.
    image_bytes: usize,
    /// Which of an instance's own globals is its count of gas.
    count_index: usize,
    /// The module's imports in its own order.
    pub(crate) imports: Vec<Needed>,
}

/// An import.
pub(crate) struct Needed {
    /// Its name, the same text for every module.
    pub(crate) name: &'static str,
    /// The type under which the module asks for it.
    pub(crate) ty: FunctionType,
}

thread_local! {
    /// What stores are made with: an engine without any code. Stores change its counters and take its lock for
    /// each import; in a program's own engine, threads that run the same program would wait for one another.
    static STORES: Engine = <Engine as NativeEngineExt>::headless();
}

/// The features that the compiler accepts: the same that inspection allows.
fn features() -> Features {
    let mut features = Features::none();
    features.reference_types(true).simd(true).bulk_memory(true).multi_value(true).extended_const(true);
    features
}

/// A text that differs whenever artifacts of another build, machine or setting must not be loaded.
pub(crate) fn artifact_key() -> String {
    let target = Target::default();
    let mut cpu: Vec<String> = target.cpu_features().iter().map(|feature| format!("{feature:?}")).collect();
    cpu.sort();
    format!(
        "wasmcloud {} wasmer 7.3.0 cranelift nan-canonical gas-2 exports-3 memory-2 {} {}",
        env!("CARGO_PKG_VERSION"),
        target.triple(),
        cpu.join("+")
    )
}

/// An engine that compiles, as every module here is compiled.
pub(super) fn compiling_engine(kept: Kept) -> Engine {
    let mut compiler = Cranelift::default();
    // The same bits of NaN on every machine, so that a run is the same everywhere.
    compiler.canonicalize_nans(true);
    metering::install(&mut compiler);
    bulk_cost::install(&mut compiler);
    host_exports::install(&mut compiler, kept);
    let mut engine: Engine = EngineBuilder::new(compiler).set_features(Some(features())).engine().into();
    engine.set_tunables(styles());
    engine
}

/// Compiles a module that was inspected. Takes as long as the module is large: call it where blocking is allowed.
///
/// # Errors
///
/// What the compiler cannot compile.
pub(crate) fn compile(bytes: &[u8], inspection: &Inspection) -> Result<Vec<u8>, Refusal> {
    compile_keeping(bytes, Kept::Entry(wasmcloud_inspect::entry(inspection.abi)))
}

/// The same of a module that was inspected, with these of its exports.
pub(super) fn compile_keeping(bytes: &[u8], kept: Kept) -> Result<Vec<u8>, Refusal> {
    let engine = compiling_engine(kept);
    let failed = |error: &dyn std::fmt::Display| {
        Refusal::new(
            "compile_failed",
            format!("the module could not be compiled: {error}"),
            "make its functions smaller; if it comes from a common compiler, report it to the server's operator",
        )
    };
    let module = Module::new(&engine, bytes).map_err(|error| failed(&error))?;
    module.serialize().map(|artifact| artifact.to_vec()).map_err(|error| failed(&error))
}

impl OlinProgram {
    /// Loads what [`compile`] made.
    ///
    /// # Errors
    ///
    /// A text for the log if the artifact is not what this engine writes.
    pub(crate) fn load(
        artifact: &crate::programs::Verified,
        inspection: Inspection,
        pool: &Arc<Pool>,
    ) -> Result<OlinProgram, String> {
        // One engine a module: an engine keeps the code of every module that it ever loaded.
        let engine = <Engine as NativeEngineExt>::headless();
        // SAFETY: `Verified` can only be made of bytes that `compile` returned in this process or
        // that carry this installation's authentication code for exactly this engine and module.
        #[expect(unsafe_code, reason = "loading machine code cannot be safe by itself")]
        let module =
            unsafe { Module::deserialize(&engine, artifact.bytes()) }.map_err(|error| error.to_string())?;
        let abi = inspection.abi;
        let imports = module.imports().map(|import| needed(abi, &import)).collect::<Option<Vec<Needed>>>();
        let imports = imports.ok_or_else(|| "an import that the table does not have".to_owned())?;
        let count_index = metering::count_index(module.info());
        let count_index = count_index.ok_or_else(|| "no count of gas".to_owned())?;
        let recorded = Arc::default();
        let origin = Origin::new(pool.clone(), Contents::Recorded(Arc::clone(&recorded)));
        let program =
            OlinProgram { inspection, module, engine, origin, image_bytes: 0, count_index, imports };
        let image = program.image(pool, &recorded)?;
        let image_bytes = image.as_ref().map_or(0, |image| image.bytes());
        Ok(OlinProgram { origin: Origin::new(pool.clone(), Contents::Known(image)), image_bytes, ..program })
    }

    /// What an instance's memory holds before its program runs, while its origin notes the segments that are
    /// written. Nothing of the program runs here.
    fn image(&self, pool: &Pool, segments: &Mutex<Vec<Segment>>) -> Result<Option<Arc<Image>>, String> {
        let info = self.module.info();
        // As small as it can be: inspection has checked what the program begins with.
        let bounds = Bounds {
            memory_pages: info.memories.values().map(|memory| memory.minimum.0).max().unwrap_or(0),
            table_elements: info.tables.values().map(|table| table.minimum).max().unwrap_or(0),
        };
        let mut store = Store::new(self.engine_with(bounds, &Arc::default()));
        let unused: Vec<Extern> = self
            .imports
            .iter()
            .map(|needed| Function::new(&mut store, &needed.ty, |_| Ok(Vec::new())).into())
            .collect();
        match Instance::new_by_index(&mut store, &self.module, &unused) {
            Ok(instance) => {
                let Ok(memory) = instance.exports.get_memory(MEMORY) else { return Ok(None) };
                let image = pool.image(&memory.view(&store), segments);
                image.map_err(|error| format!("no memory for the program's data: {error}"))
            }
            // Data or elements that do not fit: every run will say so.
            Err(InstantiationError::Start(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How many bytes of memory the program's data take, besides its code.
    pub(crate) fn image_bytes(&self) -> usize {
        self.image_bytes
    }

    /// An engine for one instance with these bounds, which the fuse stops.
    pub(crate) fn bounded_engine(&self, limits: &Limits, fuse: &Arc<Fuse>) -> Engine {
        let bounds = Bounds { memory_pages: limits.memory_pages(), table_elements: limits.table_elements };
        self.engine_with(bounds, fuse)
    }

    fn engine_with(&self, bounds: Bounds, fuse: &Arc<Fuse>) -> Engine {
        let mut engine = STORES.try_with(Engine::clone).unwrap_or_else(|_| self.engine.clone());
        engine.set_tunables(Bounded::new(bounds, self.origin.clone(), fuse.clone(), self.count_index));
        engine
    }
}

/// The function that an import asks for, by the ABI's table.
fn needed(abi: Abi, import: &ImportType) -> Option<Needed> {
    let ExternType::Function(ty) = import.ty() else { return None };
    let name = match abi {
        Abi::Olin => olin::abi::import(import.name())?.name,
        Abi::Dagger => olin::abi::dagger::function(import.name())?.name,
        Abi::H => olin::abi::h::FUNCTION,
        _ => return None,
    };
    Some(Needed { name, ty: ty.clone() })
}
