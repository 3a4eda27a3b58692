use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::user::User;

const URL: &str = "http://hello.localhost:3001/";
const PROGRAM: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\")))";

fn handler() -> Value {
    json!({
        "id": "01936a3e-0000-7000-8000-000000000003", "name": "hello", "url": URL, "live": 1, "abi": "olin",
        "digest": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "auto_rollback": true, "forward_authorization": false, "created_at": 951782400000i64,
        "updated_at": 951782400000i64,
    })
}

fn deployed() -> Answer {
    Answer::json(&json!({
        "handler": handler(), "version": 1,
        "inspection": {
            "abi": "olin", "size_bytes": 1536, "memory_bytes_min": 65536, "memory_bytes_max": null,
            "imports": [{"module": "cwa", "name": "log_write", "ty": "(func)"}], "exports": [],
        },
    }))
}

#[test]
fn create_sends_the_module_and_prints_the_address_alone() {
    let api = Api::start([("POST /api/v1/handlers", deployed())]);
    let user = User::logged_in_at(&api.url);
    let file = user.file("hello.wat", PROGRAM);
    let done = user.run(&["create", &file, "--name", "hello", "--forward-authorization"]).good();
    assert_eq!(done.stdout, format!("{URL}\n"));
    let request = api.request();
    assert_eq!(request.query, "name=hello&forward_authorization=true");
    assert_eq!(request.header("content-type"), Some("application/wasm"));
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
    assert!(request.body.starts_with(b"\0asm"));
    done.says("created hello, version 1").says("olin, 1.5 KiB").says("cwa.log_write").says("64.0 KiB");
}

#[test]
fn settings_go_with_the_module_and_warnings_are_told() {
    let mut answer: Value = serde_json::from_str(&deployed().body).unwrap();
    answer["warnings"] = json!(["it reads DEBUG, which is not set"]);
    let api = Api::start([("POST /api/v1/handlers", Answer::json(&answer))]);
    let user = User::logged_in_at(&api.url);
    let file = user.file("hello.wat", PROGRAM);
    let args = ["create", &file, "--name", "hello", "--env", "A=k\u{e4}se", "--secret", "B=-"];
    let done = user.run_with_input(&args, "s3cret\n").good();
    assert_eq!(done.stdout, format!("{URL}\n"));
    done.says("warning: it reads DEBUG, which is not set");
    let field = r#"{"set":{"A":{"value":"k\u00e4se"},"B":{"value":"s3cret","secret":true}}}"#;
    assert_eq!(api.request().header("wasmcloud-env"), Some(field));

    let value = "x".repeat(5_000);
    let large = ["A", "B", "C"].map(|name| format!("--env={name}={value}"));
    let args: Vec<&str> =
        ["update", "hello", &file].into_iter().chain(large.iter().map(String::as_str)).collect();
    user.run(&args).code(2).says("12288 bytes").says("wasmcloud env set");
    user.run(&["update", "hello", "-", "--env", "A=-"]).code(2).says("standard input");
    user.run(&["update", "hello", &file, "--env", "PATH_INFO=x"]).code(2).says("reserved");
    assert_eq!(api.requests().len(), 1, "nothing was sent");
}

#[test]
fn a_folders_files_go_with_the_module() {
    let api = Api::start([("POST /api/v1/handlers", deployed())]);
    let user = User::logged_in_at(&api.url);
    let folder = std::path::PathBuf::from(user.file("hello.wat", PROGRAM)).with_file_name("pages");
    std::fs::create_dir_all(folder.join("css")).unwrap();
    for (path, content) in [("index.html", "<p>"), ("css/a.css", "p{}"), (".env", "s3cret")] {
        std::fs::write(folder.join(path), content).unwrap();
    }
    user.run(&["create", "hello.wat", "--name", "hello", "--files", "pages"]).good();
    let module = api.request().body;
    let files = wasmcloud_inspect::files::read(&module).unwrap();
    let files: Vec<_> = files.iter().map(|file| (file.path, file.bytes)).collect();
    assert_eq!(files, [("css/a.css", &b"p{}"[..]), ("index.html", b"<p>")]);

    std::os::unix::fs::symlink("/etc/hostname", folder.join("link")).unwrap();
    user.run(&["update", "hello", "hello.wat", "--files", "pages"]).code(1).says("leads out of the folder");
    user.run(&["run", "hello.wat", "--files", "nowhere"]).code(1).says("nowhere");
    assert_eq!(api.requests().len(), 1, "nothing was sent");
}

