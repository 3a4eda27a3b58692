//! Teams: who belongs to them, what they own, and who may do what with it.

use futures::future::join_all;
use serde_json::{Value, json};
use wasmcloud_api::store::{
    AcceptOffer, CreateTeam, DeleteTeam, NewTeamRow, RemoveMember, SetMemberResult, Store, TeamLimits,
    TeamStore as _,
};
use wasmcloud_wire::body::{
    Audit, Handler, Host, Member, Offer, Role, Route, Team, TeamWithMembers, TokenGrant, User, UserInfo,
};
use wasmcloud_wire::limits::{
    MEMBERS_PER_TEAM_MAX, OFFERS_PER_TEAM_MAX, TEAMS_PER_MEMBER_MAX, TEAMS_PER_OWNER_MAX,
};
use wasmcloud_wire::{Change, ControlPlane as _, Timestamp, UserId, UserName};

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

async fn accepts(client: &Client, team: &str) -> Team {
    client.post(&format!("/api/v1/teams/{team}/accept"), json!({})).await.good(200)
}

/// Somebody is invited, and accepts.
async fn joins(owner: &Client, team: &str, member: &Client, user: &str, role: &str) {
    assert!(sets(owner, team, user, role).await.offered.is_some());
    accepts(member, team).await;
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
    assert_eq!((team.name.as_str(), team.role, team.members), ("crew", Some(Role::Owner), 1));
    joins(&alice, "crew", &bob, "bob", "viewer").await;

    let shown: TeamWithMembers = bob.get("/api/v1/teams/crew").await.good(200);
    let people: Vec<_> = shown.people.iter().map(|member| (member.user.as_str(), member.role)).collect();
    assert_eq!(
        (shown.team.role, people),
        (Some(Role::Viewer), vec![("alice", Some(Role::Owner)), ("bob", Some(Role::Viewer))])
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
    // The operator sees whose it is; who is invited owns nothing.
    app.user("bob").await;
    sets(&alice, "crew", "bob", "owner").await;
    let info: UserInfo = admin.get("/api/v1/users/crew").await.good(200);
    assert_eq!(info.owners.iter().map(UserName::as_str).collect::<Vec<_>>(), ["alice"]);
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
    joins(&owner, "crew", &viewer, "viewer", "viewer").await;
    joins(&owner, "crew", &deployer, "deployer", "deployer").await;
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
    joins(&alice, "crew", &bob, "bob", "deployer").await;
    alice.send("POST", "/api/v1/handlers?name=site&team=crew", module("site")).await.good::<Value>(201);
    bob.get("/api/v1/handlers/site").await.good::<Handler>(200);
    bob.delete("/api/v1/teams/crew/members/alice").await.error(403, "role_missing");
    alice.delete("/api/v1/teams/crew/members/bob").await.done();
    alice.delete("/api/v1/teams/crew/members/bob").await.error(404, "member_not_found");
    bob.get("/api/v1/handlers/site").await.error(404, "handler_not_found");
    assert!(bob.get("/api/v1/handlers").await.good::<Vec<Handler>>(200).is_empty());
    // Whoever likes may leave.
    joins(&alice, "crew", &bob, "bob", "viewer").await;
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
    joins(&alice, "crew", &bob, "bob", "owner").await;
    sets(&alice, "crew", "alice", "viewer").await;
    alice.put("/api/v1/teams/crew/members/alice", json!({"role": "owner"})).await.error(403, "role_missing");
    bob.delete("/api/v1/teams/crew/members/bob").await.error(409, "last_owner");
}

#[tokio::test]
async fn nobody_becomes_a_member_or_an_owner_without_accepting_it() {
    let app = TestApp::start().await;
    let (mallory, victim) = (app.user("mallory").await, app.user("victim").await);
    makes_team(&mallory, "trap").await;
    mallory.send("POST", "/api/v1/handlers?name=site&team=trap", module("site")).await.good::<Value>(201);
    let invited = sets(&mallory, "trap", "victim", "owner").await;
    assert_eq!((invited.role, invited.offered.map(|offer| offer.role)), (None, Some(Role::Owner)));
    // So the team stays with whoever made it.
    mallory.delete("/api/v1/teams/trap/members/mallory").await.error(409, "last_owner");
    mallory
        .put("/api/v1/teams/trap/members/mallory", json!({"role": "deployer"}))
        .await
        .error(409, "last_owner");

    // Whoever is invited sees the name and the role.
    let listed: Vec<Team> = victim.get("/api/v1/teams").await.good(200);
    let [team] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((team.name.as_str(), team.role, team.members), ("trap", None, 0));
    assert_eq!(team.offered.map(|offer| offer.role), Some(Role::Owner));
    assert!(victim.get("/api/v1/handlers").await.good::<Vec<Handler>>(200).is_empty());
    victim.get("/api/v1/handlers/site").await.error(404, "handler_not_found");
    for path in ["/teams/trap", "/handlers?team=trap", "/hosts?team=trap", "/quotas?team=trap"] {
        victim.get(&format!("/api/v1{path}")).await.error(404, "team_not_found");
    }
    let audit: Audit = victim.get("/api/v1/audit").await.good(200);
    assert!(audit.entries.iter().all(|entry| entry.subject != "trap"), "{audit:?}");
    victim
        .put("/api/v1/teams/trap/members/victim", json!({"role": "owner"}))
        .await
        .error(404, "team_not_found");
    victim.delete("/api/v1/teams/trap").await.error(404, "team_not_found");
    // Nor does it count among the teams that one may own.
    for number in 0..TEAMS_PER_OWNER_MAX {
        makes_team(&victim, &format!("own-{number}")).await;
    }
    victim.post("/api/v1/teams/trap/accept", json!({})).await.error(409, "too_many_teams");
    victim.delete("/api/v1/teams/trap/members/victim").await.done();
    victim.post("/api/v1/teams/trap/accept", json!({})).await.error(404, "not_invited");
    assert_eq!(victim.get("/api/v1/teams").await.good::<Vec<Team>>(200).len(), TEAMS_PER_OWNER_MAX as usize);
    let trap: TeamWithMembers = mallory.get("/api/v1/teams/trap").await.good(200);
    assert_eq!((trap.team.members, trap.people.len()), (1, 1));
}

#[tokio::test]
async fn a_member_is_asked_before_becoming_an_owner_and_stays_what_they_are_until_then() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    joins(&alice, "crew", &bob, "bob", "viewer").await;
    assert_eq!(
        sets(&alice, "crew", "bob", "deployer").await.role,
        Some(Role::Deployer),
        "no more than a role"
    );
    let asked = sets(&alice, "crew", "bob", "owner").await;
    assert_eq!(
        (asked.role, asked.offered.map(|offer| offer.role)),
        (Some(Role::Deployer), Some(Role::Owner))
    );
    alice.delete("/api/v1/teams/crew/members/alice").await.error(409, "last_owner");
    bob.delete("/api/v1/teams/crew").await.error(403, "role_missing");
    bob.post("/api/v1/teams/crew/decline", json!({})).await.done();
    bob.post("/api/v1/teams/crew/decline", json!({})).await.error(404, "not_invited");
    let listed: Vec<Team> = bob.get("/api/v1/teams").await.good(200);
    assert_eq!((listed[0].role, listed[0].offered), (Some(Role::Deployer), None), "still in the team");
    sets(&alice, "crew", "bob", "owner").await;
    assert_eq!(
        bob.get("/api/v1/teams").await.good::<Vec<Team>>(200)[0].offered.map(|offer| offer.role),
        Some(Role::Owner)
    );
    // Another role takes the offer back.
    sets(&alice, "crew", "bob", "viewer").await;
    bob.post("/api/v1/teams/crew/accept", json!({})).await.error(404, "not_invited");
    sets(&alice, "crew", "bob", "owner").await;
    assert_eq!(accepts(&bob, "crew").await.role, Some(Role::Owner));
    alice.delete("/api/v1/teams/crew/members/alice").await.done();

    let audit: Audit = bob.get("/api/v1/audit?action=team").await.good(200);
    let actions: Vec<_> = audit.entries.iter().rev().map(|entry| entry.action.as_str()).collect();
    let (invite, set) = ("team.member.invite", "team.member.set");
    assert_eq!(
        actions,
        [
            "team.create",
            invite,
            "team.accept",
            set,
            invite,
            "team.member.remove",
            "team.decline",
            invite,
            set,
            invite,
            "team.accept",
            "team.member.remove"
        ]
    );
}

