//! Signing in by browser, new passwords, and what operators do about people.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::platform::{Platform, Process, Shape, eventually};
use crate::user::User;

every_shape![
    a_browser_logs_a_program_in,
    a_code_that_is_typed_elsewhere_logs_a_program_in,
    a_login_that_is_refused_in_the_browser_ends_with_3,
    a_user_changes_the_password,
    an_operator_makes_a_reset_and_the_user_sets_a_new_password,
    an_operator_suspends_a_user_and_lifts_it_again,
    an_operator_promotes_and_demotes,
    invitations_are_listed_and_taken_back,
];

/// A browser at a platform: somebody who is signed in to the panel.
struct Browser<'p> {
    platform: &'p Platform,
    session: String,
}

impl<'p> Browser<'p> {
    #[track_caller]
    fn of(platform: &'p Platform, name: &str, password: &str) -> Browser<'p> {
        let mut browser = Browser { platform, session: String::new() };
        let body = json!({"username": name, "password": password});
        browser.session = browser.post("/sessions", &body, 201)["secret"].as_str().unwrap().to_owned();
        browser
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        let url = format!("{}/api/v1{path}", self.platform.api_url());
        let headers = BTreeMap::from([("authorization".to_owned(), format!("Session {}", self.session))]);
        let headers = if self.session.is_empty() { BTreeMap::new() } else { headers };
        let reply = self.platform.web().send(Method::POST, &url, &headers, body.to_string());
        serde_json::from_slice(&reply.has_status(status).body).unwrap()
    }

    #[track_caller]
    fn decide(&self, code: &str, approve: bool) -> Value {
        self.post(&format!("/logins/{code}/decision"), &json!({"approve": approve}), 200)
    }
}

/// A user whose browser writes down what it was to open.
fn with_a_browser(user: &User) -> String {
    let folder = user.home.path().join("programs");
    std::fs::create_dir(&folder).unwrap();
    let opener = folder.join("xdg-open");
    std::fs::write(
        &opener,
        "#!/bin/sh\necho \"$1\" > \"$HOME/opened.new\"\n/bin/mv \"$HOME/opened.new\" \"$HOME/opened\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o700)).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// What a browser was to open.
fn opened(user: &User) -> String {
    let file = user.home.path().join("opened");
    eventually("a browser is opened", || std::fs::read_to_string(&file).ok()).trim().to_owned()
}

fn a_browser_logs_a_program_in(shape: Shape) {
    let platform = Platform::start(shape);
    platform.user("ada");
    let (user, api) = (platform.stranger(), platform.api_url());
    let programs = with_a_browser(&user);
    let mut command = user.command(&["login", "--browser", "--api-server", &api]);
    let mut program = Process::of(command.env("PATH", programs));
    let url = opened(&user);
    let code = url.split_once("/device?code=").unwrap().1;
    let back = Browser::of(&platform, "ada", "correct horse").decide(code, true)["redirect"].clone();
    let back = back.as_str().unwrap().to_owned();
    // Somebody else on this machine who knows the port, but not the state.
    let guess = format!("{}&state=guess", back.split("&state=").next().unwrap());
    platform.web().get(&guess).has_status(404);
    let reply = platform.web().get(&back).has_status(200);
    assert!(reply.text().contains("You are logged in"), "{}", reply.text());
    assert_eq!(program.code(), 0);
    let told = program.stderr.text();
    assert!(told.contains(code) && told.contains("as ada"), "{told}");
    assert_eq!(user.run(&["whoami"]).good().stdout, "ada\n");
    let tokens = user.run(&["tokens", "list", "--json"]).good().json();
    let labels: Vec<&str> =
        tokens.as_array().unwrap().iter().map(|token| token["label"].as_str().unwrap()).collect();
    assert!(labels.iter().any(|label| label.starts_with("wasmcloud login")), "{labels:?}");
}

/// A `login --device` that waits, and the code that it shows.
fn begin_on_a_device(user: &User, api: &str) -> (Process, String) {
    let program = Process::spawn(user, &["login", "--device", "--api-server", api]);
    let code = eventually("a code is shown", || {
        let told = program.stderr.text();
        Some(told.split_once("the code ")?.1.get(..9)?.to_owned())
    });
    (program, code)
}

fn a_code_that_is_typed_elsewhere_logs_a_program_in(shape: Shape) {
    let platform = Platform::start(shape);
    platform.user("ada");
    let (user, api) = (platform.stranger(), platform.api_url());
    let (mut program, code) = begin_on_a_device(&user, &api);
    let typed = code.to_lowercase().replace('-', "");
    let decided = Browser::of(&platform, "ada", "correct horse").decide(&typed, true);
    assert_eq!(decided["redirect"], Value::Null);
    assert_eq!(program.code(), 0);
    assert_eq!(user.run(&["whoami"]).good().stdout, "ada\n");
}

fn a_login_that_is_refused_in_the_browser_ends_with_3(shape: Shape) {
    let platform = Platform::start(shape);
    platform.user("ada");
    let (user, api) = (platform.stranger(), platform.api_url());
    let (mut program, code) = begin_on_a_device(&user, &api);
    Browser::of(&platform, "ada", "correct horse").decide(&code, false);
    assert_eq!(program.code(), 3);
    assert!(!user.settings_path().exists());
}

fn a_user_changes_the_password(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, api) = (platform.user("ada"), platform.api_url());
    let ci = ada.run(&["tokens", "create", "ci"]).good().stdout;
    let change = |input: &str, more: &[&str]| {
        ada.run_with_input(&[&["password", "--password-stdin"], more].concat(), input)
    };
    change("correct horse\n", &[]).code(2).says("one line");
    change("not the password\nanother horse\n", &[]).code(3).says("not your password");
    change("correct horse\nshort\n", &[]).code(2).says("10 to 256");
    change("correct horse\nanother horse\n", &[]).good().says("tokens go on");
    let other = platform.stranger();
    other
        .run_with_input(&["login", "ada", "--password-stdin", "--api-server", &api], "correct horse\n")
        .code(3);
    other.run_with_input(&["login", "--token", "-", "--api-server", &api], &ci).good();
    let changed =
        change("another horse\nthird horse, at last\n", &["--revoke-tokens", "--json"]).good().json();
    assert_eq!(changed["revoked_tokens"], true);
    other.run(&["whoami"]).code(3);
    assert_eq!(ada.run(&["whoami"]).good().stdout, "ada\n");
}

fn an_operator_makes_a_reset_and_the_user_sets_a_new_password(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, api) = (platform.user("ada"), platform.api_url());
    let reset = platform.admin().run(&["users", "reset", "ada"]).good().says("/reset?code=");
    let body = json!({"code": reset.stdout.trim(), "password": "another horse"}).to_string();
    platform.web().post(&format!("{api}/api/v1/reset"), body).has_status(204);
    ada.run(&["whoami"]).code(3);
    ada.run_with_input(&["login", "ada", "--password-stdin"], "another horse\n").good();
    ada.run(&["users", "reset", "admin"]).code(3).says("only whoever operates");
}

fn an_operator_suspends_a_user_and_lifts_it_again(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, admin) = (platform.user("ada"), platform.admin());
    let hello = ada.create_of("greeting", &crate::platform::saying("hello"));
    hello.get().has_status(200);
    admin.run(&["users", "suspend", "ada", "--reason", "it sent spam"]).good();
    ada.run(&["list"]).code(3).says("it sent spam");
    let reply = eventually("the handler stops", || Some(hello.get()).filter(|reply| reply.status == 403));
    assert!(reply.text().contains("it sent spam"), "{}", reply.text());
    let shown = admin.run(&["users", "show", "ada"]).good().stdout;
    assert!(shown.contains("suspended  since") && shown.contains("it sent spam"), "{shown}");
    admin.run(&["users", "suspend", "admin", "--reason", "x"]).code(1).says("yourself");

