use super::*;

/// What is found in a module of the Olin family with this body.
fn needs(body: &str) -> Needs {
    of(&format!(
        r#"(module
            (import "cwa" "env_get" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 100) "API_KEY")
            (data (i32.const 200) "GREETING\00OTHER\00")
            {body})"#
    ))
}

fn of(text: &str) -> Needs {
    find(&wat::parse_str(text).unwrap()).unwrap()
}

fn env(needs: &Needs) -> Vec<&str> {
    needs.env.iter().map(|need| need.name.as_str()).collect()
}

/// A call of `env_get` with such a name.
fn get(at: &str, len: &str) -> String {
    format!("(drop (call $get {at} {len} (i32.const 0) (i32.const 0)))")
}

const KEY: (&str, &str) = ("(i32.const 100)", "(i32.const 7)");

#[test]
fn a_constant_name_is_found() {
    let found = needs(&format!(r#"(func (export "_start") {})"#, get(KEY.0, KEY.1)));
    assert_eq!(found.env, [Need { name: "API_KEY".to_owned(), required: false }]);
    assert!(found.config.is_empty());
}

#[test]
fn a_name_is_found_behind_locals_sums_and_branches() {
    for body in [
        format!("(local i32) (local.set 0 (i32.const 100)) {}", get("(local.get 0)", KEY.1)),
        format!("(local i32) (drop (local.tee 0 (i32.const 7))) {}", get(KEY.0, "(local.get 0)")),
        get("(i32.add (i32.const 96) (i32.const 4))", KEY.1),
        format!("(if (i32.const 1) (then {}))", get(KEY.0, KEY.1)),
        format!("(block (br_if 0 (i32.const 1)) (loop {}))", get(KEY.0, KEY.1)),
        format!("(block (br 0)) {}", get(KEY.0, KEY.1)),
        format!("(i32.const 5) (block (result i32) (i32.const 1)) {} (drop) (drop)", get(KEY.0, KEY.1)),
    ] {
        let found = needs(&format!(r#"(func (export "_start") {body})"#));
        assert_eq!(env(&found), ["API_KEY"], "{body}");
    }
}

#[test]
fn a_name_that_cannot_be_known_is_not_guessed() {
    let changed = get("(local.get 0)", KEY.1);
    for body in [
        // From memory.
        get("(i32.load (i32.const 0))", KEY.1),
        // Assigned on one of two ways.
        format!(
            "(local i32) (local.set 0 (i32.const 100)) (if (i32.const 1) (then (local.set 0 (i32.const 0)))) {changed}"
        ),
        format!("(local i32) (block (br_if 0 (i32.const 1)) (local.set 0 (i32.const 100))) {changed}"),
        // Another one in each round.
        format!(
            "(local i32) (local.set 0 (i32.const 100)) (loop {changed} (local.set 0 (i32.const 50)) (br 0))"
        ),
        // Never assigned.
        format!("(local i32) {changed}"),
        // Never run.
        format!("(return) {}", get(KEY.0, KEY.1)),
        format!(
            "(block (unreachable) (block (result i32 i32) (unreachable)) (drop) (drop) {})",
            get(KEY.0, KEY.1)
        ),
        // Not data, not all of it data, or no name.
        get("(i32.const 3000)", KEY.1),
        get(KEY.0, "(i32.const 8)"),
        get("(i32.const 200)", "(i32.const 9)"),
        get(KEY.0, "(i32.const 0)"),
        get("(i32.const -1)", "(i32.const -1)"),
    ] {
        let found = needs(&format!(r#"(func (export "_start") {body})"#));
        assert_eq!(found, Needs::default(), "{body}");
    }
}

#[test]
fn a_name_is_found_through_functions_that_pass_it_on() {
    let found = needs(&format!(
        r#"(func $one (param i32 i32 i32) {})
           (func $two (param i32 i32) (call $one (i32.const 0) (local.get 1) (local.get 0)))
           (func $start (export "_start") (call $two (i32.const 8) (i32.const 200)))"#,
        get("(local.get 1)", "(local.get 2)")
    ));
    assert_eq!(env(&found), ["GREETING"]);
}

#[test]
fn a_name_is_found_through_a_function_for_names_of_one_length() {
    let found = needs(&format!(
        r#"(func $seven (param i32) {})
           (func (export "_start") (call $seven (i32.const 100)) (call $seven (i32.const 201)))"#,
        get("(local.get 0)", KEY.1)
    ));
    assert_eq!(env(&found), ["API_KEY", "REETING"]);
}

#[test]
fn a_function_that_passes_a_name_on_in_some_cases_only_is_not_followed() {
    let found = needs(&format!(
        r#"(func $maybe (param i32 i32 i32) (if (local.get 2) (then {})))
           (func (export "_start") (call $maybe (i32.const 100) (i32.const 7) (i32.const 0)))"#,
        get("(local.get 0)", "(local.get 1)")
    ));
    assert_eq!(found, Needs::default());
}

#[test]
fn variables_of_cgi_and_of_libraries_are_left_out() {
    let found = of(r#"(module
        (import "env" "env_get" (func $get (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "REQUEST_METHODHTTP_HOSTRUST_BACKTRACE9LIVESMINE")
        (func (export "_start")
            (drop (call $get (i32.const 0) (i32.const 14) (i32.const 0) (i32.const 0)))
            (drop (call $get (i32.const 14) (i32.const 9) (i32.const 0) (i32.const 0)))
            (drop (call $get (i32.const 23) (i32.const 14) (i32.const 0) (i32.const 0)))
            (drop (call $get (i32.const 37) (i32.const 6) (i32.const 0) (i32.const 0)))
            (drop (call $get (i32.const 43) (i32.const 4) (i32.const 0) (i32.const 0)))))"#);
    assert_eq!(env(&found), ["MINE"]);
}

#[test]
fn cs_getenv_is_known_by_its_name_or_its_export() {
    for getenv in [r#"$getenv"#, r#"(export "getenv")"#] {
        let call = if getenv == "$getenv" { "$getenv" } else { "1" };
        let found = of(&format!(
            r#"(module
                (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 100) "DATABASE_URL\00trailing\00") (data (i32.const 300) "CUT_OFF")
                (data (i32.const 400) "TOGETHER") (data (i32.const 408) "X\00")
                (func {getenv} (param i32) (result i32) (local.get 0))
                (func (export "_start")
                    (drop (call {call} (i32.const 100)))
                    (drop (call {call} (i32.const 300)))
                    (drop (call {call} (i32.const 400)))))"#
        ));
        // What follows a piece of data is zero, unless more data does.
        assert_eq!(env(&found), ["CUT_OFF", "DATABASE_URL"], "{getenv}");
    }
}

#[test]
fn rusts_variables_are_known_by_the_name_of_the_function_that_reads_them() {
    let found = of(r#"(module
        (memory (export "memory") 1)
        (data (i32.const 100) "API_KEY")
        (func $var (@name "std::env::_var::h0123456789abcdef") (param i32 i32 i32))
        (func (export "_start") (call $var (i32.const 0) (i32.const 100) (i32.const 7))))"#);
    assert_eq!(env(&found), ["API_KEY"]);
}

#[test]
fn the_keys_of_wasi_config_are_found_in_a_components_modules() {
    let found = of(r#"(component
        (core module
            (import "wasi:config/store@0.2.0-draft" "get" (func $get (param i32 i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "shop.greeting")
            (func (call $get (i32.const 16) (i32.const 13) (i32.const 0)))))"#);
    assert_eq!(found.config, [Need { name: "shop.greeting".to_owned(), required: false }]);
    assert!(found.env.is_empty());
}

#[test]
fn what_is_declared_is_required_wherever_the_section_lies() {
    let section = r#"(@custom "wasmcloud.needs" "{\"env\":[\"API_KEY\",\"B\"]} {\"config\":[\"a.b\"]}")"#;
    for text in [
        format!("(module {section})"),
        format!("(component (core module {section}))"),
        format!("(component {section})"),
    ] {
        let found = of(&text);
        assert_eq!(env(&found), ["API_KEY", "B"], "{text}");
        assert!(found.env.iter().chain(&found.config).all(|need| need.required));
        assert_eq!(found.config[0].name, "a.b");
    }
    // What is both declared and found is required.
    let both = needs(&format!(r#"{section} (func (export "_start") {})"#, get(KEY.0, KEY.1)));
    assert!(both.env[0].required && both.env[0].name == "API_KEY");
}

#[test]
fn a_declaration_that_cannot_be_read_is_refused_with_how_it_should_be() {
    for (content, word) in [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (r#"{\"environment\":[]}"#, "environment"),
        (r#"{\"env\":[\"A B\"]}"#, "A B"),
        (r#"{\"env\":[\"\"]}"#, "no name"),
        (r#"{\"env\":[\"9A\"]}"#, "9A"),
        (r#"{\"env\":[\"HTTP_HOST\"]}"#, "the server sets"),
        ("\\ff", "cannot be read"),
    ] {
        let module = wat::parse_str(format!(r#"(module (@custom "wasmcloud.needs" "{content}"))"#)).unwrap();
        let refused = find(&module).unwrap_err();
        assert_eq!(refused.code, "invalid_section", "{content}");
        assert!(refused.message.contains(word), "{content}: {refused}");
        assert!(refused.hint.contains(r#"{"env":["API_KEY"]"#), "{}", refused.hint);
    }
    let many: String = (0..=NEEDS_MAX).map(|n| format!(r#"{{\"env\":[\"A{n}\"]}}"#)).collect();
    for content in [many, " ".repeat(20_000)] {
        let module = wat::parse_str(format!(r#"(module (@custom "wasmcloud.needs" "{content}"))"#)).unwrap();
        assert_eq!(find(&module).unwrap_err().code, "invalid_section");
    }
}

#[test]
fn no_more_names_are_listed_than_a_handler_can_have() {
    let names: String = (0..100).map(|n| format!("NAME{n:02}")).collect();
    let calls: String =
        (0..100).map(|n| get(&format!("(i32.const {})", 1000 + n * 6), "(i32.const 6)")).collect();
    let found = needs(&format!(r#"(data (i32.const 1000) "{names}") (func (export "_start") {calls})"#));
    assert_eq!(found.env.len(), NEEDS_MAX);
}

#[test]
fn the_search_ends_when_its_budget_is_spent() {
    let bytes = wat::parse_str(format!(
        r#"(module (import "cwa" "env_get" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory 1) (data (i32.const 100) "API_KEY") (func {} {}))"#,
        "(drop (i32.const 0))".repeat(100),
        get(KEY.0, KEY.1)
    ))
    .unwrap();
    let names = |steps: u64| {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(&bytes) {
            module.section(payload.unwrap(), &bytes);
        }
        let mut names = 0;
        code::find(&module, &mut Budget(steps), &mut |_, _| names += 1);
        names
    };
    assert_eq!((names(100), names(10_000)), (0, 1));
}
