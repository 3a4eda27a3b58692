//! Which version a handler serves: previews, splits, going back, and being taken back.

use std::collections::BTreeMap;

use reqwest::Method;

use crate::platform::{Handler, Platform, Reply, Shape, eventually, fixture, saying, slow};

every_shape![
    a_rollback_goes_back_and_another_one_returns,
    a_version_that_is_not_promoted_answers_at_its_own_address_alone,
    a_split_answers_a_part_of_the_clients_each_always_by_the_same_version,
    a_new_version_that_fails_is_taken_back_and_its_owner_is_told,
    a_request_ends_on_the_version_that_it_began_with,
];

/// Waits until every process has heard of a change.
#[track_caller]
fn comes_to_answer(handler: &Handler<'_>, words: &str) {
    // Behind a proxy, one answer says nothing about the other executors.
    let mut in_a_row = 0;
    eventually(&format!("{} says {words}", handler.name), || {
        in_a_row = if handler.get().text() == words { in_a_row + 1 } else { 0 };
        (in_a_row == 8).then_some(())
    });
}

fn a_rollback_goes_back_and_another_one_returns(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("changing", &saying("one"));
    admin.run(&["rollback", "changing"]).code(1).says("nothing to go back to");
    handler.update(&saying("two"));
    for (version, words) in [("1", "one"), ("2", "two"), ("1", "one")] {
        let done = admin.run(&["rollback", "changing"]).good();
        assert_eq!(done.stdout, format!("{}\n", handler.url));
        done.says(&format!("version {version} of changing is live"));
        comes_to_answer(&handler, words);
    }
    let versions = admin.run(&["versions", "changing"]).good().stdout;
    let roles: Vec<Vec<&str>> =
        versions.lines().skip(1).map(|row| row.split_whitespace().take(2).collect()).collect();
    assert_eq!(roles, [["2", "previous"], ["1", "live"]], "{versions}");
}

fn a_version_that_is_not_promoted_answers_at_its_own_address_alone(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("changing", &saying("one"));
    let file = admin.file("next.wat", saying("two"));
    let done = admin.run(&["update", "changing", &file, "--no-promote"]).good();
    assert_eq!(done.stdout, format!("{}\n", platform.url("v2--changing")));
    done.says("version 1 stays live").says("wasmcloud promote changing 2");
    assert_eq!(platform.web().get(&platform.url("v2--changing")).text(), "two");
    handler.answers("one");
    // The policy is the live version's as well.
    let policy = admin.file("policy.json", "{}");
    admin.run(&["update", "changing", &file, "--no-promote", "--policy", &policy]).code(2);
    admin.run(&["promote", "changing", "2"]).good();
    comes_to_answer(&handler, "two");
}

fn a_split_answers_a_part_of_the_clients_each_always_by_the_same_version(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("changing", &saying("old"));
    let file = admin.file("next.wat", saying("new"));
    admin.run(&["update", "changing", &file, "--no-promote"]).good();
    admin
        .run(&["promote", "changing", "2", "--percent", "30"])
        .good()
        .says("version 2 answers 30 % of the clients");
    let ask = |bucket: u8| -> Reply {
        let cookie = BTreeMap::from([("cookie".to_owned(), format!("Wasmcloud-Split={bucket}"))]);
        platform.web().send(Method::GET, &handler.url, &cookie, "").has_status(200)
    };
    eventually("every executor knows of the split", || (0..8).all(|_| ask(0).text() == "new").then_some(()));
    let new = (0..100).filter(|&bucket| ask(bucket).text() == "new").count();
    assert_eq!(new, 30);
    // A client without a cookie is given one, and keeps its version.
    let first = handler.get().has_status(200);
    let cookie = first.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(cookie.contains("; Secure"), shape != Shape::Serve, "{cookie}");
    let cookie = BTreeMap::from([("cookie".to_owned(), cookie.split(';').next().unwrap().to_owned())]);
    for _ in 0..10 {
        let again = platform.web().send(Method::GET, &handler.url, &cookie, "");
        assert_eq!((again.text(), again.headers.get("set-cookie")), (first.text(), None));
    }
    let shown = admin.run(&["show", "changing"]).good().stdout;
    assert!(shown.contains("and version 2 for 30 % of the clients"), "{shown}");
    admin
        .run(&["promote", "changing", "2", "--percent", "0"])
        .good()
        .says("version 2 answers 30 % of the clients no more");
    comes_to_answer(&handler, "old");
    eventually("the split is over everywhere", || (0..8).all(|_| ask(0).text() == "old").then_some(()));
}

fn a_new_version_that_fails_is_taken_back_and_its_owner_is_told(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("careful", &saying("fine"));
    for _ in 0..50 {
        handler.answers("fine");
    }
    admin.run(&["update", "careful", &fixture("trap.wat")]).good();
    eventually("it fails", || (handler.get().status == 502).then_some(()));
    eventually("the version before is live again", || {
        handler.get();
        let shown = admin.run(&["show", "careful", "--json"]).good().json();
        (shown["handler"]["live"] == 1).then_some(())
    });
    comes_to_answer(&handler, "fine");
    let log = admin.run(&["logs", "careful", "--json"]).good().stdout;
    assert!(
        log.contains("automatic rollback: version 2 failed") && log.contains("version 1 is live again"),
        "{log}"
    );
    assert_eq!(log.matches("automatic rollback:").count(), 1, "of several API processes, one does it: {log}");
    let audit = admin.run(&["audit", "--action", "handler.auto_rollback", "--json"]).good().json();
    let [entry] = audit.as_array().unwrap().as_slice() else { panic!("{audit}") };
    assert_eq!(
        (&entry["via"], &entry["subject"], &entry["detail"]["to"]),
        (&"server".into(), &"careful".into(), &1.into())
    );
    for command in [&["show", "careful"][..], &["versions", "careful"], &["list"]] {
        admin
            .run(command)
            .good()
            .says("version 2 was taken back automatically")
            .says("wasmcloud promote careful 2");
    }
    admin.run(&["set", "careful", "--auto-rollback", "off"]).good().says("stays, whatever it fails");
    admin.run(&["promote", "careful", "2"]).good();
    let list = admin.run(&["list", "--json"]).good().json();
    assert_eq!((&list[0]["auto_rollback"], list[0].get("rolled_back")), (&false.into(), None), "{list}");
}

fn a_request_ends_on_the_version_that_it_began_with(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("slowly", &slow(1_000));
    let mut answer = platform.web().open(&handler.url);
    assert_eq!(answer.next().as_deref(), Some("first\n"));
    let invocation = answer.invocation();
    handler.update(&saying("quick"));
    assert_eq!(answer.rest(), "last\n");
    comes_to_answer(&handler, "quick");
    assert_eq!(handler.log_of(&invocation), ["began", "done"]);
    let receipt = admin.run(&["invocations", "slowly", &invocation, "--json"]).good().json();
    assert_eq!(receipt["receipt"]["version"], 1);
}
