//! Handlers, their versions, and what an address serves.

use sqlx::Pool;
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::limits::DELETED_NAME_HELD_DAYS;
use wasmcloud_wire::{
    AccountQuota, Digest, HandlerId, HandlerName, Inspection, Policy, RecordingPolicy, RouteKey, Split,
    Timestamp, UserId,
};

use super::backend::{Backend, Columns, begin, read};
use super::plans::most;
use super::policies::{policy, policy_text};
use super::quotas::room_for;
use super::value::{digest, parse, values, version};
use super::{recordings, settings};
use crate::store::{
    AddVersion, CreateHandler, DeploymentRow, Fits, HandlerRow, NewHandler, NewModule, SettingChanges,
    SettingsEdit, StoreError, VersionRow,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Handlers with their live versions; the columns in the order of [`handler_row`].
macro_rules! select_handlers {
    ($which:literal) => {
        concat!(
            "SELECT h.id, h.name, h.owner_id, h.live_version, m.abi, v.digest, h.forward_authorization,
                h.created_at, h.updated_at, h.policy, h.previous_version, h.promoted_at,
                h.split_version, h.split_percent, h.split_at, h.auto_rollback, h.rolled_back, u.name,
                u.suspended_at, u.suspended_reason
            FROM handlers h
            JOIN users u ON u.id = h.owner_id
            JOIN versions v ON v.handler_id = h.id AND v.number = h.live_version
            JOIN modules m ON m.digest = v.digest
            WHERE h.deleted_at IS NULL AND ",
            $which
        )
    };
}

const FIND: &str = select_handlers!("h.owner_id = $1 AND h.name = $2");
const LIST: &str = select_handlers!("h.owner_id = $1");
const VISIBLE: &str = select_handlers!(
    "(h.owner_id = $1 OR EXISTS (SELECT 1 FROM members t WHERE t.team_id = h.owner_id AND t.user_id = $1))"
);

/// The name is tried first and its past looked at afterwards: the other way round, its owner could
/// delete it in between.
pub async fn create<B: Backend>(
    pool: &Pool<B>,
    new: &NewHandler,
    now: Timestamp,
) -> Result<CreateHandler, StoreError> {
    let mut transaction = begin(pool).await?;
    let room = room_for::<B>(&mut transaction, new.owner).await?;
    let sql = "INSERT INTO handlers
            (id, owner_id, name, forward_authorization, policy, live_version, last_version, promoted_at,
                created_at, updated_at)
        VALUES ($1, $2, $3, $4, $6, 1, 1, $5, $5, $5)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING";
    let policy = policy_text(&new.policy)?;
    let values =
        values![new.id, new.owner, new.name.as_str(), new.forward_authorization, now, policy.as_str()];
    if B::execute(&mut transaction, sql, values).await? == 0 {
        return Ok(CreateHandler::NameTaken);
    }
    if let Some(until) = held_until::<B>(&mut transaction, new.owner, &new.name).await?
        && now < until
    {
        return Ok(CreateHandler::NameHeld(until));
    }
    insert_version::<B>(&mut transaction, new.id, 1, &new.module).await?;
    if let Some(over) = room.over::<B>(&mut transaction).await? {
        return Ok(CreateHandler::OverQuota(over));
    }
    let changes = SettingChanges { set: new.settings.clone(), unset: Vec::new() };
    settings::apply::<B>(&mut transaction, new.id, &changes).await?;
    let row = find_in::<B>(&mut transaction, new.owner, &new.name).await?;
    transaction.commit().await?;
    row.map(Box::new).map(CreateHandler::Created).ok_or_else(vanished)
}

/// Until when a name is kept for its last owner, if that is somebody else.
async fn held_until<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT owner_id, deleted_at FROM handlers
        WHERE name = $1 AND deleted_at IS NOT NULL ORDER BY deleted_at DESC LIMIT 1";
    let rows = B::rows(connection, sql, values![name.as_str()]).await?;
    match rows.first() {
        Some(row) if row.uuid(0)? != owner.0 => {
            Ok(Some(Timestamp(row.int(1)?.saturating_add(DELETED_NAME_HELD_DAYS * DAY_MS))))
        }
        _ => Ok(None),
    }
}

