//! No form is taken that was not sent from a page of ours.

use serde_json::json;

use crate::fake::{Browser, Fake, token};

/// Where forms are sent to. A new one is added here.
const FORMS: &[&str] = &[
    "/sign-in",
    "/sign-in/forge",
    "/sign-in/forge/register",
    "/sign-out",
    "/register",
    "/reset",
    "/device",
    "/account/password",
    "/account/tokens",
    "/account/tokens/0197a000-0000-7000-8000-000000000002/revoke",
    "/account/sessions/0197a000-0000-7000-8000-000000000003/end",
    "/account/sessions/end-others",
    "/account/identities/link/forge",
    "/account/identities/0197a000-0000-7000-8000-000000000004/unlink",
    "/account/quota",
    "/teams",
    "/teams/crew/members",
    "/teams/crew/members/bob",
    "/teams/crew/members/bob/remove",
    "/teams/crew/accept",
    "/teams/crew/decline",
    "/teams/crew/leave",
    "/teams/crew/quota",
    "/teams/crew/delete",
    "/handlers",
    "/handlers/hello",
    "/handlers/new",
    "/handlers/new/inspect",
    "/handlers/hello/versions",
    "/handlers/hello/versions/inspect",
    "/handlers/hello/env",
    "/handlers/hello/policy",
    "/handlers/hello/routes",
    "/handlers/hello/invocations/0197a000-0000-7000-8000-000000000009",
    "/handlers/hello/try",
    "/handlers/hello/try/stream",
    "/handlers/hello/settings",
    "/handlers/hello/settings/delete",
    "/operator",
    "/operator/users",
    "/whatever",
];

#[tokio::test]
async fn a_form_from_elsewhere_is_refused_on_every_way_and_nothing_is_asked_of_the_api() {
    for path in FORMS {
        for who in ["alice", "nobody"] {
            let api = Fake::new();
            api.on("GET /api/v1/teams", json!([]));
            let mut browser = if who == "alice" { Browser::of_alice(&api) } else { Browser::new(&api) };
            let page = if who == "alice" { "/teams" } else { "/sign-in" };
            let good = token(&browser.get(page).await);
            let other = token(&Browser::new(&api).get("/sign-in").await);
            let from_elsewhere = [("sec-fetch-site", "cross-site")];
            for (fields, header) in [
                (vec![], &[][..]),
                (vec![("csrf", "")], &[]),
                (vec![("csrf", "0")], &[]),
                (vec![("csrf", other.as_str())], &[]),
                (vec![("csrf", good.as_str())], &from_elsewhere),
                (vec![("csrf", good.as_str())], &[("sec-fetch-site", "same-site")]),
            ] {
                let answer = browser.send_raw(path, &fields, header).await;
                answer.is(403).says("form_expired");
            }
            assert_eq!(api.changes().len(), 0, "{path} by {who}: {:?}", api.changes());
        }
    }
}

#[tokio::test]
async fn a_form_with_the_token_of_its_page_is_taken() {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    for path in FORMS {
        let mut browser = Browser::of_alice(&api);
        browser.send(path, &[]).await.says_no("form_expired");
    }
}

#[tokio::test]
async fn a_form_that_is_sent_after_the_session_ended_leads_to_the_sign_in_and_back() {
    let api = Fake::new();
    let mut browser = Browser::of_alice(&api);
    api.on("GET /api/v1/teams", json!([]));
    let good = token(&browser.get("/teams").await);
    browser.cookies.insert(wasmcloud_panel::SESSION_COOKIE.to_owned(), "over".to_owned());
    let referer = [("referer", "https://panel.example/account/tokens?a=b")];
    let answer = browser.send_raw("/account/tokens", &[("csrf", &good)], &referer).await;
    assert_eq!((answer.status, answer.to()), (303, "/sign-in?next=%2Faccount%2Ftokens%3Fa%3Db"));
    assert!(!browser.cookies.contains_key(wasmcloud_panel::SESSION_COOKIE), "its cookie is gone");
    assert_eq!(api.changes().len(), 0);
}

#[tokio::test]
async fn only_looking_and_sending_forms_is_possible() {
    let api = Fake::new();
    let request = http::Request::builder().method("PUT").uri("/teams").body(bytes::Bytes::new()).unwrap();
    let response = wasmcloud_panel::answer(request, api).await;
    assert_eq!(response.status().as_u16(), 405);
}
