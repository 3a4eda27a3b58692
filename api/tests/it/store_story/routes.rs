//! Hosts and routes: whoever wants a host, whoever has it, and what is served there.

use wasmcloud_api::store::{
    AddHost, AddRoute, HostRow, NewHostRow, NewRouteRow, ProveHost, RemoveHost, RouteLimits, RouteRow, Store,
    StoreError,
};
use wasmcloud_wire::{HostName, Timestamp, UserId};

use super::{NOW, People, created, later, new_handler};

const MOST: RouteLimits = RouteLimits { hosts_max: 3, routes_max: 2 };

fn host(text: &str) -> HostName {
    text.parse().unwrap()
}

fn new_host(owner: UserId, name: &str, challenge: &str) -> NewHostRow {
    NewHostRow { name: host(name), owner, challenge: challenge.to_owned() }
}

fn new_route(owner: UserId, name: &str, path: &str, handler: &str) -> NewRouteRow {
    NewRouteRow {
        host: new_host(owner, name, "by a route"),
        path: path.to_owned(),
        handler: handler.parse().unwrap(),
        strip_prefix: path == "/v1",
    }
}

#[track_caller]
fn added(result: AddRoute) -> (RouteRow, HostRow) {
    match result {
        AddRoute::Added(route, host) => (*route, *host),
        other => panic!("not added: {other:?}"),
    }
}

#[track_caller]
fn proven(result: ProveHost) -> HostRow {
    match result {
        ProveHost::Proven(row) => *row,
        other => panic!("not proven: {other:?}"),
    }
}

/// Proves a host by what its record has to say now.
async fn prove(
    store: &dyn Store,
    owner: UserId,
    name: &str,
    next: &str,
    now: Timestamp,
) -> Result<ProveHost, StoreError> {
    let row = store.host(owner, &host(name)).await.unwrap();
    let challenge = row.map_or(String::new(), |row| row.challenge);
    store.prove_host(owner, &host(name), &challenge, next, now).await
}

async fn served(store: &dyn Store, name: &str) -> Vec<(String, String, bool)> {
    let routes = store.host_routes(&host(name)).await.unwrap();
    routes.into_iter().map(|route| (route.path, route.handler.to_string(), route.strip_prefix)).collect()
}

pub async fn lead_to_handlers(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    created(store.create_handler(new_handler(ada, "ada-of-hosts"), NOW).await.unwrap());
    created(store.create_handler(new_handler(ada, "ada-in-depth"), NOW).await.unwrap());
    created(store.create_handler(new_handler(bob, "bob-of-hosts"), NOW).await.unwrap());
    are_added(store, ada, bob).await;
    are_served_once_proven(store, ada, bob).await;
    a_newer_proof_takes_the_host(store, ada, bob).await;
    a_grant_is_not_taken_by_a_proof(store, people).await;
    are_checked_again(store, ada, bob).await;
    go_with_their_handler(store, ada, bob).await;
}

async fn are_added(store: &dyn Store, ada: UserId, bob: UserId) {
    let first = store.add_host(&new_host(ada, "a.example", "one"), 3).await.unwrap();
    assert!(matches!(&first, AddHost::Added(row) if row.challenge == "one" && row.proven_at.is_none()));
    let again = store.add_host(&new_host(ada, "a.example", "two"), 3).await.unwrap();
    assert!(matches!(&again, AddHost::Known(row) if row.challenge == "one"), "{again:?}");
    let others = store.add_host(&new_host(bob, "a.example", "three"), 3).await.unwrap();
    assert!(matches!(&others, AddHost::Added(row) if row.challenge == "three"), "{others:?}");

    // A route brings its host with it, and stands in nobody else's way.
    let deep = new_route(ada, "b.example", "/v1/deep", "ada-in-depth");
    let (route, row) = added(store.add_route(&deep, MOST).await.unwrap());
    assert_eq!((route.path.as_str(), route.strip_prefix, route.served), ("/v1/deep", false, false));
    assert_eq!((row.challenge.as_str(), row.routes), ("by a route", 1));
    added(store.add_route(&new_route(ada, "b.example", "/v1", "ada-of-hosts"), MOST).await.unwrap());
    added(store.add_route(&new_route(bob, "b.example", "/v1", "bob-of-hosts"), MOST).await.unwrap());

    let taken = store.add_route(&new_route(ada, "b.example", "/v1", "ada-in-depth"), MOST).await.unwrap();
    assert!(matches!(&taken, AddRoute::Taken(row) if row.handler.as_str() == "ada-of-hosts"), "{taken:?}");
    let third = store.add_route(&new_route(ada, "b.example", "/v2", "ada-of-hosts"), MOST).await.unwrap();
    assert!(matches!(third, AddRoute::TooManyRoutes), "{third:?}");
    for handler in ["bob-of-hosts", "nobody"] {
        let anothers = store.add_route(&new_route(ada, "c.example", "/", handler), MOST).await.unwrap();
        assert!(matches!(anothers, AddRoute::HandlerNotFound), "{anothers:?}");
    }
    assert!(store.host(ada, &host("c.example")).await.unwrap().is_none(), "nothing is half done");
    added(store.add_route(&new_route(ada, "c.example", "/", "ada-of-hosts"), MOST).await.unwrap());
    let fourth = store.add_host(&new_host(ada, "d.example", "x"), 3).await.unwrap();
    assert!(matches!(fourth, AddHost::TooMany), "{fourth:?}");
    let fourth = store.add_route(&new_route(ada, "d.example", "/", "ada-of-hosts"), MOST).await.unwrap();
    assert!(matches!(fourth, AddRoute::TooManyHosts), "{fourth:?}");

    let names = |rows: Vec<HostRow>| rows.into_iter().map(|row| row.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(store.hosts(ada).await.unwrap()), ["a.example", "b.example", "c.example"]);
    assert_eq!(names(store.hosts(bob).await.unwrap()), ["a.example", "b.example"]);
    let paths = async |owner, name: Option<&HostName>| {
        let rows = store.routes(owner, name).await.unwrap();
        rows.into_iter().map(|row| format!("{}{}", row.host, row.path)).collect::<Vec<_>>()
    };
    assert_eq!(paths(ada, None).await, ["b.example/v1", "b.example/v1/deep", "c.example/"]);
    assert_eq!(paths(ada, Some(&host("c.example"))).await, ["c.example/"]);
    assert_eq!(paths(bob, None).await, ["b.example/v1"]);
}

