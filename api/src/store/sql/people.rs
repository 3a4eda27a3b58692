//! Accounts as operators see them, passwords, suspensions, invitations.

use async_trait::async_trait;
use wasmcloud_wire::body::{InvitationInfo, Suspension, UserInfo};
use wasmcloud_wire::{HandlerName, Timestamp, UserId, UserName};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read, write};
use super::users::{suspended, user};
use super::value::{parse, values};
use crate::store::{Changed, Keep, KeepTokens, Known, PeopleStore, StoreError};

/// Everything of [`UserInfo`].
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT u.id, u.name, u.is_admin, u.created_at, u.kind,
                coalesce(u.plan, (SELECT p.name FROM plans p WHERE p.is_default)),
                (SELECT count(*) FROM handlers h WHERE h.owner_id = u.id AND h.deleted_at IS NULL),
                u.suspended_at, u.suspended_reason,
                (SELECT max(s.seen_at) FROM sessions s WHERE s.user_id = u.id),
                (SELECT max(t.used_at) FROM tokens t WHERE t.user_id = u.id)
            FROM users u WHERE ",
            $which
        )
    };
}

/// Accounts whose name has `$1` in it, after `$2`.
const PEOPLE: &str = select!("u.name LIKE '%' || $1 || '%' AND u.name > $2 ORDER BY u.name LIMIT $3");
/// One account, which is found by its name alone.
const PERSON: &str = select!("u.name = $1");

/// How many characters of an invitation's hash are its id.
const INVITATION_ID_CHARS: usize = 12;
/// The most invitations that are listed.
const INVITATIONS_MAX: i64 = 1_000;

#[async_trait]
impl<B: Backend> PeopleStore for SqlStore<B> {
    async fn people(
        &self,
        query: &str,
        after: Option<&UserName>,
        limit: u32,
    ) -> Result<Vec<UserInfo>, StoreError> {
        let after = after.map_or("", UserName::as_str);
        let rows = read(&self.read, PEOPLE, values![query, after, i64::from(limit)]).await?;
        rows.iter().map(info).collect()
    }

    async fn person(&self, name: &UserName) -> Result<Option<UserInfo>, StoreError> {
        let rows = read(&self.read, PERSON, values![name.as_str()]).await?;
        rows.first().map(info).transpose()
    }

    async fn known(&self, id: UserId) -> Result<Option<Known>, StoreError> {
        let sql = "SELECT id, name, is_admin, created_at, suspended_at, suspended_reason FROM users
            WHERE id = $1 AND kind = 'user'";
        let rows = read(&self.read, sql, values![id]).await?;
        rows.first().map(|row| Ok(Known { user: user(row)?, suspended: suspended(row, 4)? })).transpose()
    }

    async fn password_hash(&self, user: UserId) -> Result<Option<String>, StoreError> {
        let rows = read(&self.read, "SELECT password_hash FROM users WHERE id = $1", values![user]).await?;
        rows.first().map(|row| row.text(0)).transpose()
    }

