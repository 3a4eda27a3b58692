use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::platform::{Platform, Shape, saying};

every_shape![
    everything_is_found_again_by_the_next_start,
    the_password_that_is_shown_once_is_good_and_in_no_log,
];

#[test]
fn the_first_start_says_where_everything_is_and_what_to_do_next() {
    let platform = Platform::new(Shape::Serve).started();
    let hello = platform.url("hello");
    let said = platform.said();
    for words in [
        platform.api_url(),
        format!("http://localhost:{}, handlers at {}", platform.edge_port, platform.url("NAME")),
        platform.data().to_str().unwrap().to_owned(),
        "admin with the password ".to_owned(),
        "(shown only this once)".to_owned(),
        format!("next: see it work: curl {hello}"),
    ] {
        assert!(said.contains(&words), "no `{words}` in: {said}");
    }
    assert_eq!(platform.web().get(&hello).has_status(200).text(), "Hello from wasmcloud!\n");
    let by_path = format!("http://localhost:{}/~hello/", platform.edge_port);
    assert_eq!(platform.web().get(&by_path).text(), "Hello from wasmcloud!\n");
}

#[test]
fn the_first_start_logs_its_operator_in() {
    let platform = Platform::new(Shape::Serve).started();
    let operator = platform.operator();
    let mode = std::fs::metadata(operator.settings_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(operator.settings()["api_server"], platform.api_url().as_str());
    assert_eq!(operator.run(&["whoami"]).good().stdout, "admin\n");
    assert_eq!(platform.admin().handlers(), ["hello"]);
}

#[test]
fn settings_that_belong_to_another_server_stay_as_they_are() {
    let platform = Platform::new(Shape::Serve);
    let operator = platform.operator().clone();
    operator.write_settings(&json!({"api_server": "https://else.example", "token": "t", "username": "ada"}));
    let before = std::fs::read(operator.settings_path()).unwrap();
    let platform = platform.started();
    assert_eq!(std::fs::read(operator.settings_path()).unwrap(), before);
    let said = platform.said();
    assert!(said.contains("belongs to https://else.example"), "{said}");

    // What it says to do is what helps.
    let api = platform.api_url();
    assert!(said.contains(&format!("wasmcloud login admin --api-server {api}")), "{said}");
    let login = ["login", "admin", "--password-stdin", "--api-server", &api];
    operator.run_with_input(&login, platform.password()).good();
    assert_eq!(operator.run(&["whoami"]).good().stdout, "admin\n");
}

fn everything_is_found_again_by_the_next_start(shape: Shape) {
    let platform = Platform::start(shape);
    let (admin, ada) = (platform.admin(), platform.user("ada"));
    let one = admin.create_of("of-admin", &saying("one"));
    let two = ada.create_of("of-ada", &saying("two"));
    two.update(&saying("three"));
    let invocation = one.answers("one").invocation();
    one.log_of(&invocation);
    let list = ada.run(&["list", "--json"]).good().json();

    platform.stop();
    platform.start_again();
    assert!(!platform.said().contains("password"), "{}", platform.said());
    one.answers("one");
    two.answers("three");
    assert_eq!(ada.run(&["list", "--json"]).good().json(), list);
    assert_eq!(ada.run(&["whoami"]).good().stdout, "ada\n");
    let shown = admin.run(&["invocations", "of-admin", &invocation]).good().stdout;
    assert!(shown.contains(&invocation), "{shown}");
    // The sample was there from the first start on, and is not made again after it was deleted.
    if shape == Shape::Serve {
        admin.run(&["delete", "hello", "--yes"]).good();
        platform.stop();
        platform.start_again();
        platform.web().get(&platform.url("hello")).has_status(404);
    }
}

fn the_password_that_is_shown_once_is_good_and_in_no_log(shape: Shape) {
    let platform = Platform::new(shape).common_flags(&["--log", "debug"]).started();
    let (user, api) = (platform.stranger(), platform.api_url());
    let login = ["login", "admin", "--password-stdin", "--api-server", &api];
    user.run_with_input(&login, platform.password()).good();
    let token = user.settings()["token"].as_str().unwrap().to_owned();
    user.run(&["whoami"]).good();
    user.run_with_input(&login, "a wrong password").code(3);
    let log = platform.api_log();
    for secret in [platform.password(), &token, "a wrong password"] {
        assert!(!log.contains(secret), "`{secret}` is in the log: {log}");
    }
}
