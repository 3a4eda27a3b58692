use crate::platform::{Platform, Process, Shape, fixture};

every_shape![an_operators_limits_hold_for_uploads_and_invocations];

/// Starts `serve` with a settings file, an environment and flags, and gives back what it says.
fn said(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    let platform = Platform::new(Shape::Serve);
    std::fs::create_dir_all(platform.data()).unwrap();
    std::fs::write(platform.data().join("server.toml"), file).unwrap();
    let args = platform.api_args();
    let args: Vec<&str> = args.iter().map(String::as_str).chain(flags.iter().copied()).collect();
    let mut command = platform.operator().command(&args);
    let process = Process::of(command.envs(environment.iter().copied()));
    process.stdout.wait_for("next: ");
    process.stdout.text()
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let file = "[edge]\ndomain = \"file.example\"\n";
    let environment = [("WASMCLOUD_EDGE_DOMAIN", "environment.example")];
    let flags = ["--edge-domain", "flag.example"];
    for (file, environment, flags, domain) in [
        ("", &[][..], &[][..], "localhost"),
        (file, &[], &[], "file.example"),
        (file, &environment, &[], "environment.example"),
        (file, &environment, &flags, "flag.example"),
    ] {
        let said = said(file, environment, flags);
        assert!(said.contains(&format!("http://NAME.{domain}:")), "no {domain} in: {said}");
    }
}

fn an_operators_limits_hold_for_uploads_and_invocations(shape: Shape) {
    let flags = ["--limit-memory-bytes", "65536", "--limit-gas", "1000000", "--limit-gas-max", "2000000"];
    let platform = Platform::new(shape).common_flags(&flags).started();
    let admin = platform.admin();
    let refused = admin.run(&["create", &fixture("echo.wat"), "--name", "too-large"]).code(5);
    refused.says("the memory limit is 1 page (65536 bytes)");
    let endless = admin.create("endless", &fixture("infinite_loop.wat"));
    let reply = endless.get().has_status(504);
    let log = endless.log_of(&reply.invocation()).join("\n");
    assert!(log.contains("killed by gas limit") && log.contains("1000000"), "{log}");
    let above = admin.run(&["policy", "set", "endless", "--gas", "2000001"]).code(1);
    above.says("gas is 2000001").says("ceiling is 2000000").says("gas_max under [limits]");
    admin.run(&["policy", "set", "endless", "--gas", "2000000"]).good();
    let reply = endless.get().has_status(504);
    let log = endless.log_of(&reply.invocation()).join("\n");
    assert!(log.contains("2000000 of 2000000"), "{log}");
}

#[test]
fn a_platform_finds_its_settings_in_its_data_directory() {
    let platform = Platform::new(Shape::Serve);
    std::fs::create_dir_all(platform.data()).unwrap();
    let text = "[api]\nregistration = \"open\"\n\n[limits]\nwall_ms = 200\n\n[log]\nformat = \"json\"\n";
    std::fs::write(platform.data().join("server.toml"), text).unwrap();
    let platform = platform.started();
    let (user, api) = (platform.stranger(), platform.api_url());
    let register = ["register", "ada", "--password-stdin", "--api-server", &api];
    user.run_with_input(&register, "correct horse").good();
    let sleeper = platform.admin().create("sleeper", &fixture("sleeper.wat"));
    sleeper.get_path("?60000").has_status(504);
    for line in platform.api_log().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}
