use std::time::{Duration, Instant};

use crate::platform::{Platform, Shape, eventually, fixture, saying};

every_shape![
    an_invocations_log_is_there_within_a_second,
    logs_are_chosen_by_count_and_time,
    a_followed_log_shows_what_comes,
    a_followed_log_goes_on_after_a_restart,
    a_failure_leaves_its_cause,
];

/// What `stderr.wat` logs, in order.
const LINES: [&str; 11] = [
    "first line",
    "second line",
    "an error",
    "a warning",
    "information",
    "a level without a name",
    "invalid \\xff\\xfe UTF-8",
    "control \\x1b[31m\\x07 characters",
    "one",
    "two",
    "an unfinished line",
];

fn an_invocations_log_is_there_within_a_second(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create("chatty", &fixture("stderr.wat"));
    // Another invocation, which must not be shown.
    handler.get();
    let invocation = handler.get().has_status(200).invocation();
    let answered = Instant::now();
    let done = eventually("the log", || {
        let done = admin.run(&["logs", "chatty", "--invocation", &invocation]).good();
        (!done.stdout.is_empty()).then_some(done)
    });
    assert!(answered.elapsed() < Duration::from_secs(1), "it took {:?}", answered.elapsed());
    for line in LINES {
        assert!(done.stdout.contains(line), "no `{line}` in: {}", done.stdout);
    }
    assert!(done.stdout.lines().all(|line| line.contains(&invocation)), "{}", done.stdout);
    let row = |words: &str| done.stdout.lines().find(|line| line.ends_with(words)).unwrap().to_owned();
    assert!(row("an error").contains(" error "), "{}", row("an error"));
    assert!(row("a warning").contains(" warning "), "{}", row("a warning"));
    assert!(row("first line").contains(" stderr "), "{}", row("first line"));
}

fn logs_are_chosen_by_count_and_time(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let rusty = admin.create("rusty", &crate::platform::olin_echo());
    for path in ["a", "b", "c"] {
        rusty.log_of(&rusty.get_path(path).invocation());
    }
    let texts = |args: &[&str]| {
        let done = admin.run(&[&["logs", "rusty", "--json"], args].concat()).good().json();
        let text = |line: &serde_json::Value| line["text"].as_str().unwrap().to_owned();
        done["lines"].as_array().unwrap().iter().map(text).collect::<Vec<_>>()
    };
    let all = ["GET /a with 0 bytes", "GET /b with 0 bytes", "GET /c with 0 bytes"];
    assert_eq!(texts(&[]), all);
    assert_eq!(texts(&["-n", "1"]), all[2..]);
    assert_eq!(texts(&["--since", "1h"]), all);
    assert_eq!(texts(&["--since", "2100-01-01"]), Vec::<String>::new());
    admin.run(&["logs", "rusty", "--since", "2100-01-01"]).good().says("no lines");

    let receipts = admin.run(&["invocations", "rusty", "-n", "2", "--json"]).good().json();
    let paths: Vec<_> = receipts["receipts"].as_array().unwrap().iter().map(|r| r["path"].clone()).collect();
    assert_eq!(paths, ["/c", "/b"]);
}

fn a_followed_log_shows_what_comes(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let rusty = admin.create("rusty", &crate::platform::olin_echo());
    rusty.log_of(&rusty.get_path("before").invocation());
    let mut following = admin.begin(&["logs", "rusty", "--follow"]);
    following.stdout.wait_for("GET /before with 0 bytes");
    for path in ["one", "two"] {
        let invocation = rusty.get_path(path).invocation();
        let line = following.stdout.wait_for(&format!("GET /{path} with 0 bytes"));
        assert!(line.contains(&invocation), "{line}");
        following.stdout.wait_for(&format!("{invocation} receipt GET /{path} 200, ok"));
    }
    following.signal("INT");
    assert_eq!(following.code(), 130);
}

fn a_followed_log_goes_on_after_a_restart(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let rusty = admin.create("rusty", &crate::platform::olin_echo());
    rusty.log_of(&rusty.get_path("before").invocation());
    let following = admin.begin(&["logs", "rusty", "--follow"]);
    following.stdout.wait_for("GET /before with 0 bytes");
    platform.stop();
    following.stderr.wait_for("connection lost");
    platform.start_again();
    rusty.get_path("after");
    following.stdout.wait_for("GET /after with 0 bytes");
    assert_eq!(following.stdout.text().matches("GET /before with").count(), 1, "{}", following.stdout.text());
}

fn a_failure_leaves_its_cause(shape: Shape) {
    let platform = Platform::new(shape).common_flags(&["--limit-wall-ms", "300"]).started();
    let admin = platform.admin();
    admin.create_of("fine", &saying("fine")).answers("fine");
    for (name, file, status, words) in [
        ("trapping", "trap.wat", 502, &["unreachable", "parse_header", "handle_request"][..]),
        ("endless", "infinite_loop.wat", 504, &["limit"]),
        ("sleeping", "sleeper.wat", 504, &["killed by wall limit: 0.300 of 0.300 s", "--wall-ms"]),
    ] {
        let handler = admin.create(name, &fixture(file));
        let reply = handler.get_path("?60000").has_status(status);
        let log = handler.log_of(&reply.invocation()).join("\n");
        for words in words {
            assert!(log.contains(words), "no `{words}` in: {log}");
        }
        assert!(reply.text().contains(&reply.invocation()), "{}", reply.text());
    }
    // A neighbour's trouble is not one's own.
    admin.handler("fine").answers("fine");
}
