//! Plans and quotas, told to the store alone, over every database.

use std::sync::Arc;

use futures::future::join_all;
use uuid::Uuid;
use wasmcloud_api::store::{
    AddPreview, AddVersion, AskPlan, Asked, CreateHandler, DecidePlan, DeletePlan, DeleteVersion, Kept,
    KeptQuota, Move, MoveResult, Needed, NewHandler, NewPlanRequestRow, NewTeamRow, OverQuota, SetPlan,
    Store, TeamLimits, TransferHandler,
};
use wasmcloud_wire::body::{Plan, PlanRequestState, User};
use wasmcloud_wire::{
    AccountQuota, AccountUse, Change, HandlerName, Split, Timestamp, UserId, VersionNumber,
};

use crate::database::{Database, on_both_databases};
use crate::store_story::{FITS, NOW, added, created, later, module, new_handler, new_user};

on_both_databases!(
    plans_are_made_changed_and_deleted,
    one_plan_is_for_newcomers_however_many_change_that_at_once,
    a_request_for_a_plan_is_decided_once,
    the_newest_twenty_requests_of_an_account_are_kept,
    a_plan_limits_handlers_and_storage,
    two_at_once_do_not_both_take_the_last_place,
    a_handler_is_given_only_to_an_account_with_room_for_it,
    an_address_knows_the_plan_and_the_suspension_of_its_owner,
    changes_of_plans_and_accounts_are_told_to_executors_for_the_right_handlers,
    versions_that_are_not_needed_are_deleted,
    what_executors_have_run_is_summed_up,
    what_was_run_long_ago_is_forgotten,
);

const DAY: i64 = 20_000;
const MINUTE: i64 = DAY * 1_440 + 7;

async fn someone(store: &dyn Store, name: &str) -> User {
    store.create_user(new_user(name)).await.unwrap()
}

fn plan(name: &str) -> Plan {
    Plan {
        name: name.to_owned(),
        handlers_max: None,
        storage_bytes_max: None,
        invocations_per_minute_max: None,
        concurrent_max: None,
        cpu_ms_per_day_max: None,
        is_default: false,
    }
}

/// A user with a plan of the user's own.
async fn limited(store: &dyn Store, name: &str, handlers: Option<u64>, storage: Option<u64>) -> User {
    let user = someone(store, name).await;
    let plan = Plan { handlers_max: handlers, storage_bytes_max: storage, ..plan(name) };
    assert_eq!(store.set_plan(&plan, 100).await.unwrap(), SetPlan::Made);
    assert!(store.give_plan(user.id, name).await.unwrap());
    user
}

fn of(owner: UserId, name: &str, text: &str) -> NewHandler {
    NewHandler { module: module(text), ..new_handler(owner, name) }
}

fn name(text: &str) -> HandlerName {
    text.parse().unwrap()
}

async fn plans_are_made_changed_and_deleted(database: Database) {
    let store = database.open().await.unwrap();
    let names = async || store.plans().await.unwrap().into_iter().map(|plan| plan.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["standard", "unlimited"]);
    let plans = store.plans().await.unwrap();
    let standard = Plan {
        handlers_max: Some(50),
        storage_bytes_max: Some(500 << 20),
        invocations_per_minute_max: Some(6_000),
        concurrent_max: Some(32),
        cpu_ms_per_day_max: Some(3_600_000),
        is_default: true,
        ..plan("standard")
    };
    assert_eq!(plans, [standard.clone(), plan("unlimited")]);

    let large = Plan { handlers_max: Some(1), concurrent_max: Some(0), ..plan("large") };
    assert_eq!(store.set_plan(&large, 2).await.unwrap(), SetPlan::TooMany);
    assert_eq!(store.set_plan(&large, 3).await.unwrap(), SetPlan::Made);
    let larger = Plan { handlers_max: None, storage_bytes_max: Some(9), ..large };
    assert_eq!(store.set_plan(&larger, 3).await.unwrap(), SetPlan::Changed);
    assert_eq!(store.plans().await.unwrap()[0], larger);
    let no_default = Plan { is_default: false, ..standard };
    assert_eq!(store.set_plan(&no_default, 3).await.unwrap(), SetPlan::IsDefault);

    let ada = someone(store.as_ref(), "ada").await;
    assert!(!store.give_plan(ada.id, "huge").await.unwrap(), "no such plan");
    assert!(!store.give_plan(UserId::new(), "large").await.unwrap(), "no such account");
    assert!(store.give_plan(ada.id, "large").await.unwrap());
    let in_use = DeletePlan::InUse { accounts: 1, requests: 0 };
    assert_eq!(store.delete_plan("large").await.unwrap(), in_use);
    assert!(store.give_plan(ada.id, "unlimited").await.unwrap());
    assert_eq!(store.delete_plan("large").await.unwrap(), DeletePlan::Deleted);
    assert_eq!(store.delete_plan("large").await.unwrap(), DeletePlan::NotFound);
    assert_eq!(store.delete_plan("standard").await.unwrap(), DeletePlan::IsDefault);
    assert_eq!(names().await, ["standard", "unlimited"]);
}