/// What comes with a new version.
pub struct NewVersion<'a> {
    pub module: &'a NewModule,
    pub policy: Option<&'a Policy>,
    pub settings: Option<&'a SettingsEdit<'a>>,
    /// When it becomes live.
    pub now: Timestamp,
}

/// The update locks the handler's row until the commit, so that uploads of one handler queue up and
/// each gets the next number; one that fails gives its number back.
pub async fn add_version<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    new: NewVersion<'_>,
    fits: &Fits<'_>,
) -> Result<AddVersion, StoreError> {
    let mut transaction = begin(pool).await?;
    let room = room_for::<B>(&mut transaction, owner).await?;
    let sql = "UPDATE handlers SET last_version = last_version + 1, live_version = last_version + 1,
            previous_version = live_version, promoted_at = $4, split_version = NULL, split_percent = NULL,
            split_at = NULL, rolled_back = NULL, policy = COALESCE($3, policy)
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id, last_version";
    let policy = new.policy.map(policy_text).transpose()?;
    let rows =
        B::rows(&mut transaction, sql, values![owner, name.as_str(), policy.as_deref(), new.now]).await?;
    let Some(updated) = rows.first() else { return Ok(AddVersion::HandlerNotFound) };
    let handler = HandlerId(updated.uuid(0)?);
    insert_version::<B>(&mut transaction, handler, updated.int(1)?, new.module).await?;
    if let Some(over) = room.over::<B>(&mut transaction).await? {
        return Ok(AddVersion::OverQuota(over));
    }
    if let Some(edit) = new.settings {
        match edit(handler, &settings::rows_in::<B>(&mut transaction, handler).await?) {
            Ok(changes) => settings::apply::<B>(&mut transaction, handler, &changes).await?,
            // Dropping the transaction rolls it back.
            Err(unfit) => return Ok(AddVersion::Refused(unfit)),
        }
    }
    let row = find_in::<B>(&mut transaction, owner, name).await?.ok_or_else(vanished)?;
    let settings = settings::rows_in::<B>(&mut transaction, handler).await?;
    if let Err(unfit) = fits(&row.policy, &settings, &new.module.inspection) {
        return Ok(AddVersion::Refused(unfit));
    }
    transaction.commit().await?;
    Ok(AddVersion::Added(Box::new(row)))
}

pub(super) async fn insert_version<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
    number: i64,
    module: &NewModule,
) -> Result<(), StoreError> {
    let inspection = &module.inspection;
    let json = serde_json::to_string(inspection).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let size_bytes = i64::try_from(inspection.size_bytes).unwrap_or(i64::MAX);
    let sql = "INSERT INTO modules (digest, size_bytes, abi, inspection) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING";
    let values = values![&module.digest, size_bytes, inspection.abi.as_str(), json.as_str()];
    B::execute(connection, sql, values).await?;
    let sql = "INSERT INTO versions (handler_id, number, digest) VALUES ($1, $2, $3)";
    B::execute(connection, sql, values![handler, number, &module.digest]).await.map(|_| ())
}

pub async fn find<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<HandlerRow>, StoreError> {
    read(pool, FIND, values![owner, name.as_str()]).await?.first().map(handler_row).transpose()
}

pub(super) async fn find_in<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<HandlerRow>, StoreError> {
    B::rows(connection, FIND, values![owner, name.as_str()]).await?.first().map(handler_row).transpose()
}

pub async fn list<B: Backend>(pool: &Pool<B>, owner: UserId) -> Result<Vec<HandlerRow>, StoreError> {
    sorted(read(pool, LIST, values![owner]).await?)
}

/// Those of a user, and of the teams that the user belongs to.
pub async fn visible<B: Backend>(pool: &Pool<B>, user: UserId) -> Result<Vec<HandlerRow>, StoreError> {
    sorted(read(pool, VISIBLE, values![user]).await?)
}