#[test]
fn a_large_module_arrives_whole() {
    let api = Api::start([("PUT /api/v1/handlers/hello/module", deployed())]);
    let user = User::logged_in_at(&api.url);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.extend((0..1_000_000u32).flat_map(u32::to_le_bytes));
    user.run(&["update", "hello", &user.file("big.wasm", &module)]).good();
    assert!(api.request().body == module, "the module changed on its way");
}

#[test]
fn create_without_a_name_makes_one_up_and_tries_again_when_it_is_taken() {
    let api = Api::start([
        ("POST /api/v1/handlers", Answer::error(409, "name_taken")),
        ("POST /api/v1/handlers", deployed()),
    ]);
    let user = User::logged_in_at(&api.url);
    user.run(&["create", &user.file("a.wat", PROGRAM)]).good();
    let names: Vec<String> = api.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_name_that_was_asked_for_and_is_taken_is_an_error() {
    let api = Api::start([("POST /api/v1/handlers", Answer::error(409, "name_taken"))]);
    let user = User::logged_in_at(&api.url);
    user.run(&["create", &user.file("a.wat", PROGRAM), "--name", "hello"]).code(1).says("name_taken");
    api.request();
}

#[test]
fn a_module_that_the_server_refuses_exits_with_5() {
    for status in [400, 413, 422] {
        let api = Api::start([("POST /api/v1/handlers", Answer::error(status, "unmet_import"))]);
        let user = User::logged_in_at(&api.url);
        user.run(&["create", &user.file("a.wat", PROGRAM)]).code(5).says("message of unmet_import");
    }
}

#[test]
fn what_cannot_be_a_module_is_never_sent() {
    let api = Api::start([]);
    let user = User::logged_in_at(&api.url);
    let big = user.file("big.wasm", "");
    std::fs::File::options().write(true).open(&big).unwrap().set_len(64 << 20).unwrap();
    for (file, code, words) in [
        (user.file("a.wasm", "\x7fELF"), 5, "native"),
        (user.file("page.wasm", "<!DOCTYPE html>"), 5, "HTML"),
        (user.file("empty.wasm", ""), 5, "empty"),
        (user.file("wrong.wat", "(module\n  (oops))"), 5, "wrong.wat:2:4"),
        (big, 5, "67108864 bytes; the upload limit is 33554432"),
        ("missing.wasm".to_owned(), 1, "cannot read missing.wasm"),
        (user.home.path().to_str().unwrap().to_owned(), 1, "is a folder"),
    ] {
        user.run(&["create", &file]).code(code).says(words);
    }
    assert!(api.requests().is_empty(), "{:?}", api.requests());
}

#[test]
fn a_module_can_come_from_standard_input() {
    let api = Api::start([("PUT /api/v1/handlers/hello/module", deployed())]);
    let done =
        User::logged_in_at(&api.url).run_with_input(&["update", "hello", "-", "--json"], PROGRAM).good();
    assert_eq!(done.json()["handler"]["name"], "hello");
    assert!(api.request().body.starts_with(b"\0asm"));
}

#[test]
fn handlers_are_listed_in_columns_or_as_json() {
    let list = json!([handler()]);
    let api = Api::start([
        ("GET /api/v1/handlers", Answer::json(&list)),
        ("GET /api/v1/handlers", Answer::json(&list)),
        ("GET /api/v1/handlers", Answer::json(&json!([]))),
    ]);
    let user = User::logged_in_at(&api.url);
    let done = user.run(&["list"]).good();
    let rows: Vec<Vec<&str>> = done.stdout.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["NAME", "LIVE", "ABI", "CHANGED", "ADDRESS"],
            vec!["hello", "1", "olin", "2000-02-29T00:00:00Z", URL],
        ]
    );
    assert_eq!(user.run(&["list", "--json"]).good().json(), list);
    let none = user.run(&["list"]).good().says("wasmcloud create");
    assert_eq!(none.stdout, "");
}

/// A team's handler, while the team is suspended.
fn of_a_suspended_team() -> Value {
    let mut handler = handler();
    handler["owner"] = json!("bakery");
    handler["role"] = json!("viewer");
    handler["suspended"] = json!("sends spam");
    handler
}

