//! What every answer carries.

use serde_json::json;

use crate::fake::{Browser, Fake, Page};

/// Pages, problems, redirects and assets.
const PATHS: &[&str] = &[
    "/",
    "/sign-in",
    "/register",
    "/reset?code=x",
    "/device",
    "/device/done",
    "/sign-in/forge/callback?state=a&code=b",
    "/sign-in/forge/callback?error=access_denied",
    "/account",
    "/account/password",
    "/account/tokens",
    "/account/sessions",
    "/account/identities",
    "/account/quota",
    "/teams",
    "/teams/crew",
    "/teams/crew/quota",
    "/teams/crew/delete",
    "/handlers",
    "/handlers/hello",
    "/operator",
    "/nothing/here",
    "/assets/x/panel.css",
    "/assets/x/copy.js",
    "/assets/x/icon.svg",
    "/assets/x/nothing",
    "/%3Cscript%3E",
];

#[tokio::test]
async fn every_answer_is_protected() {
    let api = Fake::new();
    for path in PATHS {
        for mut browser in [Browser::of_alice(&api), Browser::new(&api)] {
            is_protected(path, &browser.get(path).await);
            is_protected(path, &browser.send_raw(path, &[], &[]).await);
            api.on("GET /api/v1/teams", json!([]));
            is_protected(path, &browser.send(path, &[]).await);
        }
    }
}

#[track_caller]
fn is_protected(path: &str, page: &Page) {
    let field = |name: &str| {
        let mut values = page.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("{path}: no {name}")).to_str().unwrap();
        assert!(values.next().is_none(), "{path}: {name} twice");
        value.to_owned()
    };
    assert_eq!(
        field("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action \
         'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!(field("x-frame-options"), "DENY");
    assert_eq!(field("referrer-policy"), "same-origin");
    assert_eq!(field("cross-origin-opener-policy"), "same-origin");
    assert_eq!(field("cross-origin-resource-policy"), "same-origin");
    for forbidden in [" style=", " onclick=", " onload=", "javascript:", "<style"] {
        assert!(!page.body.contains(forbidden), "{path}: {forbidden}");
    }
    for script in page.body.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/assets/"), "{path}: a script in the page: {script}");
    }
}
