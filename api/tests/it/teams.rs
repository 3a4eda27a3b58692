//! Teams: who belongs to them, what they own, and who may do what with it.

use futures::future::join_all;
use serde_json::{Value, json};
use wasmcloud_api::store::{
    CreateTeam, DeleteTeam, NewTeamRow, RemoveMember, SetMemberResult, Store, TeamLimits,
};
use wasmcloud_wire::body::{Handler, Host, Member, Role, Route, Team, TeamWithMembers, TokenGrant, User};
use wasmcloud_wire::limits::{MEMBERS_PER_TEAM_MAX, TEAMS_PER_OWNER_MAX};
use wasmcloud_wire::{Change, ControlPlane as _, UserId, UserName};

use crate::app::{Client, Heard, PASSWORD, TestApp, module};
use crate::database::{Database, on_both_databases};
use crate::store_story::new_user;
use crate::store_story::recordings::{record, recording};

on_both_databases!(of_owners_who_all_leave_at_once_one_stays, at_once_nobody_owns_more_teams_than_one_may);

async fn makes_team(client: &Client, name: &str) -> Team {
    client.post("/api/v1/teams", json!({ "name": name })).await.good(201)
}

async fn sets(client: &Client, team: &str, user: &str, role: &str) -> Member {
    client.put(&format!("/api/v1/teams/{team}/members/{user}"), json!({ "role": role })).await.good(200)
}

/// Handlers with whose they are, and what whoever asks is to them.
fn names(handlers: &[Handler]) -> Vec<String> {
    let name = |handler: &Handler| {
        let (owner, role) = (handler.owner.as_ref().unwrap(), handler.role.unwrap());
        format!("{} of {owner}, {role}", handler.name)
    };
    handlers.iter().map(name).collect()
}

#[tokio::test]
async fn a_team_is_made_shown_to_its_members_and_deleted_by_its_owner() {
    let app = TestApp::start().await;
    let (alice, bob, eve) = (app.user("alice").await, app.user("bob").await, app.user("eve").await);
    let team = makes_team(&alice, "crew").await;
    assert_eq!((team.name.as_str(), team.role, team.members), ("crew", Role::Owner, 1));
    assert_eq!(sets(&alice, "crew", "bob", "viewer").await.role, Role::Viewer);

    let shown: TeamWithMembers = bob.get("/api/v1/teams/crew").await.good(200);
    let people: Vec<_> = shown.people.iter().map(|member| (member.user.as_str(), member.role)).collect();
    assert_eq!(
        (shown.team.role, people),
        (Role::Viewer, vec![("alice", Role::Owner), ("bob", Role::Viewer)])
    );
    let listed: Vec<Team> = bob.get("/api/v1/teams").await.good(200);
    assert_eq!(listed, [shown.team]);
    // For others it is not there at all.
    assert!(eve.get("/api/v1/teams").await.good::<Vec<Team>>(200).is_empty());
    let others = eve.get("/api/v1/teams/crew").await.error(404, "team_not_found");
    assert_eq!(
        others.replace("crew", "none"),
        eve.get("/api/v1/teams/none").await.error(404, "team_not_found")
    );
    eve.put("/api/v1/teams/crew/members/eve", json!({"role": "owner"})).await.error(404, "team_not_found");

    bob.delete("/api/v1/teams/crew").await.error(403, "role_missing");
    alice.delete("/api/v1/teams/crew").await.done();
    alice.get("/api/v1/teams/crew").await.error(404, "team_not_found");
    assert!(bob.get("/api/v1/teams").await.good::<Vec<Team>>(200).is_empty());
}

#[tokio::test]
async fn users_and_teams_share_one_namespace_and_a_deleted_teams_name_is_free() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    for taken in ["crew", "bob"] {
        bob.post("/api/v1/teams", json!({ "name": taken })).await.error(409, "user_name_taken");
    }
    let register = json!({"username": "crew", "password": PASSWORD});
    app.anonymous().post("/api/v1/register", &register).await.error(409, "user_name_taken");
    for bad in ["no name", "x", "wasmcloud", "-crew"] {
        alice.post("/api/v1/teams", json!({ "name": bad })).await.error(422, "invalid_name");
    }
    alice.delete("/api/v1/teams/crew").await.done();
    makes_team(&bob, "crew").await;
    bob.delete("/api/v1/teams/crew").await.done();
    app.anonymous().post("/api/v1/register", &register).await.good::<TokenGrant>(201);
}

