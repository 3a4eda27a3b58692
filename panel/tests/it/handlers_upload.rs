//! Uploads, and what a file is before it is uploaded.

use serde_json::{Value, json};
use wasmcloud_wire::Digest;

use crate::fake::SCRIPT;
use crate::handlers::{handler, hello};

const BY_SCRIPT: &[(&str, &str)] = &[("x-requested-with", "script")];

fn inspection() -> Value {
    json!({
        "abi": "wasi", "size_bytes": 4, "imports": [{ "module": SCRIPT, "name": SCRIPT, "ty": "(func)" }], "exports": [],
        "memory_bytes_min": 65_536, "memory_bytes_max": null,
        "needs": { "env": [{ "name": SCRIPT, "required": true }], "config": [] },
        "files": [{ "path": SCRIPT, "size_bytes": 3 }],
    })
}

fn deployed(version: u32) -> Value {
    json!({ "handler": handler("owner"), "version": version, "inspection": inspection(), "warnings": ["it reads KEY."] })
}

#[tokio::test]
async fn a_new_handler_has_a_name_that_is_suggested_and_may_be_a_teams() {
    let (api, mut alice) = hello("owner");
    let team = |name: &str, role: &str| json!({ "name": name, "role": role, "members": 1, "created_at": 0 });
    // Whoever is invited to be an owner is nothing yet.
    let offered = json!({ "role": "owner", "expires_at": 0 });
    let inviting =
        json!({ "name": "inviting", "role": null, "offered": offered, "members": 0, "created_at": 0 });
    api.on("GET /api/v1/teams", json!([team("crew", "deployer"), team("guests", "viewer"), inviting]));
    let page = alice.get("/handlers/new").await;
    page.is(200)
        .says("name=\"name\" value=\"")
        .says("the team’s: crew")
        .says_no("guests")
        .says_no("inviting")
        .says_no("value=\"\" aria");
}

#[tokio::test]
async fn a_file_is_inspected_before_anything_is_kept() {
    let (api, mut alice) = hello("owner");
    api.on("POST /api/v1/inspect", inspection());
    let file = ("<b>.wasm", &b"\0asm"[..]);
    let part = alice.upload("/handlers/new/inspect", &[], file, BY_SCRIPT).await;
    part.is(200)
        .says("can run here")
        .says("wasi")
        .says("64 KiB")
        .says("needed")
        .says_no("<html")
        .says_no("<script>")
        .says_no("<b>");
    assert_eq!(part.headers["x-part"], "inspection");
    let page = alice.upload("/handlers/new/inspect", &[("name", "greeter")], file, &[]).await;
    page.is(200)
        .says("can run here")
        .says("value=\"greeter\"")
        .says("<html")
        .says_no("<script>")
        .says_no("<b>");
    page.says(&format!("name=\"inspected\" value=\"{}\"", Digest::of(b"\0asm")));
    assert!(api.changes().iter().all(|asked| asked.what == "POST /api/v1/inspect"), "{:?}", api.changes());
}

#[tokio::test]
async fn a_file_that_cannot_run_is_refused_with_what_to_do() {
    let (api, mut alice) = hello("owner");
    api.refuses("POST /api/v1/inspect", 422, "unmet_import", "it imports `a`.`b`");
    let file = ("a.wasm", &b"\0asm"[..]);
    for path in ["/handlers/new/inspect", "/handlers/hello/versions/inspect"] {
        let part = alice.upload(path, &[], file, BY_SCRIPT).await;
        part.is(422)
            .says("cannot run here")
            .says("it imports")
            .says("do something else")
            .says("unmet_import");
        let page = alice.upload(path, &[], file, &[]).await;
        page.is(200).says("cannot run here").says("it imports").says_no("name=\"inspected\"");
    }
    api.refuses("POST /api/v1/inspect", 503, "unavailable", "not now");
    alice
        .upload("/handlers/new/inspect", &[], file, BY_SCRIPT)
        .await
        .is(503)
        .says("not now")
        .says_no("cannot run");
    alice
        .upload("/handlers/new/inspect", &[("name", "greeter")], file, &[])
        .await
        .is(503)
        .says("value=\"greeter\"");
}

#[tokio::test]
async fn a_handler_is_made_for_a_team_and_its_warnings_are_told() {
    let (api, mut alice) = hello("owner");
    api.on("POST /api/v1/handlers?name=hello&team=crew", deployed(1));
    let fields = [("name", " hello "), ("team", "crew")];
    let page = alice.upload("/handlers/new", &fields, ("a.wasm", b"\0asm"), &[]).await;
    assert_eq!((page.status, page.to()), (303, "/handlers/hello"));
    alice
        .get("/handlers/hello")
        .await
        .says("hello answers at http://hello.localhost:3001/.")
        .says("Note: it reads KEY.");
    // A script is told where to go on, and leaves the sentence for that page.
    let page = alice.upload("/handlers/new", &fields, ("a.wasm", b"\0asm"), BY_SCRIPT).await;
    page.is(200);
    assert_eq!((page.headers["x-go-to"].to_str().unwrap(), page.body.as_str()), ("/handlers/hello", ""));
    alice.get("/handlers/hello").await.says("Note: it reads KEY.");
}

#[tokio::test]
async fn the_next_version_is_live_unless_the_box_says_otherwise() {
    let (api, mut alice) = hello("owner");
    api.on("PUT /api/v1/handlers/hello/module", deployed(4));
    alice.upload("/handlers/hello/versions", &[], ("a.wasm", b"\0asm"), &[]).await.is(303);
    alice.get("/handlers/hello/versions").await.says("Version 4 is live.");
    let mut preview = deployed(5);
    preview["preview"] =
        json!({ "url": "http://v5--hello.localhost:3001/", "digest": crate::handlers::digest() });
    api.on("PUT /api/v1/handlers/hello/module?promote=false", preview);
    alice.upload("/handlers/hello/versions", &[("preview", "on")], ("a.wasm", b"\0asm"), &[]).await.is(303);
    alice.get("/handlers/hello/versions").await.says("answers at http://v5--hello.localhost:3001/ alone");
}

#[tokio::test]
async fn another_file_than_the_one_that_was_inspected_is_not_deployed() {
    let (api, mut alice) = hello("owner");
    let inspected = Digest::of(b"\0asm").to_string();
    let fields = [("name", "greeter"), ("inspected", inspected.as_str())];
    let page = alice.upload("/handlers/new", &fields, ("a.wasm", b"other"), &[]).await;
    page.is(422).says("not the file that was inspected").says("value=\"greeter\"");
    let page = alice.upload("/handlers/new", &fields, ("", b""), &[]).await;
    page.is(422).says("no file was chosen");
    assert_eq!(api.changes().len(), 0, "{:?}", api.changes());
}

#[tokio::test]
async fn an_upload_that_is_refused_keeps_what_was_filled_in() {
    let (api, mut alice) = hello("owner");
    api.refuses("POST /api/v1/handlers", 409, "name_taken", "`greeter` is taken");
    let page = alice.upload("/handlers/new", &[("name", "greeter")], ("a.wasm", b"\0asm"), &[]).await;
    page.is(409).says("role=\"alert\"").says("is taken").says("value=\"greeter\"");
    let part = alice.upload("/handlers/new", &[("name", "greeter")], ("a.wasm", b"\0asm"), BY_SCRIPT).await;
    part.is(409).says("is taken").says_no("<html");
    assert_eq!(part.headers["x-part"], "problem");
}
