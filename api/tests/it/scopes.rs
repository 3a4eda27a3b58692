//! What each route needs of a token: a table of all of them, and every route tried with every kind of token.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wasmcloud_wire::body::{Handler, Scope, TokenGrant};
use wasmcloud_wire::{ControlPlane as _, InvocationId};

use crate::app::{Answer, Client, TestApp, module};
use crate::store_story::recordings::{record, recording};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing: it is for everybody.
    Nothing,
    /// Any token that is good.
    Token,
    /// This scope; a token that is limited to handlers sees its own there.
    Scope(Scope),
    /// This scope, and a token that reaches the handler.
    Handler(Scope),
    /// This scope, and a token that is not limited to handlers.
    Account(Scope),
    /// The scope `admin`, a token that is not limited to handlers, and a user who operates the installation.
    Operator,
    /// A session of the panel: no token is good for it.
    Session,
}

use Needs::{Account, Nothing, Operator, Session, Token};
use Scope::{Admin, Deploy, Invoke, Read};

/// Every route of the API.
const TABLE: &[(&str, &str, Needs)] = &[
    ("GET", "/healthz", Nothing),
    ("GET", "/readyz", Nothing),
    ("GET", "/server", Nothing),
    ("POST", "/login", Nothing),
    ("POST", "/register", Nothing),
    ("POST", "/sessions", Nothing),
    ("GET", "/sign-in", Nothing),
    ("POST", "/reset", Nothing),
    ("POST", "/logins", Nothing),
    ("POST", "/logins/<id>/token", Nothing),
    ("POST", "/oidc/<provider>/begin", Nothing),
    ("POST", "/oidc/finish", Nothing),
    ("POST", "/oidc/register", Nothing),
    ("GET", "/whoami", Token),
    ("POST", "/logout", Token),
    ("GET", "/plans", Needs::Scope(Read)),
    ("GET", "/handlers", Needs::Scope(Read)),
    ("GET", "/charts", Needs::Scope(Read)),
    ("GET", "/routes", Needs::Scope(Read)),
    ("POST", "/inspect", Needs::Scope(Deploy)),
    ("GET", "/handlers/<name>", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/policy", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/policy/learned", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/env", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/versions", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/versions/<version>/module", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/chart", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/logs", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/invocations", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/invocations/<id>", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/invocations/<id>/recording", Needs::Handler(Read)),
    ("GET", "/handlers/<name>/recording", Needs::Handler(Read)),
    ("GET", "/recordings/<id>", Needs::Scope(Read)),
    ("POST", "/handlers/<name>/invoke", Needs::Handler(Invoke)),
    ("POST", "/handlers/<name>/invocations/<id>/replay", Needs::Handler(Invoke)),
    ("POST", "/handlers/<name>/compare", Needs::Handler(Invoke)),
    ("POST", "/handlers", Needs::Handler(Deploy)),
    ("PATCH", "/handlers/<name>", Needs::Handler(Deploy)),
    ("DELETE", "/handlers/<name>", Needs::Handler(Deploy)),
    ("PUT", "/handlers/<name>/policy", Needs::Handler(Deploy)),
    ("PATCH", "/handlers/<name>/policy", Needs::Handler(Deploy)),
    ("PATCH", "/handlers/<name>/env", Needs::Handler(Deploy)),
    ("PUT", "/handlers/<name>/env/<setting>", Needs::Handler(Deploy)),
    ("DELETE", "/handlers/<name>/env/<setting>", Needs::Handler(Deploy)),
    ("PUT", "/handlers/<name>/module", Needs::Handler(Deploy)),
    ("DELETE", "/handlers/<name>/versions/<version>", Needs::Handler(Deploy)),
    ("POST", "/handlers/<name>/promote", Needs::Handler(Deploy)),
    ("POST", "/handlers/<name>/rollback", Needs::Handler(Deploy)),
    ("POST", "/handlers/<name>/transfer", Needs::Handler(Admin)),
    ("GET", "/hosts", Account(Read)),
    ("GET", "/hosts/<name>", Account(Read)),
    ("POST", "/hosts", Account(Deploy)),
    ("DELETE", "/hosts/<name>", Account(Deploy)),
    ("POST", "/hosts/<name>/verify", Account(Deploy)),
    ("POST", "/routes", Account(Deploy)),
    ("DELETE", "/routes", Account(Deploy)),
    ("GET", "/quotas", Account(Read)),
    ("GET", "/teams", Account(Read)),
    ("GET", "/teams/<name>", Account(Read)),
    ("POST", "/teams", Account(Admin)),
    ("DELETE", "/teams/<name>", Account(Admin)),
    ("POST", "/teams/<name>/accept", Account(Admin)),
    ("POST", "/teams/<name>/decline", Account(Admin)),
    ("PUT", "/teams/<name>/members/<user>", Account(Admin)),
    ("DELETE", "/teams/<name>/members/<user>", Account(Admin)),
    ("GET", "/tokens", Account(Admin)),
    ("POST", "/tokens", Account(Admin)),
    ("DELETE", "/tokens/<id>", Account(Admin)),
    ("GET", "/sessions", Account(Admin)),
    ("DELETE", "/sessions/<id>", Account(Admin)),
    ("GET", "/account", Account(Admin)),
    ("PUT", "/account/password", Account(Admin)),
    ("DELETE", "/account/identities/<id>", Account(Admin)),
    ("GET", "/logins/<code>", Account(Admin)),
    ("GET", "/audit", Account(Admin)),
    ("GET", "/audit/export", Account(Admin)),
    ("POST", "/logins/<code>/decision", Session),
    ("POST", "/plan-requests", Account(Admin)),
    ("GET", "/plan-requests", Account(Admin)),
    ("PUT", "/hosts/<name>/grant", Operator),
    ("DELETE", "/hosts/<name>/grant", Operator),
    ("GET", "/users", Operator),
    ("GET", "/users/<name>", Operator),
    ("PATCH", "/users/<name>", Operator),
    ("POST", "/users/<name>/reset", Operator),
    ("PUT", "/users/<name>/suspension", Operator),
    ("DELETE", "/users/<name>/suspension", Operator),
    ("POST", "/invitations", Operator),
    ("GET", "/invitations", Operator),
    ("DELETE", "/invitations/<id>", Operator),
    ("GET", "/executors", Operator),
    ("PUT", "/plans/<name>", Operator),
    ("DELETE", "/plans/<name>", Operator),
    ("POST", "/plan-requests/<id>/decision", Operator),
];

