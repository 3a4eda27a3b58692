//! Providers that would have another's codes, and providers that do not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use wasmcloud_api::{OidcProvider, Registration};
use wasmcloud_wire::body::OidcBegun;

use crate::app::{Answer, TestApp};

/// A provider that counts what it is asked, and signs nobody in.
struct Counting {
    issuer: String,
    /// How often it was asked what it is.
    metadata: Arc<AtomicUsize>,
    /// How often it was shown a code.
    codes: Arc<AtomicUsize>,
}

impl Counting {
    /// One that says what it is, with this besides; or not even that.
    async fn start(besides: Option<Value>) -> Counting {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (metadata, codes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counting =
            Counting { issuer: issuer.clone(), metadata: Arc::clone(&metadata), codes: Arc::clone(&codes) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap_or(0) > 0 {}
                let body = match (head.split(' ').nth(1).unwrap_or_default(), &besides) {
                    ("/.well-known/openid-configuration", Some(besides)) => {
                        metadata.fetch_add(1, Ordering::SeqCst);
                        what_it_is(&issuer, besides)
                    }
                    ("/.well-known/openid-configuration", None) => {
                        metadata.fetch_add(1, Ordering::SeqCst);
                        Value::Null
                    }
                    ("/jwks", _) => json!({"keys": []}),
                    _ => {
                        codes.fetch_add(1, Ordering::SeqCst);
                        Value::Null
                    }
                };
                let (status, body) = (if body.is_null() { 500 } else { 200 }, body.to_string());
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        counting
    }

    fn told(&self, name: &str) -> OidcProvider {
        OidcProvider::new(name, name, &self.issuer, "client", None).unwrap()
    }

    fn codes(&self) -> usize {
        self.codes.load(Ordering::SeqCst)
    }
}

fn what_it_is(issuer: &str, besides: &Value) -> Value {
    let mut what = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    what.as_object_mut().unwrap().extend(besides.as_object().unwrap().clone());
    what
}

async fn with(providers: Vec<OidcProvider>) -> TestApp {
    TestApp::start_with(|config| {
        config.registration = Registration::Open;
        config.oidc = providers;
    })
    .await
}

/// Begins a sign-in at one provider, and comes back to the address of another, or with another's `iss`.
async fn through(app: &TestApp, at: &str, back_to: &str, iss: Option<&str>) -> Answer {
    let begun: OidcBegun =
        app.anonymous().post(&format!("/api/v1/oidc/{at}/begin"), json!({})).await.good(200);
    let url: Url = begun.url.parse().unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let body =
        json!({"flow": begun.flow, "provider": back_to, "iss": iss, "state": state, "code": "another's"});
    app.anonymous().post("/api/v1/oidc/finish", body).await
}

#[tokio::test]
async fn a_code_of_one_provider_is_never_shown_to_another() {
    let honest = Counting::start(Some(json!({"authorization_response_iss_parameter_supported": true}))).await;
    let evil = Counting::start(Some(json!({}))).await;
    let app = with(vec![honest.told("honest"), evil.told("evil")]).await;
    // The evil provider has sent the browser on to the honest one, whose code it would have.
    through(&app, "evil", "honest", None).await.error(403, "flow_invalid");
    through(&app, "evil", "honest", Some(&honest.issuer)).await.error(403, "flow_invalid");
    through(&app, "evil", "evil", Some(&honest.issuer)).await.error(403, "flow_invalid");
    assert_eq!(evil.codes(), 0);
    through(&app, "evil", "evil", None).await.error(502, "provider_failed");
    through(&app, "evil", "evil", Some(&evil.issuer)).await.error(502, "provider_failed");
    assert_eq!(evil.codes(), 2, "what comes from there goes there");

    // Who says that it tells its name has to tell it.
    through(&app, "honest", "honest", None).await.error(403, "flow_invalid");
    through(&app, "honest", "honest", Some(&evil.issuer)).await.error(403, "flow_invalid");
    assert_eq!(honest.codes(), 0);
    through(&app, "honest", "honest", Some(&honest.issuer)).await.error(502, "provider_failed");
    assert_eq!(honest.codes(), 1);
}

#[tokio::test]
async fn sign_ins_that_wait_for_a_provider_which_fails_ask_it_once() {
    let failing = Counting::start(None).await;
    let app = with(vec![failing.told("git")]).await;
    let client = app.anonymous();
    let begun = (0..10).map(|_| client.post("/api/v1/oidc/git/begin", json!({})));
    for answer in futures::future::join_all(begun).await {
        answer.error(502, "provider_failed");
    }
    // All of them come within the five seconds, on any machine that answers ten requests in that time.
    assert_eq!(failing.metadata.load(Ordering::SeqCst), 1);
}