fn sorted(rows: Vec<impl Columns>) -> Result<Vec<HandlerRow>, StoreError> {
    let mut handlers = rows.iter().map(handler_row).collect::<Result<Vec<_>, _>>()?;
    // Here and not in SQL: PostgreSQL sorts by the database's locale, which may pass over dashes.
    handlers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(handlers)
}

pub async fn set_forward_authorization<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    forward: bool,
) -> Result<Option<HandlerRow>, StoreError> {
    let mut transaction = begin(pool).await?;
    let sql = "UPDATE handlers SET forward_authorization = $3
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL";
    B::execute(&mut transaction, sql, values![owner, name.as_str(), forward]).await?;
    let row = find_in::<B>(&mut transaction, owner, name).await?;
    transaction.commit().await?;
    Ok(row)
}

pub async fn delete<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut transaction = begin(pool).await?;
    let sql = "UPDATE handlers SET deleted_at = $3
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id";
    let rows = B::rows(&mut transaction, sql, values![owner, name.as_str(), now]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let handler = HandlerId(row.uuid(0)?);
    for sql in
        ["DELETE FROM handler_settings WHERE handler_id = $1", "DELETE FROM routes WHERE handler_id = $1"]
    {
        B::execute(&mut transaction, sql, values![handler]).await?;
    }
    recordings::forget::<B>(&mut transaction, handler).await?;
    transaction.commit().await?;
    Ok(true)
}

pub async fn versions<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
) -> Result<Option<Vec<VersionRow>>, StoreError> {
    let sql =
        "SELECT v.number, v.digest, m.abi, m.size_bytes, h.live_version, v.created_at, h.previous_version,
            h.split_version, h.split_percent
        FROM handlers h
        JOIN versions v ON v.handler_id = h.id
        JOIN modules m ON m.digest = v.digest
        WHERE h.owner_id = $1 AND h.name = $2 AND h.deleted_at IS NULL
        ORDER BY v.number DESC";
    let rows = read(pool, sql, values![owner, name.as_str()]).await?;
    // A handler has one version at least.
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter().map(version_row).collect::<Result<Vec<_>, _>>().map(Some)
}

/// What a handler's live module is.
pub(super) async fn live_inspection<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    name: &HandlerName,
) -> Result<Inspection, StoreError> {
    let sql = "SELECT m.inspection FROM handlers h
        JOIN versions v ON v.handler_id = h.id AND v.number = h.live_version
        JOIN modules m ON m.digest = v.digest
        WHERE h.owner_id = $1 AND h.name = $2 AND h.deleted_at IS NULL";
    let rows = B::rows(connection, sql, values![owner, name.as_str()]).await?;
    inspection(&rows.first().ok_or_else(vanished)?.text(0)?)
}

/// A column's text as what is known of a module.
pub(super) fn inspection(text: &str) -> Result<Inspection, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("inspection: {error}")))
}