async fn one_plan_is_for_newcomers_however_many_change_that_at_once(database: Database) {
    let store = database.open().await.unwrap();
    let ada = someone(store.as_ref(), "ada").await;
    let plans: Vec<_> =
        (0..6).map(|number| Plan { is_default: true, ..plan(&format!("plan-{number}")) }).collect();
    for done in join_all(plans.iter().map(|plan| store.set_plan(plan, 100))).await {
        assert_eq!(done.unwrap(), SetPlan::Made);
    }
    let all = store.plans().await.unwrap();
    let defaults: Vec<_> = all.into_iter().filter(|plan| plan.is_default).collect();
    assert_eq!(defaults.len(), 1, "{defaults:?}");
    // Whoever was given no plan has it.
    let account = store.account_plan(ada.id).await.unwrap().unwrap();
    assert_eq!(account.plan, defaults[0]);
}

async fn a_request_for_a_plan_is_decided_once(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (someone(store.as_ref(), "ada").await, someone(store.as_ref(), "bob").await);
    for name in ["large", "huge"] {
        store.set_plan(&plan(name), 100).await.unwrap();
    }
    let ask = |plan: &str| NewPlanRequestRow {
        id: Uuid::now_v7(),
        account: bob.id,
        asked_by: bob.id,
        plan: plan.to_owned(),
        reason: "growth".to_owned(),
    };
    assert_eq!(store.ask_plan(ask("none")).await.unwrap(), AskPlan::NoSuchPlan);
    assert_eq!(store.ask_plan(ask("standard")).await.unwrap(), AskPlan::HasIt);
    let (first, second) = (ask("large"), ask("huge"));
    let AskPlan::Asked(asked) = store.ask_plan(first.clone()).await.unwrap() else { panic!("not asked") };
    assert_eq!((asked.account.as_str(), asked.asked_by.as_str()), ("bob", "bob"));
    assert_eq!((asked.plan_now.as_str(), asked.plan.as_str()), ("standard", "large"));
    assert_eq!((asked.state, asked.note, asked.decided_at), (PlanRequestState::Open, None, None));

    // The second withdraws the first.
    assert!(matches!(store.ask_plan(second.clone()).await.unwrap(), AskPlan::Asked(_)));
    let states = async |asked| {
        let requests = store.plan_requests(asked, 10).await.unwrap();
        requests.into_iter().map(|request| (request.plan, request.state)).collect::<Vec<_>>()
    };
    let both =
        [("huge".to_owned(), PlanRequestState::Open), ("large".to_owned(), PlanRequestState::Withdrawn)];
    assert_eq!(states(Asked::All).await, both);
    assert_eq!(states(Asked::By(bob.id)).await, both);
    assert_eq!(states(Asked::For(bob.id)).await, both);
    assert_eq!(states(Asked::By(ada.id)).await, []);
    assert_eq!(store.plan_requests(Asked::All, 1).await.unwrap().len(), 1);
    let in_use = DeletePlan::InUse { accounts: 0, requests: 1 };
    assert_eq!(store.delete_plan("huge").await.unwrap(), in_use);

    let decide = |id, approve| store.decide_plan(id, ada.id, approve, Some("as you like"), later(1));
    let gone = decide(first.id, true).await.unwrap();
    assert!(matches!(gone, DecidePlan::NotOpen(_)), "{gone:?}");
    assert_eq!(decide(Uuid::now_v7(), true).await.unwrap(), DecidePlan::NotFound);
    // Of many decisions at once, one counts.
    let decisions = join_all([true, true, true, true].map(|approve| decide(second.id, approve))).await;
    let decided = decisions.into_iter().filter(|one| matches!(one, Ok(DecidePlan::Decided(_)))).count();
    assert_eq!(decided, 1);
    let request = store.plan_requests(Asked::For(bob.id), 10).await.unwrap().remove(0);
    assert_eq!((request.plan_now.as_str(), request.state), ("huge", PlanRequestState::Approved));
    assert_eq!((request.note.as_deref(), request.decided_at), (Some("as you like"), Some(later(1))));

    // A refusal changes no plan.
    let third = ask("large");
    store.ask_plan(third.clone()).await.unwrap();
    assert!(matches!(decide(third.id, false).await.unwrap(), DecidePlan::Decided(_)));
    assert_eq!(store.account_plan(bob.id).await.unwrap().unwrap().plan.name, "huge");
    // What was decided is no reason to keep a plan.
    assert_eq!(store.delete_plan("large").await.unwrap(), DeletePlan::Deleted);
}

