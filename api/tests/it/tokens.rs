//! Which tokens are good.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;
use wasmcloud_api::{Config, Core};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Audit, Scope, Token, TokenGrant};

use crate::app::{Answer, TestApp};
use crate::eventually::eventually;

/// The claims of a token that is good, as JSON to be spoilt.
async fn good_claims(app: &TestApp, name: &str) -> Value {
    let token = app.user(name).await.token.unwrap();
    claims_of(&token)
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn sign(app: &TestApp, header: &Header, claims: &Value) -> String {
    let pkcs8 = std::fs::read(&app.key_file).unwrap();
    jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&pkcs8)).unwrap()
}

fn eddsa() -> Header {
    Header::new(Algorithm::EdDSA)
}

async fn refused(app: &TestApp, token: &str, why: &str) {
    let answer = app.with_token(token).get("/api/v1/whoami").await;
    assert_eq!(answer.status, 401, "{why}: {}", answer.text());
    answer.error(401, "unauthorized");
    assert!(answer.text().contains("wasmcloud login"), "{why}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{why}");
}

#[tokio::test]
async fn a_token_that_is_signed_by_hand_with_the_right_key_and_claims_is_good() {
    let app = TestApp::start().await;
    let claims = good_claims(&app, "alice").await;
    let token = sign(&app, &eddsa(), &claims);
    assert_eq!(app.with_token(&token).whoami().await.name.as_str(), "alice");
}

#[tokio::test]
async fn claims_that_are_missing_or_wrong_are_refused() {
    let app = TestApp::start().await;
    let claims = good_claims(&app, "alice").await;
    for name in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"] {
        let mut spoilt = claims.clone();
        spoilt.as_object_mut().unwrap().remove(name);
        refused(&app, &sign(&app, &eddsa(), &spoilt), &format!("no {name}")).await;
    }
    let now = Timestamp::now().0 / 1000;
    for (name, value) in [
        ("iss", json!("somebody")),
        ("aud", json!("wasmcloud-panel")),
        ("aud", json!(["wasmcloud-api", "wasmcloud-panel"])),
        ("sub", json!(Uuid::now_v7())),
        ("jti", json!(Uuid::now_v7())),
        ("iat", json!(now + 3 * 3_600)),
        ("nbf", json!(now + 3 * 3_600)),
        ("exp", json!(now - 3_600)),
        ("exp", json!("tomorrow")),
    ] {
        let mut spoilt = claims.clone();
        spoilt[name] = value.clone();
        refused(&app, &sign(&app, &eddsa(), &spoilt), &format!("{name} is {value}")).await;
    }
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    let app = TestApp::start().await;
    let claims = good_claims(&app, "alice").await;
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    for alg in ["none", "None", "NONE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT"}).to_string());
        refused(&app, &format!("{header}.{payload}."), alg).await;
    }
    // The public key is no secret: it must not be taken for one.
    let pair = Ed25519KeyPair::from_pkcs8(&std::fs::read(&app.key_file).unwrap()).unwrap();
    for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let secret = EncodingKey::from_secret(pair.public_key().as_ref());
        let token = jsonwebtoken::encode(&Header::new(alg), &claims, &secret).unwrap();
        refused(&app, &token, "HMAC with the public key").await;
    }
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used() {
    let app = TestApp::start().await;
    let claims = good_claims(&app, "alice").await;
    let stranger = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(stranger.as_ref()).unwrap();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "x": URL_SAFE_NO_PAD.encode(public.public_key().as_ref()),
    }))
    .unwrap();
    let header = Header { jwk: Some(jwk), ..eddsa() };
    let key = EncodingKey::from_ed_der(stranger.as_ref());
    refused(&app, &jsonwebtoken::encode(&header, &claims, &key).unwrap(), "a stranger's key, embedded").await;
    refused(&app, &jsonwebtoken::encode(&eddsa(), &claims, &key).unwrap(), "a stranger's key").await;
    refused(&app, &sign(&app, &header, &claims), "our signature over a header with a key").await;
    let header = Header { jku: Some("http://127.0.0.1:1/keys".to_owned()), ..eddsa() };
    refused(&app, &sign(&app, &header, &claims), "our signature over a header that names keys").await;
}