#[tokio::test]
async fn an_invitation_is_taken_back_by_an_owner_and_goes_with_the_team() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    sets(&alice, "crew", "bob", "viewer").await;
    let shown: TeamWithMembers = alice.get("/api/v1/teams/crew").await.good(200);
    assert_eq!(
        shown.people.iter().map(|one| (one.user.as_str(), one.role)).collect::<Vec<_>>(),
        [("alice", Some(Role::Owner)), ("bob", None)]
    );
    alice.delete("/api/v1/teams/crew/members/bob").await.done();
    assert!(bob.get("/api/v1/teams").await.good::<Vec<Team>>(200).is_empty());
    sets(&alice, "crew", "bob", "viewer").await;
    alice.delete("/api/v1/teams/crew").await.done();
    bob.post("/api/v1/teams/crew/accept", json!({})).await.error(404, "not_invited");
    bob.post("/api/v1/teams/no name/accept", json!({})).await.error(404, "not_invited");
}

#[tokio::test]
async fn a_user_owns_so_many_teams_and_a_team_has_so_many_members() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    for number in 0..TEAMS_PER_OWNER_MAX {
        makes_team(&alice, &format!("crew-{number}")).await;
    }
    let message = alice.post("/api/v1/teams", json!({"name": "one-more"})).await.error(409, "too_many_teams");
    assert!(message.contains("5 teams"), "{message}");
    makes_team(&bob, "squad").await;
    joins(&bob, "squad", &alice, "alice", "deployer").await;

    let squad = app.store.account_by_name(&"squad".parse().unwrap()).await.unwrap().unwrap().id;
    let mut users = Vec::new();
    for number in 2..MEMBERS_PER_TEAM_MAX {
        let user = app.store.create_user(new_user(&format!("member-{number}"))).await.unwrap();
        sets(&bob, "squad", user.name.as_str(), "viewer").await;
        users.push(user);
    }
    app.store.create_user(new_user("too-late")).await.unwrap();
    let member = "/api/v1/teams/squad/members/too-late";
    // Invitations are no members.
    bob.put(member, json!({"role": "viewer"})).await.good::<Member>(200);
    for user in &users {
        let accepted = app.store.accept_offer(user.id, squad, TeamLimits::USUAL, Timestamp::now()).await;
        assert!(matches!(accepted.unwrap(), AcceptOffer::Accepted(_)));
    }
    let message = bob.put(member, json!({"role": "viewer"})).await.error(409, "too_many_members");
    assert!(message.contains("100 members"), "{message}");
    // Who is a member already may change.
    sets(&bob, "squad", "member-2", "deployer").await;
}