async fn the_newest_twenty_requests_of_an_account_are_kept(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (someone(store.as_ref(), "ada").await, someone(store.as_ref(), "bob").await);
    let mut asked = Vec::new();
    for account in std::iter::once(ada.id).chain(std::iter::repeat_n(bob.id, 25)) {
        let id = Uuid::now_v7();
        let (plan, reason) = ("unlimited".to_owned(), "growth".to_owned());
        let new = NewPlanRequestRow { id, account, asked_by: account, plan, reason };
        assert!(matches!(store.ask_plan(new).await.unwrap(), AskPlan::Asked(_)));
        asked.push(id);
    }
    let kept = store.plan_requests(Asked::For(bob.id), 100).await.unwrap();
    let ids: Vec<_> = kept.iter().map(|request| request.id).collect();
    assert_eq!(ids, asked.iter().rev().take(20).copied().collect::<Vec<_>>());
    assert_eq!(kept[0].state, PlanRequestState::Open);
    assert_eq!(store.plan_requests(Asked::For(ada.id), 100).await.unwrap().len(), 1, "another account's");
}

async fn a_plan_limits_handlers_and_storage(database: Database) {
    let store = database.open().await.unwrap();
    let bob = limited(store.as_ref(), "bob", Some(2), Some(12)).await;
    let kept = async || store.account_plan(bob.id).await.unwrap().unwrap().kept;
    created(store.create_handler(of(bob.id, "ace-of-cups", "first"), NOW).await.unwrap());
    created(store.create_handler(of(bob.id, "two-of-cups", "first"), NOW).await.unwrap());
    assert_eq!(kept().await, Kept { handlers: 2, storage_bytes: 5 }, "a module counts once");
    let over = |quota, max, used, wanted| OverQuota {
        account: "bob".parse().unwrap(),
        is_team: false,
        plan: "bob".to_owned(),
        quota,
        max,
        used,
        wanted,
    };
    let third = store.create_handler(of(bob.id, "six-of-cups", "first"), NOW).await.unwrap();
    let CreateHandler::OverQuota(refused) = third else { panic!("{third:?}") };
    assert_eq!(refused, over(KeptQuota::Handlers, 2, 2, 3));

    let two = name("two-of-cups");
    let more = store.add_version(bob.id, &two, module("12345678"), None, None, &FITS).await.unwrap();
    let AddVersion::OverQuota(refused) = more else { panic!("{more:?}") };
    assert_eq!(refused, over(KeptQuota::StorageBytes, 12, 5, 13));
    let more = store.add_preview(bob.id, &two, module("12345678"), &FITS).await.unwrap();
    let AddPreview::OverQuota(refused) = more else { panic!("{more:?}") };
    assert_eq!(refused, over(KeptQuota::StorageBytes, 12, 5, 13));
    // To the byte; and what is there already costs nothing.
    added(store.add_version(bob.id, &two, module("1234567"), None, None, &FITS).await.unwrap());
    added(store.add_version(bob.id, &two, module("1234567"), None, None, &FITS).await.unwrap());
    assert_eq!(kept().await, Kept { handlers: 2, storage_bytes: 12 });
    let numbers: Vec<_> =
        store.versions(bob.id, &two).await.unwrap().unwrap().iter().map(|row| row.number.0).collect();
    assert_eq!(numbers, [3, 2, 1], "what was refused has taken no number");

    // A smaller plan takes nothing away, but allows no more.
    let smaller = Plan { handlers_max: Some(1), storage_bytes_max: Some(1), ..plan("bob") };
    store.set_plan(&smaller, 100).await.unwrap();
    added(store.add_version(bob.id, &two, module("first"), None, None, &FITS).await.unwrap());
    assert!(store.account_has_module(bob.id, &module("first").digest).await.unwrap());
    assert!(!store.account_has_module(bob.id, &module("12345678").digest).await.unwrap());
    // What is deleted counts no more.
    assert!(store.delete_handler(bob.id, &two, NOW).await.unwrap());
    assert_eq!(kept().await, Kept { handlers: 1, storage_bytes: 5 });
    let still = store.create_handler(of(bob.id, "six-of-cups", "first"), NOW).await.unwrap();
    assert!(matches!(still, CreateHandler::OverQuota(_)), "{still:?}");
    assert!(store.delete_handler(bob.id, &name("ace-of-cups"), NOW).await.unwrap());
    let large = store.create_handler(of(bob.id, "six-of-cups", "ab"), NOW).await.unwrap();
    assert!(matches!(large, CreateHandler::OverQuota(_)), "{large:?}");
    created(store.create_handler(of(bob.id, "six-of-cups", "a"), NOW).await.unwrap());
}

