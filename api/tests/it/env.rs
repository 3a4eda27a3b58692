//! A handler's own settings: set, shown, told to executors, needed, and lost with their key.

use std::sync::Arc;

use serde_json::{Value, json};
use wasmcloud_api::store::{NewModule, Store as _};
use wasmcloud_api::{Config, Core, CoreError};
use wasmcloud_wire::limits::{ENV_BYTES_MAX, ENV_ENTRIES_MAX, ENV_ENTRY_BYTES_MAX};
use wasmcloud_wire::{
    Change, ControlPlane as _, Deployment, Digest, Env, Inspection, Need, Needs, Setting, UserId,
};

use crate::app::{Answer, Client, Heard, TestApp, inspection, module};
use crate::store_story::{FITS, added};

const ENV: &str = "/api/v1/handlers/hello/env";

fn hint(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["error"]["hint"].as_str().unwrap().to_owned()
}

fn shown(env: &Env) -> Vec<(&str, bool, Option<&str>)> {
    env.settings.iter().map(|one| (one.name.as_str(), one.secret, one.value.as_deref())).collect()
}

async fn env_of_next_call(app: &TestApp, client: &Client) -> Vec<(String, String)> {
    client.post("/api/v1/handlers/hello/invoke", json!({})).await;
    app.invoker.calls().pop().unwrap().deployment.env.into_iter().collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn settings_are_set_and_unset_and_told_before_the_answer() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    assert_eq!(shown(&alice.get(ENV).await.good(200)), []);

    let set: Setting = alice.put(&format!("{ENV}/DEBUG"), json!({"value": "käse"})).await.good(200);
    assert_eq!((set.name.as_str(), set.secret, set.value.as_deref()), ("DEBUG", false, Some("käse")));
    let changed = Heard::Announce(Change::Handler { name: "hello".parse().unwrap() });
    assert_eq!(app.invoker.heard().last(), Some(&changed));
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("DEBUG", "käse")]);

    let patch = json!({"set": {"API_KEY": {"value": "s3cret", "secret": true}, "A": {"value": ""}},
                       "unset": ["DEBUG"]});
    let env: Env = alice.patch(ENV, patch).await.good(200);
    assert_eq!(shown(&env), [("A", false, Some("")), ("API_KEY", true, None)]);
    assert_eq!(shown(&alice.get(ENV).await.good(200)), shown(&env));
    assert_eq!(app.invoker.heard().last(), Some(&changed));
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("A", ""), pair("API_KEY", "s3cret")]);

    // An executor in another process is told the same.
    let deployment: Deployment = app.executor().get("/internal/v1/resolve/v1--hello").await.good(200);
    assert_eq!(deployment.env.get("API_KEY").map(String::as_str), Some("s3cret"));
    assert!(!format!("{deployment:?}").contains("s3cret"));

    alice.delete(&format!("{ENV}/A")).await.done();
    let missing = alice.delete(&format!("{ENV}/A")).await;
    assert!(missing.error(404, "setting_not_found").contains("`A`"));
    assert!(hint(&missing).contains("wasmcloud env list hello"));
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("API_KEY", "s3cret")]);
}

#[tokio::test]
async fn a_secret_value_is_never_shown_and_stays_secret_when_it_is_set_again() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let path = format!("{ENV}/API_KEY");
    let mut answers = vec![alice.put(&path, json!({"value": "s3cret-1", "secret": true})).await];
    answers.push(alice.put(&path, json!({"value": "s3cret-2"})).await);
    answers.push(alice.get(ENV).await);
    assert_eq!(shown(&alice.get(ENV).await.good(200)), [("API_KEY", true, None)]);

    // Nor is it quoted where something is wrong with the request.
    for body in [
        r#"{"set": {"A": "s3cret"}}"#,
        r#"{"set": {"A": {"value": "x", "secret": "s3cret"}}}"#,
        r#"{"set": {"A": ["s3cret", true]}}"#,
    ] {
        let answer = alice.send("PATCH", ENV, body).await;
        answer.error(422, "invalid_body");
        answers.push(answer);
    }
    let answer = alice.send("PUT", &path, "s3cret").await;
    answer.error(400, "malformed_json");
    answers.push(answer);
    let large = format!("s3cret{}", "x".repeat(ENV_ENTRY_BYTES_MAX));
    answers.push(alice.put(&path, json!({"value": large})).await);
    answers.push(alice.put(&path, json!({"value": "s3cret\0"})).await);
    let upload = alice.request("PUT", "/api/v1/handlers/hello/module").body(module("two"));
    answers.push(Answer::of(upload.header("wasmcloud-env", r#"{"set": {"A": "s3cret"}}"#)).await);
    answers.last().unwrap().error(422, "invalid_body");
    for answer in answers {
        assert!(!answer.text().contains("s3cret"), "{}", answer.text());
    }
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("API_KEY", "s3cret-2")]);

    // One that is to be shown takes a new value.
    let plain: Setting = alice.put(&path, json!({"value": "plain", "secret": false})).await.good(200);
    assert_eq!(plain.value.as_deref(), Some("plain"));
}

