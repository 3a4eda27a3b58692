//! What nobody may read on a terminal or in a log: passwords, wherever an operator writes them.

use crate::user::{Done, User};

const PASSWORD: &str = "sesame99";

/// Runs with this URL in the variable.
fn with_variable(user: &User, args: &[&str], url: &str) -> Done {
    Done::of(user.command(args).env("WASMCLOUD_DATABASE", url).output().unwrap())
}

#[track_caller]
fn keeps_it(done: Done) -> Done {
    assert!(!format!("{done:?}").contains(PASSWORD), "{done:?}");
    done
}

#[test]
fn help_does_not_show_the_database_of_the_variable() {
    let user = User::new();
    let url = format!("postgres://u:{PASSWORD}@127.0.0.1:1/x");
    for command in ["serve", "api", "migrate", "export", "import"] {
        let help = keeps_it(with_variable(&user, &[command, "--help"], &url).good());
        assert!(help.stdout.contains("[env: WASMCLOUD_DATABASE]"), "{help:?}");
    }
}

#[test]
fn a_wrong_database_url_is_told_without_what_is_in_it() {
    let user = User::new();
    user.file("server.toml", format!("[api]\ndatabase = \"mysql://u:{PASSWORD}@127.0.0.1/x\"\n"));
    let url = format!("mysql://u:{PASSWORD}@127.0.0.1/x");
    let no_scheme = format!("u:{PASSWORD}@127.0.0.1/x");
    for args in [
        &["migrate", "--database", &url][..],
        &["serve", "--data", "data", "--database", &url],
        &["export", "file", "--data", ".", "--database", &url],
        &["migrate", "--settings", "server.toml"],
    ] {
        keeps_it(user.run(args).code(2)).says("it begins with mysql://").says("postgres://USER@HOST/NAME");
    }
    keeps_it(with_variable(&user, &["migrate"], &url).code(2)).says("WASMCLOUD_DATABASE");
    keeps_it(user.run(&["migrate", "--database", &no_scheme]).code(2))
        .says("does not begin with postgres://");
}

#[test]
fn a_mistake_in_the_settings_file_does_not_show_its_lines() {
    let user = User::new();
    for text in [
        format!("[api]\ndatabase = \"postgres://u:{PASSWORD}@127.0.0.1/x\n"),
        format!("[api]\ndatabase = postgres://u:{PASSWORD}@127.0.0.1/x\n"),
        format!("[api]\ndatabase = \"postgres://u:\n{PASSWORD}=@127.0.0.1/x\"\n"),
        format!("[api]\nlisten = 1\ndatabase = \"postgres://u:{PASSWORD}@127.0.0.1/x\" \"\n"),
        format!("[storage]\nkey_secret = \"{PASSWORD}\"\n"),
    ] {
        user.file("server.toml", text);
        keeps_it(user.run(&["migrate", "--settings", "server.toml"]).code(1)).says("server.toml, line ");
    }
}

#[test]
fn no_start_shows_a_password_that_is_not_encoded() {
    let user = User::new();
    for url in [
        format!("postgres://u:12/{PASSWORD}@127.0.0.1/x"),
        format!("postgres://u:{PASSWORD}/12@127.0.0.1/x"),
        format!("postgres://u:p@127.0.0.1:1/x?pasword={PASSWORD}"),
    ] {
        keeps_it(user.run(&["migrate", "--database", &url, "--json"]).code(1)).says("the database");
    }
}

#[test]
fn a_setting_without_a_name_is_told_without_its_value() {
    let user = User::logged_in_at("http://127.0.0.1:1");
    user.file("h.wasm", "");
    let setting = format!("={PASSWORD}");
    keeps_it(user.run(&["create", "h.wasm", "--secret", &setting]).code(2)).says("KEY=VALUE");
}
