//! Who changed what, when, and from where.

use std::sync::Arc;

use serde_json::{Value, json};
use wasmcloud_api::store::{
    AuditDropped, AuditMore, AuditPage, AuditScope, AuditStore as _, NewAuditRow, Store,
};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Audit, AuditEntry, Deployed, Token, TokenGrant};

use crate::app::{Answer, Client, PASSWORD, TestApp, module};
use crate::database::{Database, on_both_databases};
use crate::eventually::eventually;
use crate::plane::Plane;
use crate::store_story::new_user;

on_both_databases!(
    a_change_that_the_server_died_in_has_no_status,
    entries_are_read_in_pages_by_those_whom_they_concern,
    of_too_many_entries_the_oldest_are_dropped,
    old_entries_are_dropped,
    pages_of_many_teams_are_whole_and_in_order,
    what_cannot_be_noted_is_not_done,
);

const EVERYTHING: AuditPage = AuditPage { from: 0, before: i64::MAX, newest_first: false, limit: 10_000 };

fn row(
    action: &str,
    actor: Option<wasmcloud_wire::UserId>,
    account: Option<wasmcloud_wire::UserId>,
) -> NewAuditRow {
    NewAuditRow {
        actor_id: actor,
        account,
        ..NewAuditRow::by_server(action, "thing", None, &json!({ "bytes": 7 }))
    }
}

async fn actions(store: &dyn Store, scope: AuditScope, page: AuditPage) -> Vec<String> {
    store.audit_page(scope, page).await.unwrap().into_iter().map(|entry| entry.action).collect()
}

async fn a_change_that_the_server_died_in_has_no_status(database: Database) {
    let (died, lived) = {
        let store = database.open().await.unwrap();
        let died = store.begin_audit(&row("handler.delete", None, None)).await.unwrap();
        let lived = store.begin_audit(&row("handler.create", None, None)).await.unwrap();
        store.finish_audit(lived, 201, &AuditMore::default()).await.unwrap();
        (died, lived)
    };
    let store = database.open().await.unwrap();
    let entries = store.audit_page(AuditScope::All, EVERYTHING).await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| (entry.position, entry.status)).collect();
    assert_eq!(seen, [(died, None), (lived, Some(201))]);
    let entry = &entries[0];
    assert_eq!((entry.via.as_str(), entry.actor.as_str(), entry.subject.as_str()), ("server", "-", "thing"));
    assert_eq!(json!(entry.detail), json!({ "bytes": 7 }));
}

async fn entries_are_read_in_pages_by_those_whom_they_concern(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let bob = store.create_user(new_user("bob")).await.unwrap().id;
    let mut positions = Vec::new();
    for (action, actor, account) in [
        ("a.own", Some(ada), Some(ada)),
        ("b.own", Some(bob), Some(bob)),
        ("a.to-b", Some(ada), Some(bob)),
        ("server.to-a", None, Some(ada)),
        ("nobody", None, None),
    ] {
        positions.push(store.begin_audit(&row(action, actor, account)).await.unwrap());
    }
    let (store, page) = (store.as_ref(), EVERYTHING);
    let all = ["a.own", "b.own", "a.to-b", "server.to-a", "nobody"];
    assert_eq!(actions(store, AuditScope::All, page).await, all);
    assert_eq!(actions(store, AuditScope::Of(ada), page).await, ["a.own", "a.to-b", "server.to-a"]);
    assert_eq!(actions(store, AuditScope::Of(bob), page).await, ["b.own", "a.to-b"]);

    let newest = AuditPage { newest_first: true, limit: 2, ..page };
    assert_eq!(actions(store, AuditScope::All, newest).await, ["nobody", "server.to-a"]);
    assert_eq!(actions(store, AuditScope::Of(ada), newest).await, ["server.to-a", "a.to-b"]);
    let older = AuditPage { before: positions[2], ..newest };
    assert_eq!(actions(store, AuditScope::Of(ada), older).await, ["a.own"]);
    let later = AuditPage { from: positions[1], limit: 2, ..page };
    assert_eq!(actions(store, AuditScope::All, later).await, ["b.own", "a.to-b"]);

    assert_eq!(store.audit_position(Timestamp(0)).await.unwrap(), Some(positions[0]));
    assert_eq!(store.audit_position(Timestamp(i64::MAX)).await.unwrap(), None);
}