#[tokio::test]
async fn what_is_no_setting_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    alice.put(&format!("{ENV}/KEPT"), json!({"value": "x"})).await.good::<Setting>(200);
    let many: Value = (0..ENV_ENTRIES_MAX)
        .map(|number| (format!("N{number}"), json!({"value": ""})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let large: Value = (0..=ENV_BYTES_MAX / 5_000)
        .map(|number| (format!("L{number}"), json!({"value": "x".repeat(5_000)})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (set, code, word) in [
        (json!({"PATH_INFO": {"value": "x"}}), "invalid_env", "PATH_INFO"),
        (json!({"http_host": {"value": "x"}}), "invalid_env", "reserved"),
        (json!({"a-b": {"value": "x"}}), "invalid_env", "a-b"),
        (json!({"kept": {"value": "x"}}), "invalid_env", "KEPT"),
        (json!({"A": {"value": "a\0b"}}), "invalid_env", "NUL"),
        (json!({"A": {"value": "x".repeat(ENV_ENTRY_BYTES_MAX)}}), "env_over_limit", "5121 bytes"),
        (many, "env_over_limit", "65 variables"),
        (large, "env_over_limit", "65536"),
    ] {
        let refused = alice.patch(ENV, json!({"set": set})).await;
        let message = refused.error(422, code);
        assert!(message.contains(word), "{word}: {message}");
        assert!(!hint(&refused).is_empty());
    }
    let both = json!({"set": {"A": {"value": "x"}}, "unset": ["NOT_THERE"]});
    alice.patch(ENV, both).await.error(404, "setting_not_found");
    assert_eq!(shown(&alice.get(ENV).await.good(200)), [("KEPT", false, Some("x"))]);
    let most = json!({"set": {"A": {"value": "x".repeat(ENV_ENTRY_BYTES_MAX - 1)}}});
    alice.patch(ENV, most).await.good::<Env>(200);
}

#[tokio::test]
async fn an_upload_brings_its_settings_with_it() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let upload = async |method: &str, path: &str, env: &str, module| {
        Answer::of(alice.request(method, path).body(module).header("wasmcloud-env", env)).await
    };
    let create = "/api/v1/handlers?name=hello";
    let env = r#"{"set": {"API_KEY": {"value": "k\u00e4se", "secret": true}}}"#;
    upload("POST", create, r#"{"unset": ["A"]}"#, module("one")).await.error(404, "setting_not_found");
    upload("POST", create, r#"{"set": {"PATH_INFO": {"value": ""}}}"#, module("one"))
        .await
        .error(422, "invalid_env");
    upload("POST", create, env, module("one")).await.good::<Value>(201);
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("API_KEY", "käse")]);

    let update = "/api/v1/handlers/hello/module";
    alice.update("hello", module("two")).await.good::<Value>(201);
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("API_KEY", "käse")]);
    let env = r#"{"set": {"B": {"value": "x"}}, "unset": ["API_KEY"]}"#;
    upload("PUT", update, env, module("three")).await.good::<Value>(201);
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("B", "x")]);
    upload("PUT", update, env, module("four")).await.error(404, "setting_not_found");
    let large = format!(r#"{{"unset": ["{}"]}}"#, "x".repeat(12 << 10));
    upload("PUT", update, &large, module("four")).await.error(422, "env_over_limit");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 3);
}

fn needing(required: &[&str], optional: &[&str]) -> Inspection {
    let need = |required: bool| move |name: &&str| Need { name: (*name).to_owned(), required };
    let env = required.iter().map(need(true)).chain(optional.iter().map(need(false))).collect();
    Inspection { needs: Needs { env, config: Vec::new() }, ..inspection() }
}

