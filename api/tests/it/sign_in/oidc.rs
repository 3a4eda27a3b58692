//! Signing in at a provider of OpenID Connect, which is a real one.

use std::sync::OnceLock;

use reqwest::Url;
use serde_json::json;
use wasmcloud_api::{OidcProvider, Registration};
use wasmcloud_testkit::oidc::OidcServer;
use wasmcloud_wire::body::{
    Account, Audit, Identity, Invitation, OidcBegun, OidcFinished, SessionGrant, SignIn, User,
};

use super::{as_session, signed_in};
use crate::app::{Answer, Client, PASSWORD, TestApp};

/// Where the panel takes browsers back; nobody listens there in these tests.
const CALLBACK: &str = "http://localhost:3000/sign-in/git/callback";

async fn with_provider(registration: Registration) -> (TestApp, OidcServer) {
    let server = tokio::task::spawn_blocking(|| OidcServer::start(&[CALLBACK])).await.unwrap();
    let provider = OidcProvider::new(
        "git",
        "Our Git",
        &server.issuer,
        &server.client_id,
        Some(server.client_secret.clone()),
    )
    .unwrap();
    let app = TestApp::start_with(|config| {
        config.registration = registration;
        config.oidc = vec![provider];
    })
    .await;
    (app, server)
}

async fn begin(client: &Client, link: bool) -> OidcBegun {
    client.post("/api/v1/oidc/git/begin", json!({"link": link})).await.good(200)
}

/// Signs in at the provider as a browser does; what it brings back.
async fn at_provider(server: &OidcServer, begun: &OidcBegun, login: &str) -> (String, String) {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    let http = HTTP.get_or_init(reqwest::Client::new);
    let mut url: Url = format!("{}/test/sign-in", server.issuer).parse().unwrap();
    url.query_pairs_mut().append_pair("url", &begun.url).append_pair("login", login);
    let answer = http.get(url).send().await.unwrap().text().await.unwrap();
    let back: Url = answer.parse().unwrap_or_else(|_| panic!("{answer}"));
    assert!(answer.starts_with(CALLBACK), "{answer}");
    let field = |name: &str| back.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    (field("state"), field("code"))
}

async fn finish(client: &Client, begun: &OidcBegun, state: &str, code: &str) -> Answer {
    // The address at the provider is the issuer's.
    let iss = begun.url.parse::<Url>().unwrap().origin().ascii_serialization();
    let body = json!({"flow": begun.flow, "provider": "git", "iss": iss, "state": state, "code": code});
    client.post("/api/v1/oidc/finish", body).await
}

/// All of it, for a client that is known or not.
async fn through(server: &OidcServer, client: &Client, link: bool, login: &str) -> Answer {
    let begun = begin(client, link).await;
    let (state, code) = at_provider(server, &begun, login).await;
    finish(client, &begun, &state, &code).await
}

async fn register(app: &TestApp, ticket: &str, name: &str, invitation: Option<&str>) -> Answer {
    let body = json!({"ticket": ticket, "username": name, "invitation": invitation});
    app.anonymous().post("/api/v1/oidc/register", body).await
}

fn newcomer(finished: OidcFinished) -> (String, Option<String>, String) {
    match finished {
        OidcFinished::NewUser { ticket, suggested, label } => {
            (ticket, suggested.map(|name| name.to_string()), label)
        }
        other => panic!("{other:?}"),
    }
}

