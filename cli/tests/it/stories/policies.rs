use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use serde_json::json;

use crate::platform::{Platform, Shape, eventually, fixture, saying};
use crate::user::{Done, User};

every_shape![
    a_handlers_own_limits_hold_from_the_next_request_on,
    an_upload_brings_its_policy_with_it,
    rules_are_added_and_removed_by_name,
    the_command_that_a_denial_names_allows_it,
    a_policy_is_learned_from_what_a_handler_did_and_is_enough_for_it,
];

fn a_handlers_own_limits_hold_from_the_next_request_on(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("frugal", &saying("done"));
    handler.answers("done");

    admin.run(&["policy", "set", "frugal", "--gas", "3"]).good().says("3 gas");
    let reply = handler.get().has_status(504);
    let log = handler.log_of(&reply.invocation()).join("\n");
    assert!(log.contains("killed by gas limit: 3 of 3"), "{log}");
    admin.run(&["policy", "set", "frugal", "--gas", "1000000", "--wall-ms", "60000"]).good();
    handler.answers("done");
    let shown = admin.run(&["policy", "show", "frugal"]).good().stdout;
    assert!(shown.contains("gas         1 000 000, its own; at most 60 000 000 000"), "{shown}");
    assert!(shown.contains("wall time   60.000 s, its own; at most 300.000 s"), "{shown}");
    assert!(shown.contains("memory      128.0 MiB (134217728 bytes), the server's default; "), "{shown}");
    let unset = admin.run(&["policy", "set", "frugal", "--gas", "default", "--json"]).good().json();
    assert_eq!((unset.get("gas"), &unset["wall_ms"]), (None, &json!(60_000)));

    admin
        .run(&["policy", "set", "frugal", "--wall-ms", "300001"])
        .code(1)
        .says("wall_ms is 300001")
        .says("ceiling is 300000")
        .says("wall_ms_max under [limits]");
    admin.run(&["policy", "set", "frugal"]).code(2);
    admin.run(&["policy", "set", "frugal", "--gas", "much"]).code(2).says("`default`");
    handler.answers("done");
}

fn an_upload_brings_its_policy_with_it(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let program = admin.file("a.wat", saying("done"));
    let json = admin.file("policy.json", r#"{"allow": ["^https://b\u00fccher/"], "gas": 3}"#);
    let created = admin.run(&["create", &program, "--name", "strict", "--policy", &json]).good();
    created.says("strict: mode deny, 1 allow rule, 0 disallow rules, 3 gas");
    admin.handler("strict").get().has_status(504);

    // A policy file of Olin, as it was.
    let olin = admin.file("olin.policy", "allow (\n  https://a.example\n)\nram-page-limit 16\n");
    let updated = admin.run(&["update", "strict", &program, "--policy", &olin]).good();
    updated.says("strict: mode end, 1 allow rule").says("1.0 MiB (1048576 bytes) of memory");
    admin
        .run(&["update", "strict", "-", "--policy", "-"])
        .code(2)
        .says("cannot both come from standard input");
    admin.handler("strict").answers("done");
    let policy = admin.run(&["policy", "show", "strict", "--json"]).good().json();
    let expected = json!({
        "allow": ["https://a.example"], "disallow": [], "mode": "end", "gas": 33_554_432, "memory_bytes": 1 << 20,
    });
    assert_eq!(policy, expected);

    // One that does not fit, or is wrong, changes nothing.
    let big = fixture("big_memory.wat");
    let bytes = "--memory-bytes 268435456";
    let raise = format!("wasmcloud policy set strict {bytes}");
    admin.run(&["update", "strict", &big]).code(5).says("the memory limit is 16 pages").says(&raise);
    let wrong = admin.file("wrong.policy", "allow (\n  a b\n)\n");
    admin.run(&["update", "strict", &program, "--policy", &wrong]).code(1).says("wrong.policy: line 2:");
    let greedy = admin.file("greedy.json", r#"{"gas": 60000000001}"#);
    let refused = admin.run(&["update", "strict", &program, "--policy", &greedy]).code(1);
    refused.says("gas is 60000000001").says("ceiling is 60000000000");
    let versions = admin.run(&["versions", "strict", "--json"]).good().json();
    assert_eq!(versions.as_array().unwrap().len(), 2);
    admin.run(&["policy", "set", "strict", "--memory-bytes", "268435456"]).good();
    admin.run(&["update", "strict", &big]).good();

    // Nor does one that the live version does not fit, or a version that does not fit the policy.
    let small = ["policy", "set", "strict", "--memory-bytes", "1048576"];
    admin.run(&small).code(1).says("134283264 bytes").says("1048576 bytes").says(&raise);
    admin.run(&["promote", "strict", "2"]).good();
    admin.run(&small).good();
    admin.run(&["promote", "strict", "3"]).code(1).says("version 3 begins with").says(&raise);
    admin.handler("strict").answers("done");
}

fn rules_are_added_and_removed_by_name(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    admin.create_of("ruled", &saying("done"));
    let (api, other) = (r"^https://api\.example\.com/", "^https://other/it's$");
    admin.run(&["policy", "allow", "ruled", api, other]).good().says("2 allow rules");
    admin.run(&["policy", "disallow", "ruled", "/admin"]).good().says("1 disallow rule");
    admin.run(&["policy", "allow", "ruled", "/admin"]).good().says("wins: /admin");
    admin.run(&["policy", "allow", "ruled", "b.example"]).good().says(r"`^https://b\.example/` would");
    admin.run(&["policy", "remove", "ruled", other, "/admin", "b.example"]).good();
    let policy = admin.run(&["policy", "show", "ruled", "--json"]).good().json();
    assert_eq!(policy, json!({"allow": [api], "disallow": [], "mode": "deny"}));
    admin
        .run(&["policy", "remove", "ruled", "^https://nothing/"])
        .code(4)
        .says("wasmcloud policy show ruled");
    admin.run(&["policy", "allow", "ruled", "("]).code(1).says("allow rule 2: `(`");
    let file = admin.file("policy.json", r#"{"disallow": ["x"]}"#);
    admin
        .run(&["policy", "set", "ruled", "--file", &file, "--mode", "observe"])
        .good()
        .says("policy learned ruled");
    let policy = admin.run(&["policy", "show", "ruled", "--json"]).good().json();
    assert_eq!(policy, json!({"allow": [], "disallow": ["x"], "mode": "observe"}));
    admin
        .run_with_input(&["policy", "set", "ruled", "--file", "-"], r#"{"disallow": ["y"]}"#)
        .good()
        .says("mode deny, 0 allow rules, 1 disallow rule");
}

/// A server on this machine that answers `far away` to everything.
fn far_away() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = connection.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(&connection);
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {}
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nfar away";
            // A client that went away early is for the test to judge.
            let _ = (&connection).write_all(answer.as_bytes());
        }
    });
    url
}

