//! Teams, their members, and handlers that change hands.

use wasmcloud_api::store::{
    AddHost, AddRoute, CreateTeam, DeleteTeam, NewHostRow, NewRouteRow, NewTeamRow, RemoveMember,
    RouteLimits, SetMemberResult, Store, StoreError, TeamLimits, TransferHandler,
};
use wasmcloud_wire::body::Role;
use wasmcloud_wire::{HandlerName, HostName, Timestamp, UserId, UserName};

use super::{People, created, new_handler, new_user};

const MOST: TeamLimits = TeamLimits { teams_max: 2, members_max: 3 };

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

async fn made(store: &dyn Store, text: &str, maker: UserId) -> UserId {
    let id = UserId::new();
    match store.create_team(&NewTeamRow { id, name: name(text), maker }, MOST.teams_max).await.unwrap() {
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
        assert_eq!(store.create_team(&new, MOST.teams_max).await.unwrap(), CreateTeam::NameTaken);
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

    let set = async |by, user: &str, role| store.set_member(by, crew, &name(user), role, MOST).await.unwrap();
    assert_eq!(set(bob, "bob", Role::Owner).await, SetMemberResult::NotOwner);
    assert_eq!(set(ada, "nobody", Role::Viewer).await, SetMemberResult::NoSuchUser);
    assert_eq!(set(ada, "crew", Role::Viewer).await, SetMemberResult::NoSuchUser);
    assert_eq!(set(ada, "ada", Role::Viewer).await, SetMemberResult::LastOwner);
    assert!(
        matches!(set(ada, "bob", Role::Viewer).await, SetMemberResult::Set(member) if member.role == Role::Viewer)
    );
    assert!(
        matches!(set(ada, "bob", Role::Owner).await, SetMemberResult::Set(member) if member.role == Role::Owner)
    );
    store.create_user(new_user("max")).await.unwrap();
    store.create_user(new_user("mia")).await.unwrap();
    assert!(matches!(set(bob, "max", Role::Deployer).await, SetMemberResult::Set(_)));
    assert_eq!(set(bob, "mia", Role::Viewer).await, SetMemberResult::TooManyMembers);
    let members = store.members(crew).await.unwrap();
    let members: Vec<_> = members.iter().map(|member| (member.user.as_str(), member.role)).collect();
    assert_eq!(members, [("ada", Role::Owner), ("bob", Role::Owner), ("max", Role::Deployer)]);

    // So many teams are one's own, by whichever way.
    let squad = made(store, "squad", ada).await;
    let third = NewTeamRow { id: UserId::new(), name: name("third"), maker: ada };
    assert_eq!(store.create_team(&third, MOST.teams_max).await.unwrap(), CreateTeam::TooMany);
    let third = made(store, "third", bob).await;
    let asked = store.set_member(bob, third, &name("ada"), Role::Owner, MOST).await.unwrap();
    assert_eq!(asked, SetMemberResult::TooManyTeams);
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

pub async fn own_handlers(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let crew = made(store, "crew", ada).await;
    store.set_member(ada, crew, &name("bob"), Role::Viewer, MOST).await.unwrap();
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
