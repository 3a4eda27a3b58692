//! Which ABI a module speaks, seen from its imports; and what Dagger's and h's programs may import.

use olin::abi::{dagger, h};
use wasmcloud_wire::{Abi, Refusal};
use wasmparser::ValType;

use crate::module::Asked;
use crate::wasi;

/// The ABI of a module with these imports. Whoever imports nothing speaks Olin.
///
/// A module that imports anything of WASI is of WASI, so that what else it imports is what is wrong.
pub(crate) fn detect(imports: &[Asked]) -> Abi {
    if imports.iter().any(|asked| wasi::MODULES.contains(&asked.import.module.as_str())) {
        return Abi::Wasi;
    }
    match imports.first().map(|asked| (asked.import.module.as_str(), asked.import.name.as_str())) {
        Some((dagger::MODULE, _)) => Abi::Dagger,
        Some((h::MODULE, h::FUNCTION)) => Abi::H,
        _ => Abi::Olin,
    }
}

/// The export where a program begins: a module's function, or a component's interface without its version.
pub fn entry(abi: Abi) -> &'static str {
    match abi {
        Abi::Dagger => dagger::ENTRY,
        Abi::H => h::ENTRY,
        Abi::WasiCli => "wasi:cli/run",
        Abi::WasiHttp => "wasi:http/incoming-handler",
        Abi::WasiHttp3 => "wasi:http/handler",
        _ => olin::abi::ENTRY,
    }
}

/// Whether an entry point may have these results: Dagger's is its exit code, h's is of no interest.
pub(crate) fn is_entry_result(abi: Abi, results: &[ValType]) -> bool {
    match (abi, results) {
        (_, []) => true,
        (Abi::Dagger | Abi::H, [result]) => is_integer(result),
        _ => false,
    }
}

fn is_integer(ty: &ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64)
}

/// Refuses a Dagger program that imports what Dagger does not have.
pub(crate) fn check_dagger(imports: &[Asked]) -> Result<(), Refusal> {
    imports.iter().try_for_each(|asked| {
        let import = &asked.import;
        let function = (import.module == dagger::MODULE).then(|| dagger::function(&import.name)).flatten();
        let (Some(function), Some(func)) = (function, &asked.func) else {
            return Err(unmet(
                asked,
                "a Dagger program imports only the functions of `dagger`: docs/ABI.md lists them",
            ));
        };
        let fits = func.params().len() == function.params
            && func.results().len() <= 1
            && func.params().iter().chain(func.results()).all(is_integer);
        if fits {
            return Ok(());
        }
        Err(Refusal::new(
            "unmet_import",
            format!(
                "the module imports `{}.{}` as {}; it takes {} integers and returns one",
                import.module, import.name, import.ty, function.params
            ),
            "declare the import with that type",
        ))
    })
}

/// Refuses an h program that imports anything but h.
pub(crate) fn check_h(imports: &[Asked]) -> Result<(), Refusal> {
    imports.iter().try_for_each(|asked| {
        let is_h = asked.import.module == h::MODULE && asked.import.name == h::FUNCTION;
        match &asked.func {
            Some(func) if is_h && func.params() == [ValType::I32] && func.results().is_empty() => Ok(()),
            _ => Err(unmet(asked, "an h program imports only `h.h`, a (func (param i32))")),
        }
    })
}

fn unmet(asked: &Asked, hint: &str) -> Refusal {
    let import = &asked.import;
    let message = format!(
        "the module imports `{}.{}`, {}, which nobody provides here",
        import.module, import.name, import.ty
    );
    Refusal::new("unmet_import", message, hint)
}