#[tokio::test]
async fn a_team_has_so_many_open_invitations_and_a_user_so_many_teams() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    for number in 0..OFFERS_PER_TEAM_MAX {
        let user = app.store.create_user(new_user(&format!("user-{number}"))).await.unwrap();
        sets(&alice, "crew", user.name.as_str(), "viewer").await;
    }
    let refused = alice.put("/api/v1/teams/crew/members/bob", json!({"role": "viewer"})).await;
    let message = refused.error(409, "too_many_offers");
    assert!(message.starts_with("100 of those"), "{message}");
    // One that is made again is the same one.
    sets(&alice, "crew", "user-0", "deployer").await;
    alice.delete("/api/v1/teams/crew/members/user-0").await.done();
    sets(&alice, "crew", "bob", "viewer").await;

    let bobs = app.store.account_by_name(&"bob".parse().unwrap()).await.unwrap().unwrap().id;
    for number in 0..TEAMS_PER_MEMBER_MAX {
        let maker = app.store.create_user(new_user(&format!("maker-{number}"))).await.unwrap();
        let team = UserId::new();
        let new = NewTeamRow { id: team, name: format!("team-{number}").parse().unwrap(), maker: maker.id };
        app.store.create_team(&new, TeamLimits::USUAL).await.unwrap();
        invites(&*app.store, maker.id, team, &"bob".parse().unwrap(), Role::Viewer).await;
        let accepted = app.store.accept_offer(bobs, team, TeamLimits::USUAL, Timestamp::now()).await;
        assert!(matches!(accepted.unwrap(), AcceptOffer::Accepted(_)));
    }
    let message = bob.post("/api/v1/teams/crew/accept", json!({})).await.error(409, "too_many_memberships");
    assert!(message.contains("100 teams"), "{message}");
    bob.post("/api/v1/teams", json!({"name": "one-more"})).await.error(409, "too_many_memberships");
    bob.delete("/api/v1/teams/team-0/members/bob").await.done();
    accepts(&bob, "crew").await;
}

