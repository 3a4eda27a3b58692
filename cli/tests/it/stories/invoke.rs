use std::time::{Duration, Instant};

use crate::platform::{Platform, Shape, fixture, saying, slow};

every_shape![
    invoke_shows_answer_log_and_receipt_as_they_come,
    an_invocation_that_fails_exits_with_7_and_says_why,
    the_request_is_what_the_flags_say,
    any_version_can_be_invoked,
];

fn invoke_shows_answer_log_and_receipt_as_they_come(shape: Shape) {
    const SLEEP: Duration = Duration::from_millis(700);
    let platform = Platform::start(shape);
    let admin = platform.admin();
    admin.create_of("slowly", &slow(u32::try_from(SLEEP.as_millis()).unwrap()));
    let mut invoking = admin.begin(&["invoke", "slowly"]);
    invoking.stderr.wait_for("log info: began");
    invoking.stdout.wait_for("first");
    let began = Instant::now();
    assert!(!invoking.stdout.text().contains("last"));
    assert_eq!(invoking.code(), 0);
    // What came first did not wait for what came last.
    assert!(began.elapsed() > SLEEP / 2, "it came all at once");
    assert_eq!(invoking.stdout.text(), "first\nlast\n");
    let told = invoking.stderr.text();
    for words in ["log info: done", "receipt 200, ok", "gas", "of memory", "runtime_msleep × 1"] {
        assert!(told.contains(words), "no `{words}` in: {told}");
    }
}

fn an_invocation_that_fails_exits_with_7_and_says_why(shape: Shape) {
    let platform = Platform::new(shape).common_flags(&["--limit-wall-ms", "500"]).started();
    let admin = platform.admin();
    for (name, file, words) in [
        ("trapping", "trap.wat", "unreachable"),
        ("exiting", "exit_code.wat", "3"),
        ("endless", "infinite_loop.wat", "limit"),
        ("mute", "silent.wat", "receipt"),
    ] {
        admin.create(name, &fixture(file));
        admin.run(&["invoke", name]).code(7).says(words).says("receipt");
    }
    admin.run(&["invoke", "trapping"]).code(7).says("parse_header");
    // The edge tells its client less.
    let reply = admin.handler("trapping").get().has_status(502);
    assert!(!reply.text().contains("parse_header"), "{}", reply.text());
    admin.handler("endless").get().has_status(504);
}

fn the_request_is_what_the_flags_say(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    admin.create("parrot", &fixture("echo.wat"));
    let large = "x".repeat(200_000);
    assert_eq!(admin.run(&["invoke", "parrot", "--data", "polly"]).good().stdout, "polly");
    assert_eq!(admin.run_with_input(&["invoke", "parrot"], &large).good().stdout, large);
    admin.create("variables", &fixture("env.wat"));
    for (variable, value) in
        [("REQUEST_METHOD", "PUT"), ("HTTP_ACCEPT", "text/tea"), ("PATH_INFO", "/a"), ("CONTENT_LENGTH", "2")]
    {
        let path = format!("/a?{variable}");
        let flags = ["-X", "PUT", "-H", "Accept: text/tea", "--path", &path, "--data", "hi"];
        let done = admin.run(&[&["invoke", "variables"][..], &flags].concat()).good();
        assert_eq!(done.stdout, value);
    }
}

fn any_version_can_be_invoked(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    admin.create_of("changing", &saying("one")).update(&saying("two"));
    assert_eq!(admin.run(&["invoke", "changing"]).good().stdout, "two");
    assert_eq!(admin.run(&["invoke", "changing", "--version", "1"]).good().stdout, "one");
    admin.run(&["invoke", "changing", "--version", "3"]).code(4);
    admin.run(&["invoke", "nobody"]).code(4);
}
