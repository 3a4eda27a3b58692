//! How people are known: sessions, passwords, providers of OpenID Connect, logins by browser.

mod logins;
mod oidc;
mod oidc_mix_up;
mod operators;
mod passwords;
mod sessions;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::json;
use wasmcloud_wire::body::SessionGrant;

use crate::app::{Client, PASSWORD, TestApp};

/// A client that is known by a session.
fn as_session(app: &TestApp, secret: &str) -> Client {
    let mut fields = HeaderMap::new();
    fields.insert(AUTHORIZATION, HeaderValue::try_from(format!("Session {secret}")).unwrap());
    fields.insert("user-agent", HeaderValue::from_static("a browser/1"));
    let http = reqwest::Client::builder().default_headers(fields).build().unwrap();
    Client { http, ..app.anonymous() }
}

/// Signs in with a password.
async fn sign_in(app: &TestApp, name: &str, password: &str) -> SessionGrant {
    let body = json!({"username": name, "password": password});
    app.anonymous().post("/api/v1/sessions", body).await.good(201)
}

/// A user who is there, signed in.
async fn signed_in(app: &TestApp, name: &str) -> Client {
    as_session(app, &sign_in(app, name, PASSWORD).await.secret)
}