/// Routes whose name in the path is a handler's are asked about this one.
const MINE: &str = "mine";

fn path(route: &str) -> String {
    let name = if route.starts_with("/handlers") { MINE } else { "somebodys.example.com" };
    let path = route
        .replace("<name>", name)
        .replace("<version>", "1")
        .replace("<setting>", "A")
        .replace("<user>", "nobody-here")
        .replace("<provider>", "nobody")
        .replace("<code>", "WDJB-MJHT")
        .replace("<id>", "01936a3e-0000-7000-8000-000000000001");
    assert!(!path.contains('<'), "{route}: say what stands there");
    format!("/api/v1{path}")
}

/// A body that the route can read: guards that read it come before the question who may do what.
fn body(method: &str, route: &str) -> Option<Value> {
    Some(match (method, route) {
        ("GET" | "DELETE", _) => return None,
        (_, "/login" | "/sessions") => json!({"username": "nobody-here", "password": "not the password"}),
        (_, "/register") => json!({"username": "no name", "password": "x"}),
        (_, "/reset") => json!({"code": "no such code", "password": "x"}),
        (_, "/logins") => json!({"code_challenge": "none", "label": "x"}),
        (_, "/logins/<id>/token") => json!({"code_verifier": "none"}),
        (_, "/logins/<code>/decision") => json!({"approve": false}),
        (_, "/oidc/finish") => json!({"flow": "none", "state": "none", "code": "none"}),
        (_, "/oidc/register") => json!({"ticket": "none", "username": "no name"}),
        (_, "/account/password") => json!({"old": "not the password", "new": "x"}),
        (_, "/users/<name>/suspension") => json!({"reason": "x"}),
        (_, "/tokens") => json!({"label": "another"}),
        (_, "/teams") => json!({"name": "no name"}),
        (_, "/teams/<name>/members/<user>") => json!({"role": "viewer"}),
        (_, "/hosts") => json!({"name": "no host"}),
        (_, "/routes") => json!({"host": "no host", "handler": MINE}),
        (_, "/hosts/<name>/grant") => json!({"user": "nobody-here"}),
        (_, "/plans/<name>") => json!({"name": "no name"}),
        (_, "/plan-requests") => json!({"plan": "no-such-plan", "reason": "x"}),
        (_, "/plan-requests/<id>/decision") => json!({"approve": false}),
        (_, "/handlers/<name>/promote") => json!({"version": 1}),
        (_, "/handlers/<name>/transfer") => json!({"to": "no-such-team"}),
        (_, "/handlers/<name>/env/<setting>") => json!({"value": "x"}),
        (_, "/handlers/<name>/compare") => json!({"version": 1}),
        _ => json!({}),
    })
}

