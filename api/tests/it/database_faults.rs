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

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_are_slow_keep_a_user_from_more_of_them_and_nobody_from_anything_else() {
    use sqlx::Connection as _;
    let cluster = Cluster::start();
    let url = cluster.create_database().await;
    let plane = Plane::start(Arc::new(PostgresStore::connect(&url).await.unwrap())).await;
    let (ada, bob, cid) = (plane.user("ada").await, plane.user("bob").await, plane.user("cid").await);
    for (user, name) in [(&ada, "of-ada"), (&bob, "of-bob"), (&cid, "of-cid")] {
        user.has_handler(name).await;
    }
    let mut lock = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE chart_minutes").execute(&mut lock).await.unwrap();
    let charts = |user: &Client| tokio::spawn(user.request("GET", "/api/v1/charts").send());
    let ada_waits = charts(&ada);
    waiting(&url, 1).await;

    let heavy = [
        "/api/v1/charts",
        "/api/v1/handlers/of-ada/chart",
        "/api/v1/handlers/of-ada/logs?text=a",
        "/api/v1/handlers/of-ada/logs?level=error",
        "/api/v1/handlers/of-ada/logs?text=a&follow=true",
        "/api/v1/handlers/of-ada/invocations?failed=true",
    ];
    let bob_waits = charts(&bob);
    waiting(&url, 2).await;
    let others = async {
        let refused = cid.get("/api/v1/charts").await;
        refused.error(503, "too_many_requests");
        assert_eq!(refused.header("retry-after"), Some("2"));
    };
    let own = join_all(heavy.map(|path| ada.get(path)));
    let both = async { tokio::join!(own, others) };
    let (refused, ()) = tokio::time::timeout(SOON, both).await.expect("all are refused");
    for (path, refused) in heavy.iter().zip(refused) {
        assert_eq!(refused.status, 429, "{path}: {}", refused.text());
        refused.error(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), Some("2"));
    }
    for path in ["whoami", "handlers", "handlers/of-ada/logs", "handlers/of-ada/invocations"] {
        assert_eq!(ada.get(&format!("/api/v1/{path}")).await.status, 200, "{path}");
    }
    lock.close().await.unwrap();
    for waits in [ada_waits, bob_waits] {
        assert_eq!(waits.await.unwrap().unwrap().status(), 200);
    }
    for path in heavy.iter().filter(|path| !path.ends_with("follow=true")) {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
    }
    plane.stop().await;
}

/// Until so many wait for a lock.
async fn waiting(url: &str, number: i64) {
    use sqlx::Connection as _;
    let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    let looks = tokio::sync::Mutex::new(sqlx::PgConnection::connect(url).await.unwrap());
    eventually("reads that wait", || async {
        let mut looks = looks.lock().await;
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *looks).await.unwrap();
        (found >= number).then_some(())
    })
    .await;
}