#[tokio::test]
async fn nobody_logs_in_as_a_team() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    makes_team(&alice, "crew").await;
    for password in ["", PASSWORD] {
        for path in ["/api/v1/login", "/api/v1/sessions"] {
            let body = json!({"username": "crew", "password": password});
            app.anonymous().post(path, &body).await.error(401, "wrong_credentials");
        }
    }
    // An operator can neither make a way in, nor make it an operator.
    let admin = app.admin("operator").await;
    admin.post("/api/v1/users/crew/reset", json!({})).await.error(422, "is_team");
    let refused = admin.patch("/api/v1/users/crew", json!({"is_admin": true})).await;
    refused.error(422, "is_team");
    // Nor is it a user for the control plane itself, or for a team.
    assert_eq!(app.core.user(&"crew".parse().unwrap()).await.unwrap(), None::<User>);
    makes_team(&alice, "squad").await;
    alice
        .put("/api/v1/teams/squad/members/crew", json!({"role": "viewer"}))
        .await
        .error(404, "user_not_found");
    assert_eq!(alice.whoami().await.name.as_str(), "alice");
}

#[tokio::test]
async fn a_role_decides_what_a_member_may_do_with_the_teams_handlers() {
    let app = TestApp::start().await;
    let owner = app.user("alice").await;
    makes_team(&owner, "crew").await;
    let (viewer, deployer) = (app.user("viewer").await, app.user("deployer").await);
    sets(&owner, "crew", "viewer", "viewer").await;
    sets(&owner, "crew", "deployer", "deployer").await;
    let create = async |client: &Client, name: &str| {
        client.send("POST", &format!("/api/v1/handlers?name={name}&team=crew"), module(name)).await
    };
    assert!(create(&viewer, "site").await.error(403, "role_missing").contains("deployer"));
    create(&app.user("eve").await, "site").await.error(404, "team_not_found");
    create(&deployer, "site").await.good::<Value>(201);
    owner.has_handler("own").await;

    let all: Vec<Handler> = owner.get("/api/v1/handlers").await.good(200);
    assert_eq!(names(&all), ["own of alice, owner", "site of crew, owner"]);
    for (client, role) in [(&owner, "owner"), (&deployer, "deployer"), (&viewer, "viewer")] {
        let expected = [format!("site of crew, {role}")];
        let of_team: Vec<Handler> = client.get("/api/v1/handlers?team=crew").await.good(200);
        assert_eq!(names(&of_team), expected);
        let shown: Handler = client.get("/api/v1/handlers/site").await.good(200);
        assert_eq!(names(&[shown]), expected);
        client.get("/api/v1/handlers/site/logs").await.good::<Value>(200);
    }
    owner.get("/api/v1/handlers?team=alice").await.error(404, "team_not_found");

    assert!(viewer.update("site", module("2")).await.error(403, "role_missing").contains("viewer"));
    viewer.post("/api/v1/handlers/site/invoke", json!({})).await.error(403, "role_missing");
    viewer.put("/api/v1/handlers/site/env/A", json!({"value": "x"})).await.error(403, "role_missing");
    deployer.update("site", module("2")).await.good::<Value>(201);
    assert_eq!(deployer.post("/api/v1/handlers/site/invoke", json!({})).await.status, 200);
    deployer.delete("/api/v1/handlers/site").await.error(403, "role_missing");
    owner.delete("/api/v1/teams/crew").await.error(409, "team_has_handlers");
    owner.delete("/api/v1/handlers/site").await.done();
    owner.delete("/api/v1/teams/crew").await.done();
    // Its name is held for the owner who deleted the team.
    deployer.create("site", module("3")).await.error(409, "name_held");
    owner.has_handler("site").await;
}

