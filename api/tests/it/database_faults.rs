//! What the API does while its PostgreSQL is gone, or frozen, and after it is back.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use wasmcloud_api::store::{PostgresStore, Store as _, StoreError};
use wasmcloud_testkit::Cluster;
use wasmcloud_wire::Change;

use crate::app::Client;
use crate::eventually::eventually;
use crate::feed::{follow, next, of};
use crate::plane::Plane;
use crate::store_story::{NOW, created, new_handler, new_user};

/// Far above what is promised, far below what TCP would wait.
const SOON: Duration = Duration::from_secs(10);
/// How many ask at once: more than there are connections.
const CROWD: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_a_503_until_it_is_back() {
    it_is_a_503_until_it_is_back(Cluster::stop_now, Cluster::start_again, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_frozen_is_a_503_until_it_goes_on() {
    it_is_a_503_until_it_is_back(Cluster::freeze, Cluster::thaw, false).await;
}

/// `lost`: connections were lost, so that something may have been missed.
async fn it_is_a_503_until_it_is_back(away: fn(&Cluster), back: fn(&Cluster), lost: bool) {
    let cluster = Cluster::start();
    let url = cluster.create_database().await;
    let plane = Plane::start(Arc::new(PostgresStore::connect(&url).await.unwrap())).await;
    let ada = plane.user("ada").await;
    let mut changes = follow(&plane).await;
    ada.has_handler("before").await;
    assert_eq!(next(&mut changes).await, of("before"));
    assert_eq!(ada.get("/readyz").await.status, 200);
    // Connections are there, and idle.
    join_all((0..CROWD).map(|_| ada.whoami())).await;

    away(&cluster);
    // Twice, so that what the first ones held on to is not there for the second.
    for _ in 0..2 {
        let asked = (0..CROWD).map(|number| {
            let path = ["/api/v1/whoami", "/readyz", "/api/v1/handlers"][number % 3];
            status_soon(&ada, path)
        });
        assert_eq!(join_all(asked).await, [503; CROWD]);
    }
    assert_eq!(status_soon(&ada, "/healthz").await, 200, "the process itself is well");

    back(&cluster);
    eventually("an API that is ready again", || async {
        (status_soon(&ada, "/readyz").await == 200).then_some(())
    })
    .await;
    if lost {
        assert_eq!(next(&mut changes).await, Change::Resync, "something may have been missed");
    }
    ada.has_handler("after").await;
    let told = next(&mut changes).await;
    assert!(told == of("after") || !lost && told == Change::Resync, "{told:?}");
    // And changes of other processes are seen again.
    let other = PostgresStore::connect(&url).await.unwrap();
    let bob = other.create_user(new_user("bob")).await.unwrap().id;
    created(other.create_handler(new_handler(bob, "of-bob"), NOW).await.unwrap());
    while next(&mut changes).await != of("of-bob") {}
    plane.stop().await;
}

async fn status_soon(client: &Client, path: &str) -> u16 {
    let request = client.request("GET", path).timeout(SOON).send().await;
    request.unwrap_or_else(|error| panic!("{path}: {error}")).status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_hangs_is_given_up_and_so_is_its_connection() {
    let cluster = Cluster::start();
    let url = cluster.create_database().await;
    let store = Arc::new(PostgresStore::connect(&url).await.unwrap());
    let waiting = {
        use sqlx::Connection as _;
        let mut lock = sqlx::PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE users").execute(&mut lock).await.unwrap();
        let asked = (0..CROWD).map(|_| async { store.count_users().await });
        let waiting = join_all(asked).await;
        lock.close().await.unwrap();
        waiting
    };
    for answer in waiting {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    eventually("a store that works again", || async { store.count_users().await.ok() }).await;
}
