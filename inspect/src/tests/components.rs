//! Components.

use super::*;

/// A component that exports an instance under this name, with these imports before it.
fn component(imports: &str, export: &str) -> String {
    format!("(component {imports} (instance $i) (export \"{export}\" (instance $i)))")
}

/// An import of an interface with one function.
fn import(interface: &str) -> String {
    format!(r#"(import "{interface}" (instance (export "f" (func (param "key" string) (result u32)))))"#)
}

#[test]
fn a_components_kind_is_that_of_its_export() {
    for (export, abi) in [
        ("wasi:cli/run@0.2.0", Abi::WasiCli),
        ("wasi:cli/run@0.2.6", Abi::WasiCli),
        ("wasi:http/incoming-handler@0.2.0", Abi::WasiHttp),
        ("wasi:http/incoming-handler@0.2.4", Abi::WasiHttp),
        ("wasi:http/handler@0.3.0", Abi::WasiHttp3),
    ] {
        let inspection = inspect_wat(&component("", export)).unwrap();
        assert_eq!(inspection.abi, abi, "{export}");
        assert_eq!(
            (inspection.exports[0].name.as_str(), inspection.exports[0].kind.as_str()),
            (export, "interface")
        );
        assert!(export.starts_with(entry(abi)));
    }
}

#[test]
fn of_several_exports_the_http_handler_of_0_2_is_called() {
    let both = |first: &str, second: &str| {
        inspect_wat(&format!(
            r#"(component (instance $i) (export "{first}" (instance $i)) (export "{second}" (instance $i)))"#
        ))
        .unwrap()
        .abi
    };
    let (cli, http, http3) =
        ("wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0", "wasi:http/handler@0.3.0");
    assert_eq!(both(cli, http), Abi::WasiHttp);
    assert_eq!(both(http3, http), Abi::WasiHttp);
    assert_eq!(both(cli, http3), Abi::WasiHttp3);
}

#[test]
fn asynchronous_parts_are_for_handlers_of_0_3_alone() {
    let with = |export: &str| {
        inspect_wat(&format!(
            r#"(component
                (import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "wait-for" (func async (param "t" u64)))))
                (instance $i) (export "{export}" (instance $i)))"#
        ))
    };
    let inspection = with("wasi:http/handler@0.3.0").unwrap();
    assert_eq!(inspection.abi, Abi::WasiHttp3);
    assert_eq!(inspection.imports[0].ty, "async func(t: u64)");
    let refused = with("wasi:http/incoming-handler@0.2.0").unwrap_err();
    assert_eq!(refused.code, "unsupported_feature");
    assert!(refused.message.contains("asynchronous"), "{refused}");
}

#[test]
fn a_component_without_an_entry_is_refused_with_what_it_exports() {
    for (text, message, hint) in [
        ("(component)".to_owned(), "exports nothing", "wasi:cli/run@0.2"),
        (component("", "my:own/thing"), "`my:own/thing` (interface)", "wasi:http/incoming-handler@0.2"),
        (component("", "wasi:cli/run@0.3.0"), "wasi:cli/run@0.3.0", "WASI 0.2"),
        (component("", "wasi:http/incoming-handler@0.2.0-rc-2023-12-05"), "rc-2023", "not for a draft"),
        (
            r#"(component (type (component (type (func)) (export "f" (func (type 0))))) (export "a:b/c" (type 0)))"#
                .to_owned(),
            "package of interfaces",
            "implements",
        ),
    ] {
        let refused = refusal(&text);
        assert_eq!(refused.code, "missing_entry", "{text}");
        assert!(refused.message.contains(message), "{text}: {refused}");
        assert!(refused.hint.contains(hint), "{text}: {}", refused.hint);
    }
}