#[tokio::test]
async fn a_handler_is_given_to_a_team_and_back_and_executors_are_told() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    makes_team(&alice, "crew").await;
    joins(&alice, "crew", &bob, "bob", "deployer").await;
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
    joins(&alice, "crew", &bob, "bob", "viewer").await;
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
    joins(&alice, "crew", &bob, "bob", "viewer").await;
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

const MOST: TeamLimits = TeamLimits { teams_max: 3, ..TeamLimits::USUAL };

fn in_a_day(role: Role) -> Offer {
    Offer { role, expires_at: Timestamp(Timestamp::now().0 + 24 * 60 * 60 * 1000) }
}

async fn invites(store: &dyn Store, by: UserId, team: UserId, user: &UserName, role: Role) {
    let set = store.set_member(by, team, user, in_a_day(role), TeamLimits::USUAL, Timestamp::now()).await;
    assert!(matches!(set.unwrap(), SetMemberResult::Set(member) if member.offered.is_some()));
}

async fn of_owners_who_all_leave_at_once_one_stays(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap();
    let team = UserId::new();
    let new = NewTeamRow { id: team, name: "crew".parse().unwrap(), maker: ada.id };
    assert!(matches!(store.create_team(&new, MOST).await.unwrap(), CreateTeam::Created(_)));
    let mut owners = vec![ada];
    for number in 1..6 {
        let owner = store.create_user(new_user(&format!("owner-{number}"))).await.unwrap();
        invites(&*store, owners[0].id, team, &owner.name, Role::Owner).await;
        let accepted = store.accept_offer(owner.id, team, MOST, Timestamp::now()).await.unwrap();
        assert!(matches!(accepted, AcceptOffer::Accepted(_)), "{accepted:?}");
        owners.push(owner);
    }
    // Half of them leave, and half of them become less.
    let left = owners.iter().enumerate().map(async |(place, owner)| match place % 2 {
        0 => store.remove_member(owner.id, team, &owner.name).await.unwrap() == RemoveMember::Removed,
        _ => {
            let (less, now) = (in_a_day(Role::Viewer), Timestamp::now());
            let set = store.set_member(owner.id, team, &owner.name, less, MOST, now).await.unwrap();
            matches!(set, SetMemberResult::Set(_))
        }
    });
    assert_eq!(join_all(left).await.into_iter().filter(|left| *left).count(), owners.len() - 1);
    let members = store.members(team, Timestamp::now()).await.unwrap();
    assert_eq!(members.iter().filter(|member| member.role == Some(Role::Owner)).count(), 1, "{members:?}");
}

async fn at_once_nobody_owns_more_teams_than_one_may(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) = (new_user("ada"), new_user("bob"));
    let ada = store.create_user(ada).await.unwrap();
    let bob = store.create_user(bob).await.unwrap();
    let names: Vec<UserName> = (0..4).map(|number| format!("crew-{number}").parse().unwrap()).collect();
    let made = join_all(names.iter().map(async |name| {
        let new = NewTeamRow { id: UserId::new(), name: name.clone(), maker: ada.id };
        store.create_team(&new, MOST).await.unwrap()
    }));
    let made = made.await.into_iter().filter(|made| matches!(made, CreateTeam::Created(_))).count();
    assert_eq!(made, 3);
    // Ada makes room, and takes it twice at once.
    let other = NewTeamRow { id: UserId::new(), name: "other".parse().unwrap(), maker: bob.id };
    store.create_team(&other, MOST).await.unwrap();
    let teams = store.teams(ada.id).await.unwrap();
    assert_eq!(store.delete_team(ada.id, teams[0].id).await.unwrap(), DeleteTeam::Deleted);
    let again = NewTeamRow { id: UserId::new(), name: "again".parse().unwrap(), maker: ada.id };
    invites(&*store, bob.id, other.id, &ada.name, Role::Owner).await;
    let (accepted, made) = tokio::join!(
        store.accept_offer(ada.id, other.id, MOST, Timestamp::now()),
        store.create_team(&again, MOST),
    );
    let accepted = matches!(accepted.unwrap(), AcceptOffer::Accepted(_));
    assert_ne!(accepted, matches!(made.unwrap(), CreateTeam::Created(_)), "one of them, and not both");
    assert_eq!(store.teams(ada.id).await.unwrap().len(), 3);
}
