use crate::platform::{fixture, olin_echo, saying};
use crate::user::User;

#[test]
fn standard_output_is_the_programs_own() {
    let user = User::new();
    let file = user.file("a.wat", saying("hi"));
    let done = user.run(&["run", &file]).good();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("Content-Type: text/plain\n\nhi", ""));
    let echoed = user.run_with_input(&["run", &fixture("echo.wat")], "from a pipe").good().stdout;
    assert_eq!(echoed, "Content-Type: application/octet-stream\n\nfrom a pipe");
    let rust = user.run(&["run", &olin_echo(), "--path", "/a?b", "--data", "tea"]).good();
    assert!(rust.stdout.ends_with("\nPOST /a?b\ntea"), "{rust:?}");
    rust.says("log info: POST /a with 3 bytes");
}

#[test]
fn arguments_and_environment_reach_the_program() {
    let user = User::new();
    let args = user.run(&["run", &fixture("args.wat"), "one", "--two", "three four"]).good().stdout;
    assert!(args.contains("\n4\nlocal-run\none\n--two\nthree four\n"), "{args}");
    let value = |variable: &str, flags: &[&str]| {
        let path = format!("/?{variable}");
        let file = fixture("env.wat");
        let args = [&["run", "--path", &path][..], flags, &[&file]].concat();
        user.run(&args).good().stdout
    };
    assert!(value("SERVER_NAME", &["--name", "ace-of-cups-1"]).ends_with("\n\nace-of-cups-1.localhost"));
    assert!(value("HTTP_ACCEPT", &["-H", "Accept: text/tea"]).ends_with("\n\ntext/tea"));
    assert!(value("TEAPOT", &["-e", "TEAPOT=short=stout"]).ends_with("\n\nshort=stout"));
    assert!(value("HTTP_AUTHORIZATION", &["-H", "Authorization: secret"]).starts_with("Status: 404"));
    // Nothing of one's own environment is let in.
    assert!(value("HOME", &[]).starts_with("Status: 404"));
}

#[test]
fn the_exit_status_is_the_programs_own_or_7() {
    let user = User::new();
    user.run(&["run", &fixture("exit_code_early.wat")]).code(3);
    user.run(&["run", &fixture("exit_zero.wat")]).good();
    user.run(&["run", &fixture("trap.wat")]).code(7).says("unreachable").says("parse_header");
    user.run(&["run", &fixture("unknown_import.wat")]).code(5).says("cwa.file_delete").says("hint:");
    user.run(&["run", "nothing.wasm"]).code(1).says("cannot read nothing.wasm");
}

#[test]
fn limits_are_those_of_the_flags() {
    let user = User::new();
    let endless = fixture("infinite_loop.wat");
    user.run(&["run", "--gas=1000000", &endless]).code(7).says("killed by gas limit").says("--gas=2000000");
    user.run(&["run", "--gas", "1000000", &endless]).code(2).says("write --gas=1000000");
    let sleeper = fixture("sleeper.wat");
    let sleep = ["run", "--wall-ms", "200", "--path", "/?60000", &sleeper];
    user.run(&sleep).code(7).says("killed by wall limit: 0.200 of 0.200 s").says("--wall-ms");
    user.run(&["run", "--memory-bytes", "65536", &fixture("echo.wat")])
        .code(5)
        .says("the memory limit is 1 page (65536 bytes)")
        .says("or give it more: --memory-bytes 262144");
    for bytes in ["0", "1000", "65535", "1073741825"] {
        let refused = user.run(&["run", "--memory-bytes", bytes, &endless]).code(2);
        refused.says("65536..=1073741824");
    }
    user.run(&["run", &fixture("big_memory.wat")]).code(5).says("2048 pages");
    user.run(&["run", "--memory-bytes", "268435456", &fixture("big_memory.wat")]).good();
    let flood = user.run(&["run", "--response-bytes", "100000", &fixture("endless_output.wat")]).code(7);
    assert!(flood.stdout.len() <= 200_000, "{} bytes", flood.stdout.len());
    flood.says("killed by response limit");
}

#[test]
fn stats_are_the_receipt() {
    let user = User::new();
    let file = fixture("echo.wat");
    let done = user.run(&["run", "--stats", "--data", "tea", &file]).good();
    assert!(!done.stderr.contains("no answer"), "{done:?}");
    done.says("receipt").says(" gas").says("of memory").says("3 B in").says("io_get_stdin × 1");
    let json = user.run(&["run", "--stats", "--json", "--data", "tea", &file]).good().stderr;
    let receipt: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((receipt["bytes_in"].as_u64(), &receipt["outcome"]["kind"]), (Some(3), &"ok".into()));
}

#[test]
fn a_mistake_in_a_text_is_shown_with_its_line() {
    let user = User::new();
    let file = user.file("wrong.wat", "(module\n  (func (oops)))");
    user.run(&["run", &file]).code(5).says("wrong.wat:2:").says("oops");
}
