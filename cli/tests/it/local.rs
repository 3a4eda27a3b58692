use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use wasmcloud_wire::HandlerName;

use crate::user::User;

#[test]
fn generated_names_are_valid_and_all_different() {
    let done = User::new().run(&["namegen", "-n", "500"]).good();
    let names: BTreeSet<&str> = done.stdout.lines().collect();
    assert_eq!(names.len(), 500);
    for name in names {
        assert!(name.parse::<HandlerName>().is_ok(), "{name}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = User::new().command(&["namegen", "-n", "10000"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(!first.trim().is_empty());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = User::new().run(&["completions", shell]).good();
        assert!(done.stdout.contains("wasmcloud") && done.stdout.contains("namegen"), "{shell}");
    }
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let user = User::new();
    let help = user.run(&["help"]).good().stdout;
    let commands = user.run(&["commands"]).good().stdout;
    for line in commands.lines() {
        let command = line.split_whitespace().next().unwrap();
        assert!(help.contains(&format!("  {command}")), "{command}");
    }
    assert!(help.contains("Exit codes:") && help.contains("130"), "{help}");
}

#[test]
fn flags_lists_flags_environment_and_exit_codes() {
    let user = User::new();
    let text = user.run(&["flags"]).good().stdout;
    for word in ["--api-server URL", "--config FILE", "--json", "WASMCLOUD_API_SERVER", "NO_COLOR", "130"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = user.run(&["flags", "--json"]).good().json();
    assert_eq!(json["exit_codes"][0]["code"], 0);
}

#[test]
fn the_version_is_told_both_ways() {
    let user = User::new();
    let version = format!("wasmcloud {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(user.run(&["version"]).good().stdout, version);
    assert_eq!(user.run(&["--version"]).good().stdout, version);
    assert_eq!(user.run(&["version", "--json"]).good().json()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn results_are_json_where_that_was_asked_for() {
    let user = User::new();
    for args in [&["namegen", "--json"][..], &["commands", "--json"], &["--json", "flags"]] {
        user.run(args).good().json();
    }
}

#[test]
fn nothing_is_coloured_off_a_terminal() {
    let user = User::new();
    for args in [&["help"][..], &["flags"], &["commands"], &["list"], &["nonsense"]] {
        let done = user.run(args);
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{args:?}: {done:?}");
    }
}

#[test]
fn inspect_says_what_a_module_is() {
    let user = User::new();
    let file = user.file("a.wat", "(module (memory (export \"memory\") 1 2) (func (export \"_start\")))");
    let done = user.run(&["inspect", &file]).good();
    for words in
        ["olin", "64.0 KiB (65536 bytes) at first, never more than 128.0 KiB (131072 bytes)", "_start"]
    {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
    let json = user.run(&["inspect", &file, "--json"]).good().json();
    assert_eq!(json["abi"], "olin");
    assert_eq!(json["digest"].as_str().unwrap().len(), 64);
}

#[test]
fn inspect_refuses_what_a_server_would_refuse() {
    let user = User::new();
    let file =
        user.file("a.wat", "(module (import \"nowhere\" \"nothing\" (func)) (func (export \"_start\")))");
    user.run(&["inspect", &file]).code(5).says("nothing").says("hint:");
}

#[test]
fn commands_that_need_no_server_need_no_settings() {
    let user = User::new();
    std::fs::write(user.settings_path(), "broken").unwrap();
    for args in [&["namegen"][..], &["version"], &["commands"], &["completions", "bash"]] {
        user.run(args).good();
    }
}