    admin.run(&["users", "resume", "ada"]).good();
    ada.run(&["list"]).good();
    eventually("the handler answers again", || Some(hello.get()).filter(|reply| reply.status == 200));
    admin.run(&["users", "resume", "ada"]).code(4).says("not suspended");
}

fn an_operator_promotes_and_demotes(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, admin) = (platform.user("ada"), platform.admin());
    ada.run(&["users", "list"]).code(3);
    admin.run(&["users", "promote", "ada"]).good().says("operates this server now");
    let listed = ada.run(&["users", "list", "--json"]).good().json();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "admin"]);
    let table = ada.run(&["users", "list", "adm"]).good().stdout;
    assert!(table.contains("admin") && table.contains("operator") && !table.contains("ada "), "{table}");
    admin.run(&["users", "demote", "ada"]).good();
    ada.run(&["users", "list"]).code(3);
    admin.run(&["users", "demote", "admin"]).code(1).says("your own operator's rights");
    admin.run(&["users", "show", "nobody"]).code(4).says("users list");
}

fn invitations_are_listed_and_taken_back(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let code = admin.run(&["invite"]).good().stdout;
    let listed = admin.run(&["invite", "list", "--json"]).good().json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((listed.as_array().unwrap().len(), listed[0]["created_by"].as_str()), (1, Some("admin")));
    assert!(admin.run(&["invite", "list"]).good().stdout.contains(&id));
    admin.run(&["invite", "revoke", &id]).good().says("took back");
    admin.run(&["invite", "revoke", &id]).code(4);
    let (user, api) = (platform.stranger(), platform.api_url());
    let register = ["register", "eve", "--invitation", code.trim(), "--password-stdin", "--api-server", &api];
    user.run_with_input(&register, "correct horse").code(3);
}
