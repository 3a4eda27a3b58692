//! Hosts of users' own: added, proven by DNS, granted, checked again; and the routes below them.

use serde_json::{Value, json};
use wasmcloud_testkit::dns::{DnsServer, Says};
use wasmcloud_wire::body::{Audit, Grant, Host, HostState, Route, Routed};
use wasmcloud_wire::{Change, ControlPlane as _, Timestamp};

use crate::app::{Client, Heard, TestApp};

const HOST: &str = "api.example.com";
const RECORD: &str = "_wasmcloud.api.example.com";
const DAY_MS: i64 = 86_400_000;

async fn start() -> (TestApp, DnsServer) {
    let dns = DnsServer::start().await;
    let addr = dns.addr();
    let app = TestApp::start_with(|config| {
        config.dns_servers = vec![addr];
        config.reserved_hosts = vec!["kept.example".parse().unwrap()];
    })
    .await;
    (app, dns)
}

async fn add(client: &Client, name: &str) -> Host {
    client.post("/api/v1/hosts", json!({ "name": name })).await.good(201)
}

async fn verify(client: &Client) -> crate::app::Answer {
    client.post(&format!("/api/v1/hosts/{HOST}/verify"), json!({})).await
}

/// Adds the host and proves it.
async fn prove(client: &Client, dns: &DnsServer) -> Host {
    let host: Host = client.get(&format!("/api/v1/hosts/{HOST}")).await.good(200);
    dns.set(RECORD, Says::text(&host.record_value));
    verify(client).await.good(200)
}

async fn route(client: &Client, from: &str, handler: &str) -> crate::app::Answer {
    let at = from.find('/').unwrap_or(from.len());
    let (host, path) = from.split_at(at);
    let path = if path.is_empty() { Value::Null } else { json!(path) };
    client.post("/api/v1/routes", json!({"host": host, "path": path, "handler": handler})).await
}

fn announced(app: &TestApp, host: &str) -> usize {
    let change = Heard::Announce(Change::Host { host: host.parse().unwrap() });
    app.invoker.heard().iter().filter(|heard| **heard == change).count()
}

