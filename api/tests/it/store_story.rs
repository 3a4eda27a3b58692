//! The whole story of an installation, told to the store alone, over every database.

mod changes;
mod expiry;
mod fleet;
mod handlers;
mod people;
mod policies;
pub mod recordings;
pub mod records;
mod routes;
mod settings;
mod teams;
mod versions;

use uuid::Uuid;
use wasmcloud_api::store::{
    AddVersion, CreateHandler, HandlerRow, NewHandler, NewModule, NewUser, SealedSetting, SettingRow, Store,
    Unfit,
};
use wasmcloud_wire::body::User;
use wasmcloud_wire::{Abi, Digest, HandlerId, Inspection, Policy, Timestamp, UserId};

use crate::database::{Database, on_both_databases};

on_both_databases!(the_whole_story);

async fn the_whole_story(database: Database) {
    let store = database.open().await.unwrap();
    story(store.as_ref()).await;
}

pub async fn story(store: &dyn Store) {
    let people = people::come(store).await;
    people::are_invited(store, &people).await;
    people::hold_tokens(store, &people).await;

    let handler = handlers::are_created(store, &people).await;
    handlers::get_versions(store, &people).await;
    handlers::answer_at_addresses(store, &people).await;
    policies::are_edited(store, &people).await;
    settings::are_edited(store, &people).await;
    handlers::are_nobody_elses(store, &people).await;

    records::are_kept_once(store, handler.id).await;
    records::are_found(store, handler.id).await;
    records::of_no_handler_are_passed_over(store, handler.id).await;
    records::are_pruned(store, handler.id).await;
    recordings::are_kept_and_forgotten(store, &people).await;

    let wheel = versions::are_promoted_and_rolled_back(store, &people).await;
    versions::are_split(store, &people).await;
    versions::are_counted(store, wheel).await;
    versions::are_watched_and_taken_back(store, &people).await;

    changes::are_kept_in_order(store, &people).await;
    handlers::are_deleted(store, &people).await;
    settings::go_with_their_handler(store, &people).await;
    expiry::ends_tokens_and_invitations(store, &people).await;
    fleet::comes_and_goes(store).await;
    fleet::signs_each_request_once(store).await;
    routes::lead_to_handlers(store, &people).await;
    teams::have_members(store, &people).await;
    teams::offer_roles(store, &people).await;
    teams::own_handlers(store, &people).await;
    store.ping().await.unwrap();
}

/// The two people of the story.
pub struct People {
    pub ada: User,
    pub bob: User,
}

/// A moment, well before the database's own clock.
pub const NOW: Timestamp = Timestamp(1_600_000_000_000);

pub fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

pub fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::new(),
        name: name.parse().unwrap(),
        password_hash: format!("$argon2id$of-{name}"),
        is_admin: name == "ada",
    }
}

/// A module that differs from others by its text.
pub fn module(text: &str) -> NewModule {
    let inspection = Inspection {
        abi: Abi::Olin,
        size_bytes: text.len() as u64,
        imports: Vec::new(),
        exports: Vec::new(),
        memory_bytes_min: 65_536,
        memory_bytes_max: None,
        needs: Default::default(),
        files: Vec::new(),
    };
    NewModule { digest: Digest::of(text.as_bytes()), inspection }
}

pub fn new_handler(owner: UserId, name: &str) -> NewHandler {
    NewHandler {
        id: HandlerId::new(),
        owner,
        name: name.parse().unwrap(),
        forward_authorization: false,
        policy: Policy { gas: Some(5), ..Policy::default() },
        settings: vec![sealed("FROM_THE_START", "one")],
        module: module("first"),
    }
}

/// Everything fits.
pub const FITS: fn(&Policy, &[SettingRow], &Inspection) -> Result<(), Unfit> = |_, _, _| Ok(());

/// A secret setting; the store takes any bytes for its value.
pub fn sealed(name: &str, bytes: &str) -> SealedSetting {
    SealedSetting {
        name: name.to_owned(),
        secret: true,
        key_id: "the key".to_owned(),
        sealed: bytes.as_bytes().to_vec(),
    }
}

pub fn added(result: AddVersion) -> HandlerRow {
    match result {
        AddVersion::Added(row) => *row,
        other => panic!("not added: {other:?}"),
    }
}

pub fn created(result: CreateHandler) -> HandlerRow {
    match result {
        CreateHandler::Created(row) => *row,
        other => panic!("not created: {other:?}"),
    }
}

pub fn some_id() -> Uuid {
    Uuid::now_v7()
}
