//! Plans and quotas: hit, asked for more, and given.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::platform::{Person, Platform, Reply, Shape, eventually, saying};

/// How soon every executor follows a change of a plan.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

every_shape![
    a_user_who_is_over_a_quota_is_told_which_and_an_approved_plan_lifts_it,
    invocations_beyond_the_quota_of_a_minute_are_429_until_the_plan_changes,
    what_all_executors_run_is_counted_and_shown,
    a_version_that_is_deleted_is_gone_from_its_own_address,
];

/// Makes a plan, and the one of newcomers of it: so every user who comes has it.
#[track_caller]
fn newcomers_have(platform: &Platform, flags: &[&str]) {
    let mut args = vec!["plan", "set", "small", "--default"];
    args.extend(flags);
    platform.admin().run(&args).good();
}

/// A quota's figures, as the command line shows them to programs.
fn quota(person: &Person<'_>, name: &str) -> Value {
    let quotas = person.run(&["quota", "--json"]).good().json();
    quotas["quotas"].as_array().unwrap().iter().find(|quota| quota["name"] == name).unwrap().clone()
}

fn code(reply: &Reply) -> Value {
    serde_json::from_slice::<Value>(&reply.body).map_or(Value::Null, |body| body["error"]["code"].clone())
}

fn a_user_who_is_over_a_quota_is_told_which_and_an_approved_plan_lifts_it(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let plans = admin.run(&["plan", "list", "--json"]).good().json();
    assert_eq!((&plans[0]["name"], &plans[0]["is_default"]), (&"standard".into(), &true.into()));
    let own = admin.run(&["quota", "--json"]).good().json();
    assert_eq!(own["plan"], "unlimited", "the first start's operator");

    newcomers_have(&platform, &["--handlers", "1"]);
    admin.run(&["plan", "set", "large", "--handlers", "2"]).good();
    admin.run(&["plan", "delete", "small"]).code(1).says("the plan for newcomers");
    let ada = platform.user("ada");
    let one = ada.create_of("one", &saying("one"));
    let file = ada.file("two.wat", saying("two"));
    ada.run(&["create", &file, "--name", "two"])
        .code(3)
        .says("the quota `handlers` of ada is used up: its plan `small` allows 1, and there are 1")
        .says("wasmcloud plan apply");
    let shown = ada.run(&["quota"]).good();
    let shown = shown.says("ada has the plan `small`").says("a quota is used up");
    assert!(shown.stdout.contains("handlers") && shown.stdout.contains("RESETS"), "{shown:?}");

    ada.run(&["plan", "apply", "huge", "--reason", "we grow"]).code(4).says("there is no plan `huge`");
    ada.run(&["plan", "apply", "large", "--reason", "we grow"]).good();
    ada.run(&["quota"]).good().says("the plan `large` was asked for").says("nobody has decided yet");
    ada.run(&["plan", "requests", "--all"]).code(3);
    ada.run(&["plan", "set", "small", "--handlers", "none"]).code(3);
    let requests = admin.run(&["plan", "requests", "--all", "--json"]).good().json();
    let (id, account) = (requests[0]["id"].as_str().unwrap(), &requests[0]["account"]);
    assert_eq!((requests.as_array().unwrap().len(), account), (1, &"ada".into()));
    admin.run(&["plan", "approve", id, "--note", "welcome"]).good().says("ada has the plan `large`");
    admin.run(&["plan", "refuse", id]).code(1).says("approved already");
    ada.run(&["create", &file, "--name", "two"]).good();
    ada.run(&["quota"]).good().says("was approved").says("welcome");
    one.answers("one");
    admin.run(&["plan", "delete", "large"]).code(1).says("1 account has the plan `large`");
    admin.run(&["plan", "give", "ada", "small"]).good().says("ada has the plan `small`");
    admin.run(&["plan", "delete", "large"]).good();
    assert_eq!(ada.handlers(), ["one", "two"], "a smaller plan takes nothing away");
}

