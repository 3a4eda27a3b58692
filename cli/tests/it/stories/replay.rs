//! Recorded requests: replayed on the server and on one's own machine, and compared before a promotion.

use crate::platform::{Handler, Person, Platform, Shape, eventually, fixture, saying};
use crate::user::Done;

every_shape![
    a_recorded_request_is_replayed_with_the_same_randomness,
    nothing_is_recorded_unless_its_owner_says_so,
    a_version_is_compared_with_the_live_one_before_it_is_promoted,
];

/// Expects these words among a command's results.
#[track_caller]
fn shows(done: &Done, words: &str) {
    assert!(done.stdout.contains(words), "no `{words}` on standard output: {done:?}");
}

/// Sends a request that is recorded, and gives its id. An executor may hear of the recording a moment later.
fn recorded(admin: &Person<'_>, handler: &Handler<'_>) -> String {
    eventually("a request is recorded", || {
        let id = handler.get().has_status(200).invocation();
        let is_there = || (admin.run(&["replay", &id]).code != 4).then_some(());
        // The record comes within a moment; where it does not, it was not recorded.
        (0..20).find_map(|_| is_there()).map(|()| id)
    })
}

fn a_recorded_request_is_replayed_with_the_same_randomness(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create("dice", &fixture("random.wat"));
    admin.run(&["set", "dice", "--record", "GET,HEAD", "--record-keep", "5"]).good().says("the last 5");
    let id = recorded(&admin, &handler);
    for place in [
        &["replay", &id][..],
        &["replay", &id, "--local"],
        &["replay", &id, "--local", &fixture("random.wat")],
    ] {
        shows(&admin.run(place).good(), "the answer is the same");
    }

    // To the last instruction, wherever it runs.
    for place in [&["replay", &id, "--json"][..], &["replay", &id, "--json", "--local"]] {
        let replay = admin.run(place).good().json();
        assert_eq!(
            (&replay["now"]["gas"], &replay["gaps"][0]),
            (&replay["before"]["gas"], &serde_json::Value::Null)
        );
    }

    handler.update(&saying("no dice"));
    shows(&admin.run(&["replay", &id]).good(), "replayed with version 1");
    let differs = admin.run(&["replay", &id, "--version", "2"]).code(1);
    shows(&differs, "the answer differs");
    shows(&differs, "body");
    let json = admin.run(&["replay", &id, "--version", "v2", "--json"]).code(1).json();
    assert_eq!((json["same"].as_bool(), json["recorded"].as_str()), (Some(false), Some(id.as_str())));
    shows(&admin.run(&["replay", &id, "--local", &fixture("echo.wat")]).code(1), "another program");

    admin.run(&["set", "dice", "--record", "off"]).good().says("nothing is recorded");
    admin.run(&["replay", &id]).code(4).says("--record GET,HEAD");
}

fn nothing_is_recorded_unless_its_owner_says_so(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("quiet", &saying("hush"));
    let id = handler.get().has_status(200).invocation();
    // The receipt is there, so a recording would be.
    handler.log_of(&id);
    admin.run(&["replay", &id]).code(4).says("--record GET,HEAD");
    admin.run(&["set", "quiet", "--record-keep", "5"]).code(2).says("--record GET,HEAD");
    admin.run(&["set", "quiet", "--record", "GET", "--record-keep", "1001"]).code(1).says("1 to 1000");
    shows(&admin.run(&["show", "quiet"]).good(), "nothing is recorded");
}

fn a_version_is_compared_with_the_live_one_before_it_is_promoted(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("menu", &saying("soup"));
    handler.update(&saying("stew"));
    handler.update(&saying("soup"));
    admin.run(&["promote", "menu", "1", "--dry-run"]).code(4).says("--record GET,HEAD");
    admin.run(&["set", "menu", "--record", "GET", "--record-redact", "x-api-key"]).good().says("x-api-key");
    for _ in 0..3 {
        recorded(&admin, &handler);
    }
    let same = admin.run(&["promote", "menu", "1", "--dry-run", "--last", "2"]).good();
    shows(&same, "2 requests compared");
    shows(&same, "no answer differs");
    let differs = admin.run(&["promote", "menu", "v2", "--dry-run"]).code(1);
    shows(&differs, "GET /");
    shows(&differs, "body: ");
    shows(&differs, "3 differ");
    let json = admin.run(&["promote", "menu", "2", "--dry-run", "--json"]).code(1).json();
    assert_eq!((json["live"].as_u64(), json["version"].as_u64()), (Some(3), Some(2)));
    assert_eq!(json["pairs"][0]["differences"][0]["place"], "body");
    // Nothing was promoted.
    handler.answers("soup");
    let versions = admin.run(&["versions", "menu", "--json"]).good().json();
    assert_eq!(versions[0]["live"], true, "{versions}");
}
