//! Where the engine, as it is configured here, departs from the specification's tests, and why.
//! docs/CONTRIBUTING.md has the reasons for people.

use super::world::Memories;

/// Directives that do not pass. One that does pass after all fails the tests, so that this list stays true.
pub(super) struct Exception {
    /// The file's folder and name.
    pub(super) file: &'static str,
    /// Where the directives begin.
    pub(super) lines: &'static [usize],
    /// With which memories they do not pass.
    pub(super) memories: &'static [Memories],
    /// Why that is right, or does no harm.
    pub(super) why: &'static str,
}

const ALL: &[Memories] = &[Memories::Stock, Memories::Ours];
const STOCK: &[Memories] = &[Memories::Stock];

const NO_GAS: &str = "A function outlives its instance, whose making failed, in a table that it shares with \
    another. Such an instance was never given gas. Handlers have no instance besides their own.";
const OLD_SEGMENTS: &str = "Before bulk memory, no segment was written if one did not fit, and the module was \
    not linked; since then those before it are, and it traps.";
const OTHER_FEATURE: &str = "The module needs a feature that is not allowed.";
const GLOBAL_ELEMENT: &str = "wasmer compiles no element segment that takes a function from an imported \
    global: such a module is refused.";
const NOT_DONE: &str = "What a module that is refused would have written is looked at through another.";
const LARGE_TABLE: &str = "wasmer's own tables have no more than 2^27 elements; those of handlers have a \
    lower bound, which takes the place of the module's.";

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception { file: "wasm-v2/linking.wast", lines: &[275, 288], memories: ALL, why: NO_GAS },
    Exception { file: "reference-types/linking.wast", lines: &[275, 288], memories: ALL, why: NO_GAS },
    Exception {
        file: "mutable-global/linking.wast",
        lines: &[206, 227, 236, 238, 248, 298, 334, 342, 344, 354],
        memories: ALL,
        why: OLD_SEGMENTS,
    },
    Exception { file: "wasm-v2/elem.wast", lines: &[683], memories: ALL, why: GLOBAL_ELEMENT },
    Exception { file: "extended-const/elem.wast", lines: &[692], memories: ALL, why: GLOBAL_ELEMENT },
    Exception { file: "bulk-memory/table-sub.wast", lines: &[1], memories: ALL, why: OTHER_FEATURE },
    Exception { file: "bulk-memory/table_init.wast", lines: &[2272], memories: ALL, why: OTHER_FEATURE },
    Exception { file: "simd/simd_memory-multi.wast", lines: &[5], memories: ALL, why: OTHER_FEATURE },
    Exception {
        file: "reference-types/unreached-invalid.wast",
        lines: &[539],
        memories: ALL,
        why: "Invalid in a draft only: the specification allows branches of two types after `unreachable`.",
    },
    Exception { file: "wasm-v2/table.wast", lines: &[9], memories: STOCK, why: LARGE_TABLE },
    // Of proposals that are not allowed:
    Exception { file: "function-references/linking.wast", lines: &[427, 440], memories: ALL, why: NO_GAS },
    Exception { file: "function-references/table.wast", lines: &[9], memories: STOCK, why: LARGE_TABLE },
    Exception { file: "multi-memory/linking0.wast", lines: &[42], memories: ALL, why: NOT_DONE },
    Exception { file: "multi-memory/load1.wast", lines: &[25, 26, 27, 28, 29], memories: ALL, why: NOT_DONE },
    Exception {
        file: "threads/imports.wast",
        lines: &[309, 313, 317],
        memories: ALL,
        why: "Older than reference types, which allow several tables.",
    },
];