async fn old_entries_are_dropped(database: Database) {
    let store = database.open().await.unwrap();
    store.begin_audit(&row("old", None, None)).await.unwrap();
    assert_eq!(store.prune_audit(Timestamp(0), 10).await.unwrap(), AuditDropped::default());
    let old = AuditDropped { old: 1, too_many: 0 };
    assert_eq!(store.prune_audit(Timestamp(i64::MAX), 10).await.unwrap(), old);
    assert!(actions(store.as_ref(), AuditScope::All, EVERYTHING).await.is_empty());
}

async fn of_too_many_entries_the_oldest_are_dropped(database: Database) {
    let store = database.open().await.unwrap();
    for number in 0..12 {
        store.begin_audit(&row(&format!("n.{number}"), None, None)).await.unwrap();
    }
    assert_eq!(store.prune_audit(Timestamp(0), 12).await.unwrap(), AuditDropped::default());
    let dropped = AuditDropped { old: 0, too_many: 10 };
    assert_eq!(store.prune_audit(Timestamp(0), 2).await.unwrap(), dropped);
    assert_eq!(actions(store.as_ref(), AuditScope::All, EVERYTHING).await, ["n.10", "n.11"]);
}

async fn pages_of_many_teams_are_whole_and_in_order(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let bob = store.create_user(new_user("bob")).await.unwrap().id;
    let mut accounts = vec![ada, bob];
    for number in 0..7 {
        accounts.push(store.create_user(new_user(&format!("team-{number}"))).await.unwrap().id);
    }
    let members = "INSERT INTO members (team_id, user_id, role)
        SELECT t.id, u.id, 'viewer' FROM users t, users u WHERE t.name LIKE 'team-%' AND u.name = 'ada'";
    database.sql(members).await.unwrap();
    let mut expected = Vec::new();
    for number in 0..90_usize {
        // Now and then what one did concerns one's account as well, and what is Bob's concerns her if she did it.
        let account = accounts[(number * 5) % accounts.len()];
        let actor = (number % 4 == 0).then_some(ada);
        let position = store.begin_audit(&row("x", actor, Some(account))).await.unwrap();
        expected.extend((account != bob || actor.is_some()).then_some(position));
    }
    for newest_first in [false, true] {
        for limit in [1, 7, 1_000] {
            let mut page = AuditPage { newest_first, limit, ..EVERYTHING };
            let mut seen = Vec::new();
            loop {
                let read = store.audit_page(AuditScope::Of(ada), page).await.unwrap();
                assert!(read.len() <= limit as usize);
                let Some(last) = read.last() else { break };
                match newest_first {
                    true => page.before = last.position,
                    false => page.from = last.position + 1,
                }
                seen.extend(read.iter().map(|entry| entry.position));
            }
            if newest_first {
                seen.reverse();
            }
            assert_eq!(seen, expected, "{limit} at once");
        }
    }
}

async fn what_cannot_be_noted_is_not_done(database: Database) {
    let store = database.open().await.unwrap();
    let plane = Plane::start(Arc::clone(&store)).await;
    let ada = plane.user("ada").await;
    ada.has_handler("hello").await;
    database.sql("ALTER TABLE audit RENAME TO lost").await.unwrap();
    ada.create("another", module("another")).await.error(503, "unavailable");
    ada.delete("/api/v1/handlers/hello").await.error(503, "unavailable");
    ada.post("/api/v1/tokens", json!({ "label": "another" })).await.error(503, "unavailable");
    let login = json!({ "username": "ada", "password": PASSWORD });
    plane.anonymous().post("/api/v1/login", login).await.error(503, "unavailable");
    let names: Vec<Value> = ada.get("/api/v1/handlers").await.good(200);
    assert_eq!(names.len(), 1, "{names:?}");
    let tokens: Vec<Token> = ada.get("/api/v1/tokens").await.good(200);
    assert_eq!(tokens.len(), 1);
    database.sql("ALTER TABLE lost RENAME TO audit").await.unwrap();
    ada.delete("/api/v1/handlers/hello").await.done();
}

async fn entries(client: &Client, query: &str) -> Vec<AuditEntry> {
    let audit: Audit = client.get(&format!("/api/v1/audit?{query}")).await.good(200);
    assert_eq!(audit.next_before, None, "there are few");
    audit.entries
}

fn in_words(entries: &[AuditEntry]) -> Vec<String> {
    let words = |entry: &AuditEntry| {
        format!("{} {} {} {:?}", entry.actor, entry.action, entry.subject, entry.status.unwrap_or_default())
    };
    entries.iter().map(words).collect()
}

