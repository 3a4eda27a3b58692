//! Who changed what.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use wasmcloud_wire::body::AuditEntry;
use wasmcloud_wire::{Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read, write};
use super::prune::{Table, drop_old, drop_surplus};
use super::records::push_tuples;
use super::value::{Value, values};
use crate::store::{AuditDropped, AuditMore, AuditPage, AuditScope, AuditStore, NewAuditRow, StoreError};

/// How many teams somebody's view of the audit log takes in.
const TEAMS_MAX: i64 = 200;
/// How many entries one statement reads.
const ROWS_PER_STATEMENT_MAX: usize = 500;

/// Positions of entries. Entries themselves are read once it is known which: many accounts' are long.
macro_rules! select {
    ($which:literal, $order:literal) => {
        concat!(
            "SELECT position FROM audit WHERE ",
            $which,
            "position >= $1 AND position < $2 ORDER BY position ",
            $order,
            " LIMIT $3"
        )
    };
}

// Each is a text of its own, so that each finds its index; the newest first, and the oldest.
const ALL: [&str; 2] = [select!("", "DESC"), select!("", "")];
const OF_ACTOR: [&str; 2] = [select!("actor_id = $4 AND ", "DESC"), select!("actor_id = $4 AND ", "")];
const OF_ACCOUNT: [&str; 2] = [select!("account_id = $4 AND ", "DESC"), select!("account_id = $4 AND ", "")];
const TEAMS: &str = "SELECT team_id FROM members WHERE user_id = $1 ORDER BY team_id LIMIT $2";
const FIRST_SINCE: &str =
    "SELECT position FROM audit WHERE created_at >= $1 ORDER BY created_at, position LIMIT 1";
/// Entries; the columns in the order of [`entry`].
const ROWS: &str =
    "SELECT position, created_at, actor, via, action, subject, detail, peer, request_id, status
    FROM audit WHERE position IN ";
const TABLE: Table = Table {
    drop_old: "DELETE FROM audit WHERE position IN
        (SELECT position FROM audit WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
    ends: "SELECT (SELECT min(position) FROM audit), (SELECT max(position) FROM audit)",
    boundary: "SELECT position FROM audit ORDER BY position DESC LIMIT 1 OFFSET $1",
    drop_to: "DELETE FROM audit WHERE position IN
        (SELECT position FROM audit WHERE position <= $1 ORDER BY position LIMIT $2)",
    larger: 1,
};

/// Notes something as a part of something larger; with a status, it is done.
pub(super) async fn insert_in<B: Backend>(
    connection: &mut B::Connection,
    row: &NewAuditRow,
    status: Option<u16>,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO audit
        (actor_id, actor, via, action, subject, account_id, detail, peer, request_id, status)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING position";
    // PostgreSQL's texts cannot hold a NUL.
    let subject = row.subject.replace('\0', "\u{fffd}");
    let values = values![
        row.actor_id.map(|id| id.0),
        row.actor.as_str(),
        row.via.as_str(),
        row.action.as_str(),
        subject.as_str(),
        row.account.map(|id| id.0),
        row.detail.as_str(),
        row.peer.as_str(),
        row.request_id,
        status.map(i64::from)
    ];
    let rows = B::rows(connection, sql, values).await?;
    rows.first().ok_or_else(|| StoreError::Corrupt("a row without a position".to_owned()))?.int(0)
}

#[async_trait]
impl<B: Backend> AuditStore for SqlStore<B> {
    async fn begin_audit(&self, row: &NewAuditRow) -> Result<i64, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let position = insert_in::<B>(&mut transaction, row, None).await?;
        transaction.commit().await?;
        Ok(position)
    }

    async fn finish_audit(&self, position: i64, status: u16, more: &AuditMore) -> Result<(), StoreError> {
        let sql = "UPDATE audit SET status = $2, actor_id = coalesce($3, actor_id), actor = coalesce($4, actor),
            account_id = coalesce($3, account_id), subject = coalesce($4, subject), detail = coalesce($5, detail)
            WHERE position = $1";
        let (id, name) = more.user.as_ref().map(|(id, name)| (id.0, name.as_str())).unzip();
        let values = values![position, i64::from(status), id, name, more.detail.as_deref()];
        write(&self.write, sql, values).await.map(|_| ())
    }

    async fn audit_page(&self, scope: AuditScope, page: AuditPage) -> Result<Vec<AuditEntry>, StoreError> {
        let positions = match scope {
            AuditScope::All => positions(self, ALL, None, page).await?,
            AuditScope::Of(user) => positions_of(self, user, page).await?,
        };
        let mut entries = Vec::with_capacity(positions.len());
        for chunk in positions.chunks(ROWS_PER_STATEMENT_MAX) {
            let values: Vec<Value<'_>> = chunk.iter().copied().map(Value::from).collect();
            let mut sql = ROWS.to_owned();
            push_tuples(&mut sql, 1, values.len());
            let mut connection = self.read.acquire().await?;
            for row in B::rows(&mut connection, AssertSqlSafe(sql), &values).await? {
                entries.push(entry(&row)?);
            }
        }
        sort(&mut entries, page.newest_first, |entry| entry.position);
        Ok(entries)
    }

    async fn audit_position(&self, at: Timestamp) -> Result<Option<i64>, StoreError> {
        read(&self.read, FIRST_SINCE, values![at]).await?.first().map(|row| row.int(0)).transpose()
    }

    async fn prune_audit(&self, before: Timestamp, rows_max: u64) -> Result<AuditDropped, StoreError> {
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        Ok(AuditDropped {
            old: drop_old(&self.write, &TABLE, before).await?,
            too_many: drop_surplus(&self.write, &TABLE, rows_max).await?,
        })
    }
}

