//! One compiled program of the WASI family, ready to be instantiated any number of times.

use std::path::Path;
use std::sync::Arc;

use wasmcloud_wire::{Abi, Digest, Inspection, Refusal};
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::engine::{Engines, Linked, Variant, compiling};
use super::files::Files;
use super::link;
use super::state::{ComponentState, ModuleState};
use super::trust::Trust;
use crate::programs::Verified;

/// A program of the WASI family.
pub(crate) struct WasiProgram {
    pub(crate) inspection: Inspection,
    pub(super) entry: Entry,
    pub(super) variant: Variant,
    pub(super) engine: Engine,
    pub(super) engines: Arc<Engines>,
    pub(super) files: Option<Files>,
    /// Whether it may run among others.
    pub(crate) trust: Arc<Trust>,
}

/// Where a program begins, with everything linked that it imports.
pub(super) enum Entry {
    /// `_start` of a core module.
    Module(InstancePre<ModuleState>),
    /// `wasi:cli/run`.
    Command(CommandPre<ComponentState>),
    /// `wasi:http/incoming-handler` 0.2.
    Proxy(ProxyPre<ComponentState>),
    /// `wasi:http/handler` 0.3.
    Service(ServicePre<ComponentState>),
}

/// Compiles a module or component that was inspected. Takes as long as it is large: call it where blocking is
/// allowed.
///
/// # Errors
///
/// What the compiler or the linker cannot make anything of.
pub(crate) fn compile(bytes: &[u8], inspection: &Inspection, count_gas: bool) -> Result<Vec<u8>, Refusal> {
    let variant = Variant::of(inspection.abi, count_gas);
    let failed = |error: wasmtime::Error| {
        Refusal::new(
            "compile_failed",
            format!("the module could not be compiled: {error:#}"),
            "make its functions smaller; if it comes from a common compiler, report it to the server's operator",
        )
    };
    let engine = compiling(variant).map_err(failed)?;
    match inspection.abi {
        Abi::Wasi => {
            let module = Module::new(&engine, bytes).map_err(failed)?;
            link::modules(&engine).and_then(|linker| linker.instantiate_pre(&module)).map_err(unlinked)?;
            module.serialize().map_err(failed)
        }
        abi => {
            let component = Component::new(&engine, bytes).map_err(failed)?;
            let linker = link::components(&engine, variant).map_err(unlinked)?;
            entry(abi, &linker, &component).map_err(unlinked)?;
            component.serialize().map_err(failed)
        }
    }
}

/// Imports were found by name before; here they do not have the types that are provided.
fn unlinked(error: wasmtime::Error) -> Refusal {
    Refusal::new(
        "unmet_import",
        format!("the program's imports or exports do not fit: {error:#}"),
        "build it against WASI 0.2 as it was released: another tool, or another version of it, may have other types",
    )
}

fn entry(
    abi: Abi,
    linker: &ComponentLinker<ComponentState>,
    component: &Component,
) -> wasmtime::Result<Entry> {
    let pre = linker.instantiate_pre(component)?;
    Ok(match abi {
        Abi::WasiHttp => Entry::Proxy(ProxyPre::new(pre)?),
        Abi::WasiHttp3 => Entry::Service(ServicePre::new(pre)?),
        _ => Entry::Command(CommandPre::new(pre)?),
    })
}

impl WasiProgram {
    /// Loads what [`compile`] made.
    ///
    /// # Errors
    ///
    /// A text for the log if the artifact is not what this engine writes, or the files cannot be laid out.
    pub(crate) fn load(
        artifact: &Verified,
        inspection: Inspection,
        engines: &Arc<Engines>,
        count_gas: bool,
        files: Option<Files>,
    ) -> Result<WasiProgram, String> {
        let variant = Variant::of(inspection.abi, count_gas);
        let linked = engines.get(variant)?;
        let entry = load_entry(&linked, artifact, inspection.abi);
        let entry = entry.map_err(|error| format!("{error:#}"))?;
        let engine = linked.engine.clone();
        Ok(WasiProgram {
            inspection,
            entry,
            variant,
            engine,
            engines: engines.clone(),
            files,
            trust: Arc::default(),
        })
    }
}

fn load_entry(linked: &Linked, artifact: &Verified, abi: Abi) -> wasmtime::Result<Entry> {
    // SAFETY: `Verified` can only be made of bytes that `compile` returned in this process or that carry this
    // installation's authentication code for exactly this engine and module.
    #[expect(unsafe_code, reason = "loading machine code cannot be safe by itself")]
    match abi {
        Abi::Wasi => {
            let module = unsafe { Module::deserialize(&linked.engine, artifact.bytes()) }?;
            Ok(Entry::Module(linked.modules.instantiate_pre(&module)?))
        }
        _ => {
            let component = unsafe { Component::deserialize(&linked.engine, artifact.bytes()) }?;
            entry(abi, &linked.components, &component)
        }
    }
}

/// The files of a module, laid out in the cache's folder.
///
/// # Errors
///
/// A text for the log.
pub(crate) fn files(
    dir: &Path,
    digest: &Digest,
    module: &[u8],
    inspection: &Inspection,
) -> Result<Option<Files>, String> {
    if inspection.files.is_empty() {
        return Ok(None);
    }
    let files = wasmcloud_inspect::files::read(module).map_err(|refusal| refusal.to_string())?;
    let dir = dir.join("files").join(digest.to_string());
    Files::lay_out(&dir, files.iter().map(|file| (file.path, file.bytes)))
        .map(Some)
        .map_err(|error| format!("its files cannot be laid out: {error}"))
}
