//! Users, invitations and tokens.

use sqlx::Pool;
use uuid::Uuid;
use wasmcloud_wire::body::{Scope, Token, User};
use wasmcloud_wire::{HandlerName, Timestamp, UserId, UserName};

use super::backend::{Backend, Columns, begin, read, write};
use super::value::{parse, values};
use crate::store::{Grounds, LiveToken, NewTokenRow, NewUser, StoreError};

pub async fn create<B: Backend>(pool: &Pool<B>, new: NewUser) -> Result<User, StoreError> {
    let mut transaction = begin(pool).await?;
    let user = insert::<B>(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(user)
}

/// The invitation comes first, so that nobody learns without one which names are taken.
pub async fn create_invited<B: Backend>(
    pool: &Pool<B>,
    new: NewUser,
    code_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<User>, StoreError> {
    let mut transaction = begin(pool).await?;
    if !use_invitation::<B>(&mut transaction, code_hash, new.id, now).await? {
        return Ok(None);
    }
    let user = insert::<B>(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(Some(user))
}

/// Uses up an invitation; false if there is none that is good.
pub(super) async fn use_invitation<B: Backend>(
    connection: &mut B::Connection,
    code_hash: &[u8; 32],
    by: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE invitations SET used_at = $2, used_by = $3
        WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2";
    Ok(B::execute(connection, sql, values![code_hash, now, by]).await? == 1)
}

/// Adds a user; `Conflict` if the name is taken.
pub(super) async fn insert<B: Backend>(
    connection: &mut B::Connection,
    new: NewUser,
) -> Result<User, StoreError> {
    let sql = "INSERT INTO users (id, name, password_hash, is_admin) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING created_at";
    let values = values![new.id, new.name.as_str(), new.password_hash.as_str(), new.is_admin];
    let inserted = B::rows(connection, sql, values).await?;
    let created_at = Timestamp(inserted.first().ok_or(StoreError::Conflict)?.int(0)?);
    Ok(User { id: new.id, name: new.name, is_admin: new.is_admin, created_at })
}

pub async fn by_name<B: Backend>(
    pool: &Pool<B>,
    name: &UserName,
) -> Result<Option<(User, String)>, StoreError> {
    let sql = "SELECT id, name, is_admin, created_at, password_hash FROM users
        WHERE name = $1 AND kind = 'user'";
    let rows = read(pool, sql, values![name.as_str()]).await?;
    rows.first().map(|row| Ok((user(row)?, row.text(4)?))).transpose()
}

pub async fn count<B: Backend>(pool: &Pool<B>) -> Result<u64, StoreError> {
    let rows = read(pool, "SELECT count(*) FROM users", &[]).await?;
    let count = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

pub async fn create_invitation<B: Backend>(
    pool: &Pool<B>,
    code_hash: &[u8; 32],
    created_by: UserId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO invitations (code_hash, created_by, expires_at) VALUES ($1, $2, $3)";
    write(pool, sql, values![code_hash, created_by, expires_at]).await.map(|_| ())
}

/// Whether the grounds hold for a user who is not suspended. They do until the transaction ends: whoever changes the
/// password, and ends with it what the user is known by, waits for the user's row, or was waited for.
pub(super) async fn hold<B: Backend>(
    connection: &mut B::Connection,
    user: UserId,
    grounds: &Grounds,
) -> Result<bool, StoreError> {
    // No hash is empty: that is nobody's.
    let hash = if let Grounds::Password(hash) = grounds { hash.as_str() } else { "" };
    let sql = "UPDATE users SET password_hash = password_hash
        WHERE id = $1 AND kind = 'user' AND suspended_at IS NULL AND ($2 = '' OR password_hash = $2)";
    if B::execute(connection, sql, values![user, hash]).await? == 0 {
        return Ok(false);
    }
    let there = match grounds {
        Grounds::Known => return Ok(true),
        Grounds::Password(hash) => return Ok(!hash.is_empty()),
        Grounds::Session(id) => {
            let sql = "SELECT id FROM sessions WHERE id = $1 AND user_id = $2";
            B::rows(connection, sql, values![*id, user]).await?
        }
        Grounds::Token(id) => {
            let sql = "SELECT id FROM tokens WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL";
            B::rows(connection, sql, values![*id, user]).await?
        }
        Grounds::Login(id) => {
            let sql = "SELECT id FROM logins WHERE id = $1 AND user_id = $2";
            B::rows(connection, sql, values![*id, user]).await?
        }
        Grounds::Identity { issuer, subject } => {
            let sql = "SELECT id FROM identities WHERE issuer = $1 AND subject = $2 AND user_id = $3";
            B::rows(connection, sql, values![issuer.as_str(), subject.as_str(), user]).await?
        }
    };
    Ok(!there.is_empty())
}

pub async fn create_token<B: Backend>(
    pool: &Pool<B>,
    new: &NewTokenRow,
    at_most: Option<u32>,
    grounds: &Grounds,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut transaction = begin(pool).await?;
    if !hold::<B>(&mut transaction, new.user, grounds).await? {
        return Ok(false);
    }
    if let Some(at_most) = at_most {
        let sql = "UPDATE tokens SET revoked_at = $4
            WHERE user_id = $1 AND label = $2 AND revoked_at IS NULL AND expires_at > $4 AND id NOT IN
                (SELECT id FROM tokens
                WHERE user_id = $1 AND label = $2 AND revoked_at IS NULL AND expires_at > $4
                ORDER BY coalesce(used_at, created_at) DESC, id DESC LIMIT $3)";
        let left = i64::from(at_most.saturating_sub(1));
        B::execute(&mut transaction, sql, values![new.user, new.label.as_str(), left, now]).await?;
    }
    let sql = "INSERT INTO tokens (id, user_id, label, expires_at, scopes, handlers) VALUES ($1, $2, $3, $4, $5, $6)";
    let handlers = new.handlers.as_ref().map(serde_json::to_string).transpose();
    let handlers = handlers.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let scopes = scopes_text(&new.scopes);
    let values =
        values![new.id, new.user, new.label.as_str(), new.expires_at, scopes.as_str(), handlers.as_deref()];
    B::execute(&mut transaction, sql, values).await?;
    transaction.commit().await?;
    Ok(true)
}

pub async fn live_token<B: Backend>(
    pool: &Pool<B>,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<LiveToken>, StoreError> {
    let sql = "SELECT u.id, u.name, u.is_admin, u.created_at, t.scopes, t.handlers, u.suspended_at, u.suspended_reason,
            t.used_at
        FROM tokens t JOIN users u ON u.id = t.user_id
        WHERE t.id = $1 AND t.revoked_at IS NULL AND t.expires_at > $2";
    let live = |row: &B::Row| {
        Ok(LiveToken {
            user: user(row)?,
            scopes: scopes(&row.text(4)?)?,
            handlers: row.maybe_text(5)?.as_deref().map(handlers).transpose()?,
            suspended: suspended(row, 6)?,
            used_at: row.maybe_int(8)?.map(Timestamp),
        })
    };
    read(pool, sql, values![id, now]).await?.first().map(live).transpose()
}

/// Scopes as their column has them.
fn scopes_text(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

fn scopes(text: &str) -> Result<Vec<Scope>, StoreError> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().map_err(StoreError::Corrupt))
        .collect()
}

fn handlers(text: &str) -> Result<Vec<HandlerName>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a token's handlers: {error}")))
}

pub async fn tokens<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    now: Timestamp,
) -> Result<Vec<Token>, StoreError> {
    let sql = "SELECT id, label, created_at, expires_at, scopes, handlers, used_at FROM tokens
        WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC";
    let rows = read(pool, sql, values![owner, now]).await?;
    rows.iter().map(token).collect()
}

pub async fn revoke_token<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    id: Uuid,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE tokens SET revoked_at = $3
        WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3";
    Ok(write(pool, sql, values![id, owner, now]).await? == 1)
}

/// Why an account is suspended, if it is: its `suspended_at` at this place, and `suspended_reason` after it.
pub(super) fn suspended(row: &impl Columns, at: usize) -> Result<Option<String>, StoreError> {
    let reason = row.maybe_int(at)?.map(|_| row.maybe_text(at + 1)).transpose()?;
    Ok(reason.map(Option::unwrap_or_default))
}

/// A user: id, name, `is_admin` and `created_at` are the first four columns.
pub(super) fn user(row: &impl Columns) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(row.uuid(0)?),
        name: parse(&row.text(1)?)?,
        is_admin: row.flag(2)?,
        created_at: Timestamp(row.int(3)?),
    })
}

fn token(row: &impl Columns) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.uuid(0)?,
        label: row.text(1)?,
        created_at: Timestamp(row.int(2)?),
        expires_at: Timestamp(row.int(3)?),
        scopes: scopes(&row.text(4)?)?,
        handlers: row.maybe_text(5)?.as_deref().map(handlers).transpose()?,
        used_at: row.maybe_int(6)?.map(Timestamp),
        current: false,
    })
}