#[test]
fn a_list_says_whose_a_handler_is_and_that_its_team_is_suspended() {
    let mut own = handler();
    own["owner"] = json!("ada");
    let api = Api::start([
        ("GET /api/v1/handlers", Answer::json(&json!([of_a_suspended_team()]))),
        ("GET /api/v1/handlers", Answer::json(&json!([own]))),
    ]);
    let user = User::logged_in_at(&api.url);
    let list = user.run(&["list"]).good().stdout;
    for words in ["OWNER", "YOU ARE", "bakery", "viewer", "SUSPENDED", "sends spam"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    let list = user.run(&["list"]).good().stdout;
    assert!(!list.contains("OWNER") && !list.contains("SUSPENDED"), "{list}");
}

#[test]
fn an_update_of_a_suspended_teams_handler_says_that_nothing_answers() {
    let mut answer: Value = serde_json::from_str(&deployed().body).unwrap();
    answer["handler"] = of_a_suspended_team();
    let api = Api::start([("PUT /api/v1/handlers/hello/module", Answer::json(&answer))]);
    let user = User::logged_in_at(&api.url);
    let file = user.file("hello.wat", PROGRAM);
    user.run(&["update", "hello", &file])
        .good()
        .says("the team bakery is suspended: its address answers 403: sends spam");
}

#[test]
fn show_says_whose_a_teams_handler_is() {
    let api = Api::start([
        ("GET /api/v1/handlers/hello", Answer::json(&of_a_suspended_team())),
        ("GET /api/v1/handlers/hello/versions", Answer::json(&json!([]))),
        ("GET /api/v1/handlers/hello/recording", Answer::json(&Value::Null)),
    ]);
    let done = User::logged_in_at(&api.url).run(&["show", "hello"]).good().says("sends spam");
    assert!(done.stdout.contains("owner                   bakery (you: viewer)"), "{done:?}");
}

#[test]
fn show_has_the_handler_and_its_versions() {
    let version = json!([{
        "number": 1, "digest": handler()["digest"], "abi": "olin", "size_bytes": 1536, "live": true,
        "url": "http://v1--hello.localhost:3001/", "created_at": 951782400000i64,
    }]);
    let api = Api::start([
        ("GET /api/v1/handlers/hello", Answer::json(&handler())),
        ("GET /api/v1/handlers/hello/versions", Answer::json(&version)),
        ("GET /api/v1/handlers/hello/recording", Answer::json(&Value::Null)),
    ]);
    let done = User::logged_in_at(&api.url).run(&["show", "hello"]).good();
    for words in [URL, "version 1", "http://v1--hello.localhost:3001/", "1.5 KiB"] {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
}

#[test]
fn promote_rollback_and_set_send_what_they_were_told() {
    let (mut split, mut ended) = (handler(), handler());
    split["split"] = json!({"version": 2, "percent": 10});
    ended["ended"] = json!({"version": 2, "percent": 10});
    let api = Api::start([
        ("POST /api/v1/handlers/hello/promote", Answer::json(&handler())),
        ("POST /api/v1/handlers/hello/promote", Answer::json(&split)),
        ("POST /api/v1/handlers/hello/rollback", Answer::json(&ended)),
        ("PATCH /api/v1/handlers/hello", Answer::json(&handler())),
        ("PATCH /api/v1/handlers/hello", Answer::json(&handler())),
    ]);
    let user = User::logged_in_at(&api.url);
    user.run(&["promote", "hello", "v1"]).good().says("version 1 of hello is live");
    user.run(&["promote", "hello", "2", "--percent", "10"])
        .good()
        .says("version 2 answers 10 % of the clients");
    user.run(&["rollback", "hello"]).good().says("version 2 answers 10 % of the clients no more");
    user.run(&["set", "hello", "--forward-authorization", "false"]).good().says("does not see");
    user.run(&["set", "hello", "--auto-rollback", "on"]).good().says("is taken back");
    for args in [&["set", "hello"][..], &["promote", "hello", "2", "--percent", "101"]] {
        user.run(args).code(2);
    }
    let bodies: Vec<Value> = api
        .requests()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap_or_default())
        .collect();
    let expected = [
        json!({"version": 1}),
        json!({"version": 2, "percent": 10}),
        Value::Null,
        json!({"forward_authorization": false}),
        json!({"auto_rollback": true}),
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn delete_needs_a_yes_and_asks_nobody_without_a_terminal() {
    let api = Api::start([
        ("DELETE /api/v1/handlers/abc", Answer::new(204, "")),
        ("DELETE /api/v1/handlers/def", Answer::error(404, "handler_not_found")),
    ]);
    let user = User::logged_in_at(&api.url);
    user.run_with_input(&["delete", "abc"], "y\n").code(2).says("--yes");
    assert!(api.requests().is_empty());
    let done = user.run(&["delete", "abc", "def", "ghi", "--yes"]).code(4).says("deleted abc");
    assert_eq!(api.requests().len(), 2, "{done:?}");
}