#[tokio::test]
async fn a_token_that_was_changed_is_refused() {
    let app = TestApp::start().await;
    let token = app.user("alice").await.token.unwrap();
    let other = app.user("bob").await.token.unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    let flipped: Vec<u8> = signature.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 5)).collect();
    for (spoilt, why) in [
        (format!("{}.{}.{}", parts[0], others[1], parts[2]), "another's claims"),
        (format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(flipped)), "a bit of the signature"),
        (format!("{}.{}.", parts[0], parts[1]), "no signature"),
        (format!("{}.{}", parts[0], parts[1]), "two parts"),
        (format!("{token}.x"), "four parts"),
        ("x".to_owned(), "no token at all"),
    ] {
        refused(&app, &spoilt, why).await;
    }
}

#[tokio::test]
async fn the_authorization_field_has_to_be_one_bearer_token() {
    let app = TestApp::start().await;
    let token = app.user("alice").await.token.unwrap();
    let anonymous = app.anonymous();
    for values in [
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec![token.clone()],
        vec![format!("Basic {token}")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
    ] {
        let mut request = anonymous.request("GET", "/api/v1/whoami");
        for value in &values {
            request = request.header("authorization", value);
        }
        Answer::of(request).await.error(401, "unauthorized");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request =
            anonymous.request("GET", "/api/v1/whoami").header("authorization", format!("{scheme} {token}"));
        assert_eq!(Answer::of(request).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let grant: TokenGrant = alice.post("/api/v1/tokens", json!({"label": "ci", "days": 7})).await.good(201);
    let ci = app.with_token(&grant.token);
    assert_eq!(ci.whoami().await.name.as_str(), "alice");
    alice.delete(&format!("/api/v1/tokens/{}", grant.id)).await.done();
    refused(&app, &grant.token, "revoked").await;
    alice.delete(&format!("/api/v1/tokens/{}", grant.id)).await.error(404, "token_not_found");
    alice.post("/api/v1/logout", json!({})).await.done();
    refused(&app, alice.token.as_ref().unwrap(), "logged out").await;
}

#[tokio::test]
async fn a_limited_token_has_an_audience_of_its_own_and_neither_passes_for_the_other() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let whole = claims_of(alice.token.as_ref().unwrap());
    assert_eq!(whole["aud"], "wasmcloud-api");
    for limits in [json!({"scopes": ["deploy", "read"]}), json!({"handlers": ["hello"]})] {
        let mut new = limits.clone();
        new["label"] = json!("ci");
        let grant: TokenGrant = alice.post("/api/v1/tokens", new).await.good(201);
        let mut claims = claims_of(&grant.token);
        assert_eq!(claims["aud"], "wasmcloud-api-limited", "{limits}");
        assert_eq!(app.with_token(&grant.token).whoami().await.name.as_str(), "alice");
        claims["aud"] = json!("wasmcloud-api");
        refused(&app, &sign(&app, &eddsa(), &claims), "limits under the unlimited audience").await;
    }
    let mut claims = whole;
    claims["aud"] = json!("wasmcloud-api-limited");
    refused(&app, &sign(&app, &eddsa(), &claims), "no limits under the limited audience").await;
}

#[tokio::test]
async fn a_token_that_is_limited_makes_shows_and_revokes_none() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    for (limits, code) in [
        (json!({"scopes": ["deploy", "invoke", "read"]}), "scope_missing"),
        (json!({"scopes": ["admin"], "handlers": ["hello"]}), "token_limited"),
    ] {
        let mut new = limits;
        new["label"] = json!("ci");
        let grant: TokenGrant = alice.post("/api/v1/tokens", &new).await.good(201);
        let ci = app.with_token(&grant.token);
        ci.post("/api/v1/tokens", &new).await.error(403, code);
        ci.get("/api/v1/tokens").await.error(403, code);
        ci.delete(&format!("/api/v1/tokens/{}", grant.id)).await.error(403, code);
        // But it may give itself up.
        ci.post("/api/v1/logout", json!({})).await.done();
        refused(&app, &grant.token, "logged out").await;
    }
}

#[tokio::test]
async fn scopes_and_handlers_of_a_token_are_listed_and_bounded() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let many: Vec<String> = (0..21).map(|number| format!("handler-{number}")).collect();
    for (limits, code) in [
        (json!({"scopes": []}), "invalid"),
        (json!({"scopes": ["everything"]}), "invalid_body"),
        (json!({"handlers": []}), "invalid"),
        (json!({"handlers": many}), "invalid"),
        (json!({"handlers": ["no name"]}), "invalid_body"),
    ] {
        let mut new = limits;
        new["label"] = json!("ci");
        alice.post("/api/v1/tokens", new).await.error(422, code);
    }
    let new = json!({"label": "ci", "scopes": ["read", "deploy", "read"], "handlers": many[..20]});
    alice.post("/api/v1/tokens", new).await.good::<TokenGrant>(201);
    let tokens: Vec<Token> = alice.get("/api/v1/tokens").await.good(200);
    let ci = tokens.iter().find(|token| token.label == "ci").unwrap();
    assert_eq!(ci.scopes, [Scope::Deploy, Scope::Read]);
    assert_eq!((ci.handlers.as_ref().unwrap().len(), ci.used_at), (20, None));
    let whole = tokens.iter().find(|token| token.current).unwrap();
    assert_eq!((whole.scopes.as_slice(), &whole.handlers), (&Scope::ALL[..], &None));
}