fn invocations_beyond_the_quota_of_a_minute_are_429_until_the_plan_changes(shape: Shape) {
    let platform = Platform::start(shape);
    newcomers_have(&platform, &["--invocations-per-minute", "20"]);
    let (ada, bob) = (platform.user("ada"), platform.user("bob"));
    let handler = ada.create_of("counted", &saying("hello"));
    let of_another = bob.create_of("not-counted", &saying("hello"));
    let refused = eventually("the quota is used up", || {
        let reply = handler.get();
        (reply.status != 200).then_some(reply)
    });
    assert_eq!((refused.status, code(&refused)), (429, "over_quota".into()), "{}", refused.text());
    let text = refused.text();
    for words in ["owner's plan", "try again at", "UTC"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let retry_after: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    of_another.answers("hello");

    // No minute allows any, until the plan allows all.
    platform.admin().run(&["plan", "set", "small", "--invocations-per-minute", "0"]).good();
    let in_a_row = |status: u16| {
        let mut seen = 0;
        move || {
            seen = if handler.get().status == status { seen + 1 } else { 0 };
            // Behind a proxy, one answer says nothing about the other executors.
            (seen == 8).then_some(())
        }
    };
    eventually("nothing is allowed", in_a_row.clone()(429));
    ada.run(&["invoke", "counted"]).code(1).says("invocations_per_minute");
    platform.admin().run(&["plan", "set", "small", "--invocations-per-minute", "none"]).good();
    let changed = Instant::now();
    eventually("everything is allowed", in_a_row(200));
    assert!(changed.elapsed() < SEEN_WITHIN, "{:?}", changed.elapsed());
}

fn what_all_executors_run_is_counted_and_shown(shape: Shape) {
    let platform = Platform::start(shape);
    let ada = platform.user("ada");
    let handler = ada.create_of("counted", &saying("hello"));
    assert_eq!(quota(&ada, "handlers")["used"], 1);
    assert!(quota(&ada, "storage_bytes")["used"].as_u64().unwrap() > 0);
    // A minute may end meanwhile: then they are counted in the next one.
    eventually("what runs is shown", || {
        handler.answers("hello");
        (quota(&ada, "invocations_per_minute")["used"].as_u64().unwrap() >= 3).then_some(())
    });
    eventually("nothing runs any more", || (quota(&ada, "concurrent")["used"] == 0).then_some(()));
    let day = quota(&ada, "cpu_ms_per_day");
    assert_eq!(day["max"], 3_600_000);
    assert_eq!(day["resets_at"].as_i64().unwrap() % 86_400_000, 0);
}

fn a_version_that_is_deleted_is_gone_from_its_own_address(shape: Shape) {
    let platform = Platform::start(shape);
    let ada = platform.user("ada");
    let handler = ada.create_of("changing", &saying("one"));
    handler.update(&saying("two"));
    handler.update(&saying("three"));
    let first = platform.url("v1--changing");
    assert_eq!(platform.web().get(&first).has_status(200).text(), "one");
    ada.run(&["versions", "changing", "--delete", "3"]).code(1).says("version 3 of changing is live");
    ada.run(&["versions", "changing", "--delete", "2"]).code(1).says("what a rollback would bring back");
    ada.run(&["versions", "changing", "--delete", "7"]).code(4).says("no version 7");
    let done = ada.run(&["versions", "changing", "--delete", "1", "--json"]).good().json();
    assert_eq!(done, serde_json::json!({"deleted": [1]}));
    let mut in_a_row = 0;
    eventually("its address is gone everywhere", || {
        in_a_row = if platform.web().get(&first).status == 404 { in_a_row + 1 } else { 0 };
        (in_a_row == 8).then_some(())
    });
    handler.answers("three");
    ada.run(&["rollback", "changing"]).good().says("version 2 of changing is live");
}