async fn has_version(app: &TestApp, owner: UserId, inspection: Inspection) {
    let digest = Digest::of(format!("{:?}", inspection.needs).as_bytes());
    let module = NewModule { digest, inspection };
    let hello = "hello".parse().unwrap();
    added(app.store.add_version(owner, &hello, module, None, None, &FITS).await.unwrap());
}

#[tokio::test]
async fn a_version_that_needs_a_setting_cannot_be_promoted_without_it() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    has_version(&app, alice.whoami().await.id, needing(&["API_KEY", "HTTP_HOST"], &["DEBUG"])).await;
    let promote =
        async |number: u32| alice.post("/api/v1/handlers/hello/promote", json!({"version": number})).await;
    let live: Value = promote(1).await.good(200);
    assert_eq!((live["live"].as_u64(), live.get("warnings")), (Some(1), None));

    let refused = promote(2).await;
    assert_eq!(refused.error(422, "missing_setting"), "version 2 needs API_KEY, which is not set");
    assert_eq!(hint(&refused), "set it first: wasmcloud env set hello API_KEY=…");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 1);

    alice.put(&format!("{ENV}/API_KEY"), json!({"value": "x", "secret": true})).await.good::<Setting>(200);
    let live: Value = promote(2).await.good(200);
    assert_eq!(live["live"], 2);
    let reads = "it reads DEBUG, which is not set: wasmcloud env set hello DEBUG=…";
    assert_eq!(live["warnings"], json!([reads]));

    // Whoever takes away what the live version needs is told.
    let env: Env = alice.patch(ENV, json!({"unset": ["API_KEY"]})).await.good(200);
    let needs = "the live version needs API_KEY, which is not set: wasmcloud env set hello API_KEY=…";
    assert_eq!(env.warnings, [needs, reads]);
}

/// A module that says what it needs, and reads something else besides.
fn module_needing(required: &str, reads: &str) -> bytes::Bytes {
    let text = format!(
        r#"(module
            (import "cwa" "env_get" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 8) "{reads}")
            (func (export "_start")
                (drop (call $get (i32.const 8) (i32.const {}) (i32.const 0) (i32.const 0))))
            (@custom "wasmcloud.needs" "{{\"env\": [\"{required}\"]}}"))"#,
        reads.len()
    );
    wat::parse_str(text).unwrap().into()
}

#[tokio::test]
async fn an_upload_that_needs_a_setting_is_refused_with_the_command_that_gives_it() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let refused = alice.create("hello", module_needing("API_KEY", "DEBUG")).await;
    assert_eq!(refused.error(422, "missing_setting"), "the module needs API_KEY, which is not set");
    assert_eq!(hint(&refused), "set it from the start: wasmcloud create … --secret API_KEY=…");
    assert_eq!(app.stored_modules().await, 0);

    let with = r#"{"set": {"API_KEY": {"value": "x", "secret": true}}}"#;
    let upload = alice.request("POST", "/api/v1/handlers?name=hello").header("wasmcloud-env", with);
    let deployed: Value = Answer::of(upload.body(module_needing("API_KEY", "DEBUG"))).await.good(201);
    let reads = "it reads DEBUG, which is not set: wasmcloud env set hello DEBUG=…";
    assert_eq!(deployed["warnings"], json!([reads]));

    let refused = alice.update("hello", module_needing("TOKEN", "API_KEY")).await;
    refused.error(422, "missing_setting");
    assert_eq!(hint(&refused), "set it first: wasmcloud env set hello TOKEN=…");
    alice.put(&format!("{ENV}/TOKEN"), json!({"value": "x"})).await.good::<Setting>(200);
    let deployed: Value = alice.update("hello", module_needing("TOKEN", "API_KEY")).await.good(201);
    assert_eq!(deployed.get("warnings"), None);
}

