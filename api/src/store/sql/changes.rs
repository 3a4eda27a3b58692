//! Changes, and listening for them.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{PgPool, Pool};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;
use wasmcloud_wire::Change;

use super::SqlStore;
use super::backend::{Backend, Columns, read, write};
use super::value::values;
use crate::store::changes::{ChangeStore, ChangeWatch, Heard};
use crate::store::{Positioned, StoreError};

/// What the migration's triggers notify. Their notifications are empty; a text is somebody's test.
const CHANNEL: &str = "wasmcloud_changes";
/// How long a notification takes at most, and a connection.
const ARRIVES_WITHIN: Duration = Duration::from_secs(2);
/// After how long a silence it is tried whether notifications still arrive.
const TRY_EVERY: Duration = Duration::from_secs(30);
/// When to connect again after the connection was lost.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// When to connect again where notifications do not arrive: a pooler mostly stays.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(60);

#[async_trait]
impl<B: Backend> ChangeStore for SqlStore<B> {
    async fn last_change(&self) -> Result<i64, StoreError> {
        let rows = read(&self.read, "SELECT max(position) FROM changes", &[]).await?;
        Ok(rows.first().map(|row| row.maybe_int(0)).transpose()?.flatten().unwrap_or_default())
    }

    async fn changes_after(&self, position: i64, limit: u32) -> Result<Vec<Positioned<Change>>, StoreError> {
        let sql = "SELECT position, kind, name FROM changes WHERE position > $1 ORDER BY position LIMIT $2";
        let rows = read(&self.read, sql, values![position, i64::from(limit)]).await?;
        rows.iter().map(change).collect()
    }

    fn watch_changes(&self) -> ChangeWatch {
        B::watch(&self.read)
    }
}

fn change(row: &impl Columns) -> Result<Positioned<Change>, StoreError> {
    let (kind, name) = (row.text(1)?, row.text(2)?);
    let change = match kind.as_str() {
        "handler" => name.parse().ok().map(|name| Change::Handler { name }),
        "host" => name.parse().ok().map(|host| Change::Host { host }),
        // A newer program's.
        _ => None,
    };
    Ok(Positioned { position: row.int(0)?, record: change.unwrap_or(Change::Resync) })
}

/// How many changes are kept, whatever their age: far more than a follower reads on from (`core/feed.rs`), so
/// none that is needed goes, whatever anybody's clock says.
const KEPT: i64 = 10_000;

/// Drops what no follower reads any more. Returns how many rows went.
pub(super) async fn sweep<B: Backend>(pool: &Pool<B>) -> Result<u64, StoreError> {
    let sql = "DELETE FROM changes WHERE position <= (SELECT max(position) FROM changes) - $1";
    write(pool, sql, values![KEPT]).await
}

/// Listens for notifications in the background, until nobody asks any more.
pub(super) fn watch(pool: &PgPool) -> ChangeWatch {
    let (sender, heard) = watch::channel(Heard::default());
    tokio::spawn(listen(pool.clone(), sender));
    ChangeWatch::of(heard)
}

/// Why listening ended.
enum Ended {
    /// The connection does not work, or not any more.
    Lost(sqlx::Error),
    /// The connection works, and what is notified does not arrive.
    Hidden,
}

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Ended {
        Ended::Lost(error)
    }
}

async fn listen(pool: PgPool, heard: watch::Sender<Heard>) {
    let mut told_hidden = false;
    loop {
        let ended = tokio::select! {
            () = heard.closed() => return,
            ended = hear(&pool, &heard) => ended,
        };
        let arrived = heard.borrow().arrives;
        // Whoever follows looks at once, since something may have been missed, and often from now on.
        heard.send_modify(|heard| *heard = Heard { count: heard.count.wrapping_add(1), arrives: false });
        let pause = match ended {
            Err(Ended::Hidden) if !arrived => {
                if !std::mem::replace(&mut told_hidden, true) {
                    tracing::warn!(
                        "the database's notifications do not arrive, as behind a pooler that pools transactions: \
                         changes are looked for twice a second instead"
                    );
                }
                LISTEN_AGAIN_AFTER
            }
            Err(Ended::Hidden) => CONNECT_AGAIN_AFTER,
            Err(Ended::Lost(error)) => {
                if arrived {
                    tracing::warn!(%error, "the connection for the database's notifications is lost");
                }
                CONNECT_AGAIN_AFTER
            }
            Ok(never) => match never {},
        };
        if timeout(pause, heard.closed()).await.is_ok() {
            return;
        }
    }
}

/// Listens on a connection of its own.
async fn hear(pool: &PgPool, heard: &watch::Sender<Heard>) -> Result<std::convert::Infallible, Ended> {
    let own = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ARRIVES_WITHIN)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(pool.connect_options().as_ref().clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.eager_reconnect(false);
    within(listener.listen(CHANNEL)).await?;
    loop {
        arrives(pool, &mut listener).await?;
        // What was notified before is not known, so this counts.
        heard.send_modify(|heard| *heard = Heard { count: heard.count.wrapping_add(1), arrives: true });
        while let Ok(notified) = timeout(TRY_EVERY, listener.try_recv()).await {
            let notification = notified?.ok_or_else(closed)?;
            if notification.payload().is_empty() {
                heard.send_modify(|heard| heard.count = heard.count.wrapping_add(1));
            }
        }
    }
}

/// Tries whether what one connection notifies arrives at another.
async fn arrives(pool: &PgPool, listener: &mut PgListener) -> Result<(), Ended> {
    let test = Uuid::now_v7().to_string();
    let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&test).execute(pool);
    within(notify).await?;
    let arrived = async {
        loop {
            let notification = listener.try_recv().await?.ok_or_else(closed)?;
            if notification.payload() == test {
                return Ok::<_, sqlx::Error>(());
            }
        }
    };
    match timeout(ARRIVES_WITHIN, arrived).await {
        Ok(arrived) => Ok(arrived?),
        Err(_) => Err(Ended::Hidden),
    }
}

async fn within<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(ARRIVES_WITHIN, statement).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))
}

fn closed() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        "the database closed the connection",
    ))
}