#[tokio::test]
async fn operators_see_everything_and_others_what_concerns_them() {
    let app = TestApp::start().await;
    let (alice, bob, root) = (app.user("alice").await, app.user("bob").await, app.admin("root").await);
    alice.has_handler("hello").await;
    alice.create("hello", module("again")).await.error(409, "name_taken");
    bob.create("bobs", module("bobs")).await.good::<Deployed>(201);
    bob.delete("/api/v1/handlers/hello").await.error(404, "handler_not_found");
    let wrong = json!({ "username": "alice", "password": "not the password" });
    app.anonymous().post("/api/v1/login", wrong).await.error(401, "wrong_credentials");

    let alices = ["alice handler.create hello 409", "alice handler.create hello 201"];
    assert_eq!(in_words(&entries(&alice, "").await), alices, "newest first");
    assert_eq!(in_words(&entries(&bob, "").await), ["bob handler.create bobs 201"]);
    let all = ["- login alice 401", "bob handler.create bobs 201", alices[0], alices[1]];
    assert_eq!(in_words(&entries(&root, "").await), all);
    let entry = &entries(&root, "limit=1000").await[1];
    assert!(entry.via.starts_with("token ") && entry.peer == "127.0.0.1", "{entry:?}");

    for (query, expected) in [
        ("actor=alice", &all[2..]),
        ("actor=-", &all[..1]),
        ("action=handler", &all[1..]),
        ("action=handler.create&subject=bobs", &all[1..2]),
        ("action=hand", &[]),
        ("until=1000", &[]),
        ("since=9000000000000000", &[]),
        ("since=1000&until=9000000000000000", &all[..]),
    ] {
        assert_eq!(in_words(&entries(&root, query).await), expected, "{query}");
    }
    // Page by page.
    let (mut before, mut seen) = (String::new(), Vec::new());
    loop {
        let page: Audit = root.get(&format!("/api/v1/audit?limit=1&action=handler{before}")).await.good(200);
        seen.extend(in_words(&page.entries));
        let Some(next) = page.next_before else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen, all[1..]);

    for query in ["limit=0", "limit=1001", "since=yesterday", "before=x", "who=alice", "format=csv"] {
        root.get(&format!("/api/v1/audit?{query}")).await.error(422, "invalid");
    }
    app.anonymous().get("/api/v1/audit").await.error(401, "unauthorized");
    let limited = json!({ "label": "reads", "scopes": ["read"] });
    let limited: TokenGrant = alice.post("/api/v1/tokens", limited).await.good(201);
    app.with_token(&limited.token).get("/api/v1/audit").await.error(403, "scope_missing");
}

