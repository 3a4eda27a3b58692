//! `wasmcloud migrate`, run for real on both databases.

use std::process::Child;

use serde_json::json;
use wasmcloud_testkit::Cluster;

use crate::platform::block_on;
use crate::user::{Done, User};

/// The newest migration: there is a file for each.
fn newest() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_database_is_brought_up_to_date_once_and_it_is_said() {
    let user = User::new();
    let data = user.home.path().join("data");
    let data = data.to_str().unwrap();
    let newest = newest();
    let first = user.run(&["migrate", "--data", data]).good();
    let made = format!("{data}/wasmcloud.sqlite is new: it was made and brought to migration {newest}\n");
    assert_eq!(first.stdout, made);
    let second = user.run(&["migrate", "--data", data]).good();
    assert_eq!(second.stdout, format!("nothing to do: the database is at migration {newest}\n"));
    let third = user.run(&["migrate", "--data", data, "--json"]).good();
    assert_eq!(third.json(), json!({"from": newest, "to": newest}));
}

#[test]
fn of_many_processes_that_migrate_one_postgresql_one_does_it() {
    let cluster = Cluster::shared();
    let url = block_on(cluster.create_database());
    let user = User::new();
    let args = ["migrate", "--database", &url, "--json"];
    let running: Vec<Child> = (0..4).map(|_| user.command(&args).spawn().unwrap()).collect();
    let done = running.into_iter().map(|process| {
        let done = Done::of(process.wait_with_output().unwrap()).good();
        assert_eq!(done.stderr, "", "tables that are there already are no news");
        done.json()
    });
    let mut from: Vec<_> = done.map(|migrated| migrated["from"].as_u64().unwrap()).collect();
    from.sort_unstable();
    let newest = newest() as u64;
    assert_eq!(from, [0, newest, newest, newest]);
    assert!(!user.home.path().join(".local").exists(), "a database elsewhere needs no data directory");
}

#[test]
fn an_api_that_may_not_migrate_refuses_a_database_that_is_not_up_to_date() {
    let cluster = Cluster::shared();
    let url = block_on(cluster.create_database());
    let user = User::new();
    let token = user.file("token", "e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70\n");
    let refused = user.run(&[
        "api",
        "--no-migrate",
        "--database",
        &url,
        "--edge-url",
        "http://localhost:3001",
        "--service-token-file",
        &token,
    ]);
    assert_ne!(refused.code, 0);
    refused.says("has migration 0").says(&format!("works with {}", newest())).says("wasmcloud migrate");
}

#[test]
fn a_database_that_refuses_is_named_with_what_to_do() {
    let cluster = Cluster::shared();
    let url = block_on(cluster.create_database());
    let user = User::new();
    let (server, query) = url.split_once('?').unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    let missing = format!("{server}/wasmclod?{query}");
    let refused = user.run(&["migrate", "--database", &missing]).code(1);
    assert!(!refused.stderr.contains("at line"), "{refused:?}");
    refused.says("the database at ").says("says: ").says("\"wasmclod\" does not exist").says("createdb");
    let closed = user.run(&["migrate", "--database", "postgres://u@127.0.0.1:1/x"]).code(1);
    closed.says("the database at 127.0.0.1:1 cannot be used: ").says("[api] database");
    let nowhere = user.run(&["migrate", "--database", "postgres://u@nowhere.invalid/x"]).code(1);
    nowhere.says("the database at nowhere.invalid:5432").says("%40");
}
