//! Handlers' settings, whose values the store cannot read.

use sqlx::Pool;
use wasmcloud_wire::{HandlerId, HandlerName, Timestamp, UserId};

use super::backend::{Backend, Columns, begin, read};
use super::handlers::inspection;
use super::value::values;
use crate::store::{
    EditSettings, HandlerSettings, SealedSetting, SettingChanges, SettingCounts, SettingRow, SettingsEdit,
    StoreError,
};

pub async fn list<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<HandlerSettings>, StoreError> {
    let mut connection = pool.acquire().await?;
    live_in::<B>(&mut connection, owner, name).await
}

/// The first statement changes nothing but the time of the last change, and locks the handler's row until the
/// commit, so that what is edited is what is replaced.
pub async fn edit<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    edit: &SettingsEdit<'_>,
) -> Result<EditSettings, StoreError> {
    let mut transaction = begin(pool).await?;
    let sql = "UPDATE handlers SET policy = policy
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id";
    let rows = B::rows(&mut transaction, sql, values![owner, name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(EditSettings::HandlerNotFound) };
    let handler = HandlerId(row.uuid(0)?);
    match edit(handler, &rows_in::<B>(&mut transaction, handler).await?) {
        Ok(changes) => apply::<B>(&mut transaction, handler, &changes).await?,
        // Dropping the transaction rolls it back.
        Err(unfit) => return Ok(EditSettings::Refused(unfit)),
    }
    let changed = live_in::<B>(&mut transaction, owner, name).await?;
    transaction.commit().await?;
    changed.map(Box::new).map(EditSettings::Changed).ok_or_else(super::handlers::vanished)
}

async fn live_in<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<HandlerSettings>, StoreError> {
    let sql = "SELECT h.id, m.inspection FROM handlers h
        JOIN versions v ON v.handler_id = h.id AND v.number = h.live_version
        JOIN modules m ON m.digest = v.digest
        WHERE h.owner_id = $1 AND h.name = $2 AND h.deleted_at IS NULL";
    let rows = B::rows(connection, sql, values![owner, name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let handler = HandlerId(row.uuid(0)?);
    let live = inspection(&row.text(1)?)?;
    Ok(Some(HandlerSettings { handler, rows: rows_in::<B>(connection, handler).await?, live }))
}

/// A handler's settings by name.
pub async fn rows_in<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
) -> Result<Vec<SettingRow>, StoreError> {
    let sql = "SELECT name, secret, key_id, sealed, updated_at FROM handler_settings WHERE handler_id = $1";
    let rows = B::rows(connection, sql, values![handler]).await?;
    let mut settings = rows.iter().map(setting_row).collect::<Result<Vec<_>, _>>()?;
    // Here and not in SQL: PostgreSQL sorts by the database's locale.
    settings.sort_by(|one, other| one.setting.name.cmp(&other.setting.name));
    Ok(settings)
}

/// Changes settings of a handler whose row this transaction holds.
pub async fn apply<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
    changes: &SettingChanges,
) -> Result<(), StoreError> {
    for name in &changes.unset {
        let sql = "DELETE FROM handler_settings WHERE handler_id = $1 AND name = $2";
        B::execute(connection, sql, values![handler, name.as_str()]).await?;
    }
    for setting in &changes.set {
        let sql = "INSERT INTO handler_settings (handler_id, name, secret, key_id, sealed)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (handler_id, name) DO UPDATE
            SET secret = excluded.secret, key_id = excluded.key_id, sealed = excluded.sealed";
        let SealedSetting { name, secret, key_id, sealed } = setting;
        let values = values![handler, name.as_str(), *secret, key_id.as_str(), sealed.as_slice()];
        B::execute(connection, sql, values).await?;
    }
    Ok(())
}

pub async fn count<B: Backend>(pool: &Pool<B>, key_id: &str) -> Result<SettingCounts, StoreError> {
    let sql = "SELECT count(*), count(CASE WHEN key_id <> $1 THEN 1 END) FROM handler_settings";
    let rows = read(pool, sql, values![key_id]).await?;
    let count = |index| {
        let number = rows.first().map(|row| row.int(index)).transpose()?.unwrap_or_default();
        Ok::<_, StoreError>(u64::try_from(number).unwrap_or_default())
    };
    Ok(SettingCounts { all: count(0)?, of_other_keys: count(1)? })
}

fn setting_row(row: &impl Columns) -> Result<SettingRow, StoreError> {
    Ok(SettingRow {
        setting: SealedSetting {
            name: row.text(0)?,
            secret: row.flag(1)?,
            key_id: row.text(2)?,
            sealed: row.bytes(3)?,
        },
        updated_at: Timestamp(row.int(4)?),
    })
}
