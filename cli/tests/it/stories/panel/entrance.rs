use serde_json::json;
use wasmcloud_testkit::oidc::OidcServer;

use super::{browser_stories, plays};
use crate::platform::{Platform, Shape};

browser_stories!["entrance.mjs":
    somebody_signs_in_with_the_keyboard_alone,
    an_account_is_looked_after_without_javascript,
    a_newcomer_registers_with_an_invitation,
    a_code_of_an_operator_sets_a_new_password,
    a_program_shows_a_code_and_somebody_approves_it,
    a_program_that_is_denied_gets_nothing,
    an_approval_leads_back_to_a_program_on_this_machine,
    who_comes_over_plain_http_is_told_what_to_do,
    the_pages_before_the_sign_in_fit_a_phone,
];

#[test]
fn a_provider_signs_in_who_is_new_and_who_is_known() {
    plays_with_a_provider("a_provider_signs_in_who_is_new_and_who_is_known");
}

#[test]
fn an_identity_is_linked_and_unlinked() {
    plays_with_a_provider("an_identity_is_linked_and_unlinked");
}

#[test]
fn a_sign_in_of_another_browser_is_refused() {
    plays_with_a_provider("a_sign_in_of_another_browser_is_refused");
}

/// Plays a story where people can sign in at a provider named `forge`.
#[track_caller]
fn plays_with_a_provider(story: &str) {
    let platform = Platform::new(Shape::Serve).api_flags(&["--registration", "invitation"]);
    let provider = OidcServer::start(&[&format!("{}/sign-in/forge/callback", platform.api_url())]);
    let secret = platform.data().join("secret-at-the-forge");
    std::fs::create_dir_all(platform.data()).unwrap();
    std::fs::write(&secret, &provider.client_secret).unwrap();
    let settings = format!(
        "[[oidc]]\nname = \"forge\"\ntitle = \"The forge\"\nissuer = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = {secret:?}\n",
        provider.issuer, provider.client_id
    );
    std::fs::write(platform.data().join("server.toml"), settings).unwrap();
    let platform = platform.started();
    plays(&platform, "entrance.mjs", story, json!({ "provider": provider.issuer }));
}
