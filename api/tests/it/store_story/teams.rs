//! Teams, their members, and handlers that change hands.

use uuid::Uuid;
use wasmcloud_api::store::{
    AcceptOffer, AddHost, AddRoute, CreateTeam, DeleteTeam, NewHostRow, NewPlanRequestRow, NewRouteRow,
    NewTeamRow, RemoveMember, RouteLimits, SetMemberResult, Store, StoreError, TeamLimits, TransferHandler,
};
use wasmcloud_wire::body::{Offer, Role};
use wasmcloud_wire::{HandlerName, HostName, Timestamp, UserId, UserName};

use super::{People, created, new_handler, new_user};

const MOST: TeamLimits = TeamLimits { teams_max: 2, memberships_max: 3, members_max: 3, offers_max: 2 };
/// When everything here is offered, and until when that is.
const NOW: Timestamp = Timestamp(1_000);
const OVER: Timestamp = Timestamp(2_000);

async fn sets(store: &dyn Store, by: UserId, team: UserId, user: &str, role: Role) -> SetMemberResult {
    let offer = Offer { role, expires_at: OVER };
    store.set_member(by, team, &name(user), offer, MOST, NOW).await.unwrap()
}

/// Whoever is to join, or to own, is asked and says yes.
async fn joins(store: &dyn Store, by: UserId, team: UserId, user: &str, role: Role) {
    let set = sets(store, by, team, user, role).await;
    let SetMemberResult::Set(member) = set else { panic!("{set:?}") };
    assert_eq!(member.offered, Some(Offer { role, expires_at: OVER }));
    let id = store.account_by_name(&name(user)).await.unwrap().unwrap().id;
    let accepted = store.accept_offer(id, team, MOST, NOW).await.unwrap();
    assert!(matches!(&accepted, AcceptOffer::Accepted(row) if row.role == role), "{accepted:?}");
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

async fn made(store: &dyn Store, text: &str, maker: UserId) -> UserId {
    let id = UserId::new();
    match store.create_team(&NewTeamRow { id, name: name(text), maker }, MOST).await.unwrap() {
        CreateTeam::Created(row) => {
            assert_eq!((row.id, row.name.as_str(), row.role, row.members), (id, text, Role::Owner, 1));
            id
        }
        other => panic!("not made: {other:?}"),
    }
}

pub async fn have_members(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let users = store.count_users().await.unwrap();
    let crew = made(store, "crew", ada).await;
    for taken in ["crew", "bob"] {
        let new = NewTeamRow { id: UserId::new(), name: name(taken), maker: ada };
        assert_eq!(store.create_team(&new, MOST).await.unwrap(), CreateTeam::NameTaken);
    }
    // A team is an account and no user.
    let taken = store.create_user(new_user("crew")).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(store.user_by_name(&name("crew")).await.unwrap(), None);
    let account = store.account_by_name(&name("crew")).await.unwrap().unwrap();
    assert_eq!((account.id, account.is_team), (crew, true));
    assert!(!store.account_by_name(&name("ada")).await.unwrap().unwrap().is_team);
    assert_eq!(store.account_by_name(&name("nobody")).await.unwrap(), None);
    assert!(store.count_users().await.unwrap() >= users);

    let set = async |by, user: &str, role| sets(store, by, crew, user, role).await;
    assert_eq!(set(bob, "bob", Role::Owner).await, SetMemberResult::NotOwner);
    assert_eq!(set(ada, "nobody", Role::Viewer).await, SetMemberResult::NoSuchUser);
    assert_eq!(set(ada, "crew", Role::Viewer).await, SetMemberResult::NoSuchUser);
    assert_eq!(set(ada, "ada", Role::Viewer).await, SetMemberResult::LastOwner);
    joins(store, ada, crew, "bob", Role::Viewer).await;
    let raised = set(ada, "bob", Role::Deployer).await;
    assert!(
        matches!(&raised, SetMemberResult::Set(member) if member.role == Some(Role::Deployer)),
        "{raised:?}"
    );
    joins(store, ada, crew, "bob", Role::Owner).await;
    store.create_user(new_user("max")).await.unwrap();
    store.create_user(new_user("mia")).await.unwrap();
    joins(store, bob, crew, "max", Role::Deployer).await;
    assert_eq!(set(bob, "mia", Role::Viewer).await, SetMemberResult::TooManyMembers);
    let members = store.members(crew, NOW).await.unwrap();
    let members: Vec<_> = members.iter().map(|member| (member.user.as_str(), member.role)).collect();
    let [owner, deployer] = [Some(Role::Owner), Some(Role::Deployer)];
    assert_eq!(members, [("ada", owner), ("bob", owner), ("max", deployer)]);

    // So many teams are one's own, by whichever way.
    let squad = made(store, "squad", ada).await;
    let third = NewTeamRow { id: UserId::new(), name: name("third"), maker: ada };
    assert_eq!(store.create_team(&third, MOST).await.unwrap(), CreateTeam::TooMany);
    let third = made(store, "third", bob).await;
    let asked = sets(store, bob, third, "ada", Role::Owner).await;
    assert!(matches!(asked, SetMemberResult::Set(_)), "{asked:?}");
    assert_eq!(store.accept_offer(ada, third, MOST, NOW).await.unwrap(), AcceptOffer::TooManyTeams);
    assert!(store.decline_offer(ada, third).await.unwrap());
    assert!(!store.decline_offer(ada, third).await.unwrap());
    let teams = store.teams(ada).await.unwrap();
    assert_eq!(teams.iter().map(|team| team.name.as_str()).collect::<Vec<_>>(), ["crew", "squad"]);
    assert_eq!(store.team(ada, &name("crew")).await.unwrap().map(|team| team.members), Some(3));
    assert_eq!(store.team(ada, &name("third")).await.unwrap(), None);
    // A user is no team, to nobody.
    assert_eq!(store.team(ada, &name("ada")).await.unwrap(), None);

    let remove = async |by, user: &str| store.remove_member(by, crew, &name(user)).await.unwrap();
    assert_eq!(remove(ada, "mia").await, RemoveMember::NotFound);
    assert_eq!(remove(ada, "bob").await, RemoveMember::Removed);
    assert_eq!(remove(bob, "max").await, RemoveMember::NotOwner);
    assert_eq!(remove(ada, "ada").await, RemoveMember::LastOwner);
    let max = store.account_by_name(&name("max")).await.unwrap().unwrap().id;
    assert_eq!(remove(max, "max").await, RemoveMember::Removed, "whoever likes may leave");

    assert_eq!(store.delete_team(bob, crew).await.unwrap(), DeleteTeam::NotOwner);
    for (by, team) in [(ada, crew), (ada, squad), (bob, third)] {
        assert_eq!(store.delete_team(by, team).await.unwrap(), DeleteTeam::Deleted);
    }
    assert!(store.teams(ada).await.unwrap().is_empty());
    assert_eq!(store.account_by_name(&name("crew")).await.unwrap(), None);
}

pub async fn offer_roles(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let crew = made(store, "crew", ada).await;
    let ship: HandlerName = "ship-to-be".parse().unwrap();
    created(store.create_handler(new_handler(crew, "ship-to-be"), Timestamp::now()).await.unwrap());
    assert!(matches!(sets(store, ada, crew, "bob", Role::Owner).await, SetMemberResult::Set(_)));
    let offers = store.offers(bob, NOW, 10).await.unwrap();
    assert_eq!(
        offers.iter().map(|row| (row.team, row.offer.role)).collect::<Vec<_>>(),
        [(crew, Role::Owner)]
    );
    assert_eq!(store.offer(bob, &name("crew"), NOW).await.unwrap().as_ref(), offers.first());
    assert!(store.offers(bob, NOW, 0).await.unwrap().is_empty());
    // Nothing of the team is bob's yet, and no owner is who has not accepted it.
    assert!(store.teams(bob).await.unwrap().is_empty());
    assert_eq!(store.team(bob, &name("crew")).await.unwrap(), None);
    assert_eq!(store.find_handler(bob, &ship).await.unwrap(), None);
    assert!(store.visible_handlers(bob).await.unwrap().iter().all(|row| row.name != ship));
    assert_eq!(store.delete_team(bob, crew).await.unwrap(), DeleteTeam::NotOwner);
    assert_eq!(store.remove_member(ada, crew, &name("ada")).await.unwrap(), RemoveMember::LastOwner);
    assert_eq!(sets(store, bob, crew, "mia", Role::Viewer).await, SetMemberResult::NotOwner);
    assert_eq!(store.team(ada, &name("crew")).await.unwrap().map(|team| team.members), Some(1));

    // So many are open at a time, and they end.
    assert!(matches!(sets(store, ada, crew, "max", Role::Viewer).await, SetMemberResult::Set(_)));
    assert_eq!(sets(store, ada, crew, "mia", Role::Viewer).await, SetMemberResult::TooManyOffers);
    assert_eq!(store.members(crew, NOW).await.unwrap().len(), 3);
    assert_eq!(store.members(crew, OVER).await.unwrap().len(), 1);
    assert_eq!(store.accept_offer(bob, crew, MOST, OVER).await.unwrap(), AcceptOffer::NotOffered);
    assert!(store.offers(bob, OVER, 10).await.unwrap().is_empty());
    assert_eq!(store.offer(bob, &name("crew"), OVER).await.unwrap(), None);
    let later = Offer { role: Role::Viewer, expires_at: Timestamp(3_000) };
    let again = store.set_member(ada, crew, &name("mia"), later, MOST, OVER).await.unwrap();
    assert!(matches!(again, SetMemberResult::Set(_)), "those that are over are forgotten: {again:?}");
    assert_eq!(store.offer(bob, &name("crew"), NOW).await.unwrap(), None);

    assert!(store.delete_handler(crew, &ship, Timestamp::now()).await.unwrap());
    assert_eq!(store.delete_team(ada, crew).await.unwrap(), DeleteTeam::Deleted);
    // What was meant for it comes too late, and nobody is at fault.
    let late = store.create_handler(new_handler(crew, "ship-too-late"), Timestamp::now()).await;
    assert!(matches!(late, Err(StoreError::AccountGone)), "{late:?}");
    created(store.create_handler(new_handler(ada, "ship-too-late"), Timestamp::now()).await.unwrap());
    let late = store.transfer_handler(ada, &"ship-too-late".parse().unwrap(), crew).await;
    assert!(matches!(late, Err(StoreError::AccountGone)), "{late:?}");
    let host =
        NewHostRow { name: "late.example.com".parse().unwrap(), owner: crew, challenge: "c".to_owned() };
    let late = store.add_host(&host, 1).await;
    assert!(matches!(late, Err(StoreError::AccountGone)), "{late:?}");
    let (id, plan, reason) = (Uuid::now_v7(), "unlimited".to_owned(), "x".to_owned());
    let late = store.ask_plan(NewPlanRequestRow { id, account: crew, asked_by: ada, plan, reason }).await;
    assert!(matches!(late, Err(StoreError::AccountGone)), "{late:?}");
    assert!(store.delete_handler(ada, &"ship-too-late".parse().unwrap(), Timestamp::now()).await.unwrap());
}

pub async fn own_handlers(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let crew = made(store, "crew", ada).await;
    joins(store, ada, crew, "bob", Role::Viewer).await;
    let ship: HandlerName = "ship-of-crew".parse().unwrap();
    let now = Timestamp::now();
    created(store.create_handler(new_handler(crew, "ship-of-crew"), now).await.unwrap());

    let found = async |user| store.find_handler(user, &ship).await.unwrap();
    assert_eq!(found(ada).await.map(|found| (found.owner, found.role)), Some((crew, Role::Owner)));
    assert_eq!(found(bob).await.map(|found| (found.owner, found.role)), Some((crew, Role::Viewer)));
    let max = store.account_by_name(&name("max")).await.unwrap().unwrap().id;
    assert_eq!(found(max).await, None);
    let seen = |rows: Vec<wasmcloud_api::store::HandlerRow>| rows.into_iter().any(|row| row.name == ship);
    assert!(seen(store.visible_handlers(bob).await.unwrap()));
    assert!(!seen(store.visible_handlers(max).await.unwrap()));
    assert!(!seen(store.handlers(ada).await.unwrap()), "it is the team's");

    // A handler that routes lead to stays; so does a team that has anything.
    let host: HostName = "ship.example.com".parse().unwrap();
    let new = NewHostRow { name: host.clone(), owner: crew, challenge: "c".to_owned() };
    assert!(matches!(store.add_host(&new, 1).await.unwrap(), AddHost::Added(_)));
    let route = NewRouteRow { host: new, path: "/".to_owned(), handler: ship.clone(), strip_prefix: false };
    let limits = RouteLimits { hosts_max: 1, routes_max: 1 };
    assert!(matches!(store.add_route(&route, limits).await.unwrap(), AddRoute::Added(..)));
    assert_eq!(store.delete_team(ada, crew).await.unwrap(), DeleteTeam::HasHandlers(1));
    let give = async |from, to| store.transfer_handler(from, &ship, to).await.unwrap();
    assert!(matches!(give(crew, ada).await, TransferHandler::HasRoutes(1)));
    assert_eq!(found(ada).await.map(|found| found.owner), Some(crew), "nothing changed");
    assert!(store.remove_route(crew, &host, "/").await.unwrap());
    assert!(matches!(give(ada, crew).await, TransferHandler::NotFound));
    let before = store.last_change().await.unwrap();
    assert!(matches!(give(crew, ada).await, TransferHandler::Transferred(row) if row.owner == ada));
    assert!(store.last_change().await.unwrap() > before, "executors are told");
    assert_eq!(found(bob).await, None);
    assert_eq!(store.delete_team(ada, crew).await.unwrap(), DeleteTeam::HasHosts(1));
    store.remove_host(crew, &host).await.unwrap();

    // What the team has deleted is held for whoever deletes the team.
    assert!(matches!(give(ada, crew).await, TransferHandler::Transferred(_)));
    assert!(store.delete_handler(crew, &ship, now).await.unwrap());
    assert_eq!(store.delete_team(ada, crew).await.unwrap(), DeleteTeam::Deleted);
    let again = store.create_handler(new_handler(bob, "ship-of-crew"), now).await.unwrap();
    assert!(matches!(again, wasmcloud_api::store::CreateHandler::NameHeld(_)), "{again:?}");
    created(store.create_handler(new_handler(ada, "ship-of-crew"), now).await.unwrap());
    assert!(store.delete_handler(ada, &ship, now).await.unwrap());
}