#[tokio::test]
async fn whoever_is_taken_out_of_a_team_sees_nothing_of_it_any_more() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    sets(&alice, "crew", "bob", "deployer").await;
    alice.send("POST", "/api/v1/handlers?name=site&team=crew", module("site")).await.good::<Value>(201);
    bob.get("/api/v1/handlers/site").await.good::<Handler>(200);
    bob.delete("/api/v1/teams/crew/members/alice").await.error(403, "role_missing");
    alice.delete("/api/v1/teams/crew/members/bob").await.done();
    alice.delete("/api/v1/teams/crew/members/bob").await.error(404, "member_not_found");
    bob.get("/api/v1/handlers/site").await.error(404, "handler_not_found");
    assert!(bob.get("/api/v1/handlers").await.good::<Vec<Handler>>(200).is_empty());
    // Whoever likes may leave.
    sets(&alice, "crew", "bob", "viewer").await;
    bob.delete("/api/v1/teams/crew/members/bob").await.done();
    bob.get("/api/v1/teams/crew").await.error(404, "team_not_found");
}

#[tokio::test]
async fn the_last_owner_of_a_team_stays_one() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    let message = alice.delete("/api/v1/teams/crew/members/alice").await.error(409, "last_owner");
    assert!(message.contains("`alice`") && message.contains("`crew`"), "{message}");
    alice.put("/api/v1/teams/crew/members/alice", json!({"role": "viewer"})).await.error(409, "last_owner");
    sets(&alice, "crew", "bob", "owner").await;
    sets(&alice, "crew", "alice", "viewer").await;
    alice.put("/api/v1/teams/crew/members/alice", json!({"role": "owner"})).await.error(403, "role_missing");
    bob.delete("/api/v1/teams/crew/members/bob").await.error(409, "last_owner");
}

#[tokio::test]
async fn a_user_owns_so_many_teams_and_a_team_has_so_many_members() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    for number in 0..TEAMS_PER_OWNER_MAX {
        makes_team(&alice, &format!("crew-{number}")).await;
    }
    let message = alice.post("/api/v1/teams", json!({"name": "one-more"})).await.error(409, "too_many_teams");
    assert!(message.contains("10 teams"), "{message}");
    // Nor does somebody else make alice an owner; any other role is possible.
    makes_team(&bob, "squad").await;
    bob.put("/api/v1/teams/squad/members/alice", json!({"role": "owner"})).await.error(409, "too_many_teams");
    sets(&bob, "squad", "alice", "deployer").await;

    for number in 2..MEMBERS_PER_TEAM_MAX {
        let name = format!("member-{number}");
        app.store.create_user(new_user(&name)).await.unwrap();
        sets(&bob, "squad", &name, "viewer").await;
    }
    app.store.create_user(new_user("too-late")).await.unwrap();
    let member = "/api/v1/teams/squad/members/too-late";
    let message = bob.put(member, json!({"role": "viewer"})).await.error(409, "too_many_members");
    assert!(message.contains("100 members"), "{message}");
    // Who is a member already may change.
    sets(&bob, "squad", "member-2", "deployer").await;
}

#[tokio::test]
async fn a_handler_is_given_to_a_team_and_back_and_executors_are_told() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    sets(&alice, "crew", "bob", "deployer").await;
    alice.has_handler("site").await;
    let give = async |client: &Client, to: &str| {
        client.post("/api/v1/handlers/site/transfer", json!({ "to": to })).await
    };
    give(&alice, "alice").await.error(409, "same_owner");
    give(&alice, "bob").await.error(404, "team_not_found");
    give(&alice, "no name").await.error(404, "team_not_found");
    let given: Handler = give(&alice, "crew").await.good(200);
    assert_eq!(names(&[given]), ["site of crew, owner"]);
    let told = Heard::Announce(Change::Handler { name: "site".parse().unwrap() });
    assert_eq!(app.invoker.heard().last(), Some(&told));

    let seen: Handler = bob.get("/api/v1/handlers/site").await.good(200);
    assert_eq!(names(&[seen]), ["site of crew, deployer"]);
    give(&bob, "bob").await.error(403, "role_missing");
    let back: Handler = give(&alice, "alice").await.good(200);
    assert_eq!(names(&[back]), ["site of alice, owner"]);
    bob.get("/api/v1/handlers/site").await.error(404, "handler_not_found");
}