fn sort<T>(rows: &mut [T], newest_first: bool, position: impl Fn(&T) -> i64) {
    rows.sort_unstable_by_key(|row| if newest_first { -position(row) } else { position(row) });
}

/// Positions of a page, along one index.
async fn positions<B: Backend>(
    store: &SqlStore<B>,
    [newest_first, oldest_first]: [&'static str; 2],
    of: Option<Uuid>,
    page: AuditPage,
) -> Result<Vec<i64>, StoreError> {
    let sql = if page.newest_first { newest_first } else { oldest_first };
    let (from, before, limit) = (page.from, page.before, i64::from(page.limit));
    let rows = match of {
        None => read(&store.read, sql, values![from, before, limit]).await?,
        Some(of) => read(&store.read, sql, values![from, before, limit, of]).await?,
    };
    rows.iter().map(|row| row.int(0)).collect()
}

/// Positions of a page of what concerns a user. No more than two pages of them are in memory, and what is beyond
/// those that are found is not looked for.
async fn positions_of<B: Backend>(
    store: &SqlStore<B>,
    user: UserId,
    mut page: AuditPage,
) -> Result<Vec<i64>, StoreError> {
    let mut found = positions(store, OF_ACTOR, Some(user.0), page).await?;
    for account in accounts(store, user).await? {
        if found.len() >= page.limit as usize {
            match found.last() {
                Some(last) if page.newest_first => page.from = *last,
                Some(last) => page.before = last.saturating_add(1),
                None => break,
            }
        }
        found.extend(positions(store, OF_ACCOUNT, Some(account), page).await?);
        sort(&mut found, page.newest_first, |position| *position);
        found.dedup();
        found.truncate(page.limit as usize);
    }
    Ok(found)
}

/// The user's own account, and those of the user's teams.
async fn accounts<B: Backend>(store: &SqlStore<B>, user: UserId) -> Result<Vec<Uuid>, StoreError> {
    let mut accounts = vec![user.0];
    for row in read(&store.read, TEAMS, values![user, TEAMS_MAX]).await? {
        accounts.push(row.uuid(0)?);
    }
    Ok(accounts)
}

fn entry(row: &impl Columns) -> Result<AuditEntry, StoreError> {
    let detail = row.text(6)?;
    let corrupt = |error| StoreError::Corrupt(format!("an audit entry's detail: {error}"));
    let status = row.maybe_int(9)?.map(u16::try_from).transpose();
    Ok(AuditEntry {
        position: row.int(0)?,
        at: Timestamp(row.int(1)?),
        actor: row.text(2)?,
        via: row.text(3)?,
        action: row.text(4)?,
        subject: row.text(5)?,
        detail: serde_json::from_str(&detail).map_err(corrupt)?,
        peer: row.text(7)?,
        request_id: row.uuid(8)?,
        status: status.map_err(|error| StoreError::Corrupt(format!("an audit entry's status: {error}")))?,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_of_the_audit_log_goes_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        let both = |[one, other]: [&'static str; 2], way| [(one, way), (other, way)];
        let mut ways = Vec::new();
        ways.extend(both(ALL, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"));
        ways.extend(both(OF_ACTOR, "audit_by_actor (actor_id=? AND position>? AND position<?)"));
        ways.extend(both(OF_ACCOUNT, "audit_by_account (account_id=? AND position>? AND position<?)"));
        ways.extend([
            (TEAMS, "members_by_user (user_id=?)"),
            (FIRST_SINCE, "audit_by_age (created_at>?)"),
            (TABLE.drop_old, "audit_by_age (created_at<?)"),
            (TABLE.drop_to, "INTEGER PRIMARY KEY (rowid<?)"),
            (
                "SELECT position, detail FROM audit WHERE position IN ($1, $2)",
                "INTEGER PRIMARY KEY (rowid=?)",
            ),
        ]);
        for (sql, way) in ways {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            assert!(steps.iter().any(|step| step.ends_with(way)), "{sql}: {steps:?}");
            assert!(steps.iter().all(|step| !step.starts_with("SCAN ")), "{sql}: {steps:?}");
        }
    }
}
