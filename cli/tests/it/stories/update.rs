use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::platform::{Platform, Reply, Shape, saying, saying_forever};

every_shape![
    the_first_request_after_an_update_sees_the_new_version,
    an_older_version_comes_back_at_once,
    a_version_has_an_address_of_its_own,
    every_answer_comes_from_one_whole_version,
];

fn the_first_request_after_an_update_sees_the_new_version(shape: Shape) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("changing", &saying("version 1"));
    handler.answers("version 1");
    for number in 2..=21 {
        let words = format!("version {number}");
        assert_eq!(handler.update(&saying(&words)).stdout, format!("{}\n", handler.url));
        handler.answers(&words);
    }
}

fn an_older_version_comes_back_at_once(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("changing", &saying("one"));
    handler.update(&saying("two"));
    for (version, words) in [("1", "one"), ("v2", "two"), ("v1", "one")] {
        admin.run(&["promote", "changing", version]).good();
        handler.answers(words);
    }
    admin.run(&["promote", "changing", "3"]).code(4);
    handler.answers("one");

    let versions = admin.run(&["versions", "changing", "--json"]).good().json();
    let live = |version: &serde_json::Value| (version["number"].as_i64().unwrap(), version["live"] == true);
    let mut versions: Vec<_> = versions.as_array().unwrap().iter().map(live).collect();
    versions.sort();
    assert_eq!(versions, [(1, true), (2, false)]);
    // An upload is live, whatever was promoted before.
    handler.update(&saying("three"));
    handler.answers("three");
    let shown = admin.run(&["show", "changing"]).good().stdout;
    assert!(shown.contains("version 3") && shown.contains(&platform.url("v2--changing")), "{shown}");
}

fn a_version_has_an_address_of_its_own(shape: Shape) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("pinned", &saying("one"));
    let pinned = |label: &str| platform.web().get(&platform.url(label));
    assert_eq!(pinned("v1--pinned").text(), "one");
    pinned("v2--pinned").has_status(404);
    handler.update(&saying("two"));
    assert_eq!(pinned("v1--pinned").text(), "one");
    assert_eq!(pinned("v2--pinned").text(), "two");
    handler.answers("two");
}

/// Lines of an answer: too many for one write.
const LINES: usize = 4_096;

fn every_answer_comes_from_one_whole_version(shape: Shape) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("changing", &saying_forever("v1", LINES));
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        seen.push(whole_version(&handler.get()));
                    }
                    seen
                })
            })
            .collect();
        // Whatever goes wrong meanwhile, the clients must end.
        let updated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (2..=11).for_each(|number| drop(handler.update(&saying_forever(&format!("v{number}"), LINES))));
        }));
        over.store(true, Ordering::Relaxed);
        let seen: Vec<Vec<u32>> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        updated.unwrap();
        seen
    });
    for versions in &seen {
        assert!(versions.is_sorted(), "a version came back: {versions:?}");
    }
    assert!(seen.iter().flatten().any(|&version| version > 1), "{seen:?}");
    assert_eq!(whole_version(&handler.get()), 11);
}

/// The version that head and body of an answer agree about.
#[track_caller]
fn whole_version(reply: &Reply) -> u32 {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let version = reply.headers["x-version"].to_str().unwrap();
    let text = reply.text();
    assert_eq!(text.lines().count(), LINES);
    assert!(text.lines().all(|line| line == version), "an answer of several versions, {version} first");
    version.trim_start_matches('v').parse().unwrap()
}