fn session(finished: OidcFinished) -> SessionGrant {
    match finished {
        OidcFinished::SignedIn { session } => session,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_newcomer_chooses_a_name_and_signs_in_by_the_provider_from_then_on() {
    let (app, server) = with_provider(Registration::Open).await;
    let ways: SignIn = app.anonymous().get("/api/v1/sign-in").await.good(200);
    assert_eq!((ways.providers[0].name.as_str(), ways.providers[0].title.as_str()), ("git", "Our Git"));
    app.user("ada-lovelace").await;
    let finished = through(&server, &app.anonymous(), false, "Ada Lovelace").await.good(200);
    let (ticket, suggested, label) = newcomer(finished);
    assert_eq!((suggested.as_deref(), label.as_str()), (Some("ada-lovelace-2"), "Ada Lovelace"));
    register(&app, &ticket, "ada-lovelace", None).await.error(409, "user_name_taken");
    register(&app, &ticket, "A", None).await.error(422, "invalid_name");
    let grant: SessionGrant = register(&app, &ticket, "ada-2", None).await.good(201);
    register(&app, &ticket, "ada-3", None).await.error(403, "flow_invalid");

    let again = session(through(&server, &app.anonymous(), false, "Ada Lovelace").await.good(200));
    assert_eq!(again.user, grant.user);
    let ada = as_session(&app, &again.secret);
    let account: Account = ada.get("/api/v1/account").await.good(200);
    assert!(!account.has_password && account.identities[0].used_at.is_some());
    // There is no password to guess, and nobody is told that there is none.
    let wrong = json!({"username": "ada-2", "password": ""});
    app.anonymous().post("/api/v1/sessions", &wrong).await.error(401, "wrong_credentials");
}

#[tokio::test]
async fn a_sign_in_at_a_provider_says_whose_it_is() {
    let (app, server) = with_provider(Registration::Open).await;
    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "Ada Lovelace").await.good(200));
    register(&app, &ticket, "ada", None).await.good::<SessionGrant>(201);
    let again = session(through(&server, &app.anonymous(), false, "Ada Lovelace").await.good(200));
    let seen: Audit = as_session(&app, &again.secret).get("/api/v1/audit").await.good(200);
    let words =
        seen.entries.iter().map(|entry| format!("{} {} {}", entry.actor, entry.action, entry.subject));
    assert_eq!(words.collect::<Vec<_>>(), ["ada oidc.finish ada", "ada register ada"]);
    let detail = json!(seen.entries[0].detail);
    assert_eq!(detail, json!({"provider": "git", "identity": "Ada Lovelace"}));
    // Who is not known yet is nobody, whom a provider knows.
    let all: Audit = app.admin("root").await.get("/api/v1/audit?actor=-").await.good(200);
    let [entry] = all.entries.as_slice() else { panic!("{all:?}") };
    assert_eq!((entry.action.as_str(), &json!(entry.detail)), ("oidc.finish", &detail));
}

#[tokio::test]
async fn registration_modes_hold_for_newcomers_of_a_provider() {
    let (app, server) = with_provider(Registration::Off).await;
    through(&server, &app.anonymous(), false, "eve").await.error(403, "registration_off");

    let (app, server) = with_provider(Registration::Invitation).await;
    let operator = app.admin("operator").await;
    let invitation: Invitation = operator.post("/api/v1/invitations", json!({})).await.good(201);
    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "eve").await.good(200));
    register(&app, &ticket, "eve", None).await.error(403, "invitation_required");
    register(&app, &ticket, "eve", Some("0000")).await.error(403, "invitation_required");
    register(&app, &ticket, "eve", Some(&invitation.code)).await.good::<SessionGrant>(201);
    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "mallory").await.good(200));
    register(&app, &ticket, "mallory", Some(&invitation.code)).await.error(403, "invitation_required");
}

#[tokio::test]
async fn an_identity_is_linked_and_unlinked_but_never_the_last_way_to_sign_in() {
    let (app, server) = with_provider(Registration::Open).await;
    let token = app.user("alice").await;
    let alice = signed_in(&app, "alice").await;
    token.post("/api/v1/oidc/git/begin", json!({"link": true})).await.error(403, "session_needed");
    app.anonymous().post("/api/v1/oidc/git/begin", json!({"link": true})).await.error(401, "unauthorized");
    let OidcFinished::Linked { identity } = through(&server, &alice, true, "al").await.good(200) else {
        panic!()
    };
    assert_eq!((identity.provider.as_str(), identity.label.as_str()), ("git", "al"));
    let known = session(through(&server, &app.anonymous(), false, "al").await.good(200));
    assert_eq!(known.user.name.as_str(), "alice");

    app.user("bob").await;
    let bob = signed_in(&app, "bob").await;
    through(&server, &bob, true, "al").await.error(409, "identity_taken");
    bob.delete(&format!("/api/v1/account/identities/{}", identity.id)).await.error(404, "identity_not_found");
    alice.delete(&format!("/api/v1/account/identities/{}", identity.id)).await.done();
    alice.delete("/api/v1/account/identities/nonsense").await.error(404, "identity_not_found");

    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "eve").await.good(200));
    let grant: SessionGrant = register(&app, &ticket, "eve", None).await.good(201);
    let eve = as_session(&app, &grant.secret);
    let account: Account = eve.get("/api/v1/account").await.good(200);
    let only: &Identity = &account.identities[0];
    eve.delete(&format!("/api/v1/account/identities/{}", only.id)).await.error(409, "last_way_to_sign_in");
    eve.put("/api/v1/account/password", json!({"new": PASSWORD})).await.done();
    eve.delete(&format!("/api/v1/account/identities/{}", only.id)).await.done();
}

