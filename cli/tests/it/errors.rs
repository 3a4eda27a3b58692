use serde_json::Value;

use crate::api::{Answer, Api};
use crate::user::User;

#[test]
fn every_error_of_the_api_has_its_exit_code_and_its_words() {
    for (status, code) in
        [(400, 1), (401, 3), (403, 3), (404, 4), (409, 1), (422, 1), (429, 1), (500, 1), (503, 6)]
    {
        let api = Api::start([("GET /api/v1/handlers", Answer::error(status, "some_code"))]);
        let done = User::logged_in_at(&api.url).run(&["list"]).code(code);
        assert_eq!(done.stdout, "", "{status}");
        done.says("error: message of some_code").says("hint: hint of some_code").says("request: request-7");
    }
}

#[test]
fn errors_are_json_where_results_are() {
    let api = Api::start([("GET /api/v1/handlers", Answer::error(404, "some_code"))]);
    let done = User::logged_in_at(&api.url).run(&["list", "--json"]).code(4);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "some_code");
    assert_eq!(error["error"]["request_id"], "request-7");
    assert_eq!(done.stdout, "");
}

#[test]
fn where_no_server_is_one_learns_how_to_start_one() {
    let user = User::logged_in_at("http://127.0.0.1:1");
    user.run(&["list"])
        .code(6)
        .says("no server at http://127.0.0.1:1")
        .says("start one with `wasmcloud serve`, or name another with --api-server");
    let done = user.run(&["list", "--json"]).code(6);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "unreachable");
}

#[test]
fn something_that_is_no_wasmcloud_api_is_told_apart() {
    for (status, body) in [(200, "<html>hello</html>"), (404, "<html>nothing</html>"), (502, "")] {
        let api = Api::start([("GET /api/v1/handlers", Answer::new(status, body))]);
        let code = if status == 502 { 6 } else { 1 };
        let done = User::logged_in_at(&api.url).run(&["list"]).code(code);
        done.says("not as a wasmcloud API does").says("--api-server");
    }
}

#[test]
fn a_servers_words_cannot_drive_the_terminal() {
    let body =
        r#"{"error":{"code":"c","message":"\u001b[2Jgone","hint":"","request_id":"\u001b]0;x\u0007"}}"#;
    let api = Api::start([("GET /api/v1/handlers", Answer::new(400, body))]);
    let done = User::logged_in_at(&api.url).run(&["list"]).code(1);
    assert!(!done.stderr.contains('\u{1b}') && !done.stderr.contains('\u{7}'), "{done:?}");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let user = User::new();
    for args in [
        &["nonsense"][..],
        &["show"],
        &["show", "Not_A_Name"],
        &["promote", "abc", "latest"],
        &["set", "abc"],
        &["logs", "abc", "--since", "yesterday"],
        &["list", "--api-server", "localhost:3000"],
        &["namegen", "-n", "0"],
        &["login", "--password", "hunter2"],
    ] {
        let done = user.run(args).code(2);
        assert_eq!(done.stdout, "", "{args:?}");
        let json = user.run(&[args, &["--json"]].concat()).code(2);
        let error: Value = serde_json::from_str(&json.stderr).unwrap();
        assert_eq!(error["error"]["code"], "usage", "{args:?}");
        assert_eq!(error["error"].get("request_id"), None, "{args:?}");
        assert!(!json.stderr.contains("For more information"), "{json:?}");
    }
}

#[test]
fn swapped_arguments_are_answered_with_their_order() {
    let user = User::new();
    let id = "019aa7a8-1111-7222-8333-444455556666";
    for (args, order) in [
        (
            &["route", "add", "echo", "shop.example.com"][..],
            "wasmcloud route add HOST[/PATH] NAME".to_owned(),
        ),
        (&["promote", "2", "echo"], "wasmcloud promote NAME VERSION".to_owned()),
        (&["update", "./echo.wasm", "echo"], "wasmcloud update NAME PROGRAM".to_owned()),
        (&["replay", "--local", id], format!("wasmcloud replay {id} --local")),
        (&["replay"], "wasmcloud replay <ID> [--local [PROGRAM]]".to_owned()),
    ] {
        user.run(args).code(2).says(&order);
    }
}

#[test]
fn a_broken_settings_file_is_named() {
    let user = User::new();
    std::fs::write(user.settings_path(), "{\"token\": hunter2").unwrap();
    let done = user.run(&["list"]).code(1).says(".wasmc.json").says("line 1");
    assert!(!done.stderr.contains("hunter2"), "{done:?}");
}

#[test]
fn the_environment_names_a_server_and_a_flag_overrides_it() {
    let user = User::new();
    let run = |args: &[&str]| {
        let output = user.command(args).env("WASMCLOUD_API_SERVER", "http://127.0.0.1:2").output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&["list"]).contains("not logged in at http://127.0.0.1:2"));
    assert!(run(&["list", "--api-server", "http://127.0.0.1:3"]).contains("at http://127.0.0.1:3"));
}