async fn ask(client: &Client, method: &str, route: &str) -> Answer {
    let query = match (method, route) {
        ("POST", "/handlers") => format!("?name={MINE}"),
        ("DELETE", "/routes") => "?host=somebodys.example.com".to_owned(),
        _ => String::new(),
    };
    let request = client.request(method, &format!("{}{query}", path(route)));
    let is_upload =
        matches!((method, route), ("POST", "/handlers" | "/inspect") | ("PUT", "/handlers/<name>/module"));
    let request = match body(method, route) {
        _ if is_upload => request.body(module(MINE)),
        Some(body) => request.json(&body),
        None => request,
    };
    Answer::of(request).await
}

/// The code of the refusal that a token with this scope alone gets, if it is refused.
fn refusal(needs: Needs, scope: Scope) -> Option<&'static str> {
    let missing = |wanted: Scope| (!scope.covers(wanted)).then_some("scope_missing");
    match needs {
        Nothing | Token => None,
        Needs::Scope(wanted) | Needs::Handler(wanted) | Account(wanted) => missing(wanted),
        Operator => missing(Admin),
        Session => Some("session_needed"),
    }
}

/// The code of the refusal that a token gets that may do everything with another handler.
fn refusal_of_limited(needs: Needs) -> Option<&'static str> {
    match needs {
        Nothing | Token | Needs::Scope(_) => None,
        Needs::Handler(_) | Account(_) | Operator => Some("token_limited"),
        Session => Some("session_needed"),
    }
}

#[track_caller]
fn check(answer: &Answer, refused: Option<&str>, what: &str) {
    match refused {
        Some(code) => {
            assert_eq!(answer.status, 403, "{what}: {}", answer.text());
            answer.error(403, code);
        }
        // What it is about may be missing, or wrong.
        None => {
            let code =
                serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["error"]["code"].clone();
            let refusals =
                ["unauthorized", "scope_missing", "token_limited", "admins_only", "session_needed"];
            let refused = refusals.iter().any(|refusal| code == *refusal);
            assert!(!refused && answer.status < 500, "{what}: {} {}", answer.status, answer.text());
        }
    }
}

#[test]
fn every_route_is_in_the_table_once() {
    let listed: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, route, _)| ((*method).to_owned(), (*route).to_owned())).collect();
    assert_eq!(listed.len(), TABLE.len(), "a route is listed twice");
    let there: BTreeSet<(String, String)> = wasmcloud_api::api_routes().into_iter().collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(missing.is_empty(), "say in TABLE what these routes need of a token: {missing:?}");
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(gone.is_empty(), "these routes are not there any more: {gone:?}");
}

