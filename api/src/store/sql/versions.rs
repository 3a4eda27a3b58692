//! Which version a handler serves: moved by its owner, watched, and taken back.

use async_trait::async_trait;
use sqlx::Pool;
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{HandlerId, HandlerName, Inspection, Split, Timestamp, UserId, VersionNumber};

use super::backend::{Backend, Columns, begin};
use super::handlers::{find_in, insert_version, inspection, vanished};
use super::quotas::room_for;
use super::value::{values, version};
use super::{SqlStore, settings, watched};
use crate::store::{
    AddPreview, DeleteVersion, Fits, HandlerRow, Move, MoveResult, Needed, NewModule, StoreError, TakeBack,
    Tally, Unfit, VersionStore, WatchedVersion,
};

/// Which version a handler serves, and how that came about.
pub(super) struct Pointers {
    pub live: VersionNumber,
    pub previous: Option<VersionNumber>,
    pub promoted_at: Option<Timestamp>,
    pub split: Option<(Split, Timestamp)>,
    pub rolled_back: Option<RolledBack>,
}

impl Pointers {
    /// As they are.
    pub fn of(row: &HandlerRow) -> Pointers {
        Pointers {
            live: row.live,
            previous: row.previous,
            promoted_at: row.promoted_at,
            split: row.split.zip(row.split_at),
            rolled_back: row.rolled_back.clone(),
        }
    }

    /// With another version live, and no split.
    pub fn with_live(self, version: VersionNumber, now: Timestamp) -> Pointers {
        let is_another = version != self.live;
        Pointers {
            live: version,
            previous: if is_another { Some(self.live) } else { self.previous },
            promoted_at: if is_another { Some(now) } else { self.promoted_at },
            split: None,
            rolled_back: None,
        }
    }
}

/// What a step makes of a handler, and the version that it brings in; or why it cannot be done.
fn moved(
    row: &HandlerRow,
    step: Move,
    now: Timestamp,
) -> Result<(Pointers, Option<VersionNumber>), MoveResult> {
    let before = Pointers::of(row);
    Ok(match step {
        Move::Promote(version) => (before.with_live(version, now), Some(version)),
        Move::Split(split) if split.version == row.live => return Err(MoveResult::IsLive(row.live)),
        Move::Split(split) => {
            let since = before.split.filter(|(old, _)| old.version == split.version).map(|(_, since)| since);
            let split_since = Some((split, since.unwrap_or(now)));
            (Pointers { split: split_since, rolled_back: None, ..before }, Some(split.version))
        }
        Move::EndSplit(version) => {
            let split = before.split.filter(|(split, _)| split.version != version);
            (Pointers { split, ..before }, None)
        }
        Move::Rollback if before.split.is_some() => {
            (Pointers { split: None, rolled_back: None, ..before }, None)
        }
        Move::Rollback => {
            let previous = row.previous.ok_or(MoveResult::NoPrevious(row.live))?;
            (before.with_live(previous, now), Some(previous))
        }
    })
}

async fn move_version<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    step: Move,
    now: Timestamp,
    fits: &Fits<'_>,
) -> Result<MoveResult, StoreError> {
    let mut transaction = begin(pool).await?;
    let Some(before) = locked::<B>(&mut transaction, owner, name).await? else {
        return Ok(MoveResult::HandlerNotFound);
    };
    let named = match step {
        Move::Promote(version) | Move::EndSplit(version) | Move::Split(Split { version, .. }) => {
            Some(version)
        }
        Move::Rollback => None,
    };
    if let Some(version) = named
        && module::<B>(&mut transaction, before.id, version).await?.is_none()
    {
        return Ok(MoveResult::VersionNotFound(version));
    }
    let (pointers, brought_in) = match moved(&before, step, now) {
        Ok(moved) => moved,
        Err(refused) => return Ok(refused),
    };
    if let Some(version) = brought_in
        && let Err(unfit) = fits_in::<B>(&mut transaction, &before, version, fits).await?
    {
        // Dropping the transaction rolls it back.
        return Ok(MoveResult::Refused(version, unfit));
    }
    write_pointers::<B>(&mut transaction, before.id, &pointers).await?;
    let row = find_in::<B>(&mut transaction, owner, name).await?.ok_or_else(vanished)?;
    transaction.commit().await?;
    let ended = before.split.filter(|old| row.split.is_none_or(|split| split.version != old.version));
    Ok(MoveResult::Moved { row: Box::new(row), ended })
}

/// A handler whose row is locked until the commit. The update changes nothing, and is no news for executors.
pub(super) async fn locked<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<HandlerRow>, StoreError> {
    let sql = "UPDATE handlers SET last_version = last_version
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL";
    B::execute(connection, sql, values![owner, name.as_str()]).await?;
    find_in::<B>(connection, owner, name).await
}

/// What a version's module is.
async fn module<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
    version: VersionNumber,
) -> Result<Option<Inspection>, StoreError> {
    let sql = "SELECT m.inspection FROM versions v JOIN modules m ON m.digest = v.digest
        WHERE v.handler_id = $1 AND v.number = $2";
    let rows = B::rows(connection, sql, values![handler, version]).await?;
    rows.first().map(|row| inspection(&row.text(0)?)).transpose()
}

/// Whether one of a handler's versions fits its policy and settings.
pub(super) async fn fits_in<B: Backend>(
    connection: &mut B::Connection,
    row: &HandlerRow,
    version: VersionNumber,
    fits: &Fits<'_>,
) -> Result<Result<(), Unfit>, StoreError> {
    let module = module::<B>(connection, row.id, version).await?.ok_or_else(vanished)?;
    let settings = settings::rows_in::<B>(connection, row.id).await?;
    Ok(fits(&row.policy, &settings, &module))
}

