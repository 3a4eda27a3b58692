use crate::platform::{Platform, Shape, eventually, slow};

every_shape![
    sigterm_finishes_what_runs_and_keeps_its_log,
    sigint_finishes_what_runs_and_keeps_its_log,
    an_invocation_by_the_api_is_finished_too,
    nothing_that_was_answered_is_lost,
];

fn sigterm_finishes_what_runs_and_keeps_its_log(shape: Shape) {
    finishes_what_runs(shape, "TERM");
}

fn sigint_finishes_what_runs_and_keeps_its_log(shape: Shape) {
    finishes_what_runs(shape, "INT");
}

fn finishes_what_runs(shape: Shape, signal: &str) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("slowly", &slow(700));
    let mut answer = platform.web().open(&handler.url);
    let invocation = answer.invocation();
    assert_eq!(answer.next().as_deref(), Some("first\n"));
    platform.signal_edge(signal);
    // Nobody new is let in while what runs is finished.
    eventually("a closed port", || platform.edge_is_closed().then_some(()));
    assert_eq!(answer.rest(), "last\n");
    platform.wait();

    platform.start_again();
    assert_eq!(handler.log_of(&invocation), ["began", "done"]);
    let shown = platform.admin().run(&["invocations", "slowly", &invocation]).good().stdout;
    assert!(shown.contains("200, ok"), "{shown}");
}

fn an_invocation_by_the_api_is_finished_too(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    admin.create_of("slowly", &slow(700));
    let mut invoking = admin.begin(&["invoke", "slowly"]);
    invoking.stderr.wait_for("log info: began");
    platform.stop();
    assert_eq!(invoking.code(), 0);
    assert_eq!(invoking.stdout.text(), "first\nlast\n");
}

fn nothing_that_was_answered_is_lost(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create("rusty", &crate::platform::olin_echo());
    // The last ones are still on their way to the database when the signal comes.
    let answered: Vec<String> = (0..30).map(|_| handler.get().has_status(200).invocation()).collect();
    platform.stop();
    platform.start_again();
    let list = admin.run(&["invocations", "rusty", "-n", "100", "--json"]).good().json();
    let kept = |receipt: &serde_json::Value| receipt["invocation"].as_str().unwrap().to_owned();
    let mut kept: Vec<String> = list["receipts"].as_array().unwrap().iter().map(kept).collect();
    kept.reverse();
    assert_eq!(kept, answered);
}
