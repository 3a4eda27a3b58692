//! Who users are elsewhere, and the steps that somebody is in the middle of.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::Identity;
use wasmcloud_wire::{Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read};
use super::users::{hold, insert, suspended, use_invitation, user};
use super::value::values;
use crate::store::{
    Grounds, IdentityStore, Known, Linked, NewIdentity, NewTicket, NewUser, Registered, StoreError, Ticket,
    Unlinked,
};

/// Held to the end of a transaction, so that two changes of one user's identities happen one after the other.
const HOLD_USER: &str = "UPDATE users SET name = name WHERE id = $1";

#[async_trait]
impl<B: Backend> IdentityStore for SqlStore<B> {
    async fn identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        let sql = "SELECT id, provider, label, created_at, used_at FROM identities
            WHERE user_id = $1 ORDER BY created_at, id";
        read(&self.read, sql, values![user]).await?.iter().map(identity).collect()
    }

    async fn sign_in_as(
        &self,
        issuer: &str,
        subject: &str,
        label: &str,
        now: Timestamp,
    ) -> Result<Option<Known>, StoreError> {
        let sql = "SELECT u.id, u.name, u.is_admin, u.created_at, u.suspended_at, u.suspended_reason
            FROM identities i JOIN users u ON u.id = i.user_id WHERE i.issuer = $1 AND i.subject = $2";
        let mut transaction = begin(&self.write).await?;
        let used = "UPDATE identities SET used_at = $4, label = $3 WHERE issuer = $1 AND subject = $2";
        if B::execute(&mut transaction, used, values![issuer, subject, label, now]).await? == 0 {
            return Ok(None);
        }
        let rows = B::rows(&mut transaction, sql, values![issuer, subject]).await?;
        let known = rows
            .first()
            .map(|row| Ok::<_, StoreError>(Known { user: user(row)?, suspended: suspended(row, 4)? }))
            .transpose()?;
        transaction.commit().await?;
        Ok(known)
    }

    async fn link_identity(
        &self,
        user: UserId,
        new: &NewIdentity,
        at_most: u32,
        grounds: &Grounds,
    ) -> Result<Linked, StoreError> {
        let mut transaction = begin(&self.write).await?;
        if !hold::<B>(&mut transaction, user, grounds).await? {
            return Ok(Linked::Unfounded);
        }
        let sql = "SELECT id, provider, label, created_at, used_at, user_id FROM identities
            WHERE issuer = $1 AND subject = $2";
        let there =
            B::rows(&mut transaction, sql, values![new.issuer.as_str(), new.subject.as_str()]).await?;
        if let Some(row) = there.first() {
            let own = row.uuid(5)? == user.0;
            return if own { Ok(Linked::Done(identity(row)?)) } else { Ok(Linked::Taken) };
        }
        let sql = "SELECT count(*) FROM identities WHERE user_id = $1";
        let rows = B::rows(&mut transaction, sql, values![user]).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if count >= i64::from(at_most) {
            return Ok(Linked::TooMany);
        }
        let linked = match add::<B>(&mut transaction, user, new, None).await {
            Err(StoreError::Conflict) => return Ok(Linked::Taken),
            other => other?,
        };
        transaction.commit().await?;
        Ok(Linked::Done(linked))
    }

    async fn unlink_identity(
        &self,
        user: UserId,
        id: Uuid,
        providers: &[String],
    ) -> Result<Unlinked, StoreError> {
        let mut transaction = begin(&self.write).await?;
        B::execute(&mut transaction, HOLD_USER, values![user]).await?;
        let sql = "DELETE FROM identities WHERE id = $1 AND user_id = $2";
        if B::execute(&mut transaction, sql, values![id, user]).await? == 0 {
            return Ok(Unlinked::NotFound);
        }
        let sql = "SELECT password_hash FROM users WHERE id = $1";
        let rows = B::rows(&mut transaction, sql, values![user]).await?;
        let mut ways = rows.first().is_some_and(|row| row.text(0).is_ok_and(|hash| !hash.is_empty()));
        let left = "SELECT provider FROM identities WHERE user_id = $1";
        for row in B::rows(&mut transaction, left, values![user]).await? {
            ways |= providers.contains(&row.text(0)?);
        }
        if !ways {
            return Ok(Unlinked::LastWay);
        }
        transaction.commit().await?;
        Ok(Unlinked::Done)
    }

    async fn register_identity(
        &self,
        new: NewUser,
        identity: &NewIdentity,
        ticket: &[u8; 32],
        invitation: Option<&[u8; 32]>,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let sql = "DELETE FROM tickets WHERE secret_hash = $1 AND expires_at > $2";
        if B::execute(&mut transaction, sql, values![ticket, now]).await? == 0 {
            return Ok(Registered::NoTicket);
        }
        let id = new.id;
        if let Some(code_hash) = invitation
            && !use_invitation::<B>(&mut transaction, code_hash, id, now).await?
        {
            return Ok(Registered::NoInvitation);
        }
        let user = match insert::<B>(&mut transaction, new).await {
            Err(StoreError::Conflict) => return Ok(Registered::NameTaken),
            other => other?,
        };
        match add::<B>(&mut transaction, id, identity, Some(now)).await {
            Err(StoreError::Conflict) => return Ok(Registered::IdentityTaken),
            other => other?,
        };
        transaction.commit().await?;
        Ok(Registered::Done(user))
    }

    async fn create_ticket(&self, new: &NewTicket, alone: bool) -> Result<(), StoreError> {
        let mut transaction = begin(&self.write).await?;
        if let (true, Some(user)) = (alone, new.user) {
            let others = "DELETE FROM tickets WHERE user_id = $1 AND kind = $2";
            B::execute(&mut transaction, others, values![user, new.kind]).await?;
        }
        let sql =
            "INSERT INTO tickets (secret_hash, kind, user_id, data, expires_at) VALUES ($1, $2, $3, $4, $5)";
        let user = new.user.map(|user| user.0);
        let values = values![&new.secret_hash, new.kind, user, new.data.as_str(), new.expires_at];
        B::execute(&mut transaction, sql, values).await?;
        Ok(transaction.commit().await?)
    }

    async fn ticket(
        &self,
        secret_hash: &[u8; 32],
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<Ticket>, StoreError> {
        let sql =
            "SELECT user_id, data FROM tickets WHERE secret_hash = $1 AND kind = $2 AND expires_at > $3";
        read(&self.read, sql, values![secret_hash, kind, now]).await?.first().map(ticket).transpose()
    }

    async fn take_ticket(
        &self,
        secret_hash: &[u8; 32],
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<Ticket>, StoreError> {
        let sql = "DELETE FROM tickets WHERE secret_hash = $1 AND kind = $2 AND expires_at > $3
            RETURNING user_id, data";
        let mut transaction = begin(&self.write).await?;
        let rows = B::rows(&mut transaction, sql, values![secret_hash, kind, now]).await?;
        let taken = rows.first().map(ticket).transpose()?;
        transaction.commit().await?;
        Ok(taken)
    }
}

fn ticket(row: &impl Columns) -> Result<Ticket, StoreError> {
    Ok(Ticket { user: row.maybe_uuid(0)?.map(UserId), data: row.text(1)? })
}

fn identity(row: &impl Columns) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.uuid(0)?,
        provider: row.text(1)?,
        label: row.text(2)?,
        created_at: Timestamp(row.int(3)?),
        used_at: row.maybe_int(4)?.map(Timestamp),
    })
}

async fn add<B: Backend>(
    connection: &mut B::Connection,
    user: UserId,
    new: &NewIdentity,
    used_at: Option<Timestamp>,
) -> Result<Identity, StoreError> {
    let sql = "INSERT INTO identities (id, user_id, provider, issuer, subject, label, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id, provider, label, created_at, used_at";
    let (provider, issuer) = (new.provider.as_str(), new.issuer.as_str());
    let (subject, label) = (new.subject.as_str(), new.label.as_str());
    let used_at = used_at.map(|time| time.0);
    let values = values![new.id, user, provider, issuer, subject, label, used_at];
    let rows = B::rows(connection, sql, values).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("an identity without a row".to_owned()))?;
    identity(row)
}