/// What the program `remote` does with this body: it asks the server and prints the answer.
fn asking(url: &str) -> String {
    format!("o{url}\0wGET / HTTP/1.1\n\n\0f\0a\0")
}

/// Types a command that somebody was told.
fn type_in(user: &User, command: &str) -> Done {
    let rest = command.strip_prefix("wasmcloud ").unwrap_or_else(|| panic!("no command: {command}"));
    let mut shell = Command::new("/bin/sh");
    let script = format!("exec '{}' {rest}", env!("CARGO_BIN_EXE_wasmcloud"));
    let own = user.command(&[]);
    let own = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    Done::of(shell.args(["-c", &script]).env_clear().envs(own).output().unwrap())
}

/// The command that a line of the log ends with.
fn advised<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = lines.into_iter().collect();
    let advice = lines.iter().find_map(|line| line.split_once("allow it: "));
    advice.unwrap_or_else(|| panic!("no advice in {lines:#?}")).1.trim().to_owned()
}

fn the_command_that_a_denial_names_allows_it(shape: Shape) {
    let platform = Platform::new(shape).edge_flags(&["--egress-open", "127.0.0.0/8"]).started();
    let (admin, far) = (platform.admin(), far_away());
    let handler = admin.create("fetcher", &fixture("remote.wat"));
    let denied = handler.post(asking(&far)).has_status(200);
    assert!(!denied.text().contains("far away"), "{}", denied.text());
    let log = handler.log_of(&denied.invocation());
    let command = advised(log.iter().map(String::as_str));
    assert!(command.starts_with("wasmcloud policy allow fetcher '^http://127"), "{command}");
    let shown = admin.run(&["invocations", "fetcher", &denied.invocation()]).good().stdout;
    assert!(shown.contains(&format!("  denied      {far}")), "{shown}");

    type_in(&admin, &command).good();
    let allowed = handler.post(asking(&far)).has_status(200);
    assert!(allowed.text().contains("far away"), "{}", allowed.text());
}

fn a_policy_is_learned_from_what_a_handler_did_and_is_enough_for_it(shape: Shape) {
    let platform = Platform::new(shape).edge_flags(&["--egress-open", "127.0.0.0/8"]).started();
    let (admin, far, elsewhere) = (platform.admin(), far_away(), far_away());
    let handler = admin.create("fetcher", &fixture("remote.wat"));
    admin.run(&["policy", "learned", "fetcher"]).code(4).says("--mode observe").says("within a second");
    admin.run(&["policy", "set", "fetcher", "--mode", "observe"]).good();
    let observed = handler.post(asking(&far)).has_status(200);
    assert!(observed.text().contains("far away"), "{}", observed.text());
    handler.log_of(&observed.invocation());

    let learned = admin.run(&["policy", "learned", "fetcher", "--since", "2026-01-01T00:00:00Z"]).good();
    let file = admin.file("learned.json", &learned.stdout);
    learned.says("wasmcloud policy learned fetcher --since 2026-01-01T00:00:00.000Z --apply");
    admin.run(&["policy", "set", "fetcher", "--file", &file]).good().says("mode deny, 1 allow rule");
    assert!(handler.post(asking(&far)).text().contains("far away"));
    let other = handler.post(asking(&elsewhere)).has_status(200);
    assert!(!other.text().contains("far away"), "{}", other.text());

    admin.run(&["policy", "set", "fetcher", "--mode", "observe"]).good();
    let again = handler.post(asking(&elsewhere)).has_status(200);
    handler.log_of(&again.invocation());
    admin.run(&["policy", "learned", "fetcher", "--apply"]).good().says("mode deny, 2 allow rules");
    for url in [&far, &elsewhere] {
        assert!(handler.post(asking(url)).text().contains("far away"));
    }
    eventually("a receipt with what was used of the network", || {
        let list = admin.run(&["invocations", "fetcher"]).good().stdout;
        list.lines().any(|line| line.ends_with("  1")).then_some(())
    });
}