#[test]
fn imports_are_listed_by_interface_and_function_with_their_types() {
    let inspection = inspect_wat(&component(
        r#"(import "wasi:io/streams@0.2.4" (instance $streams
                (export "input-stream" (type (sub resource)))
                (export "read" (func (param "from" (borrow 0)) (param "len" u64) (result (list u8))))))
           (alias export $streams "input-stream" (type $stream))
           (import "my:own/names" (instance (export "input-stream" (type (eq $stream)))))
           (import "wasi:config/store@0.2.0-rc.1" (instance
                (type $error' (variant (case "upstream" string) (case "io" string)))
                (export "error" (type $error (eq $error')))
                (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))"#,
        "wasi:cli/run@0.2.0",
    ))
    .unwrap();
    let rows: Vec<String> =
        inspection.imports.iter().map(|row| format!("{} {} {}", row.module, row.name, row.ty)).collect();
    assert_eq!(
        rows,
        [
            "wasi:io/streams@0.2.4 input-stream resource",
            "wasi:io/streams@0.2.4 read func(from: borrow, len: u64) -> list<u8>",
            "wasi:config/store@0.2.0-rc.1 get func(key: string) -> result<option<string>, variant>",
        ]
    );
}

#[test]
fn every_interface_that_is_offered_is_met() {
    for interface in [
        "wasi:io/poll@0.2.0",
        "wasi:clocks/wall-clock@0.2.6",
        "wasi:random/insecure-seed@0.2.3",
        "wasi:cli/terminal-stderr@0.2.0",
        "wasi:filesystem/preopens@0.2.8",
        "wasi:sockets/udp-create-socket@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:config/store@0.2.0-draft",
        "wasi:logging/logging",
        "wasi:logging/logging@0.1.0-draft",
    ] {
        for export in ["wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"] {
            inspect_wat(&component(&import(interface), export)).unwrap_or_else(|refused| panic!("{refused}"));
        }
    }
    inspect_wat(&component(&import("wasi:http/client@0.3.0"), "wasi:http/handler@0.3.0")).unwrap();
}

#[test]
fn interfaces_that_nobody_provides_are_named_with_their_function() {
    for (interface, hint) in [
        ("wasi:keyvalue/store@0.2.0-draft2", "draft"),
        ("wasi:keyvalue/store@0.1.0", "not offered here"),
        ("wasi:messaging/producer@0.2.0", "not offered here"),
        ("wasi:clocks/timezone@0.2.0", "not offered here"),
        ("wasi:config/runtime@0.2.0-draft", "wasi:config/store"),
        ("wasi:http/types@0.2.0-rc-2023-12-05", "draft of WASI 0.2"),
        ("wasi:http/client@0.3.0", "build this one for WASI 0.2"),
        ("wasi:http/client@0.3.0-rc-2026-01-06", "draft of WASI 0.3"),
        ("fermyon:spin/key-value@2.0.0", "Spin"),
        ("my:own/thing", "wac plug"),
    ] {
        let refused = refusal(&component(&import(interface), "wasi:http/incoming-handler@0.2.0"));
        assert_eq!(refused.code, "unmet_import", "{interface}");
        assert!(
            refused.message.contains(&format!("`f` of `{interface}`, func(key: string) -> u32")),
            "{interface}: {refused}"
        );
        assert!(refused.hint.contains(hint), "{interface}: {}", refused.hint);
    }
    let bare = refusal(&component(r#"(import "log" (func (param "text" string)))"#, "wasi:cli/run@0.2.0"));
    assert!(bare.message.contains("imports `log`, func(text: string), by itself"), "{bare}");
}

#[test]
fn interfaces_that_have_only_types_ask_for_nothing() {
    let text = component(
        r#"(import "my:own/types@1.0.0" (instance (type $t' (record (field "a" u8))) (export "t" (type (eq $t')))))"#,
        "wasi:cli/run@0.2.0",
    );
    assert!(inspect_wat(&text).unwrap().imports.is_empty());
}

#[test]
fn memories_and_tables_of_all_modules_within_count_together() {
    let with = |one: u32, two: u32, elements: u32| {
        inspect_wat(&format!(
            r#"(component
                (core module (memory {one} 2000) (table 1 funcref))
                (component (core module (memory {two} 2000) (table {elements} funcref)))
                (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#
        ))
    };
    let inspection = with(1, 2, 1).unwrap();
    assert_eq!((inspection.memory_bytes_min, inspection.memory_bytes_max), (3 * 65_536, Some(4000 * 65_536)));
    let memory = with(1000, 1049, 1).unwrap_err();
    assert_eq!(memory.code, "over_limit");
    assert!(memory.message.contains("component begins with 2049 pages"), "{memory}");
    let tables = with(1, 1, 20_000).unwrap_err();
    assert!(tables.message.contains("20001 elements"), "{tables}");
}

#[test]
fn features_that_modules_may_not_have_components_may_not_have_either() {
    for (module, name) in [
        ("(memory 1 1 shared)", "threads"),
        ("(memory 1) (memory 1)", "multiple memories"),
        ("(table 1 externref)", "externref"),
        ("(tag)", "exceptions"),
    ] {
        let refused = refusal(&component(&format!("(core module {module})"), "wasi:cli/run@0.2.0"));
        assert_eq!(refused.code, "unsupported_feature", "{module}: {refused}");
        assert!(refused.message.contains(name), "{module}: {refused}");
    }
}

#[test]
fn the_text_of_a_type_stays_short_whatever_it_refers_to() {
    let mut types = String::from("(type $t0 (tuple string string))");
    for index in 1..40 {
        let before = index - 1;
        types.push_str(&format!("(type $t{index} (tuple $t{before} $t{before}))"));
    }
    // The validator has a limit of its own for what a type amounts to; below it the text is bounded.
    for index in [1, 5, 15] {
        let text = component(
            &format!(
                r#"(import "wasi:io/poll@0.2.0" (instance {types} (export "f" (func (param "a" $t{index})))))"#
            ),
            "wasi:cli/run@0.2.0",
        );
        if let Ok(inspection) = inspect_wat(&text) {
            assert!(inspection.imports[0].ty.len() < 1_000, "{}", inspection.imports[0].ty.len());
        }
    }
}

#[test]
fn a_component_of_very_many_parts_is_refused_before_it_is_looked_at_closely() {
    let nested =
        |parts: usize| wat::parse_str(format!("(component {})", "(component)".repeat(parts))).unwrap();
    let refusal = |parts: usize| crate::inspect(&nested(parts), &Limits::default()).unwrap_err();
    assert_eq!(refusal(256).code, "missing_entry");
    let many = refusal(257);
    assert!(many.code == "over_limit" && many.message.contains("more than 256"), "{many:?}");
}
