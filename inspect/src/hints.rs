//! What to do about an import that nobody provides here.

/// What to do about a core module's import, if its names say where it comes from.
pub(crate) fn core_import(module: &str, name: &str) -> Option<String> {
    let hint = match module {
        "wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__" => {
            "this is a wasm-bindgen program, made for browsers: build it without wasm-bindgen (in Rust: target \
             wasm32-wasip2, and no crate with a `js` feature turned on)"
        }
        "wasix_32v1" | "wasix_64v1" => {
            "this is a WASIX program: build it for plain WASI (in Rust: target wasm32-wasip1 or wasm32-wasip2)"
        }
        "wasi" => "this program starts threads, which are not offered here: build it without them",
        "gojs" | "go" => "this is a Go program for browsers: build it with `GOOS=wasip1 GOARCH=wasm`",
        "a" => {
            "this is an Emscripten program for browsers, with shortened names: build it with `-sSTANDALONE_WASM`, or \
             with a compiler for WASI (`zig cc -target wasm32-wasi`)"
        }
        "env"
            if name.starts_with("emscripten_")
                || name.starts_with("invoke_")
                || name.starts_with("_emscripten") =>
        {
            "this is an Emscripten program: build it with `-sSTANDALONE_WASM`, or with a compiler for WASI (`zig cc \
             -target wasm32-wasi`)"
        }
        "env" if matches!(name, "abort" | "seed" | "trace" | "console.log") => {
            "in AssemblyScript, build with `--config ./node_modules/@assemblyscript/wasi-shim/asconfig.json`, or \
             with `--use abort=`"
        }
        _ if module.starts_with("wasi_snapshot") || module.starts_with("wasi_ephemeral") => {
            "that part of WASI is not offered here: build without it"
        }
        _ if module.starts_with("extism:") => {
            "this is an Extism plug-in: build a program for WASI instead (in Rust: target wasm32-wasip1)"
        }
        _ if is_interface(module) => {
            "this is the core of a component: wrap it, `wasm-tools component new` (in Rust the target wasm32-wasip2 \
             does so by itself)"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What to do about a component's import.
pub(crate) fn interface(name: &str) -> String {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let package = path.split_once('/').map_or(path, |(package, _)| package);
    match package {
        "wasi:config" => {
            "import `wasi:config/store@0.2.0-draft` or `wasi:config/store@0.2.0-rc.1`".to_owned()
        }
        "wasi:logging" => {
            "import `wasi:logging/logging` without a version, or with `@0.1.0-draft`".to_owned()
        }
        _ if version.starts_with("0.2.0-") => {
            "it is of a draft of WASI 0.2: build again with tools of 2024 or later, for 0.2.0 itself".to_owned()
        }
        _ if version.starts_with("0.3.0-") => {
            "it is of a draft of WASI 0.3: build again with tools for 0.3.0 itself".to_owned()
        }
        "wasi:http" if path == "wasi:http/handler" => {
            "a program that calls out imports `wasi:http/client`; chains of handlers are not offered".to_owned()
        }
        _ if package.starts_with("wasi:") => format!(
            "`{package}` is not offered here, or not with this interface: build without it; docs/HANDLERS.md lists \
             what is provided"
        ),
        _ if package.starts_with("fermyon:") || package.starts_with("spin:") => {
            "this is a program for Spin: build it for plain `wasi:http`, without Spin's SDK".to_owned()
        }
        _ if package.starts_with("fastly:") => {
            "this is a program for Fastly Compute: build it for plain `wasi:http`".to_owned()
        }
        _ => "only WASI's interfaces are provided: build without it, or put a component that exports it into this one \
              (`wac plug`)"
            .to_owned(),
    }
}

/// Whether a name is an interface's, such as `wasi:cli/run@0.2.0`.
fn is_interface(name: &str) -> bool {
    name.split_once(':').is_some_and(|(namespace, rest)| !namespace.is_empty() && rest.contains('/'))
}