#[test]
fn a_run_opens_what_its_flags_and_its_policy_allow() {
    let (user, far) = (User::new(), far_away());
    let (program, body) = (fixture("remote.wat"), asking(&far));
    let run = |flags: &[&str]| {
        let args = [&["run"][..], flags, &["--open", "127.0.0.0/8", &program]].concat();
        user.run_with_input(&args, &body)
    };
    let denied = run(&["--stats"]).good();
    assert!(!denied.stdout.contains("far away"), "{denied:?}");
    let command = advised(denied.stderr.lines());
    let rule =
        command.strip_prefix("wasmcloud run --allow '").and_then(|rest| rest.strip_suffix("' …")).unwrap();
    denied.says(&format!("  denied      {far}"));
    let allowed = run(&["--stats", "--allow", rule]).good();
    assert!(allowed.stdout.contains("far away"), "{allowed:?}");
    allowed.says("  outbound    1 request, 0 B sent, 8 B received");

    let olin = user.file("olin.policy", format!("allow (\n  {far}\n)\n"));
    assert!(run(&["--policy", &olin]).good().stdout.contains("far away"));
    let other = user.file("other.policy", "allow (\n  https://a.example\n)\n");
    run(&["--policy", &other]).code(7).says("policy");
    let frugal = user.file("frugal.json", r#"{"gas": 100}"#);
    run(&["--policy", &frugal]).code(7).says("killed by gas limit");
    run(&["--policy", &frugal, "--gas=100000000"]).good();
}

#[test]
fn a_run_that_learns_writes_the_policy_that_it_needs() {
    let (user, far) = (User::new(), far_away());
    let (program, body) = (fixture("remote.wat"), asking(&far));
    let run = |flags: &[&str]| {
        let args = [&["run"][..], flags, &["--open", "127.0.0.0/8", &program]].concat();
        user.run_with_input(&args, &body).good()
    };
    let learned = run(&["--learn", "--json"]);
    assert!(learned.stdout.contains("far away"), "{learned:?}");
    let policy: serde_json::Value = serde_json::from_str(learned.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((policy["allow"].as_array().unwrap().len(), &policy["mode"]), (1, &json!("deny")));
    let file = user.home.path().join("learned.json").to_str().unwrap().to_owned();
    run(&[&format!("--learn={file}")]).says("learned.json");
    assert!(run(&["--policy", &file]).stdout.contains("far away"));
    run(&[&format!("--learn={file}")]).says("learned.json");
}

#[test]
fn what_a_run_learns_overwrites_nothing_that_is_no_policy() {
    let user = User::new();
    let program = user.file("a.wat", saying("done"));
    let diary = user.file("diary.txt", "dear diary");
    for (file, words) in [(&program, "would overwrite the program"), (&diary, "is no policy in JSON")] {
        let before = std::fs::read(file).unwrap();
        let done = user.run(&["run", &format!("--learn={file}"), &program]).code(2);
        assert_eq!(done.stdout, "", "{file}");
        done.says(words);
        assert_eq!(std::fs::read(file).unwrap(), before, "{file}");
    }
}

#[test]
fn a_run_takes_its_policy_from_standard_input_if_nothing_else_does() {
    let user = User::new();
    let program = user.file("a.wat", saying("done"));
    let run = |flags: &[&str]| {
        user.run_with_input(&[&["run", "--policy", "-"][..], flags].concat(), r#"{"gas": 3}"#)
    };
    run(&[&program]).code(7).says("killed by gas limit: 3 of 3");
    run(&["-"]).code(2).says("cannot both come from standard input");
    run(&["--data", "-", &program]).code(2).says("standard input can be read once");
}

#[test]
fn a_run_is_warned_of_a_rule_without_a_scheme_and_takes_addresses_by_commas() {
    let user = User::new();
    let program = user.file("a.wat", saying("done"));
    let flags = ["run", "--allow", "example.com", "--open", "127.0.0.1,10.0.0.0/8", &program];
    user.run(&flags).good().says(r"`^https://example\.com/` would");
    let refused = user.run(&["run", "--open", "127.0.0.1,localhost", &program]).code(2);
    refused.says("`localhost` is no range of addresses");
}
