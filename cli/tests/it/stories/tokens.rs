//! Tokens with limits, and where they end.

use crate::platform::{Platform, Shape, eventually, saying};
use crate::user::User;

every_shape![a_token_for_one_handler_deploys_it_and_nothing_else];

mod at_every_api {
    use super::a_revoked_token_is_refused_by_every_api;

    larger_shapes![a_revoked_token_is_refused_by_every_api];
}

/// Somebody who has this token at this API.
fn holder(platform: &Platform, api: &str, token: &str) -> User {
    let user = platform.stranger();
    user.run_with_input(&["login", "--token", "-", "--api-server", api], token).good();
    user
}

fn a_token_for_one_handler_deploys_it_and_nothing_else(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, api) = (platform.user("ada"), platform.api_url());
    ada.create_of("other", &saying("other"));
    let create = ["tokens", "create", "ci", "--scope", "deploy", "--handler", "site", "--days", "7"];
    let ci = holder(&platform, &api, &ada.run(&create).good().stdout);
    assert_eq!(ci.run(&["whoami"]).good().stdout, "ada\n");

    let file = ci.file("site.wat", saying("version 1"));
    ci.run(&["create", &file, "--name", "site"]).good();
    ada.handler("site").answers("version 1");
    let next = ci.file("next.wat", saying("version 2"));
    ci.run(&["update", "site", &next]).good();
    ada.handler("site").answers("version 2");
    let list = ci.run(&["list"]).good().stdout;
    assert!(list.contains("site") && !list.contains("other"), "{list}");

    ci.run(&["update", "other", &next]).code(3).says("good for these handlers alone");
    ci.run(&["delete", "other", "--yes"]).code(3);
    ci.run(&["create", &file, "--name", "third"]).code(3).says("site");
    ci.run(&["invoke", "site"]).code(3).says("invoke").says("wasmcloud tokens create");
    for args in [
        &["tokens", "list"][..],
        &["tokens", "create", "more"],
        &["teams", "create", "crew"],
        &["host", "list"],
    ] {
        ci.run(args).code(3);
    }
    ada.handler("other").answers("other");

    // The owner sees what it may do, and when it was used.
    let shown = eventually("the use is noted", || {
        let list = ada.run(&["tokens", "list", "--json"]).good().json();
        let of_ci = list.as_array().unwrap().iter().find(|token| token["label"] == "ci").unwrap().clone();
        of_ci["used_at"].is_i64().then_some(of_ci)
    });
    assert_eq!((shown["scopes"][0].as_str(), shown["handlers"][0].as_str()), (Some("deploy"), Some("site")));
    let table = ada.run(&["tokens", "list"]).good().stdout;
    assert!(
        table.contains("LAST USED") && table.contains("deploy") && table.contains("everything"),
        "{table}"
    );
}

fn a_revoked_token_is_refused_by_every_api(shape: Shape) {
    let platform = Platform::start(shape);
    let ada = platform.user("ada");
    let grant = ada.run(&["tokens", "create", "ci", "--scope", "read", "--json"]).good().json();
    let (token, id) = (grant["token"].as_str().unwrap(), grant["id"].as_str().unwrap());
    let holders: Vec<User> =
        (0..platform.api_count()).map(|api| holder(&platform, &platform.api_url_at(api), token)).collect();
    for holder in &holders {
        holder.run(&["list"]).good();
    }
    ada.run(&["tokens", "revoke", id]).good();
    // Each asks the store at every request: the very next one is refused, whichever API it comes to.
    for holder in &holders {
        holder.run(&["list"]).code(3).says("wasmcloud login");
    }
}
