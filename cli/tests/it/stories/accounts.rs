use crate::platform::{Platform, Shape};

every_shape![
    a_user_logs_in_and_out,
    a_wrong_password_and_an_unknown_user_say_the_same,
    a_token_logs_in_until_it_is_revoked,
    nobody_registers_where_registration_is_off,
    anybody_registers_where_registration_is_open,
    an_invitation_is_good_for_one_user,
];

fn a_user_logs_in_and_out(shape: Shape) {
    let platform = Platform::start(shape);
    let api = platform.api_url();
    let ada = platform.user("ada");
    ada.run(&["whoami"]).good().says(&api);
    assert_eq!(ada.run(&["whoami", "--json"]).good().json()["server"], api);
    let token = ada.token();
    ada.run(&["logout"]).good();
    ada.run(&["whoami"]).code(3).says("not logged in").says("wasmcloud login");
    // The token is dead, not only forgotten.
    ada.run(&["login", "--token", &token]).code(3);
    ada.run_with_input(&["login", "ada", "--password-stdin"], "correct horse\n").good();
    assert_eq!(ada.run(&["whoami"]).good().stdout, "ada\n");
    assert_ne!(ada.token(), token);
}

fn a_wrong_password_and_an_unknown_user_say_the_same(shape: Shape) {
    let platform = Platform::start(shape);
    let (user, api) = (platform.stranger(), platform.api_url());
    let login = |name| {
        let args = ["login", name, "--password-stdin", "--api-server", &api];
        let done = user.run_with_input(&args, "not the password").code(3);
        // The request's id is another one each time.
        done.stderr.lines().filter(|line| !line.starts_with("request")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(login("admin"), login("nobody-here"));
    assert!(!user.settings_path().exists());
}

fn a_token_logs_in_until_it_is_revoked(shape: Shape) {
    let platform = Platform::start(shape);
    let (admin, other, api) = (platform.admin(), platform.stranger(), platform.api_url());
    let token = admin.run(&["tokens", "create", "for ci", "--days", "7"]).good().stdout;
    other.run_with_input(&["login", "--token", "-", "--api-server", &api], &token).good();
    assert_eq!(other.run(&["whoami"]).good().stdout, "admin\n");

    let tokens = admin.run(&["tokens", "list", "--json"]).good().json();
    let of_ci = tokens.as_array().unwrap().iter().find(|token| token["label"] == "for ci").unwrap();
    admin.run(&["tokens", "revoke", of_ci["id"].as_str().unwrap()]).good();
    other.run(&["whoami"]).code(3);
    admin.run(&["whoami"]).good();
}

fn nobody_registers_where_registration_is_off(shape: Shape) {
    let platform = Platform::new(shape).started();
    let (user, api) = (platform.stranger(), platform.api_url());
    let register = ["register", "ada", "--password-stdin", "--api-server", &api];
    user.run_with_input(&register, "correct horse").code(3).says("lets nobody register");
    assert!(!user.settings_path().exists());
}

fn anybody_registers_where_registration_is_open(shape: Shape) {
    let platform = Platform::new(shape).api_flags(&["--registration", "open"]).started();
    let (user, api) = (platform.stranger(), platform.api_url());
    let register = ["register", "ada", "--password-stdin", "--api-server", &api];
    user.run_with_input(&register, "too short").code(2).says("10 to 256");
    user.run_with_input(&register, "correct horse").good();
    assert_eq!(user.run(&["whoami"]).good().stdout, "ada\n");
    platform.stranger().run_with_input(&register, "battery staple").code(1).says("ada");
    // Whoever registers is no operator.
    user.run(&["invite"]).code(3);
}

fn an_invitation_is_good_for_one_user(shape: Shape) {
    let platform = Platform::start(shape);
    let (user, api) = (platform.stranger(), platform.api_url());
    let register = |name: &str, code: &str| {
        let args = ["register", name, "--invitation", code, "--password-stdin", "--api-server", &api];
        user.run_with_input(&args, "correct horse")
    };
    let without = ["register", "ada", "--password-stdin", "--api-server", &api];
    user.run_with_input(&without, "correct horse").code(3).says("--invitation");
    register("ada", "made-up").code(3);
    let code = platform.admin().run(&["invite"]).good().stdout;
    register("ada", code.trim()).good();
    register("bob", code.trim()).code(3);
}
