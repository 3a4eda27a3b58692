//! `wasmcloud plan` and `wasmcloud quota`, before an API that answers by script.

use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::user::User;

fn plan(name: &str) -> Value {
    json!({"name": name, "handlers_max": 50, "concurrent_max": 7, "is_default": true})
}

fn body(api: &Api, line: &str) -> Value {
    let requests = api.requests();
    let request = requests.iter().find(|request| request.line == line).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn what_is_not_named_of_a_plan_stays_as_it_is() {
    let api = Api::start([
        ("GET /api/v1/plans", Answer::json(&json!([plan("standard")]))),
        ("PUT /api/v1/plans/standard", Answer::json(&plan("standard"))),
    ]);
    let user = User::logged_in_at(&api.url);
    let set = ["plan", "set", "standard", "--concurrent", "none", "--storage-bytes", "9 KiB"];
    let table = user.run(&set).good().stdout;
    assert!(table.starts_with("PLAN") && table.contains("no limit"), "{table}");
    let sent = json!({"name": "standard", "handlers_max": 50, "storage_bytes_max": 9216, "is_default": true});
    assert_eq!(body(&api, "PUT /api/v1/plans/standard"), sent);
}

#[test]
fn a_new_plan_has_the_limits_that_are_named_and_no_others() {
    let api = Api::start([
        ("GET /api/v1/plans", Answer::json(&json!([plan("standard")]))),
        ("PUT /api/v1/plans/large", Answer { status: 201, ..Answer::json(&plan("large")) }),
    ]);
    let user = User::logged_in_at(&api.url);
    let done = user.run(&["plan", "set", "large", "--cpu-ms-per-day", "90min", "--json"]).good().json();
    assert_eq!(done["name"], "large");
    let sent = json!({"name": "large", "cpu_ms_per_day_max": 5_400_000, "is_default": false});
    assert_eq!(body(&api, "PUT /api/v1/plans/large"), sent);
}

#[test]
fn a_name_that_is_none_is_asked_of_nobody() {
    let api = Api::start([]);
    let user = User::logged_in_at(&api.url);
    for args in [
        &["plan", "delete", "../users/ada"][..],
        &["plan", "set", "A"],
        &["plan", "set", "a", "--handlers", "-1"],
        &["plan", "give", "../ada", "large"],
        &["plan", "approve", "7"],
        &["quota", "--team", "a/b"],
        &["versions", "hello", "--delete", "0"],
    ] {
        user.run(args).code(2);
    }
    assert!(api.requests().is_empty(), "{:?}", api.requests());
}

#[test]
fn a_plan_is_given_by_a_change_of_its_account() {
    let api = Api::start([("PATCH /api/v1/users/ada", Answer::json(&json!({"plan": "large"})))]);
    let user = User::logged_in_at(&api.url);
    user.run(&["plan", "give", "ada", "large"]).good().says("ada has the plan `large`");
    assert_eq!(body(&api, "PATCH /api/v1/users/ada"), json!({"plan": "large"}));
}

#[test]
fn quotas_are_a_table_with_what_is_used_and_when_it_resets() {
    let quotas = json!({
        "account": "cups", "plan": "small", "request": null,
        "quotas": [
            {"name": "handlers", "used": 2, "max": 2, "resets_at": null},
            {"name": "storage_bytes", "used": 1_048_576, "max": null, "resets_at": null},
            {"name": "cpu_ms_per_day", "used": 1_500, "max": 3_600_000, "resets_at": 951_782_400_000_i64},
        ],
    });
    let api = Api::start([("GET /api/v1/quotas", Answer::json(&quotas))]);
    let user = User::logged_in_at(&api.url);
    let done = user.run(&["quota", "--team", "cups"]).good();
    let done =
        done.says("cups has the plan `small`").says("wasmcloud plan apply PLAN --reason TEXT --team cups");
    let rows: Vec<String> =
        done.stdout.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        rows,
        [
            "QUOTA USED OF RESETS",
            "handlers 2 2",
            "storage_bytes 1.0 MiB no limit",
            "cpu_ms_per_day 1.500 s 3600.000 s 2000-02-29T00:00:00Z",
        ]
    );
    assert_eq!(api.request().query, "team=cups");
}