async fn two_at_once_do_not_both_take_the_last_place(database: Database) {
    let store = database.open().await.unwrap();
    let bob = limited(store.as_ref(), "bob", Some(3), Some(20)).await;
    let names: Vec<_> = (0..8).map(|number| format!("cups-{number}")).collect();
    let done = join_all(names.iter().map(|name| store.create_handler(of(bob.id, name, "first"), NOW))).await;
    let is_there = |done: &Result<CreateHandler, _>| matches!(done, Ok(CreateHandler::Created(_)));
    assert!(done.iter().all(|done| is_there(done) || matches!(done, Ok(CreateHandler::OverQuota(_)))));
    let there: Vec<_> = names.iter().zip(&done).filter(|(_, done)| is_there(done)).collect();
    assert_eq!(there.len(), 3);

    // Versions of different handlers share the account's storage: 5 bytes are used, 10 have room, 20 have not.
    let texts: Vec<_> = (0..6).map(|number| format!("version-{number:02}")).collect();
    let add = |(place, text): (usize, &String)| {
        let (name, module, store) = (name(there[place % 3].0), module(text), Arc::clone(&store));
        async move { store.add_preview(bob.id, &name, module, &FITS).await.unwrap() }
    };
    let done = join_all(texts.iter().enumerate().map(add)).await;
    assert_eq!(done.iter().filter(|done| matches!(done, AddPreview::Added(..))).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| matches!(done, AddPreview::OverQuota(_))).count(), 5);

    // Plans change meanwhile, and nobody waits for somebody who waits too.
    let changes = (0..6).map(|_| store.give_plan(bob.id, "bob"));
    let texts: Vec<_> = (0..6).map(|number| format!("v{number}")).collect();
    let (changed, _) = tokio::join!(join_all(changes), join_all(texts.iter().enumerate().map(add)));
    assert!(changed.into_iter().all(|changed| matches!(changed, Ok(true))));
}

async fn a_handler_is_given_only_to_an_account_with_room_for_it(database: Database) {
    let store = database.open().await.unwrap();
    let ada = someone(store.as_ref(), "ada").await;
    created(store.create_handler(of(ada.id, "ace-of-cups", "first"), NOW).await.unwrap());
    let team = NewTeamRow { id: UserId::new(), name: "cups".parse().unwrap(), maker: ada.id };
    store.create_team(&team, TeamLimits::USUAL).await.unwrap();
    let give = || async { store.transfer_handler(ada.id, &name("ace-of-cups"), team.id).await.unwrap() };
    for (handlers, bytes, quota) in [(0, 100, KeptQuota::Handlers), (1, 4, KeptQuota::StorageBytes)] {
        let small = Plan { handlers_max: Some(handlers), storage_bytes_max: Some(bytes), ..plan("small") };
        store.set_plan(&small, 100).await.unwrap();
        assert!(store.give_plan(team.id, "small").await.unwrap());
        let refused = give().await;
        let TransferHandler::OverQuota(over) = refused else { panic!("{refused:?}") };
        assert_eq!((over.account.as_str(), over.quota, over.used), ("cups", quota, 0));
        assert!(store.handler(ada.id, &name("ace-of-cups")).await.unwrap().is_some(), "it stayed");
    }
    let enough = Plan { handlers_max: Some(1), storage_bytes_max: Some(5), ..plan("small") };
    store.set_plan(&enough, 100).await.unwrap();
    let given = give().await;
    assert!(matches!(given, TransferHandler::Transferred(_)), "{given:?}");
}