#[tokio::test]
async fn a_team_has_hosts_and_routes_of_its_own_to_its_own_handlers() {
    let app = TestApp::start().await;
    let (alice, bob, admin) = (app.user("alice").await, app.user("bob").await, app.admin("operator").await);
    makes_team(&alice, "crew").await;
    sets(&alice, "crew", "bob", "viewer").await;
    alice.has_handler("own").await;
    alice.send("POST", "/api/v1/handlers?name=site&team=crew", module("site")).await.good::<Value>(201);
    let route = |handler: &str| json!({"host": "shop.example.com", "handler": handler});
    // Host and handler are the same account's.
    alice.post("/api/v1/routes?team=crew", route("own")).await.error(404, "handler_not_found");
    alice.post("/api/v1/routes", route("site")).await.error(404, "handler_not_found");
    alice.post("/api/v1/routes?team=crew", route("site")).await.good::<Value>(201);
    let routes = async |client: &Client, query: &str| {
        client.get(&format!("/api/v1/routes{query}")).await.good::<Vec<Route>>(200).len()
    };
    assert_eq!((routes(&alice, "").await, routes(&bob, "?team=crew").await), (0, 1));
    let hosts: Vec<Host> = bob.get("/api/v1/hosts?team=crew").await.good(200);
    assert_eq!(hosts.len(), 1);
    bob.get("/api/v1/hosts/shop.example.com?team=crew").await.good::<Host>(200);
    bob.get("/api/v1/hosts/shop.example.com").await.error(404, "host_not_found");
    bob.delete("/api/v1/routes?team=crew&host=shop.example.com").await.error(403, "role_missing");
    bob.post("/api/v1/hosts?team=crew", json!({"name": "b.example.com"})).await.error(403, "role_missing");
    app.user("eve").await.get("/api/v1/hosts?team=crew").await.error(404, "team_not_found");
    // An operator grants a host to a team by its name.
    admin.put("/api/v1/hosts/shop.example.com/grant", json!({"user": "crew"})).await.good::<Value>(200);

    // What routes lead to cannot be given away, and what has hosts cannot be deleted.
    let give = json!({"to": "alice"});
    let message = alice.post("/api/v1/handlers/site/transfer", &give).await.error(409, "handler_has_routes");
    assert!(message.starts_with("a route leads to `site`"), "{message}");
    alice.delete("/api/v1/routes?team=crew&host=shop.example.com").await.done();
    alice.post("/api/v1/handlers/site/transfer", &give).await.good::<Handler>(200);
    alice.delete("/api/v1/teams/crew").await.error(409, "team_has_hosts");
    alice.delete("/api/v1/hosts/shop.example.com?team=crew").await.done();
    alice.delete("/api/v1/teams/crew").await.done();
}

#[tokio::test]
async fn a_recording_of_a_teams_handler_is_found_by_its_members_alone() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    sets(&alice, "crew", "bob", "viewer").await;
    let path = "/api/v1/handlers?name=site&team=crew";
    let deployed: wasmcloud_wire::body::Deployed = alice.send("POST", path, module("site")).await.good(201);
    alice.patch("/api/v1/handlers/site", json!({"recording": {}})).await.good::<Value>(200);
    let kept = recording(deployed.handler.id, "GET", 1);
    app.core.record(vec![record(&kept)]).await.unwrap();
    let invocation = kept.invocation;
    let path = format!("/api/v1/recordings/{invocation}");
    for client in [&alice, &bob] {
        let found: Value = client.get(&path).await.good(200);
        assert_eq!(found["handler"], "site");
    }
    app.user("eve").await.get(&path).await.error(404, "not_recorded");
}