#[tokio::test]
async fn a_first_password_is_set_by_a_session_alone() {
    let (app, server) = with_provider(Registration::Open).await;
    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "eve").await.good(200));
    let grant: SessionGrant = register(&app, &ticket, "eve", None).await.good(201);
    let eve = as_session(&app, &grant.secret);
    let token: wasmcloud_wire::body::TokenGrant =
        eve.post("/api/v1/tokens", json!({"label": "ci"})).await.good(201);
    let change = json!({"new": PASSWORD});
    app.with_token(&token.token).put("/api/v1/account/password", &change).await.error(403, "session_needed");
    eve.put("/api/v1/account/password", &change).await.done();
}

#[tokio::test]
async fn a_flow_is_finished_by_whoever_began_it_once_and_with_its_own_state() {
    let (app, server) = with_provider(Registration::Open).await;
    app.user("alice").await;
    app.user("bob").await;
    let (alice, bob) = (signed_in(&app, "alice").await, signed_in(&app, "bob").await);
    for stranger in [&bob, &app.anonymous()] {
        let begun = begin(&alice, true).await;
        let (state, code) = at_provider(&server, &begun, "mallory").await;
        finish(stranger, &begun, &state, &code).await.error(403, "flow_invalid");
        finish(&alice, &begun, &state, &code).await.error(403, "flow_invalid");
    }
    let begun = begin(&app.anonymous(), false).await;
    let (state, code) = at_provider(&server, &begun, "mallory").await;
    let other = begin(&app.anonymous(), false).await;
    finish(&app.anonymous(), &other, &state, &code).await.error(403, "flow_invalid");
    finish(&app.anonymous(), &begun, &state, "another-code").await.error(403, "provider_refused");
    finish(&app.anonymous(), &begun, &state, &code).await.error(403, "flow_invalid");
    app.anonymous().post("/api/v1/oidc/nobody/begin", json!({})).await.error(404, "provider_not_found");
    let account: Account = alice.get("/api/v1/account").await.good(200);
    assert!(account.identities.is_empty());
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_refused_by_pkce() {
    let (app, server) = with_provider(Registration::Open).await;
    let (one, other) = (begin(&app.anonymous(), false).await, begin(&app.anonymous(), false).await);
    let (_, stolen) = at_provider(&server, &one, "victim").await;
    let (state, _) = at_provider(&server, &other, "mallory").await;
    finish(&app.anonymous(), &other, &state, &stolen).await.error(403, "provider_refused");
}

#[tokio::test]
async fn a_token_that_is_spoilt_in_any_way_signs_nobody_in() {
    let (app, server) = with_provider(Registration::Open).await;
    let http = reqwest::Client::new();
    for how in ["nonce", "audience", "issuer", "expired", "access-token", "key", "none", "secret", "size"] {
        let begun = begin(&app.anonymous(), false).await;
        let (state, code) = at_provider(&server, &begun, "mallory").await;
        let spoil = format!("{}/test/spoil?how={how}", server.issuer);
        assert_eq!(http.get(spoil).send().await.unwrap().status(), 200);
        let answer = finish(&app.anonymous(), &begun, &state, &code).await;
        assert_eq!(answer.status, 502, "{how}: {}", answer.text());
        answer.error(502, "provider_failed");
    }
    newcomer(through(&server, &app.anonymous(), false, "mallory").await.good(200));
}

#[tokio::test]
async fn new_keys_of_a_provider_are_asked_for_when_they_are_needed() {
    let (app, server) = with_provider(Registration::Open).await;
    newcomer(through(&server, &app.anonymous(), false, "ada").await.good(200));
    let server = tokio::task::spawn_blocking(|| server.start_again()).await.unwrap();
    newcomer(through(&server, &app.anonymous(), false, "ada").await.good(200));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_said_so_and_passwords_go_on() {
    let (app, server) = with_provider(Registration::Open).await;
    app.user("alice").await;
    drop(server);
    let answer = app.anonymous().post("/api/v1/oidc/git/begin", json!({})).await;
    assert!(answer.error(502, "provider_failed").contains("Our Git"));
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    let alice: User = signed_in(&app, "alice").await.whoami().await;
    assert_eq!(alice.name.as_str(), "alice");
}

#[tokio::test]
async fn a_suspended_user_is_not_signed_in_by_a_provider() {
    use wasmcloud_api::store::PeopleStore as _;
    let (app, server) = with_provider(Registration::Open).await;
    app.admin("operator").await;
    let (ticket, ..) = newcomer(through(&server, &app.anonymous(), false, "eve").await.good(200));
    let grant: SessionGrant = register(&app, &ticket, "eve", None).await.good(201);
    app.store.suspend(grant.user.id, "spam", wasmcloud_wire::Timestamp::now()).await.unwrap();
    through(&server, &app.anonymous(), false, "eve").await.error(403, "suspended");
}