async fn an_address_knows_the_plan_and_the_suspension_of_its_owner(database: Database) {
    let store = database.open().await.unwrap();
    let bob = someone(store.as_ref(), "bob").await;
    created(store.create_handler(of(bob.id, "ace-of-cups", "first"), NOW).await.unwrap());
    let at = async |key: &str| {
        let row = store.deployment(&key.parse().unwrap()).await.unwrap().unwrap();
        (row.quota, row.suspended)
    };
    let standard = AccountQuota {
        plan: "standard".to_owned(),
        invocations_per_minute_max: Some(6_000),
        concurrent_max: Some(32),
        cpu_ms_per_day_max: Some(3_600_000),
    };
    assert_eq!(at("ace-of-cups").await, (standard.clone(), None));
    assert_eq!(at("v1--ace-of-cups").await, (standard, None));
    let few = Plan { invocations_per_minute_max: Some(0), ..plan("few") };
    store.set_plan(&few, 100).await.unwrap();
    store.give_plan(bob.id, "few").await.unwrap();
    let quota = AccountQuota {
        plan: "few".to_owned(),
        invocations_per_minute_max: Some(0),
        ..AccountQuota::default()
    };
    assert_eq!(at("ace-of-cups").await, (quota.clone(), None));
    database.sql("UPDATE users SET suspended_at = 7, suspended_reason = 'spam'").await.unwrap();
    assert_eq!(at("ace-of-cups").await, (quota.clone(), Some("spam".to_owned())));
    assert_eq!(at("v1--ace-of-cups").await, (quota.clone(), Some("spam".to_owned())));
    let row = store.handler(bob.id, &"ace-of-cups".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(row.suspended.as_deref(), Some("spam"));
    database.sql("UPDATE users SET suspended_at = NULL, suspended_reason = NULL").await.unwrap();
    assert_eq!(at("ace-of-cups").await, (quota, None));
}

/// The names of handlers of which executors are told while `change` happens, each once, by name.
async fn told(store: &dyn Store, change: impl Future<Output = ()>) -> Vec<String> {
    let before = store.last_change().await.unwrap();
    change.await;
    let changes = store.changes_after(before, 1_000).await.unwrap();
    let mut names: Vec<_> = changes
        .into_iter()
        .map(|change| match change.record {
            Change::Handler { name } => name.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

async fn changes_of_plans_and_accounts_are_told_to_executors_for_the_right_handlers(database: Database) {
    let store = database.open().await.unwrap();
    let store = store.as_ref();
    let (ada, bob) = (someone(store, "ada").await, someone(store, "bob").await);
    for (owner, handler) in [(&ada, "ace-of-coins"), (&bob, "ace-of-cups"), (&bob, "two-of-cups")] {
        created(store.create_handler(of(owner.id, handler, "first"), NOW).await.unwrap());
    }
    assert!(store.delete_handler(bob.id, &name("two-of-cups"), NOW).await.unwrap());
    let set = async |plan: Plan| assert!(store.set_plan(&plan, 100).await.is_ok());
    let sql = async |sql: &str| database.sql(sql).await.unwrap();
    let few = Plan { concurrent_max: Some(1), ..plan("few") };
    assert_eq!(told(store, set(few.clone())).await, [""; 0]);
    // A plan that is given: its account's handlers that are not deleted.
    let give = async { assert!(store.give_plan(bob.id, "few").await.unwrap()) };
    assert_eq!(told(store, give).await, ["ace-of-cups"]);
    // A plan that changes: those of the accounts that have it.
    let more = Plan { concurrent_max: Some(2), ..few };
    assert_eq!(told(store, set(more.clone())).await, ["ace-of-cups"]);
    // The plan for newcomers: those who were given none.
    let standard = Plan { is_default: true, ..plan("standard") };
    assert_eq!(told(store, set(standard)).await, ["ace-of-coins"]);
    // Another plan is for newcomers: they have another one; whoever was given it hears of it too.
    let default = Plan { is_default: true, ..more };
    assert_eq!(told(store, set(default)).await, ["ace-of-coins", "ace-of-cups"]);
    let new = Plan { is_default: true, ..plan("new") };
    assert_eq!(told(store, set(new)).await, ["ace-of-coins", "ace-of-cups"]);
    // Suspended, for another reason, and let go again.
    for change in
        ["suspended_at = 1, suspended_reason = 'spam'", "suspended_reason = 'fraud'", "suspended_at = NULL"]
    {
        let update = format!("UPDATE users SET {change} WHERE name = 'bob'");
        assert_eq!(told(store, sql(&update)).await, ["ace-of-cups"], "{change}");
    }
    // What is no news: holding an account, a request, a password.
    assert_eq!(told(store, sql("UPDATE users SET kind = kind, password_hash = 'x'")).await, [""; 0]);
    let ask = NewPlanRequestRow {
        id: Uuid::now_v7(),
        account: bob.id,
        asked_by: bob.id,
        plan: "unlimited".to_owned(),
        reason: "growth".to_owned(),
    };
    let id = ask.id;
    assert_eq!(told(store, async { assert!(store.ask_plan(ask).await.is_ok()) }).await, [""; 0]);
    let approve = async { assert!(store.decide_plan(id, ada.id, true, None, NOW).await.is_ok()) };
    assert_eq!(told(store, approve).await, ["ace-of-cups"]);
}

async fn versions_that_are_not_needed_are_deleted(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (someone(store.as_ref(), "ada").await, someone(store.as_ref(), "bob").await);
    let ace = name("ace-of-cups");
    created(store.create_handler(of(ada.id, "ace-of-cups", "1"), NOW).await.unwrap());
    for text in ["22", "333", "4444"] {
        added(store.add_version(ada.id, &ace, module(text), None, None, &FITS).await.unwrap());
    }
    let delete =
        async |owner, number| store.delete_version(owner, &ace, VersionNumber(number)).await.unwrap();
    let split = Move::Split(Split { version: VersionNumber(2), percent: 5 });
    let moved = store.move_version(ada.id, &ace, split, NOW, &FITS).await.unwrap();
    assert!(matches!(moved, MoveResult::Moved { .. }), "{moved:?}");
    for (number, why) in [(4, Needed::Live), (3, Needed::Previous), (2, Needed::Split)] {
        assert_eq!(delete(ada.id, number).await, DeleteVersion::Needed(why));
    }
    assert_eq!(delete(bob.id, 1).await, DeleteVersion::HandlerNotFound);
    assert_eq!(delete(ada.id, 9).await, DeleteVersion::VersionNotFound);
    assert_eq!(store.account_plan(ada.id).await.unwrap().unwrap().kept.storage_bytes, 10);
    let gone = async { assert_eq!(delete(ada.id, 1).await, DeleteVersion::Deleted) };
    assert_eq!(told(store.as_ref(), gone).await, ["ace-of-cups"], "its own address may be known");
    assert_eq!(delete(ada.id, 1).await, DeleteVersion::VersionNotFound);
    assert_eq!(store.account_plan(ada.id).await.unwrap().unwrap().kept.storage_bytes, 9);
    assert!(!store.module_in_use(&module("1").digest).await.unwrap());
    assert!(store.deployment(&"v1--ace-of-cups".parse().unwrap()).await.unwrap().is_none());
    assert!(store.deployment(&"ace-of-cups".parse().unwrap()).await.unwrap().is_some());
    // Numbers are not given out again.
    let row = added(store.add_version(ada.id, &ace, module("1"), None, None, &FITS).await.unwrap());
    assert_eq!(row.live, VersionNumber(5));
    let numbers: Vec<_> =
        store.versions(ada.id, &ace).await.unwrap().unwrap().iter().map(|row| row.number.0).collect();
    assert_eq!(numbers, [5, 4, 3, 2]);
}

fn used(account: UserId, invocations: u64, cpu_us: u64, minute_invocations: u64, running: u32) -> AccountUse {
    AccountUse { account, day: DAY, invocations, cpu_us, minute: MINUTE, minute_invocations, running }
}

async fn what_executors_have_run_is_summed_up(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (someone(store.as_ref(), "ada").await.id, someone(store.as_ref(), "bob").await.id);
    let [one, two, three] = [(); 3].map(|()| Uuid::now_v7());
    let alive = NOW;
    let tell = async |executor, used: &[AccountUse], now| {
        let mut others = store.keep_usage(executor, used, now, alive).await.unwrap();
        others.sort_by_key(|one| (one.account != ada, one.day));
        others
    };
    assert_eq!(tell(one, &[], NOW).await, []);
    assert_eq!(tell(one, &[used(ada, 10, 1_000, 5, 2)], NOW).await, [used(ada, 0, 0, 0, 0)]);
    // Of the others alone, and of accounts that are there.
    let both = [used(ada, 1, 10, 1, 1), used(bob, 7, 70, 7, 0), used(UserId::new(), 9, 9, 9, 9)];
    let told = tell(two, &both, NOW).await;
    assert_eq!(told, [used(ada, 10, 1_000, 5, 2), used(bob, 0, 0, 0, 0)]);
    assert_eq!(tell(three, &[used(ada, 100, 5, 50, 4)], NOW).await, [used(ada, 11, 1_010, 6, 3)]);

    // Sums only grow, in whatever order they arrive; what runs is what was said last.
    assert_eq!(tell(one, &[used(ada, 9, 2_000, 4, 1)], NOW).await, [used(ada, 101, 15, 51, 5)]);
    assert_eq!(tell(two, &[used(ada, 1, 10, 1, 1)], NOW).await, [used(ada, 110, 2_005, 55, 5)]);
    // In another minute, only what ran in it counts; an old minute comes back no more.
    let later_minute = AccountUse { minute: MINUTE + 1, ..used(ada, 12, 2_000, 2, 1) };
    tell(one, std::slice::from_ref(&later_minute), NOW).await;
    tell(one, &[used(ada, 11, 2_000, 5, 1)], NOW).await;
    let told = tell(two, &[used(ada, 1, 10, 1, 1)], NOW).await;
    assert_eq!(told, [used(ada, 112, 2_005, 50, 5)]);
    let next = AccountUse { minute: MINUTE + 1, ..used(ada, 1, 10, 0, 1) };
    let told = tell(two, std::slice::from_ref(&next), NOW).await;
    assert_eq!(told, [AccountUse { minute: MINUTE + 1, ..used(ada, 112, 2_005, 2, 5) }]);

    // On another day, what runs still runs, and is counted once.
    let tomorrow =
        |running| AccountUse { day: DAY + 1, minute: MINUTE + 1_440, ..used(ada, 3, 30, 3, running) };
    assert_eq!(tell(one, &[tomorrow(6)], later(1)).await[0].running, 5);
    let told = tell(two, &[tomorrow(1)], later(1)).await;
    assert_eq!(told, [AccountUse { running: 6 + 4, ..tomorrow(0) }]);

    // Whoever was not heard of lately runs nothing; what has run stays.
    let ran = store.ran(ada, DAY, MINUTE, NOW).await.unwrap();
    assert_eq!((ran.invocations, ran.cpu_us, ran.minute_invocations, ran.running), (113, 2_015, 50, 11));
    let ran = store.ran(ada, DAY, MINUTE, later(1)).await.unwrap();
    assert_eq!((ran.invocations, ran.running), (113, 7));
    let ran = store.ran(ada, DAY, MINUTE, later(2)).await.unwrap();
    assert_eq!((ran.invocations, ran.running), (113, 0));

    // As many accounts as are told of at once, and numbers as large as there are.
    let mut many: Vec<_> = (0..1_000).map(|_| used(UserId::new(), 1, 1, 1, 1)).collect();
    many.push(AccountUse { day: DAY + 2, ..used(ada, u64::MAX, u64::MAX, u64::MAX, u32::MAX) });
    assert_eq!(tell(one, &many, NOW).await.len(), 1);
}

async fn what_was_run_long_ago_is_forgotten(database: Database) {
    let store = database.open().await.unwrap();
    let ada = someone(store.as_ref(), "ada").await.id;
    let executor = Uuid::now_v7();
    let days = [DAY, DAY + 1, DAY + 2].map(|day| AccountUse { day, ..used(ada, 1, 1, 1, 1) });
    store.keep_usage(executor, &days, NOW, Timestamp(0)).await.unwrap();
    assert_eq!(store.sweep_usage(DAY + 2).await.unwrap(), 2);
    assert_eq!(store.sweep_usage(DAY + 2).await.unwrap(), 0);
    assert_eq!(store.ran(ada, DAY + 1, MINUTE, NOW).await.unwrap().invocations, 0);
    assert_eq!(store.ran(ada, DAY + 2, MINUTE, NOW).await.unwrap().invocations, 1);
}