#[tokio::test]
async fn a_host_is_added_with_the_record_that_proves_it() {
    let (app, _dns) = start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let host = add(&ada, "API.example.com.").await;
    assert_eq!((host.name.as_str(), host.state, host.routes), (HOST, HostState::Unproven, 0));
    assert_eq!(host.record_name, RECORD);
    let challenge = host.record_value.strip_prefix("wasmcloud=").unwrap();
    assert!(challenge.len() == 32 && challenge.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits");
    let again: Host = ada.post("/api/v1/hosts", json!({ "name": HOST })).await.good(200);
    assert_eq!(again, host, "it stays as it is");
    assert_ne!(add(&bob, HOST).await.record_value, host.record_value, "everybody has a record of their own");
    let list: Vec<Host> = ada.get("/api/v1/hosts").await.good(200);
    assert_eq!(list, [host]);
    ada.delete(&format!("/api/v1/hosts/{HOST}")).await.done();
    assert_eq!(ada.get("/api/v1/hosts").await.good::<Vec<Host>>(200), []);
}

#[tokio::test]
async fn hosts_that_cannot_be_anybodys_are_refused_with_a_reason() {
    let (app, _dns) = start().await;
    let ada = app.user("ada").await;
    ada.has_handler("hello").await;
    let long = format!("{}.{}.{}.{}.com", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(50));
    for (name, code, words) in [
        ("localhost", "invalid_host", "no host name"),
        ("192.0.2.1", "invalid_host", "address"),
        ("[::1]", "invalid_host", "address"),
        ("*.example.com", "invalid_host", "wildcard"),
        ("https://example.com", "invalid_host", "no host name"),
        ("example.com:80", "invalid_host", "no host name"),
        (long.as_str(), "invalid_host", "242"),
        ("hello.localhost", "host_reserved", "handlers answer below localhost"),
        ("kept.example", "host_reserved", "keeps it for itself"),
        ("below.kept.example", "host_reserved", "keeps it for itself"),
    ] {
        let message = ada.post("/api/v1/hosts", json!({ "name": name })).await.error(422, code);
        assert!(message.contains(words), "{name}: {message}");
        ada.post("/api/v1/routes", json!({"host": name, "handler": "hello"})).await.error(422, code);
    }
    // The host that the API itself is asked under.
    let request = ada.request("POST", "/api/v1/hosts").json(&json!({ "name": "panel.example.com" }));
    let answer = crate::app::Answer::of(request.header("host", "panel.example.com:443")).await;
    answer.error(422, "host_reserved");
    assert_eq!(ada.get("/api/v1/hosts").await.good::<Vec<Host>>(200), []);
}

#[tokio::test]
async fn a_dns_record_proves_a_host_among_others_in_pieces_and_behind_an_alias() {
    let (app, dns) = start().await;
    let ada = app.user("ada").await;
    let value = add(&ada, HOST).await.record_value;
    let (first, rest) = value.split_at(9);
    let filler = (0..40).map(|number| vec![format!("{number}-{}", "x".repeat(60))]);
    for says in [
        Says::text(&value),
        Says::Texts(vec![vec!["v=spf1 -all".to_owned()], vec![value.clone()]]),
        Says::Texts(vec![vec![first.to_owned(), rest.to_owned()]]),
        // More than a datagram carries, so that TCP is used.
        Says::Texts(filler.chain([vec![value.clone()]]).collect()),
        Says::Alias("proofs.example.org".to_owned()),
    ] {
        dns.set("proofs.example.org", Says::text(&value));
        dns.set(RECORD, says.clone());
        let admin = app.store.as_ref();
        let host: Host = verify(&ada).await.good(200);
        assert_eq!(host.state, HostState::Proven, "{says:?}");
        assert!(host.proven_at.is_some());
        // Taken back, so that the next one has to prove it.
        let next = value.strip_prefix("wasmcloud=").unwrap();
        wasmcloud_api::store::RouteStore::revoke_host(admin, &HOST.parse().unwrap(), next).await.unwrap();
    }
    let asked = dns.questions();
    assert!(asked.iter().all(|question| question.ends_with(" TXT")), "{asked:?}");
}

#[tokio::test]
async fn why_a_host_is_not_proven_is_told_apart_and_what_was_found_is_shown() {
    let (app, dns) = start().await;
    let ada = app.user("ada").await;
    let value = add(&ada, HOST).await.record_value;
    let others = Says::Texts(vec![vec!["v=spf1 -all".to_owned()], vec![format!("{value}0")]]);
    for (says, code, words) in [
        (None, "host_record_missing", "NXDOMAIN"),
        (Some(Says::Nothing), "host_record_missing", "no TXT record"),
        (Some(others), "host_record_wrong", "\"v=spf1 -all\""),
        (Some(Says::Alias("nowhere.example.org".to_owned())), "host_record_missing", "NXDOMAIN"),
        (Some(Says::Failure), "dns_failed", "Server Failure"),
        (Some(Says::Silence), "dns_no_answer", "in time"),
    ] {
        dns.forget(RECORD);
        if let Some(says) = says {
            dns.set(RECORD, says);
        }
        let answer = verify(&ada).await;
        let message = answer.error(409, code);
        assert!(message.contains(RECORD) && message.contains(words), "{message}");
        if code.starts_with("host_record") {
            assert!(answer.text().contains(&value), "the hint has the record: {}", answer.text());
        }
        if code == "dns_no_answer" {
            assert!(answer.text().contains("the DNS server that this server asks"), "{}", answer.text());
        }
    }
    let host: Host = ada.get(&format!("/api/v1/hosts/{HOST}")).await.good(200);
    assert_eq!(host.state, HostState::Unproven);
    assert_eq!(announced(&app, HOST), 0);
}

#[tokio::test]
async fn looks_at_dns_are_counted_by_user() {
    let (app, dns) = start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    add(&ada, HOST).await;
    add(&bob, HOST).await;
    for _ in 0..10 {
        verify(&ada).await.error(409, "host_record_missing");
    }
    let answer = verify(&ada).await;
    answer.error(429, "too_many_tries");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(dns.questions().len(), 10);
    verify(&bob).await.error(409, "host_record_missing");
}

#[tokio::test]
async fn a_route_is_served_from_the_proof_on_and_until_it_is_removed() {
    let (app, dns) = start().await;
    let ada = app.user("ada").await;
    ada.has_handler("hello").await;
    ada.has_handler("other").await;
    let served = async || app.core.routes(&HOST.parse().unwrap()).await.unwrap();
    let routed: Routed = route(&ada, &format!("{HOST}/%761/"), "hello").await.good(201);
    assert_eq!((routed.route.path.as_str(), routed.route.served), ("/v1", false));
    assert_eq!((routed.host.state, routed.host.record_name.as_str()), (HostState::Unproven, RECORD));
    assert_eq!(served().await, []);
    let before = announced(&app, HOST);
    assert_eq!(prove(&ada, &dns).await.routes, 1);
    assert_eq!(announced(&app, HOST), before + 1);
    let there = served().await;
    assert_eq!((there[0].path.as_str(), there[0].handler.as_str()), ("/v1", "hello"));

    route(&ada, HOST, "other").await.good::<Routed>(201);
    assert_eq!(announced(&app, HOST), before + 2);
    let list: Vec<Route> = ada.get(&format!("/api/v1/routes?host={HOST}")).await.good(200);
    assert_eq!(list.iter().map(|route| route.path.as_str()).collect::<Vec<_>>(), ["/", "/v1"]);
    assert!(list.iter().all(|route| route.served));

    let taken = route(&ada, &format!("{HOST}/v1"), "other").await.error(409, "route_taken");
    assert!(taken.contains("your handler `hello`"), "{taken}");
    for (path, words) in [("/v1/../x", "`..`"), ("/v1?q", "`?`"), ("/a//b", "empty"), ("/a%2fb", "encoded")] {
        let message = route(&ada, &format!("{HOST}{path}"), "hello").await.error(422, "invalid_path");
        assert!(message.contains(words), "{path}: {message}");
    }
    route(&ada, &format!("{HOST}/x"), "nobody").await.error(404, "handler_not_found");
    let has_routes = ada.delete(&format!("/api/v1/hosts/{HOST}")).await.error(409, "host_has_routes");
    assert!(has_routes.contains("2 routes"), "{has_routes}");

    ada.delete(&format!("/api/v1/routes?host={HOST}&path=/%761")).await.done();
    assert_eq!(served().await.len(), 1);
    let has_a_route = ada.delete(&format!("/api/v1/hosts/{HOST}")).await.error(409, "host_has_routes");
    assert!(has_a_route.contains("has a route"), "{has_a_route}");
    ada.delete(&format!("/api/v1/routes?host={HOST}&path=/v1")).await.error(404, "route_not_found");
    let before = announced(&app, HOST);
    ada.delete("/api/v1/handlers/other").await.done();
    assert_eq!((served().await.len(), announced(&app, HOST)), (0, before + 1), "they go with their handler");
    ada.delete(&format!("/api/v1/hosts/{HOST}")).await.done();
}

#[tokio::test]
async fn anothers_hosts_and_routes_are_exactly_like_those_that_do_not_exist() {
    let (app, dns) = start().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("root").await);
    ada.has_handler("hello").await;
    bob.has_handler("bobs").await;
    route(&ada, &format!("{HOST}/v1"), "hello").await.good::<Routed>(201);
    prove(&ada, &dns).await;
    for client in [&bob, &admin] {
        for name in [HOST, "nobodys.example.com"] {
            for (method, rest) in [("GET", ""), ("DELETE", ""), ("POST", "/verify")] {
                let path = format!("/api/v1/hosts/{name}{rest}");
                let message = client.send(method, &path, "").await.error(404, "host_not_found");
                assert_eq!(message, format!("you have no host `{name}`"), "{method} {rest}");
            }
            let path = format!("/api/v1/routes?host={name}&path=/v1");
            let message = client.delete(&path).await.error(404, "route_not_found");
            assert_eq!(message, format!("you have no route `{name}/v1`"));
        }
        assert_eq!(client.get("/api/v1/hosts").await.good::<Vec<Value>>(200), [] as [Value; 0]);
        assert_eq!(client.get(&format!("/api/v1/routes?host={HOST}")).await.good::<Vec<Value>>(200).len(), 0);
    }
    for (method, path) in [
        ("GET", "/api/v1/hosts"),
        ("POST", "/api/v1/hosts"),
        ("POST", "/api/v1/hosts/a.example/verify"),
        ("GET", "/api/v1/routes"),
        ("POST", "/api/v1/routes"),
        ("DELETE", "/api/v1/routes?host=a.example"),
    ] {
        app.anonymous().send(method, path, "{}").await.error(401, "unauthorized");
    }
    // Nobody routes to another's handler, and nobody routes another's host; whose it is nobody is told.
    route(&bob, "bobs.example.com", "hello").await.error(404, "handler_not_found");
    let answer = route(&bob, &format!("{HOST}/v2"), "bobs").await;
    answer.error(409, "host_taken");
    assert!(!answer.text().contains("ada"), "{}", answer.text());
    assert_eq!(app.core.routes(&HOST.parse().unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_proof_takes_a_host_and_the_old_record_is_worth_nothing_any_more() {
    let (app, dns) = start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    ada.has_handler("adas").await;
    bob.has_handler("bobs").await;
    // Bob routes the host before it is anybody's: that stands in nobody's way.
    route(&bob, HOST, "bobs").await.good::<Routed>(201);
    route(&ada, HOST, "adas").await.good::<Routed>(201);
    let adas = prove(&ada, &dns).await;
    let leads_to = async || app.core.routes(&HOST.parse().unwrap()).await.unwrap()[0].handler.to_string();
    assert_eq!(leads_to().await, "adas");
    let before = announced(&app, HOST);
    prove(&bob, &dns).await;
    assert_eq!((leads_to().await, announced(&app, HOST)), ("bobs".to_owned(), before + 1));
    let lost: Host = ada.get(&format!("/api/v1/hosts/{HOST}")).await.good(200);
    assert_eq!((lost.state, lost.routes), (HostState::Unproven, 1));
    assert_ne!(lost.record_value, adas.record_value);
    dns.set(RECORD, Says::text(&adas.record_value));
    verify(&ada).await.error(409, "host_record_wrong");
    assert_eq!(leads_to().await, "bobs");
}

#[tokio::test]
async fn an_operator_grants_a_host_and_no_proof_takes_it() {
    let (app, dns) = start().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("root").await);
    ada.has_handler("adas").await;
    bob.has_handler("bobs").await;
    route(&bob, HOST, "bobs").await.good::<Routed>(201);
    prove(&bob, &dns).await;
    let path = format!("/api/v1/hosts/{HOST}/grant");
    ada.put(&path, json!({"user": "ada"})).await.error(403, "admins_only");
    ada.delete(&path).await.error(403, "admins_only");
    admin.put(&path, json!({"user": "nobody"})).await.error(404, "user_not_found");
    admin.put("/api/v1/hosts/x.localhost/grant", json!({"user": "ada"})).await.error(422, "host_reserved");
    let grant: Grant = admin.put(&path, json!({"user": "ada"})).await.good(200);
    assert_eq!(grant.taken_from.as_ref().map(|user| user.as_str()), Some("bob"));
    assert_eq!(app.core.routes(&HOST.parse().unwrap()).await.unwrap(), [], "bob's route is not served");
    route(&ada, HOST, "adas").await.good::<Routed>(201);
    assert_eq!(app.core.routes(&HOST.parse().unwrap()).await.unwrap().len(), 1);

    let asked = dns.questions().len();
    let host: Host = verify(&ada).await.good(200);
    assert_eq!((host.state, dns.questions().len()), (HostState::Granted, asked), "it needs no record");
    let bobs: Host = bob.get(&format!("/api/v1/hosts/{HOST}")).await.good(200);
    dns.set(RECORD, Says::text(&bobs.record_value));
    verify(&bob).await.error(409, "host_taken");
    assert_eq!(app.core.recheck_hosts(Timestamp(i64::MAX)).await.unwrap(), 0, "grants are not checked");

    let revoked: Grant = admin.delete(&path).await.good(200);
    assert_eq!((revoked.user, revoked.taken_from.unwrap().as_str()), (None, "ada"));
    assert_eq!(app.core.routes(&HOST.parse().unwrap()).await.unwrap(), []);
    admin.delete(&path).await.error(404, "host_not_found");
}

#[tokio::test]
async fn a_proof_is_checked_again_after_a_day_and_a_problem_is_told_but_takes_nothing() {
    let (app, dns) = start().await;
    let ada = app.user("ada").await;
    ada.has_handler("hello").await;
    route(&ada, HOST, "hello").await.good::<Routed>(201);
    let proven = prove(&ada, &dns).await;
    let at = proven.proven_at.unwrap();
    let check =
        async |days: i64| app.core.recheck_hosts(Timestamp(at.0 + days * DAY_MS + 60_000)).await.unwrap();
    let seen = async || ada.get(&format!("/api/v1/hosts/{HOST}")).await.good::<Host>(200);
    assert_eq!(check(0).await, 0);
    dns.forget(RECORD);
    assert_eq!((check(1).await, check(1).await), (1, 0));
    let host = seen().await;
    assert_eq!(
        (host.state, host.problem.as_deref()),
        (HostState::Proven, Some("_wasmcloud.api.example.com is not there (NXDOMAIN)"))
    );
    assert_eq!(app.core.routes(&HOST.parse().unwrap()).await.unwrap().len(), 1);
    dns.set(RECORD, Says::text(&proven.record_value));
    assert_eq!(check(3).await, 1);
    assert_eq!(seen().await.problem, None);
    let noted: Audit = ada.get("/api/v1/audit?action=host&actor=-").await.good(200);
    let noted: Vec<_> =
        noted.entries.iter().map(|entry| (entry.via.as_str(), entry.action.as_str(), entry.status)).collect();
    assert_eq!(
        noted,
        [("server", "host.proof_back", Some(200)), ("server", "host.proof_missing", Some(200))]
    );
}

#[tokio::test]
async fn hosts_and_routes_are_limited_in_number() {
    let (app, _dns) = start().await;
    let ada = app.user("ada").await;
    ada.has_handler("hello").await;
    for number in 0..100 {
        route(&ada, &format!("host-0.example.com/{number}"), "hello").await.good::<Routed>(201);
    }
    let message = route(&ada, "host-0.example.com/more", "hello").await.error(409, "too_many_routes");
    assert!(message.contains("100 routes"), "{message}");
    for number in 1..20 {
        add(&ada, &format!("host-{number}.example.com")).await;
    }
    let message =
        ada.post("/api/v1/hosts", json!({"name": "more.example.com"})).await.error(409, "too_many_hosts");
    assert!(message.contains("20 hosts"), "{message}");
    route(&ada, "more.example.com", "hello").await.error(409, "too_many_hosts");
}