async fn are_served_once_proven(store: &dyn Store, ada: UserId, bob: UserId) {
    assert_eq!(served(store, "b.example").await, []);
    let row = proven(prove(store, ada, "b.example", "unused", NOW).await.unwrap());
    assert_eq!((row.proven_at, row.granted, row.problem), (Some(NOW), false, None));
    assert_eq!(
        served(store, "b.example").await,
        [
            ("/v1/deep".to_owned(), "ada-in-depth".to_owned(), false),
            ("/v1".to_owned(), "ada-of-hosts".to_owned(), true)
        ]
    );
    let again = proven(prove(store, ada, "b.example", "unused", later(5)).await.unwrap());
    assert_eq!((again.proven_at, again.challenge.as_str()), (Some(NOW), "by a route"));
    let nobody = prove(store, ada, "d.example", "unused", NOW).await.unwrap();
    assert!(matches!(nobody, ProveHost::NotFound), "{nobody:?}");

    // Whoever else wanted it may still ask for the host, but route nothing there.
    let route = store.add_route(&new_route(bob, "b.example", "/", "bob-of-hosts"), MOST).await.unwrap();
    assert!(matches!(route, AddRoute::HostTaken { granted: false }), "{route:?}");
    let known = store.add_host(&new_host(bob, "b.example", "x"), 3).await.unwrap();
    assert!(matches!(known, AddHost::Known(_)), "{known:?}");

    assert!(
        !store.remove_route(bob, &host("b.example"), "/v1/deep").await.unwrap(),
        "another's is not there"
    );
    assert!(store.remove_route(ada, &host("b.example"), "/v1/deep").await.unwrap());
    assert!(!store.remove_route(ada, &host("b.example"), "/v1/deep").await.unwrap());
    assert_eq!(store.remove_host(ada, &host("b.example")).await.unwrap(), RemoveHost::HasRoutes(1));
    assert_eq!(store.remove_host(ada, &host("d.example")).await.unwrap(), RemoveHost::NotFound);
    assert_eq!(store.remove_host(ada, &host("a.example")).await.unwrap(), RemoveHost::Removed);
    assert!(store.host(bob, &host("a.example")).await.unwrap().is_some(), "another's stays");
}

async fn a_newer_proof_takes_the_host(store: &dyn Store, ada: UserId, bob: UserId) {
    proven(prove(store, bob, "b.example", "another", later(10)).await.unwrap());
    assert_eq!(served(store, "b.example").await, [("/v1".to_owned(), "bob-of-hosts".to_owned(), true)]);
    let old = store.host(ada, &host("b.example")).await.unwrap().unwrap();
    assert_eq!((old.proven_at, old.challenge.as_str(), old.routes), (None, "another", 1));
    assert!(!store.routes(ada, Some(&host("b.example"))).await.unwrap()[0].served);
    // What was looked up by the old challenge proves nothing any more, and takes the host from nobody.
    let name = host("b.example");
    let late = store.prove_host(ada, &name, "by a route", "x", later(15)).await.unwrap();
    assert!(matches!(late, ProveHost::NotFound), "{late:?}");
    assert_eq!(served(store, "b.example").await.len(), 1);
    // Two at once: one has it in the end.
    let (one, other) = tokio::join!(
        store.prove_host(ada, &name, "another", "x", later(20)),
        store.prove_host(bob, &name, "by a route", "y", later(20))
    );
    // Whoever comes second finds that the challenge is another one by then, or that there is a conflict.
    for result in [one, other] {
        let known =
            matches!(result, Ok(ProveHost::Proven(_) | ProveHost::NotFound) | Err(StoreError::Conflict));
        assert!(known, "{result:?}");
    }
    let both = [store.host(ada, &name).await, store.host(bob, &name).await];
    let holders = both.into_iter().filter(|row| row.as_ref().unwrap().as_ref().unwrap().proven_at.is_some());
    assert_eq!(holders.count(), 1);
    proven(prove(store, bob, "b.example", "z", later(30)).await.unwrap());
}