#[tokio::test]
async fn what_the_audit_log_keeps_of_a_change_is_bounded() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let rules: Vec<String> = (0..60)
        .map(|number| {
            format!("^https://{number}\\.example\\.net/a/path/that/is/rather/long/and/goes/on/for/a/while")
        })
        .collect();
    let length = serde_json::to_vec(&rules).unwrap().len();
    assert!(length > 4_096, "{length}");
    alice.put("/api/v1/handlers/hello/policy", json!({"allow": rules})).await.good::<Value>(200);
    let noted: Audit = alice.get("/api/v1/audit?action=policy").await.good(200);
    let [entry] = noted.entries.as_slice() else { panic!("{noted:?}") };
    assert!(entry.detail["cut_from_bytes"].as_u64().unwrap() > length as u64, "{entry:?}");
    assert!(entry.detail["begins"].as_str().unwrap().contains("https://0"), "{entry:?}");
    assert!(serde_json::to_vec(&entry.detail).unwrap().len() <= 4_096);
}

#[tokio::test]
async fn when_a_token_was_last_used_is_noted_to_the_minute() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let used = eventually("the use is noted", || async {
        let tokens: Vec<Token> = alice.get("/api/v1/tokens").await.good(200);
        tokens[0].used_at
    })
    .await;
    assert_eq!(used.0 % 60_000, 0);
    assert!((0..180_000).contains(&(Timestamp::now().0 - used.0)), "{used:?}");
}

#[tokio::test]
async fn tokens_are_listed_without_the_token_itself() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let grant: TokenGrant = alice.post("/api/v1/tokens", json!({"label": "ci"})).await.good(201);
    let answer = alice.get("/api/v1/tokens").await;
    assert!(!answer.text().contains(&grant.token) && !answer.text().contains("eyJ"));
    let tokens: Vec<Token> = answer.good(200);
    let shown: Vec<(&str, bool)> = tokens.iter().map(|token| (token.label.as_str(), token.current)).collect();
    assert_eq!(shown, [("ci", false), ("test", true)]);
    let days = (grant.expires_at.0 - Timestamp::now().0 + 60_000) / 86_400_000;
    assert_eq!(days, 90);
}

#[tokio::test]
async fn labels_and_days_have_bounds() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    for body in [
        json!({"label": ""}),
        json!({"label": "   "}),
        json!({"label": "x".repeat(101)}),
        json!({"label": "a\nb"}),
        json!({"label": "ci", "days": 0}),
        json!({"label": "ci", "days": 366}),
    ] {
        alice.post("/api/v1/tokens", &body).await.error(422, "invalid");
    }
}

#[tokio::test]
async fn the_signing_key_is_for_its_owner_only_and_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = TestApp::start().await;
    let mode = std::fs::metadata(&app.key_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read(&app.key_file).unwrap();
    let again = async || {
        let config = Config::new(&app.key_file, "http://localhost:3001".parse().unwrap());
        Core::new(Arc::clone(&app.store) as _, Arc::new(app.blobs.clone()), config).await
    };
    assert!(again().await.is_ok());
    assert_eq!(std::fs::read(&app.key_file).unwrap(), key);
    std::fs::write(&app.key_file, b"something else").unwrap();
    let error = again().await.err().unwrap().to_string();
    assert!(error.contains("no Ed25519 key"), "{error}");
}