    async fn set_password(
        &self,
        user: UserId,
        old: &str,
        hash: &str,
        keep: Keep,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        // The row is held from here on. Two who know the same old one do not both set another.
        let sql =
            "UPDATE users SET password_hash = $3 WHERE id = $1 AND kind = 'user' AND password_hash = $2";
        if B::execute(&mut transaction, sql, values![user, old, hash]).await? == 0 {
            return Ok(false);
        }
        set::<B>(&mut transaction, user, hash, keep, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn reset_password(
        &self,
        code_hash: &[u8; 32],
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<UserId>, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let sql = "DELETE FROM tickets WHERE secret_hash = $1 AND kind = 'reset' AND expires_at > $2
            AND user_id IS NOT NULL RETURNING user_id";
        let rows = B::rows(&mut transaction, sql, values![code_hash, now]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let user = UserId(row.uuid(0)?);
        let keep = Keep { session: None, tokens: KeepTokens::Only(None) };
        set::<B>(&mut transaction, user, hash, keep, now).await?;
        transaction.commit().await?;
        Ok(Some(user))
    }

    async fn set_admin(&self, user: UserId, is_admin: bool) -> Result<Changed, StoreError> {
        let sql = "UPDATE users SET is_admin = $2 WHERE id = $1 AND kind = 'user'";
        leaving_operator(self, user, sql, values![user, is_admin]).await
    }

    async fn suspend(&self, account: UserId, reason: &str, now: Timestamp) -> Result<Changed, StoreError> {
        let sql =
            "UPDATE users SET suspended_at = coalesce(suspended_at, $3), suspended_reason = $2 WHERE id = $1";
        leaving_operator(self, account, sql, values![account, reason, now]).await
    }

    async fn resume(&self, account: UserId) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET suspended_at = NULL, suspended_reason = NULL
            WHERE id = $1 AND suspended_at IS NOT NULL";
        Ok(write(&self.write, sql, values![account]).await? == 1)
    }

    async fn handler_names(&self, account: UserId) -> Result<Vec<HandlerName>, StoreError> {
        let sql = "SELECT name FROM handlers WHERE owner_id = $1 AND deleted_at IS NULL ORDER BY name";
        let rows = read(&self.read, sql, values![account]).await?;
        rows.iter().map(|row| parse(&row.text(0)?)).collect()
    }

    async fn invitations(&self, now: Timestamp) -> Result<Vec<InvitationInfo>, StoreError> {
        let sql = "SELECT i.code_hash, c.name, i.created_at, i.expires_at, b.name
            FROM invitations i JOIN users c ON c.id = i.created_by LEFT JOIN users b ON b.id = i.used_by
            WHERE i.expires_at > $1 ORDER BY i.created_at DESC, i.code_hash LIMIT $2";
        let rows = read(&self.read, sql, values![now, INVITATIONS_MAX]).await?;
        let invitation = |row: &B::Row| {
            Ok(InvitationInfo {
                id: invitation_id(&row.bytes(0)?),
                created_by: parse(&row.text(1)?)?,
                created_at: Timestamp(row.int(2)?),
                expires_at: Timestamp(row.int(3)?),
                used_by: row.maybe_text(4)?.as_deref().map(parse).transpose()?,
            })
        };
        rows.iter().map(invitation).collect()
    }

    async fn revoke_invitation(&self, id: &str) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let sql = "SELECT code_hash FROM invitations WHERE used_at IS NULL";
        let rows = B::rows(&mut transaction, sql, &[]).await?;
        for row in &rows {
            let hash = row.bytes(0)?;
            if invitation_id(&hash) == id {
                let sql = "DELETE FROM invitations WHERE code_hash = $1 AND used_at IS NULL";
                let gone = B::execute(&mut transaction, sql, values![hash.as_slice()]).await?;
                transaction.commit().await?;
                return Ok(gone == 1);
            }
        }
        Ok(false)
    }
}

fn invitation_id(code_hash: &[u8]) -> String {
    hex::encode(code_hash).chars().take(INVITATION_ID_CHARS).collect()
}

fn info(row: &impl Columns) -> Result<UserInfo, StoreError> {
    let (session, token) = (row.maybe_int(9)?, row.maybe_int(10)?);
    Ok(UserInfo {
        user: user(row)?,
        is_team: row.text(4)? == "team",
        plan: row.maybe_text(5)?.unwrap_or_default(),
        handlers: u64::try_from(row.int(6)?).unwrap_or_default(),
        suspension: match row.maybe_int(7)? {
            Some(since) => {
                Some(Suspension { since: Timestamp(since), reason: row.maybe_text(8)?.unwrap_or_default() })
            }
            None => None,
        },
        seen_at: session.max(token).map(Timestamp),
        owners: Vec::new(),
    })
}

/// Sets a password, and ends what the user is known by and what was begun for the user.
async fn set<B: Backend>(
    connection: &mut B::Connection,
    user: UserId,
    hash: &str,
    keep: Keep,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE users SET password_hash = $2 WHERE id = $1 AND kind = 'user'";
    B::execute(connection, sql, values![user, hash]).await?;
    let session = keep.session.unwrap_or_default();
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    B::execute(connection, sql, values![user, session]).await?;
    if let KeepTokens::Only(token) = keep.tokens {
        let sql = "UPDATE tokens SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL";
        B::execute(connection, sql, values![user, token.unwrap_or_default(), now]).await?;
    }
    B::execute(connection, "DELETE FROM tickets WHERE user_id = $1", values![user]).await?;
    B::execute(connection, "DELETE FROM logins WHERE user_id = $1", values![user]).await.map(|_| ())
}

/// Changes an account, if there is an operator afterwards who can sign in.
async fn leaving_operator<B: Backend>(
    store: &SqlStore<B>,
    account: UserId,
    sql: &'static str,
    values: &[super::value::Value<'_>],
) -> Result<Changed, StoreError> {
    let mut transaction = begin(&store.write).await?;
    // Two operators who take the other's place at once would both find the other.
    if let Some(lock) = B::LOCK_USERS {
        B::execute(&mut transaction, lock, &[]).await?;
    }
    let was = "SELECT id FROM users WHERE id = $1 AND is_admin AND suspended_at IS NULL";
    let was_operator = !B::rows(&mut transaction, was, values![account]).await?.is_empty();
    if B::execute(&mut transaction, sql, values).await? == 0 {
        return Ok(Changed::NotFound);
    }
    let left = "SELECT id FROM users WHERE is_admin AND suspended_at IS NULL AND kind = 'user' LIMIT 1";
    if was_operator && B::rows(&mut transaction, left, &[]).await?.is_empty() {
        return Ok(Changed::LastOperator);
    }
    transaction.commit().await?;
    Ok(Changed::Done)
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn one_account_is_found_along_an_index_and_not_among_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        let mut connection = store.read.acquire().await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {PERSON}"));
        let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
        let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
        let of_users: Vec<_> = steps.iter().filter(|step| step.contains(" u ")).collect();
        assert!(matches!(of_users.as_slice(), [step] if step.ends_with("(name=?)")), "{steps:?}");
    }
}