#[tokio::test]
async fn an_export_has_all_entries_oldest_first_and_no_formula() {
    let app = TestApp::start().await;
    let (alice, root) = (app.user("alice").await, app.admin("root").await);
    // More than are read at once.
    for number in 0..1_203 {
        let row =
            NewAuditRow::by_server(&format!("n.{number}"), "=1+1", None, &json!({ "say": "\"hi\", you" }));
        app.store.begin_audit(&row).await.unwrap();
    }
    let export =
        async |client: &Client, query: &str| client.get(&format!("/api/v1/audit/export{query}")).await;
    let ndjson = export(&root, "").await;
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(ndjson.header("content-disposition"), Some("attachment; filename=\"audit.ndjson\""));
    let lines: Vec<AuditEntry> =
        ndjson.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().enumerate().all(|(number, entry)| entry.action == format!("n.{number}")));
    assert_eq!(lines.len(), 1_203);

    let csv = export(&root, "?format=csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let rows: Vec<&str> = csv.text().split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 1_204);
    assert_eq!(rows[0], "position,at,actor,via,action,subject,detail,peer,request_id,status");
    assert!(
        rows[7].contains(r#","-","server","n.6","'=1+1","{""say"":""\""hi\"", you""}","-","#),
        "{}",
        rows[7]
    );
    let one = export(&root, "?format=csv&action=n.7").await;
    assert_eq!(one.text().split_terminator("\r\n").count(), 2);
    let none = export(&root, "?until=1000").await;
    assert_eq!((none.status, none.text()), (200, ""));
    assert_eq!(export(&alice, "").await.text(), "", "none of it concerns her");
    export(&root, "?format=xls").await.error(422, "invalid");
    export(&root, "?limit=3").await.error(422, "invalid");
}

/// Everything that is secret, wherever it is sent.
#[tokio::test]
async fn no_secret_gets_into_the_audit_log() {
    const SECRETS: [&str; 5] =
        [PASSWORD, "s3cret-value", "n0t-the-password", "another good passphrase", "SECRET_TEXT"];
    let app = TestApp::start().await;
    let (alice, root) = (app.user("alice").await, app.admin("root").await);
    alice.has_handler("hello").await;
    let mut tokens = Vec::new();
    let granted = |answer: Answer| answer.good::<TokenGrant>(200).token;
    let login = |password: &str| json!({ "username": "alice", "password": password });
    tokens.push(granted(app.anonymous().post("/api/v1/login", login(PASSWORD)).await));
    app.anonymous().post("/api/v1/login", login("n0t-the-password")).await.error(401, "wrong_credentials");
    let register =
        json!({ "username": "carol", "password": "another good passphrase", "invitation": "SECRET_TEXT" });
    app.anonymous().post("/api/v1/register", register).await;
    let made = json!({ "label": "a token", "days": 3 });
    tokens.push(alice.post("/api/v1/tokens", made).await.good::<TokenGrant>(201).token);
    let set = json!({ "set": { "KEY": { "value": "s3cret-value", "secret": true } } });
    alice.patch("/api/v1/handlers/hello/env", set).await;
    alice.put("/api/v1/handlers/hello/env/OTHER", json!({ "value": "s3cret-value" })).await;
    let field = json!({ "set": { "FIELD": { "value": "s3cret-value" } } }).to_string();
    let upload = alice.request("PUT", "/api/v1/handlers/hello/module").header("wasmcloud-env", field);
    Answer::of(upload.body(module("next"))).await;
    let password =
        json!({ "current": PASSWORD, "new": "another good passphrase", "old": "n0t-the-password" });
    alice.put("/api/v1/account/password", password).await;
    let invitation: Value = root.post("/api/v1/invitations", json!({})).await.good(201);
    tokens.push(invitation["code"].as_str().unwrap().to_owned());
    alice.post("/api/v1/logout", json!({})).await;

    let kept = app.store.audit_page(AuditScope::All, EVERYTHING).await.unwrap();
    let text = serde_json::to_string(&kept).unwrap();
    for action in ["login", "register", "token.create", "handler.", "logout"] {
        assert!(kept.iter().any(|entry| entry.action.starts_with(action)), "{action}: {text}");
    }
    for secret in SECRETS.into_iter().chain(tokens.iter().map(String::as_str)) {
        assert!(!text.contains(secret), "{secret} is in {text}");
        // A token's signature and payload alone would be enough.
        assert!(
            secret.split('.').all(|part| part.len() < 16 || !text.contains(part)),
            "{secret} is in {text}"
        );
    }
}

/// What a request sends is not in the log if it is refused for its length.
#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_noted() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let long = "y".repeat(900_000);
    let ask = json!({ "plan": "unlimited", "reason": long });
    alice.post("/api/v1/plan-requests", ask).await.error(422, "invalid");
    let ask = json!({ "plan": long, "reason": "growth" });
    alice.post("/api/v1/plan-requests", ask).await.error(422, "invalid_name");
    alice.post("/api/v1/tokens", json!({ "label": long })).await.error(422, "invalid");
    let many: Vec<String> = (0..5_000).map(|number| format!("handler-{number}")).collect();
    alice.post("/api/v1/tokens", json!({ "label": "ci", "handlers": many })).await.error(422, "invalid");
    for route in [
        json!({ "host": "a.test", "path": format!("/{long}"), "handler": "hello" }),
        json!({ "host": long, "handler": "hello" }),
        json!({ "host": "a.test", "handler": long }),
    ] {
        let answer = alice.post("/api/v1/routes", route).await;
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    let answer = alice.post("/api/v1/handlers/hello/transfer", json!({ "to": long })).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(in_words(&entries(&alice, "").await), ["alice handler.create hello 201"]);
}

#[tokio::test]
async fn one_list_is_bounded_in_bytes_and_says_where_to_go_on() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for number in 0..400 {
        let detail = json!({ "number": number, "text": "z".repeat(4_000) });
        app.store.begin_audit(&NewAuditRow::by_server("n", "-", None, &detail)).await.unwrap();
    }
    let (mut before, mut seen, mut lists) = (String::new(), Vec::new(), 0);
    loop {
        let answer = root.get(&format!("/api/v1/audit?limit=1000&action=n{before}")).await;
        assert!(answer.text().len() < 1_100_000, "{}", answer.text().len());
        let page: Audit = answer.good(200);
        seen.extend(page.entries.iter().map(|entry| entry.detail["number"].as_u64().unwrap()));
        lists += 1;
        let Some(next) = page.next_before else { break };
        before = format!("&before={next}");
    }
    assert_eq!(lists, 2);
    assert_eq!(seen, (0..400).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_user_writes_one_export_at_once_and_holds_up_nobody_else() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let id = alice.whoami().await.id;
    // More than sockets hold for a client that does not read.
    for _ in 0..4_000 {
        let detail = json!({ "text": "z".repeat(4_000) });
        app.store.begin_audit(&NewAuditRow::by_server("n", "-", Some(id), &detail)).await.unwrap();
    }
    let export = "/api/v1/audit/export";
    let waits = alice.request("GET", export).send().await.unwrap();
    assert_eq!(waits.status(), 200);
    let refused = alice.get(export).await;
    refused.error(429, "too_many_audit_readers");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(alice.get("/api/v1/audit?limit=1").await.status, 200);
    assert_eq!(bob.get(export).await.status, 200);
    drop(waits);
    eventually("the place is free again", || async {
        let again = alice.request("GET", export).send().await.unwrap();
        (again.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn everybody_sees_the_sign_ins_of_their_own_account() {
    let app = TestApp::start().await;
    let (_, bob, root) = (app.user("alice").await, app.user("bob").await, app.admin("root").await);
    let login = json!({ "username": "alice", "password": PASSWORD });
    let grant: TokenGrant = app.anonymous().post("/api/v1/login", &login).await.good(200);
    app.anonymous().post("/api/v1/sessions", &login).await.good::<Value>(201);
    let reset: Value = root.post("/api/v1/users/alice/reset", json!({})).await.good(201);
    let new = json!({ "code": reset["code"], "password": "another good passphrase" });
    app.anonymous().post("/api/v1/reset", new).await.done();
    app.anonymous().post("/api/v1/login", &login).await.error(401, "wrong_credentials");

    let login = json!({ "username": "alice", "password": "another good passphrase" });
    let again: TokenGrant = app.anonymous().post("/api/v1/login", &login).await.good(200);
    // The reset has ended what she was known by.
    let alice = app.with_token(&again.token);
    let seen = entries(&alice, "").await;
    let expected = [
        "alice login alice 200",
        "alice account.reset alice 204",
        "root user.reset alice 201",
        "alice session.create alice 201",
        "alice login alice 200",
    ];
    assert_eq!(in_words(&seen), expected);
    assert_eq!(seen[4].detail["token"], json!(grant.id));
    assert_eq!((seen[4].peer.as_str(), seen[4].via.as_str()), ("127.0.0.1", "nobody"));
    assert!(entries(&bob, "").await.is_empty());
    // Who did not come in is nobody.
    assert_eq!(in_words(&entries(&root, "actor=-").await), ["- login alice 401"]);
}

#[tokio::test]
async fn where_others_are_and_what_they_are_known_by_is_not_told() {
    let app = TestApp::start().await;
    let (alice, root) = (app.user("alice").await, app.admin("root").await);
    alice.has_handler("hello").await;
    root.patch("/api/v1/users/alice", json!({ "plan": "unlimited" })).await.good::<Value>(200);
    let of = |entries: &[AuditEntry]| {
        let short =
            |entry: &AuditEntry| (entry.actor.clone(), entry.via.split(' ').count(), entry.peer.clone());
        entries.iter().map(short).collect::<Vec<_>>()
    };
    let entry = |actor: &str, words, peer: &str| (actor.to_owned(), words, peer.to_owned());
    let own = entry("alice", 2, "127.0.0.1");
    assert_eq!(of(&entries(&alice, "").await), [entry("root", 1, "-"), own.clone()]);
    assert_eq!(of(&entries(&root, "").await), [entry("root", 2, "127.0.0.1"), own.clone()]);
    let export = alice.get("/api/v1/audit/export").await;
    let lines: Vec<AuditEntry> =
        export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(of(&lines), [own, entry("root", 1, "-")]);
    assert_eq!(lines[1].via, "token");
}
