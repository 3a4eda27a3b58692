//! What handlers did, and who did what with them: charts, searches, and the audit log.

use std::collections::BTreeMap;
use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};

use crate::platform::{Platform, Shape, eventually, fixture, saying};

every_shape![
    how_a_handler_did_is_told_by_minutes,
    logs_are_searched_and_failures_are_listed_alone,
    nobody_says_by_themselves_whom_a_request_is_from,
    who_changed_what_is_listed_and_exported,
];

fn how_a_handler_did_is_told_by_minutes(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let (fine, failing) =
        (admin.create_of("fine", &saying("fine")), admin.create("failing", &fixture("trap.wat")));
    admin.run(&["stats", "fine"]).good().says("no invocations within this hour");
    for _ in 0..3 {
        fine.get();
        failing.get();
    }
    let sums = |name: &str, span: &str| {
        let chart = admin.run(&["stats", name, "--span", span, "--json"]).good().json();
        let sum = |field: &str| {
            chart["points"].as_array().unwrap().iter().map(|point| point[field].as_u64().unwrap()).sum()
        };
        let sums: (u64, u64) = (sum("invocations"), sum("failures"));
        sums
    };
    for span in ["hour", "day", "week"] {
        eventually("all are counted", || (sums("fine", span) == (3, 0)).then_some(()));
        eventually("all failures are counted", || (sums("failing", span) == (3, 3)).then_some(()));
    }
    let table = admin.run(&["stats", "failing", "--span", "day"]).good().stdout;
    assert!(table.contains("P99") && table.contains("FAILED"), "{table}");
    admin.run(&["stats", "fine", "--span", "year"]).code(2).says("hour, day or week");
    admin.run(&["stats", "nobodys"]).code(4);
}

fn logs_are_searched_and_failures_are_listed_alone(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let chatty = admin.create("chatty", &fixture("stderr.wat"));
    chatty.log_of(&chatty.get().invocation());
    let texts = |args: &[&str]| {
        let done = admin.run(&[&["logs", "chatty", "--json"], args].concat()).good().json();
        let lines = done["lines"].as_array().unwrap().iter();
        lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&["--level", "error"]), ["an error"]);
    assert_eq!(texts(&["--level", "warning"]), ["an error", "a warning"]);
    assert_eq!(texts(&["--grep", "LINE"]), ["first line", "second line", "an unfinished line"]);
    assert_eq!(texts(&["--grep", "a%"]), [""; 0]);
    admin.run(&["logs", "chatty", "--level", "loud"]).code(2);

    admin.run(&["update", "chatty", &fixture("trap.wat")]).good();
    let failed = eventually("a failure", || {
        let answer = chatty.get();
        (answer.status == 502).then(|| answer.invocation())
    });
    let listed = eventually("its receipt", || {
        let list = admin.run(&["invocations", "chatty", "--failed", "--json"]).good().json();
        let receipts = list["receipts"].as_array().unwrap().clone();
        (!receipts.is_empty()).then_some(receipts)
    });
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["invocation"], *failed);
    let older = admin.run(&["invocations", "chatty", "--before", &failed, "--json"]).good().json();
    assert!(
        older["receipts"].as_array().unwrap().iter().all(|receipt| receipt["outcome"]["kind"] == "ok"),
        "{older}"
    );
}

/// Behind the fleet's nginx, which is believed, and without anything that is.
fn nobody_says_by_themselves_whom_a_request_is_from(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    // An address of this machine that is no proxy's.
    let web = platform.web_at(IpAddr::from([127, 0, 0, 2]));
    let url = format!("{}/api/v1/login", platform.api_url());
    for (number, said) in
        ["203.0.113.9", "203.0.113.9, 127.0.0.1", "127.0.0.1", "nonsense"].iter().enumerate()
    {
        let name = format!("stranger-{number}");
        let headers = BTreeMap::from([("x-forwarded-for".to_owned(), (*said).to_owned())]);
        let body = json!({ "username": name, "password": "not the password" });
        assert_eq!(web.send(Method::POST, &url, &headers, body.to_string()).status, 401);
        let noted = admin.run(&["audit", "--json", "--subject", &name]).good().json();
        let peers: Vec<_> = noted.as_array().unwrap().iter().map(|entry| &entry["peer"]).collect();
        assert_eq!(peers, ["127.0.0.2"], "{said}: {noted}");
    }
}

fn who_changed_what_is_listed_and_exported(shape: Shape) {
    let platform = Platform::start(shape);
    let (admin, user) = (platform.admin(), platform.user("somebody"));
    admin.create_of("hello-again", &saying("fine"));
    user.create_of("plus-1", &saying("fine"));
    let entries = |args: &[&str]| {
        admin.run(&[&["audit", "--json"], args].concat()).good().json().as_array().unwrap().clone()
    };
    // The first start is noted too.
    let [first] = &entries(&["--action", "user.create"])[..] else { panic!("{:?}", entries(&[])) };
    assert_eq!(
        (&first["via"], &first["subject"], &first["status"]),
        (&"server".into(), &"admin".into(), &201.into())
    );
    let [created] = &entries(&["--action", "handler", "--actor", "somebody"])[..] else {
        panic!("{:?}", entries(&[]))
    };
    assert_eq!((&created["action"], &created["subject"]), (&"handler.create".into(), &"plus-1".into()));
    assert_eq!(created["peer"], "127.0.0.1");
    assert_eq!(entries(&["--since", "1h", "-n", "1"]).len(), 1);
    let table = admin.run(&["audit", "--actor", "somebody"]).good().stdout;
    assert!(table.contains("handler.create") && table.contains("plus-1"), "{table}");

    // Others see what concerns them.
    let theirs = user.run(&["audit", "--json"]).good().json();
    assert!(theirs.as_array().unwrap().iter().all(|entry| entry["subject"] != "hello-again"), "{theirs}");

    let beside = |name: &str| admin.file("here", "").replace("here", name);
    let (lines, csv) = (beside("audit.ndjson"), beside("audit.csv"));
    admin.run(&["audit", "--export", &lines]).good().says("entries are in");
    let exported = std::fs::read_to_string(&lines).unwrap();
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(exported.iter().any(|entry| entry["request_id"] == created["request_id"]), "{exported:?}");
    admin.run(&["audit", "--export", &csv, "--actor", "somebody"]).good();
    let exported = std::fs::read_to_string(&csv).unwrap();
    assert!(exported.starts_with("position,at,actor,") && exported.contains("\"plus-1\""), "{exported}");
    assert!(
        exported.split_terminator("\r\n").count() >= 2 && !exported.contains("hello-again"),
        "{exported}"
    );
    admin.run(&["audit", "--export", "/nowhere/audit.csv"]).code(1).says("there is no folder /nowhere");
    admin.run(&["audit", "--export", &csv]).code(1).says("nothing is overwritten");
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), exported);
}