#[tokio::test]
async fn every_route_is_open_to_the_tokens_that_have_what_it_needs_and_to_no_others() {
    let app = TestApp::start().await;
    let (operator, anonymous) = (app.admin("operator").await, app.anonymous());
    let plain = app.user("plain").await;
    for &(method, route, needs) in TABLE {
        let what = format!("{method} {route}");
        let token = async |new: Value| {
            if matches!(needs, Needs::Handler(_)) {
                // Whatever was tried before may have deleted it.
                let mine = operator.create(MINE, module(MINE)).await;
                assert!([201, 409].contains(&mine.status), "{}", mine.text());
            }
            let grant: TokenGrant = operator.post("/api/v1/tokens", new).await.good(201);
            app.with_token(&grant.token)
        };
        for scope in Scope::ALL {
            let client = token(json!({"label": "one scope", "days": 1, "scopes": [scope]})).await;
            let answer = ask(&client, method, route).await;
            check(&answer, refusal(needs, scope), &format!("{what} with {scope} alone"));
        }
        let client = token(json!({"label": "limited", "days": 1, "handlers": ["another"]})).await;
        let answer = ask(&client, method, route).await;
        check(&answer, refusal_of_limited(needs), &format!("{what}, limited to another handler"));
        if needs != Nothing {
            ask(&anonymous, method, route).await.error(401, "unauthorized");
        }
        if needs == Operator {
            ask(&plain, method, route).await.error(403, "admins_only");
        }
    }
}

/// A recorded invocation of a handler.
async fn recorded_of(app: &TestApp, owner: &Client, handler: &Handler) -> InvocationId {
    let path = format!("/api/v1/handlers/{}", handler.name);
    owner.patch(&path, json!({"recording": {}})).await.good::<Value>(200);
    let kept = recording(handler.id, "GET", 1);
    app.core.record(vec![record(&kept)]).await.unwrap();
    kept.invocation
}

#[tokio::test]
async fn a_token_that_is_limited_to_a_handler_deploys_it_and_sees_no_other() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let other = alice.has_handler("other").await.handler;
    let new = json!({"label": "ci", "scopes": ["deploy"], "handlers": ["site"]});
    let grant: TokenGrant = alice.post("/api/v1/tokens", new).await.good(201);
    let ci = app.with_token(&grant.token);
    // It need not be there yet.
    ci.has_handler("site").await;
    ci.update("site", module("second")).await.good::<Value>(201);
    let names =
        |list: Vec<Handler>| list.into_iter().map(|handler| handler.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(ci.get("/api/v1/handlers").await.good(200)), ["site"]);
    assert_eq!(names(alice.get("/api/v1/handlers").await.good(200)), ["other", "site"]);
    assert!(ci.create("third", module("third")).await.error(403, "token_limited").contains("site"));
    ci.get("/api/v1/handlers/other").await.error(403, "token_limited");
    let path = format!("/api/v1/recordings/{}", recorded_of(&app, &alice, &other).await);
    alice.get(&path).await.good::<Value>(200);
    ci.get(&path).await.error(403, "token_limited");
    // Nobody's is like everybody else's.
    ci.get("/api/v1/handlers/nobodys").await.error(404, "handler_not_found");
    let message = ci.post("/api/v1/handlers/site/invoke", json!({})).await.error(403, "scope_missing");
    assert!(message.contains("`invoke`") && message.contains("deploy"), "{message}");
    assert_eq!(ci.whoami().await.name.as_str(), "alice");
}

#[tokio::test]
async fn a_module_is_not_read_from_a_token_that_may_not_deploy() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("site").await;
    let grant: TokenGrant =
        alice.post("/api/v1/tokens", json!({"label": "watch", "scopes": ["read"]})).await.good(201);
    for (method, target) in [
        ("PUT", "/api/v1/handlers/site/module"),
        ("POST", "/api/v1/handlers?name=new"),
        ("POST", "/api/v1/inspect"),
    ] {
        let mut stream =
            tokio::net::TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 33554432\r\n\r\n",
            grant.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Not a byte of the body was sent.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 403", "{method} {target}");
    }
}
