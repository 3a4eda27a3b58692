use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::user::User;

fn user_body() -> Value {
    json!({"id": "01936a3e-0000-7000-8000-000000000001", "name": "ada", "is_admin": false, "created_at": 0})
}

fn grant() -> Answer {
    Answer::json(&json!({
        "token": "token-b", "id": "01936a3e-0000-7000-8000-000000000002", "expires_at": 951782400000i64,
        "user": user_body(),
    }))
}

#[test]
fn login_keeps_the_token_in_a_file_that_is_its_owners_alone() {
    let api = Api::start([("POST /api/v1/login", grant())]);
    let user = User::new();
    let done = user
        .run_with_input(&["login", "ada", "--password-stdin", "--api-server", &api.url], "hunter2 hunter2\n")
        .good()
        .says("logged in");
    assert_eq!(done.stdout, "");
    assert!(!done.stderr.contains("hunter2") && !done.stderr.contains("token-b"), "{done:?}");

    let request: Value = serde_json::from_slice(&api.request().body).unwrap();
    assert_eq!(request, json!({"username": "ada", "password": "hunter2 hunter2"}));
    assert_eq!(api.request().header("authorization"), None);
    assert_eq!(user.settings(), json!({"api_server": api.url, "token": "token-b", "username": "ada"}));
    let mode = std::fs::metadata(user.settings_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn login_with_a_token_asks_the_server_whose_it_is() {
    let api = Api::start([("GET /api/v1/whoami", Answer::json(&user_body()))]);
    let user = User::new();
    user.run_with_input(&["login", "--token", "-", "--api-server", &api.url], "token-c\n").good();
    assert_eq!(api.request().header("authorization"), Some("Bearer token-c"));
    assert_eq!(user.settings()["token"], "token-c");
}

#[test]
fn a_token_that_the_server_does_not_know_is_not_kept() {
    let api = Api::start([("GET /api/v1/whoami", Answer::error(401, "unauthorized"))]);
    let user = User::new();
    let done = user.run(&["login", "--token", "token-c", "--api-server", &api.url]).code(3);
    assert!(!user.settings_path().exists() && !done.stderr.contains("token-c"), "{done:?}");
}

#[test]
fn login_without_a_terminal_says_how_to_pass_the_password() {
    let user = User::new();
    user.run(&["login", "ada"]).code(2).says("--password-stdin");
    user.run(&["login"]).code(2).says("--password-stdin");
}

#[test]
fn a_token_is_never_sent_to_another_server() {
    let (home, other) = (Api::start([]), Api::start([]));
    let user = User::logged_in_at(&home.url);
    for command in [&["list"][..], &["whoami"], &["delete", "abc", "--yes"]] {
        let mut args = command.to_vec();
        args.extend(["--api-server", &other.url]);
        user.run(&args).code(3).says("not logged in at").says(&home.url);
    }
    user.run(&["logout", "--api-server", &other.url]).good().says("nothing to do");
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    assert_eq!(user.settings()["token"], "token-a");
}

#[test]
fn a_redirect_takes_the_token_nowhere() {
    let other = Api::start([]);
    let moved = Answer::new(302, "").header("location", format!("{}/api/v1/whoami", other.url));
    let api = Api::start([("GET /api/v1/whoami", moved)]);
    User::logged_in_at(&api.url).run(&["whoami"]).code(1).says("302");
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn whoami_prints_the_name_alone() {
    let api = Api::start([("GET /api/v1/whoami", Answer::json(&user_body()))]);
    let done = User::logged_in_at(&api.url).run(&["whoami"]).good();
    assert_eq!(done.stdout, "ada\n");
    assert_eq!(api.request().header("authorization"), Some("Bearer token-a"));
}

#[test]
fn logout_revokes_and_forgets() {
    let api = Api::start([("POST /api/v1/logout", Answer::new(204, ""))]);
    let user = User::logged_in_at(&api.url);
    user.run(&["logout"]).good().says("logged out");
    assert_eq!(api.request().header("authorization"), Some("Bearer token-a"));
    assert_eq!(user.settings(), json!({"api_server": api.url, "username": "ada"}));
}

#[test]
fn logout_forgets_the_token_when_the_server_is_away_and_says_so() {
    let user = User::logged_in_at("http://127.0.0.1:1");
    user.run(&["logout"]).good().says("forgotten here, but good there");
    assert!(user.settings().get("token").is_none());
}

#[test]
fn a_settings_file_that_others_can_read_is_warned_of() {
    let user = User::logged_in_at("http://127.0.0.1:1");
    std::fs::set_permissions(user.settings_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    user.run(&["list"]).code(6).says("chmod 600");
}

#[test]
fn registering_logs_in() {
    let server = Answer::json(&json!({"version": "0.1.0", "registration": "invitation"}));
    let api = Api::start([("GET /api/v1/server", server), ("POST /api/v1/register", grant())]);
    let user = User::new();
    let args = ["register", "ada", "--invitation", "code-1", "--password-stdin", "--api-server", &api.url];
    user.run_with_input(&args, "hunter2 hunter2").good();
    let request: Value = serde_json::from_slice(&api.requests()[1].body).unwrap();
    assert_eq!(request, json!({"username": "ada", "password": "hunter2 hunter2", "invitation": "code-1"}));
    assert_eq!(user.settings()["token"], "token-b");
}

#[test]
fn registering_where_nobody_may_fails_before_a_password_is_read() {
    for (registration, words) in [("off", "lets nobody register"), ("invitation", "--invitation CODE")] {
        let server = Answer::json(&json!({"version": "0.1.0", "registration": registration}));
        let api = Api::start([("GET /api/v1/server", server)]);
        User::new().run(&["register", "ada", "--api-server", &api.url]).code(3).says(words);
    }
}

#[test]
fn a_new_token_is_alone_on_standard_output() {
    let api = Api::start([("POST /api/v1/tokens", grant())]);
    let done = User::logged_in_at(&api.url).run(&["tokens", "create", "for ci", "--days", "7"]).good();
    assert_eq!(done.stdout, "token-b\n");
    let request: Value = serde_json::from_slice(&api.request().body).unwrap();
    assert_eq!(request, json!({"label": "for ci", "days": 7}));
}

#[test]
fn tokens_are_listed_and_revoked_by_id() {
    let id = "01936a3e-0000-7000-8000-000000000002";
    let token = json!([{"id": id, "label": "for ci", "created_at": 0, "expires_at": 951782400000i64, "current": true}]);
    let api = Api::start([
        ("GET /api/v1/tokens", Answer::json(&token)),
        ("DELETE /api/v1/tokens/01936a3e-0000-7000-8000-000000000002", Answer::new(204, "")),
    ]);
    let user = User::logged_in_at(&api.url);
    let done = user.run(&["tokens", "list"]).good();
    assert!(done.stdout.contains(id) && done.stdout.contains("for ci"), "{done:?}");
    user.run(&["tokens", "revoke", id]).good().says("revoked");
}

#[test]
fn an_invitation_is_alone_on_standard_output() {
    let invitation = json!({"code": "code-1", "expires_at": 951782400000i64});
    let api = Api::start([("POST /api/v1/invitations", Answer::json(&invitation))]);
    let done = User::logged_in_at(&api.url).run(&["invite"]).good().says("register");
    assert_eq!(done.stdout, "code-1\n");
}

#[test]
fn an_invitation_says_so_where_nobody_can_use_it() {
    for (registration, warning) in [
        ("off", Some("nobody can register with it now: set `registration = \"invitation\"`")),
        ("open", Some("everybody can register without it now")),
        ("invitation", None),
    ] {
        let invitation = json!({"code": "code-1", "expires_at": 951782400000i64});
        let server = json!({"version": "1", "registration": registration});
        let api = Api::start([
            ("POST /api/v1/invitations", Answer::json(&invitation)),
            ("GET /api/v1/server", Answer::json(&server)),
        ]);
        let done = User::logged_in_at(&api.url).run(&["invite"]).good();
        assert_eq!(done.stderr.contains("warning"), warning.is_some(), "{done:?}");
        assert!(done.stderr.contains(warning.unwrap_or_default()), "{done:?}");
        assert_eq!(done.stdout, "code-1\n");
    }
}

#[test]
fn what_the_command_line_can_see_is_wrong_is_asked_of_nobody() {
    let api = Api::start([]);
    let user = User::logged_in_at(&api.url);
    let there = user.file("audit.csv", "as it was");
    user.run(&["tokens", "revoke", "nope"]).code(2).says("it is no token's id").says("wasmcloud tokens list");
    user.run(&["logs", "hello", "--grep", ""]).code(2).says("1 to 200 characters");
    user.run(&["teams", "delete", "crew"]).code(2).says("--yes");
    user.run(&["audit", "--export", "nowhere/audit.csv"]).code(1).says("there is no folder nowhere");
    user.run(&["audit", "--export", &there]).code(1).says("nothing is overwritten");
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "as it was");
    assert!(api.requests().is_empty(), "{:?}", api.requests());
}
