//! Which WebAssembly features a module may use.

use wasmcloud_wire::Refusal;
use wasmparser::{Error, Parser, Validator, WasmFeatures};

/// The features of WebAssembly that modules may use. Floats are included, threads, 64-bit and
/// multiple memories, garbage collection, exceptions and tail calls are not.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    // `funcref` and `externref` are types of the garbage collection proposal to the validator.
    .union(WasmFeatures::GC_TYPES);

/// The features that programs of the WASI family may use: the same, without references to the host's own
/// values (`externref`), which need a garbage collector in their engine.
pub const WASI_FEATURES: WasmFeatures = FEATURES.difference(WasmFeatures::GC_TYPES);

/// The features of components that speak WASI 0.2, on top of [`WASI_FEATURES`].
pub(crate) const COMPONENT_FEATURES: WasmFeatures = WASI_FEATURES.union(WasmFeatures::COMPONENT_MODEL);

/// The features of components that speak WASI 0.3, whose functions are asynchronous.
pub(crate) const ASYNC_FEATURES: WasmFeatures = COMPONENT_FEATURES.union(WasmFeatures::CM_ASYNC);

/// Features that a module may have been built with, each with the name that toolchains use.
const UNSUPPORTED: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::THREADS, "threads (shared memory and atomics)"),
    (WasmFeatures::GC_TYPES, "references to the host's values (externref)"),
    (WasmFeatures::TAIL_CALL, "tail calls"),
    (WasmFeatures::MULTI_MEMORY, "multiple memories"),
    (WasmFeatures::MEMORY64, "64-bit memories"),
    (WasmFeatures::RELAXED_SIMD, "relaxed SIMD"),
    (WasmFeatures::EXCEPTIONS, "exceptions"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exceptions"),
    (WasmFeatures::FUNCTION_REFERENCES, "typed function references"),
    (
        WasmFeatures::GC.union(WasmFeatures::FUNCTION_REFERENCES).union(WasmFeatures::GC_TYPES),
        "garbage collection",
    ),
    (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
];

/// Features that a component alone may have been built with.
const UNSUPPORTED_OF_COMPONENTS: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::CM_THREADING, "a component's threads"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "a component's asynchronous calls with stacks of their own"),
    (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "a component's further asynchronous built-ins"),
    (WasmFeatures::CM_ERROR_CONTEXT, "a component's error contexts"),
    (WasmFeatures::CM_FIXED_LENGTH_LISTS, "a component's lists of fixed length"),
    (WasmFeatures::CM_MAP, "a component's maps"),
    (WasmFeatures::CM_VALUES, "a component's values"),
    (WasmFeatures::CM_GC, "a component's garbage collection"),
];

/// Says whether a module that does not validate with these features is broken or uses one that is not offered.
pub(crate) fn explain(bytes: &[u8], offered: WasmFeatures, error: &Error) -> Refusal {
    let valid_with =
        |extra: WasmFeatures| Validator::new_with_features(offered.union(extra)).validate_all(bytes).is_ok();
    let of_components = if Parser::is_component(bytes) { UNSUPPORTED_OF_COMPONENTS } else { &[] };
    for (feature, name) in UNSUPPORTED.iter().chain(of_components) {
        if valid_with(*feature) {
            return unsupported(name, error);
        }
    }
    if valid_with(WasmFeatures::all()) {
        return unsupported("a combination of features that are not offered", error);
    }
    Refusal::new(
        "invalid_module",
        format!("the module is not valid WebAssembly: {} (at byte {})", error.message(), error.offset()),
        "build the module again; the file may be cut off or damaged",
    )
}

fn unsupported(name: &str, error: &Error) -> Refusal {
    Refusal::new(
        "unsupported_feature",
        format!(
            "the module uses {name}, which is not offered here: {} (at byte {})",
            error.message(),
            error.offset()
        ),
        "build without that feature; docs/LIMITS.md lists what is offered",
    )
}