pub async fn deployment<B: Backend>(
    pool: &Pool<B>,
    key: &RouteKey,
) -> Result<Option<DeploymentRow>, StoreError> {
    let sql = "SELECT h.id, h.name, h.owner_id, v.number, m.abi, v.digest, h.forward_authorization, h.policy,
            h.split_version, h.split_percent, h.recording, p.name, p.invocations_per_minute_max, p.concurrent_max,
            p.cpu_ms_per_day_max, u.suspended_at, u.suspended_reason
        FROM handlers h
        JOIN users u ON u.id = h.owner_id
        JOIN plans p ON p.name = u.plan OR (u.plan IS NULL AND p.is_default)
        JOIN versions v ON v.handler_id = h.id AND v.number = COALESCE($2, h.live_version)
        JOIN modules m ON m.digest = v.digest
        WHERE h.name = $1 AND h.deleted_at IS NULL";
    let pinned = key.version.map(|number| i64::from(number.0));
    let mut connection = pool.acquire().await?;
    let rows = B::rows(&mut connection, sql, values![key.handler.as_str(), pinned]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let handler = HandlerId(row.uuid(0)?);
    Ok(Some(DeploymentRow {
        handler,
        name: parse(&row.text(1)?)?,
        owner: UserId(row.uuid(2)?),
        version: version(row.int(3)?)?,
        abi: parse(&row.text(4)?)?,
        digest: digest(&row.bytes(5)?)?,
        forward_authorization: row.flag(6)?,
        policy: policy(&row.text(7)?)?,
        settings: settings::rows_in::<B>(&mut connection, handler).await?,
        split: if key.version.is_none() { split(row.maybe_int(8)?, row.maybe_int(9)?)? } else { None },
        recording: row.maybe_text(10)?.as_deref().map(recording).transpose()?,
        quota: AccountQuota {
            plan: row.text(11)?,
            invocations_per_minute_max: most(row.maybe_int(12)?),
            concurrent_max: most(row.maybe_int(13)?),
            cpu_ms_per_day_max: most(row.maybe_int(14)?),
        },
        suspended: row.maybe_int(15)?.map(|_| row.maybe_text(16)).transpose()?.map(Option::unwrap_or_default),
    }))
}

/// Two columns as a split; without one, nothing.
fn split(number: Option<i64>, percent: Option<i64>) -> Result<Option<Split>, StoreError> {
    let (Some(number), Some(percent)) = (number, percent) else { return Ok(None) };
    let unreadable = |_| StoreError::Corrupt(format!("a split of {percent} %"));
    Ok(Some(Split { version: version(number)?, percent: u8::try_from(percent).map_err(unreadable)? }))
}

/// A column's text as the version that was taken back.
fn rolled_back(text: &str) -> Result<RolledBack, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("rolled back: {error}")))
}

/// A column's text as what is recorded.
fn recording(text: &str) -> Result<RecordingPolicy, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("recording: {error}")))
}

pub async fn module_in_use<B: Backend>(pool: &Pool<B>, digest: &Digest) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM versions v JOIN handlers h ON h.id = v.handler_id
        WHERE v.digest = $1 AND h.deleted_at IS NULL LIMIT 1";
    Ok(!read(pool, sql, values![digest]).await?.is_empty())
}

fn handler_row(row: &impl Columns) -> Result<HandlerRow, StoreError> {
    Ok(HandlerRow {
        id: HandlerId(row.uuid(0)?),
        name: parse(&row.text(1)?)?,
        owner: UserId(row.uuid(2)?),
        live: version(row.int(3)?)?,
        abi: parse(&row.text(4)?)?,
        digest: digest(&row.bytes(5)?)?,
        forward_authorization: row.flag(6)?,
        created_at: Timestamp(row.int(7)?),
        updated_at: Timestamp(row.int(8)?),
        policy: policy(&row.text(9)?)?,
        previous: row.maybe_int(10)?.map(version).transpose()?,
        promoted_at: row.maybe_int(11)?.map(Timestamp),
        split: split(row.maybe_int(12)?, row.maybe_int(13)?)?,
        split_at: row.maybe_int(14)?.map(Timestamp),
        auto_rollback: row.flag(15)?,
        rolled_back: row.maybe_text(16)?.as_deref().map(rolled_back).transpose()?,
        owner_name: parse(&row.text(17)?)?,
        suspended: row.maybe_int(18)?.map(|_| row.maybe_text(19)).transpose()?.map(Option::unwrap_or_default),
    })
}

fn version_row(row: &impl Columns) -> Result<VersionRow, StoreError> {
    let number = row.int(0)?;
    let split = split(row.maybe_int(7)?, row.maybe_int(8)?)?;
    Ok(VersionRow {
        number: version(number)?,
        digest: digest(&row.bytes(1)?)?,
        abi: parse(&row.text(2)?)?,
        size_bytes: u64::try_from(row.int(3)?).unwrap_or_default(),
        live: number == row.int(4)?,
        previous: row.maybe_int(6)? == Some(number),
        split_percent: split.filter(|split| i64::from(split.version.0) == number).map(|split| split.percent),
        created_at: Timestamp(row.int(5)?),
    })
}

/// A row that was written a moment ago, in this transaction, cannot be read.
pub(super) fn vanished() -> StoreError {
    StoreError::Corrupt("a handler without its live version".to_owned())
}