#[tokio::test]
async fn a_setting_that_is_removed_while_an_upload_goes_on_refuses_it_in_the_end() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    alice.put(&format!("{ENV}/TOKEN"), json!({"value": "x"})).await.good::<Setting>(200);
    let (second, release) = (module_needing("TOKEN", "TOKEN"), Arc::new(tokio::sync::Notify::new()));
    app.invoker.at_prepare(&second, crate::app::Prepares::Holding(Arc::clone(&release)));
    let upload = tokio::spawn({
        let alice = alice.clone();
        async move { alice.update("hello", second).await }
    });
    app.invoker.holding.notified().await;
    alice.delete(&format!("{ENV}/TOKEN")).await.done();
    release.notify_one();
    upload.await.unwrap().error(422, "missing_setting");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 1);
    assert_eq!(app.stored_modules().await, 1, "the refused bytes are gone");
}

/// Another control plane on the same store, with this settings key.
async fn restart(app: &TestApp, settings_key: &str) -> Result<Arc<Core>, CoreError> {
    let mut config = Config::new(&app.key_file, "http://localhost:3001".parse().unwrap());
    config.settings_key_file = app.key_file.with_file_name(settings_key);
    Core::new(Arc::clone(&app.store) as _, Arc::new(app.blobs.clone()), config).await
}

#[tokio::test]
async fn a_lost_key_is_said_at_the_start_and_is_never_replaced_silently() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    alice
        .put(&format!("{ENV}/API_KEY"), json!({"value": "s3cret", "secret": true}))
        .await
        .good::<Setting>(200);
    restart(&app, "settings-key").await.unwrap();

    let error = restart(&app, "lost").await.err().unwrap().to_string();
    assert!(error.contains("/lost, is missing, and 1 settings"), "{error}");
    assert!(error.contains("restore it from a backup"), "{error}");
    assert!(!app.key_file.with_file_name("lost").exists());

    std::fs::write(app.key_file.with_file_name("bad"), "no key").unwrap();
    let error = restart(&app, "bad").await.err().unwrap().to_string();
    assert!(error.contains("64 hex digits"), "{error}");

    // An operator who makes another one gets a server; what it cannot read it does not run without.
    std::fs::write(app.key_file.with_file_name("new"), "07".repeat(32)).unwrap();
    let core = restart(&app, "new").await.unwrap();
    let error = core.resolve(&"hello".parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("API_KEY was encrypted with another settings key"), "{error}");
    assert!(!error.contains("s3cret"));
}

#[tokio::test]
async fn settings_of_another_key_are_marked_and_can_be_set_again() {
    let app = TestApp::start_with(|config| {
        let key = config.jwt_key_file.with_file_name("second");
        std::fs::write(&key, "07".repeat(32)).unwrap();
        config.settings_key_file = key;
    })
    .await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let foreign = wasmcloud_api::store::SealedSetting {
        name: "API_KEY".to_owned(),
        secret: true,
        key_id: "00000000".to_owned(),
        sealed: vec![1; 40],
    };
    let edit = |_, _: &[_]| {
        let set = vec![foreign.clone()];
        Ok(wasmcloud_api::store::SettingChanges { set, unset: Vec::new() })
    };
    let owner = alice.whoami().await.id;
    app.store.edit_settings(owner, &"hello".parse().unwrap(), &edit).await.unwrap();

    let env: Env = alice.get(ENV).await.good(200);
    assert!(env.settings[0].unreadable && env.settings[0].secret, "{env:?}");
    let invoked = alice.post("/api/v1/handlers/hello/invoke", json!({})).await;
    invoked.error(503, "settings_unreadable");
    assert!(hint(&invoked).contains("wasmcloud env set"));
    app.executor().get("/internal/v1/resolve/hello").await.error(503, "unavailable");

    alice.put(&format!("{ENV}/API_KEY"), json!({"value": "again"})).await.good::<Setting>(200);
    let env: Env = alice.get(ENV).await.good(200);
    assert!(env.settings[0].secret && !env.settings[0].unreadable, "{env:?}");
    assert_eq!(env_of_next_call(&app, &alice).await, [pair("API_KEY", "again")]);
}

#[tokio::test]
async fn no_value_is_in_the_database_files() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let patch =
        json!({"set": {"A": {"value": "find-me-plain"}, "B": {"value": "find-me-secret", "secret": true}}});
    alice.patch(ENV, patch).await.good::<Env>(200);
    let mut bytes = 0;
    for entry in std::fs::read_dir(app.key_file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            bytes += content.len();
            assert!(!content.windows(7).any(|part| part == b"find-me"), "{}", path.display());
        }
    }
    assert!(bytes > 4_096, "the database was read");
}
