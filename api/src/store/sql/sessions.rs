//! The panel's sessions.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::SessionInfo;
use wasmcloud_wire::{Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read, write};
use super::users::{hold, suspended, user};
use super::value::values;
use crate::store::{Grounds, LiveSession, NewSessionRow, SessionStore, StoreError};

#[async_trait]
impl<B: Backend> SessionStore for SqlStore<B> {
    async fn create_session(
        &self,
        new: &NewSessionRow,
        at_most: u32,
        grounds: &Grounds,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        if !hold::<B>(&mut transaction, new.user, grounds).await? {
            return Ok(false);
        }
        let others = "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN
            (SELECT id FROM sessions WHERE user_id = $1 ORDER BY seen_at DESC, id DESC LIMIT $2)";
        let left = i64::from(at_most.saturating_sub(1));
        B::execute(&mut transaction, others, values![new.user, left]).await?;
        let sql = "INSERT INTO sessions (id, secret_hash, user_id, user_agent, peer, seen_at, expires_at, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $6)";
        let values = values![
            new.id,
            &new.secret_hash,
            new.user,
            new.user_agent.as_str(),
            new.peer.as_str(),
            new.now,
            new.expires_at
        ];
        B::execute(&mut transaction, sql, values).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn live_session(
        &self,
        secret_hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<LiveSession>, StoreError> {
        let sql = "SELECT u.id, u.name, u.is_admin, u.created_at, u.suspended_at, u.suspended_reason, s.id, s.seen_at
            FROM sessions s JOIN users u ON u.id = s.user_id
            WHERE s.secret_hash = $1 AND s.expires_at > $2 AND s.seen_at > $3";
        let live = |row: &B::Row| {
            Ok(LiveSession {
                id: row.uuid(6)?,
                user: user(row)?,
                seen_at: Timestamp(row.int(7)?),
                suspended: suspended(row, 4)?,
            })
        };
        read(&self.read, sql, values![secret_hash, now, idle_since]).await?.first().map(live).transpose()
    }

    async fn session_is_live(
        &self,
        id: Uuid,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id
            WHERE s.id = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.suspended_at IS NULL";
        Ok(!read(&self.read, sql, values![id, now, idle_since]).await?.is_empty())
    }

    async fn see_session(&self, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2";
        write(&self.write, sql, values![id, now]).await.map(|_| ())
    }

    async fn sessions(
        &self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<SessionInfo>, StoreError> {
        let sql = "SELECT id, user_agent, peer, created_at, seen_at, expires_at FROM sessions
            WHERE user_id = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC, id DESC";
        let info = |row: &B::Row| {
            Ok(SessionInfo {
                id: row.uuid(0)?,
                user_agent: row.text(1)?,
                peer: row.text(2)?,
                created_at: Timestamp(row.int(3)?),
                seen_at: Timestamp(row.int(4)?),
                expires_at: Timestamp(row.int(5)?),
                current: false,
            })
        };
        read(&self.read, sql, values![user, now, idle_since]).await?.iter().map(info).collect()
    }

    async fn end_session(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        // Whoever approves something in this session at the same time was waited for, or finds it gone.
        hold::<B>(&mut transaction, user, &Grounds::Known).await?;
        let sql = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
        let ended = B::execute(&mut transaction, sql, values![id, user]).await? == 1;
        if ended {
            let sql = "DELETE FROM logins WHERE user_id = $1 AND state = 'approved'";
            B::execute(&mut transaction, sql, values![user]).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }
}