#[tokio::test]
async fn a_token_without_the_scope_admin_changes_no_team() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    makes_team(&alice, "crew").await;
    let grant: TokenGrant =
        alice.post("/api/v1/tokens", json!({"label": "ci", "scopes": ["deploy", "invoke"]})).await.good(201);
    let ci = app.with_token(&grant.token);
    ci.send("POST", "/api/v1/handlers?name=site&team=crew", module("site")).await.good::<Value>(201);
    ci.get("/api/v1/teams/crew").await.good::<TeamWithMembers>(200);
    ci.post("/api/v1/teams", json!({"name": "squad"})).await.error(403, "scope_missing");
    ci.put("/api/v1/teams/crew/members/bob", json!({"role": "viewer"})).await.error(403, "scope_missing");
    ci.delete("/api/v1/teams/crew").await.error(403, "scope_missing");
    ci.post("/api/v1/handlers/site/transfer", json!({"to": "alice"})).await.error(403, "scope_missing");
}

const MOST: TeamLimits = TeamLimits { teams_max: 3, members_max: 10 };

async fn of_owners_who_all_leave_at_once_one_stays(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap();
    let team = UserId::new();
    let new = NewTeamRow { id: team, name: "crew".parse().unwrap(), maker: ada.id };
    assert!(matches!(store.create_team(&new, MOST.teams_max).await.unwrap(), CreateTeam::Created(_)));
    let mut owners = vec![ada];
    for number in 1..6 {
        let owner = store.create_user(new_user(&format!("owner-{number}"))).await.unwrap();
        let set = store.set_member(owners[0].id, team, &owner.name, Role::Owner, MOST).await.unwrap();
        assert!(matches!(set, SetMemberResult::Set(_)), "{set:?}");
        owners.push(owner);
    }
    // Half of them leave, and half of them become less.
    let left = owners.iter().enumerate().map(async |(place, owner)| match place % 2 {
        0 => store.remove_member(owner.id, team, &owner.name).await.unwrap() == RemoveMember::Removed,
        _ => {
            let set = store.set_member(owner.id, team, &owner.name, Role::Viewer, MOST).await.unwrap();
            matches!(set, SetMemberResult::Set(_))
        }
    });
    assert_eq!(join_all(left).await.into_iter().filter(|left| *left).count(), owners.len() - 1);
    let members = store.members(team).await.unwrap();
    assert_eq!(members.iter().filter(|member| member.role == Role::Owner).count(), 1, "{members:?}");
}

async fn at_once_nobody_owns_more_teams_than_one_may(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (new_user("ada"), new_user("bob"));
    let ada = store.create_user(ada).await.unwrap();
    let bob = store.create_user(bob).await.unwrap();
    let names: Vec<UserName> = (0..4).map(|number| format!("crew-{number}").parse().unwrap()).collect();
    let made = join_all(names.iter().map(async |name| {
        let new = NewTeamRow { id: UserId::new(), name: name.clone(), maker: ada.id };
        store.create_team(&new, MOST.teams_max).await.unwrap()
    }));
    let made = made.await.into_iter().filter(|made| matches!(made, CreateTeam::Created(_))).count();
    assert_eq!(made, 3);
    // Somebody else makes ada an owner while ada makes room and takes it again.
    let other = NewTeamRow { id: UserId::new(), name: "other".parse().unwrap(), maker: bob.id };
    store.create_team(&other, MOST.teams_max).await.unwrap();
    let teams = store.teams(ada.id).await.unwrap();
    assert_eq!(store.delete_team(ada.id, teams[0].id).await.unwrap(), DeleteTeam::Deleted);
    let again = NewTeamRow { id: UserId::new(), name: "again".parse().unwrap(), maker: ada.id };
    let (set, made) = tokio::join!(
        store.set_member(bob.id, other.id, &ada.name, Role::Owner, MOST),
        store.create_team(&again, MOST.teams_max),
    );
    let set = matches!(set.unwrap(), SetMemberResult::Set(_));
    assert_ne!(set, matches!(made.unwrap(), CreateTeam::Created(_)), "one of them, and not both");
    assert_eq!(store.teams(ada.id).await.unwrap().len(), 3);
}
