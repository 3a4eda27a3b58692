//! Logins of programs that somebody approves in a browser.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::{Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read};
use super::users::hold;
use super::value::values;
use crate::auth::network;
use crate::store::{Grounds, LoginAsked, LoginRoom, LoginStore, NewLoginRow, PendingRow, Polled, StoreError};

#[async_trait]
impl<B: Backend> LoginStore for SqlStore<B> {
    async fn create_login(
        &self,
        new: &NewLoginRow,
        room: LoginRoom,
        now: Timestamp,
    ) -> Result<LoginAsked, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let sql =
            "SELECT peer, count(*) FROM logins WHERE expires_at > $1 AND state = 'pending' GROUP BY peer";
        let (mut all, mut of_peer, own) = (0, 0, network_of(&new.peer));
        // As many rows as may wait at the very most.
        for row in B::rows(&mut transaction, sql, values![now]).await? {
            let count = row.int(1)?;
            all += count;
            of_peer += if network_of(&row.text(0)?) == own { count } else { 0 };
        }
        if all >= i64::from(room.all) || of_peer >= i64::from(room.of_peer) {
            return Ok(LoginAsked::Full);
        }
        let sql =
            "INSERT INTO logins (id, user_code, challenge, label, peer, redirect_port, state, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7) ON CONFLICT (user_code) DO NOTHING";
        let values = values![
            new.id,
            new.user_code.as_str(),
            &new.challenge,
            new.label.as_str(),
            new.peer.as_str(),
            new.redirect_port.map(i64::from),
            new.expires_at
        ];
        let kept = B::execute(&mut transaction, sql, values).await?;
        transaction.commit().await?;
        Ok(if kept == 1 { LoginAsked::Done } else { LoginAsked::CodeTaken })
    }

    async fn pending_login(&self, user_code: &str, now: Timestamp) -> Result<Option<PendingRow>, StoreError> {
        let sql = "SELECT id, label, peer, redirect_port, created_at, expires_at FROM logins
            WHERE user_code = $1 AND state = 'pending' AND expires_at > $2";
        let pending = |row: &B::Row| {
            Ok(PendingRow {
                id: row.uuid(0)?,
                label: row.text(1)?,
                peer: row.text(2)?,
                redirect_port: row.maybe_int(3)?.and_then(|port| u16::try_from(port).ok()),
                created_at: Timestamp(row.int(4)?),
                expires_at: Timestamp(row.int(5)?),
            })
        };
        read(&self.read, sql, values![user_code, now]).await?.first().map(pending).transpose()
    }

    async fn decide_login(
        &self,
        user_code: &str,
        (user, grounds): (UserId, &Grounds),
        approve: bool,
        code_hash: Option<&[u8; 32]>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        if !hold::<B>(&mut transaction, user, grounds).await? {
            return Ok(false);
        }
        let sql = "UPDATE logins SET state = $2, user_id = $3, code_hash = $4
            WHERE user_code = $1 AND state = 'pending' AND expires_at > $5";
        let state = if approve { "approved" } else { "denied" };
        // One that is sent nowhere has no code, and none that it could bring.
        let code_hash = code_hash.copied().unwrap_or_default();
        let values = values![user_code, state, user, &code_hash, now];
        let decided = B::execute(&mut transaction, sql, values).await? == 1;
        transaction.commit().await?;
        Ok(decided)
    }

    async fn poll_login(
        &self,
        id: Uuid,
        challenge: &[u8; 32],
        code_hash: Option<&[u8; 32]>,
        asked_since: Timestamp,
        now: Timestamp,
    ) -> Result<Polled, StoreError> {
        // Most who ask change nothing: they do not take a turn among those who write.
        let sql = "SELECT state, polled_at FROM logins WHERE id = $1 AND challenge = $2 AND expires_at > $3";
        let rows = read(&self.read, sql, values![id, challenge, now]).await?;
        let Some(row) = rows.first() else { return Ok(Polled::Gone) };
        if row.maybe_int(1)?.is_some_and(|at| at > asked_since.0) {
            return Ok(Polled::TooOften);
        }
        match row.text(0)?.as_str() {
            "pending" | "approved" => {}
            "denied" => return Ok(Polled::Denied),
            _ => return Ok(Polled::Gone),
        }
        let mut transaction = begin(&self.write).await?;
        // The row is held from here on: an approved login is one token, whoever asks at the same time.
        let sql = "UPDATE logins SET label = label WHERE id = $1 AND challenge = $2 AND expires_at > $3
            RETURNING state, user_id, label, polled_at, code_hash, redirect_port";
        let rows = B::rows(&mut transaction, sql, values![id, challenge, now]).await?;
        let Some(row) = rows.first() else { return Ok(Polled::Gone) };
        if row.maybe_int(3)?.is_some_and(|at| at > asked_since.0) {
            return Ok(Polled::TooOften);
        }
        let polled = match (row.text(0)?.as_str(), row.maybe_uuid(1)?) {
            ("pending", _) => Polled::Pending,
            ("denied", _) => Polled::Denied,
            ("approved", Some(_)) if !brings(row, code_hash)? => Polled::WrongCode,
            ("approved", Some(user)) => Polled::Approved { user: UserId(user), label: row.text(2)? },
            _ => Polled::Gone,
        };
        let sql = "UPDATE logins SET polled_at = $2, state = $3 WHERE id = $1";
        let state = if matches!(polled, Polled::Approved { .. }) { "used".to_owned() } else { row.text(0)? };
        B::execute(&mut transaction, sql, values![id, now, state.as_str()]).await?;
        transaction.commit().await?;
        Ok(polled)
    }
}

/// The part of an address that counts as one client; of what is no address, all.
fn network_of(peer: &str) -> String {
    peer.parse().map_or_else(|_| peer.to_owned(), |address| network(address).to_string())
}

/// Whether a program brings the code that the browser was sent back with; one that sent it nowhere has none to bring.
fn brings(row: &impl Columns, code_hash: Option<&[u8; 32]>) -> Result<bool, StoreError> {
    if row.maybe_int(5)?.is_none() {
        return Ok(true);
    }
    let kept = row.bytes(4)?;
    Ok(code_hash.is_some_and(|hash| hash.as_slice() == kept))
}