async fn a_grant_is_not_taken_by_a_proof(store: &dyn Store, people: &People) {
    let (ada, bob, name) = (people.ada.id, people.bob.id, host("b.example"));
    let grant = async |owner, challenge: &str| {
        store.grant_host(&new_host(owner, "b.example", challenge), ada, later(40)).await.unwrap()
    };
    assert_eq!(grant(ada, "after the grant").await, Some(people.bob.name.clone()));
    assert_eq!(served(store, "b.example").await, [("/v1".to_owned(), "ada-of-hosts".to_owned(), true)]);
    let row = store.host(ada, &name).await.unwrap().unwrap();
    assert_eq!((row.granted, row.proven_at), (true, Some(later(40))));
    let old = store.host(bob, &name).await.unwrap().unwrap();
    assert_eq!((old.challenge.as_str(), old.proven_at), ("after the grant", None));
    assert_eq!(grant(ada, "x").await, None, "it was granted to the same user before");

    let proof = prove(store, bob, "b.example", "x", later(50)).await.unwrap();
    assert!(matches!(proof, ProveHost::GrantedToAnother), "{proof:?}");
    let route = store.add_route(&new_route(bob, "b.example", "/", "bob-of-hosts"), MOST).await.unwrap();
    assert!(matches!(route, AddRoute::HostTaken { granted: true }), "{route:?}");
    assert_eq!(store.remove_host(bob, &host("a.example")).await.unwrap(), RemoveHost::Removed);
    store.grant_host(&new_host(ada, "a.example", "x"), ada, NOW).await.unwrap();
    let add = store.add_host(&new_host(bob, "a.example", "x"), 3).await.unwrap();
    assert!(matches!(add, AddHost::GrantedToAnother), "{add:?}");

    assert_eq!(store.revoke_host(&name, "revoked").await.unwrap(), Some(people.ada.name.clone()));
    assert_eq!(store.revoke_host(&name, "revoked").await.unwrap(), None);
    assert_eq!(served(store, "b.example").await, []);
    let row = store.host(ada, &name).await.unwrap().unwrap();
    assert_eq!((row.granted, row.proven_at, row.challenge.as_str()), (false, None, "revoked"));
}

async fn are_checked_again(store: &dyn Store, ada: UserId, bob: UserId) {
    let name = host("b.example");
    proven(prove(store, bob, "b.example", "x", later(100)).await.unwrap());
    let take = async |before: Timestamp| store.take_hosts_to_check(before, later(300), 10).await.unwrap();
    assert_eq!(take(later(100)).await.len(), 0, "neither is anything granted");
    let taken = take(later(101)).await;
    assert_eq!(
        taken.iter().map(|row| (row.owner, row.name.as_str())).collect::<Vec<_>>(),
        [(bob, "b.example")]
    );
    assert_eq!(take(later(101)).await.len(), 0, "whoever took it checks it");
    store.keep_host_problem(bob, &name, Some("is not there")).await.unwrap();
    store.keep_host_problem(ada, &name, Some("is nobody's business")).await.unwrap();
    let row = store.host(bob, &name).await.unwrap().unwrap();
    assert_eq!((row.problem.as_deref(), row.checked_at), (Some("is not there"), Some(later(300))));
    assert_eq!(store.host(ada, &name).await.unwrap().unwrap().problem, None);
    assert_eq!(proven(prove(store, bob, "b.example", "x", later(400)).await.unwrap()).problem, None);
}

async fn go_with_their_handler(store: &dyn Store, ada: UserId, bob: UserId) {
    let name = "bob-of-hosts".parse().unwrap();
    assert_eq!(store.hosts_of_handler(bob, &name).await.unwrap(), [host("b.example")]);
    assert_eq!(store.hosts_of_handler(ada, &name).await.unwrap(), []);
    assert_eq!(served(store, "b.example").await.len(), 1);
    assert!(store.delete_handler(bob, &name, later(500)).await.unwrap());
    assert_eq!(served(store, "b.example").await, []);
    assert_eq!(store.routes(bob, None).await.unwrap(), []);
    assert_eq!(store.remove_host(bob, &host("b.example")).await.unwrap(), RemoveHost::Removed);
}