pub(super) async fn write_pointers<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
    pointers: &Pointers,
) -> Result<(), StoreError> {
    let sql = "UPDATE handlers SET live_version = $2, previous_version = $3, promoted_at = $4,
            split_version = $5, split_percent = $6, split_at = $7, rolled_back = $8
        WHERE id = $1";
    let rolled_back = pointers.rolled_back.as_ref().map(serde_json::to_string).transpose();
    let rolled_back = rolled_back.map_err(|error| StoreError::Corrupt(format!("rolled back: {error}")))?;
    let number = |version: VersionNumber| i64::from(version.0);
    let values = values![
        handler,
        pointers.live,
        pointers.previous.map(number),
        pointers.promoted_at.map(|at| at.0),
        pointers.split.map(|(split, _)| number(split.version)),
        pointers.split.map(|(split, _)| i64::from(split.percent)),
        pointers.split.map(|(_, since)| since.0),
        rolled_back.as_deref(),
    ];
    B::execute(connection, sql, values).await.map(|_| ())
}

async fn add_preview<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    new: &NewModule,
    fits: &Fits<'_>,
) -> Result<AddPreview, StoreError> {
    let mut transaction = begin(pool).await?;
    let room = room_for::<B>(&mut transaction, owner).await?;
    // Locks the handler's row, so that each upload gets a number of its own.
    let sql = "UPDATE handlers SET last_version = last_version + 1
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id, last_version";
    let rows = B::rows(&mut transaction, sql, values![owner, name.as_str()]).await?;
    let Some(updated) = rows.first() else { return Ok(AddPreview::HandlerNotFound) };
    let (handler, number) = (HandlerId(updated.uuid(0)?), updated.int(1)?);
    insert_version::<B>(&mut transaction, handler, number, new).await?;
    if let Some(over) = room.over::<B>(&mut transaction).await? {
        return Ok(AddPreview::OverQuota(over));
    }
    let row = find_in::<B>(&mut transaction, owner, name).await?.ok_or_else(vanished)?;
    if let Err(unfit) = fits_in::<B>(&mut transaction, &row, version(number)?, fits).await? {
        return Ok(AddPreview::Refused(unfit));
    }
    transaction.commit().await?;
    Ok(AddPreview::Added(Box::new(row), version(number)?))
}

async fn delete_version<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    version: VersionNumber,
) -> Result<DeleteVersion, StoreError> {
    let mut transaction = begin(pool).await?;
    let Some(row) = locked::<B>(&mut transaction, owner, name).await? else {
        return Ok(DeleteVersion::HandlerNotFound);
    };
    let needed = [
        (row.live == version, Needed::Live),
        (row.split.is_some_and(|split| split.version == version), Needed::Split),
        (row.previous == Some(version), Needed::Previous),
    ];
    if let Some((_, why)) = needed.into_iter().find(|(is_needed, _)| *is_needed) {
        return Ok(DeleteVersion::Needed(why));
    }
    let sql = "DELETE FROM versions WHERE handler_id = $1 AND number = $2";
    if B::execute(&mut transaction, sql, values![row.id, version]).await? == 0 {
        return Ok(DeleteVersion::VersionNotFound);
    }
    transaction.commit().await?;
    Ok(DeleteVersion::Deleted)
}

async fn set_auto_rollback<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    on: bool,
) -> Result<Option<HandlerRow>, StoreError> {
    let mut transaction = begin(pool).await?;
    let sql = "UPDATE handlers SET auto_rollback = $3
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL";
    B::execute(&mut transaction, sql, values![owner, name.as_str(), on]).await?;
    let row = find_in::<B>(&mut transaction, owner, name).await?;
    transaction.commit().await?;
    Ok(row)
}

#[async_trait]
impl<B: Backend> VersionStore for SqlStore<B> {
    async fn move_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        step: Move,
        now: Timestamp,
        fits: &Fits<'_>,
    ) -> Result<MoveResult, StoreError> {
        move_version(&self.write, owner, name, step, now, fits).await
    }

    async fn add_preview(
        &self,
        owner: UserId,
        name: &HandlerName,
        module: NewModule,
        fits: &Fits<'_>,
    ) -> Result<AddPreview, StoreError> {
        add_preview(&self.write, owner, name, &module, fits).await
    }

    async fn delete_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        version: VersionNumber,
    ) -> Result<DeleteVersion, StoreError> {
        delete_version(&self.write, owner, name, version).await
    }

    async fn set_auto_rollback(
        &self,
        owner: UserId,
        name: &HandlerName,
        on: bool,
    ) -> Result<Option<HandlerRow>, StoreError> {
        set_auto_rollback(&self.write, owner, name, on).await
    }

    async fn watched(&self, promoted_since: Timestamp) -> Result<Vec<WatchedVersion>, StoreError> {
        watched::list(&self.read, promoted_since).await
    }

    async fn tally(
        &self,
        handler: HandlerId,
        version: VersionNumber,
        since: Timestamp,
        most: u32,
    ) -> Result<Tally, StoreError> {
        watched::tally(&self.read, handler, version, since, most).await
    }

    async fn take_back(
        &self,
        version: &WatchedVersion,
        why: &RolledBack,
        line: &str,
        fits: &Fits<'_>,
    ) -> Result<TakeBack, StoreError> {
        watched::take_back(&self.write, version, why, line, fits).await
    }
}
