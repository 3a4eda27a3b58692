//! What accounts have and use, and whether their plans allow it.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use wasmcloud_wire::body::Plan;
use wasmcloud_wire::{AccountUse, Digest, Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read};
use super::plans::plan_row;
use super::prune::in_bites;
use super::value::{Value, parse, values};
use crate::store::{AccountPlan, Kept, OverQuota, QuotaStore, Ran, StoreError};

/// How many rows of `usage` one statement takes, [`COLUMNS`] values each.
const ROWS_PER_STATEMENT_MAX: usize = 200;
/// How many columns of `usage` are written.
const COLUMNS: usize = 9;

/// An account and its plan; without one of its own, the plan for newcomers.
const ACCOUNT: &str = "SELECT p.name, p.handlers_max, p.storage_bytes_max, p.invocations_per_minute_max,
        p.concurrent_max, p.cpu_ms_per_day_max, p.is_default, u.name, u.kind
    FROM users u JOIN plans p ON p.name = u.plan OR (u.plan IS NULL AND p.is_default)
    WHERE u.id = $1";
const HANDLERS: &str = "SELECT count(*) FROM handlers WHERE owner_id = $1 AND deleted_at IS NULL";
const STORAGE: &str = "SELECT CAST(COALESCE(sum(m.size_bytes), 0) AS BIGINT) FROM modules m WHERE m.digest IN
    (SELECT v.digest FROM versions v JOIN handlers h ON h.id = v.handler_id
        WHERE h.owner_id = $1 AND h.deleted_at IS NULL)";
const HAS_MODULE: &str = "SELECT 1 FROM versions v JOIN handlers h ON h.id = v.handler_id
    WHERE v.digest = $2 AND h.owner_id = $1 AND h.deleted_at IS NULL LIMIT 1";
const OLD_USAGE: &str = "DELETE FROM usage WHERE (account_id, day, executor_id) IN
    (SELECT account_id, day, executor_id FROM usage WHERE day < $1 LIMIT $2)";

/// An account that is held until the commit: nobody else adds to it meanwhile.
///
/// It is to be taken before the transaction writes anything else. Whoever writes handlers holds the lock of the changes
/// that executors are told, which a change of an account's plan wants while it holds the account: the other way
/// round, two transactions could wait for each other.
pub(super) struct Room {
    account: UserId,
    before: AccountPlan,
}

/// Room for more of an account's: taken before the change, asked after it. An account that is not there any more is
/// [`StoreError::AccountGone`].
pub(super) async fn room_for<B: Backend>(
    connection: &mut B::Connection,
    account: UserId,
) -> Result<Room, StoreError> {
    // It changes nothing, and is no news for executors.
    B::execute(connection, "UPDATE users SET kind = kind WHERE id = $1", values![account]).await?;
    let rows = B::rows(connection, ACCOUNT, values![account]).await?;
    // A team that was deleted a moment ago.
    let mut before = account_row(rows.first().ok_or(StoreError::AccountGone)?)?;
    // What is not limited need not be counted.
    if is_limited(&before.plan) {
        before.kept = kept_in::<B>(connection, account).await?;
    }
    Ok(Room { account, before })
}

impl Room {
    /// Which quota the transaction breaks as it is by now, if any. It is to be dropped then.
    pub(super) async fn over<B: Backend>(
        &self,
        connection: &mut B::Connection,
    ) -> Result<Option<OverQuota>, StoreError> {
        if !is_limited(&self.before.plan) {
            return Ok(None);
        }
        Ok(self.before.over(kept_in::<B>(connection, self.account).await?))
    }
}

async fn find_in<B: Backend>(
    connection: &mut B::Connection,
    account: UserId,
) -> Result<Option<AccountPlan>, StoreError> {
    let rows = B::rows(connection, ACCOUNT, values![account]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(AccountPlan { kept: kept_in::<B>(connection, account).await?, ..account_row(row)? }))
}

/// A row of [`ACCOUNT`], without what is kept.
fn account_row(row: &impl Columns) -> Result<AccountPlan, StoreError> {
    let (name, is_team) = (parse(&row.text(7)?)?, row.text(8)? == "team");
    Ok(AccountPlan { name, is_team, plan: plan_row(row)?, kept: Kept::default() })
}

fn is_limited(plan: &Plan) -> bool {
    plan.handlers_max.is_some() || plan.storage_bytes_max.is_some()
}

async fn kept_in<B: Backend>(connection: &mut B::Connection, account: UserId) -> Result<Kept, StoreError> {
    let handlers = number(&B::rows(connection, HANDLERS, values![account]).await?)?;
    let storage_bytes = number(&B::rows(connection, STORAGE, values![account]).await?)?;
    Ok(Kept { handlers, storage_bytes })
}

/// The one number of the one row.
pub(super) fn number(rows: &[impl Columns]) -> Result<u64, StoreError> {
    let number = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
    Ok(u64::try_from(number).unwrap_or_default())
}

/// Adds to what there is of the same executor's, account's and day's; one account and day once in each statement.
async fn keep<B: Backend>(
    connection: &mut B::Connection,
    executor: Uuid,
    used: &[&AccountUse],
    now: Timestamp,
) -> Result<(), StoreError> {
    for chunk in used.chunks(ROWS_PER_STATEMENT_MAX) {
        let values: Vec<Value<'_>> = chunk
            .iter()
            .flat_map(|one| {
                [
                    Value::from(one.account),
                    Value::from(executor),
                    Value::from(one.day),
                    Value::from(whole(one.invocations)),
                    Value::from(whole(one.cpu_us)),
                    Value::from(one.minute),
                    Value::from(whole(one.minute_invocations)),
                    Value::from(i64::from(one.running)),
                    Value::from(now),
                ]
            })
            .collect();
        let mut sql = "INSERT INTO usage AS u (account_id, executor_id, day, invocations, cpu_us, minute,
                minute_invocations, running, seen_at) VALUES "
            .to_owned();
        let tuples: Vec<_> = (0..chunk.len()).map(|row| tuple(row * COLUMNS + 1, COLUMNS)).collect();
        sql.push_str(&tuples.join(", "));
        sql.push_str(
            " ON CONFLICT (account_id, day, executor_id) DO UPDATE SET
                invocations = CASE WHEN excluded.invocations > u.invocations THEN excluded.invocations
                    ELSE u.invocations END,
                cpu_us = CASE WHEN excluded.cpu_us > u.cpu_us THEN excluded.cpu_us ELSE u.cpu_us END,
                minute_invocations = CASE
                    WHEN excluded.minute > u.minute THEN excluded.minute_invocations
                    WHEN excluded.minute = u.minute AND excluded.minute_invocations > u.minute_invocations
                    THEN excluded.minute_invocations ELSE u.minute_invocations END,
                minute = CASE WHEN excluded.minute > u.minute THEN excluded.minute ELSE u.minute END,
                running = excluded.running, seen_at = excluded.seen_at",
        );
        B::execute(connection, AssertSqlSafe(sql), &values).await?;
    }
    Ok(())
}

/// A row of `usage`.
struct Told {
    account: UserId,
    executor: Uuid,
    day: i64,
    ran: Ran,
    minute: i64,
    seen_at: Timestamp,
}

/// What executors have told of these accounts from `since_day` on.
async fn told<B: Backend>(
    connection: &mut B::Connection,
    accounts: &[UserId],
    since_day: i64,
) -> Result<Vec<Told>, StoreError> {
    let mut told = Vec::new();
    for chunk in accounts.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut sql =
            "SELECT account_id, executor_id, day, invocations, cpu_us, minute, minute_invocations, running,
                seen_at FROM usage WHERE account_id IN "
                .to_owned();
        sql.push_str(&tuple(1, chunk.len()));
        sql.push_str(&format!(" AND day >= ${}", chunk.len() + 1));
        let mut values: Vec<Value<'_>> = chunk.iter().copied().map(Value::from).collect();
        values.push(Value::from(since_day));
        for row in B::rows(connection, AssertSqlSafe(sql), &values).await? {
            told.push(Told {
                account: UserId(row.uuid(0)?),
                executor: row.uuid(1)?,
                day: row.int(2)?,
                ran: Ran {
                    invocations: positive(row.int(3)?),
                    cpu_us: positive(row.int(4)?),
                    minute_invocations: positive(row.int(6)?),
                    running: positive(row.int(7)?),
                },
                minute: row.int(5)?,
                seen_at: Timestamp(row.int(8)?),
            });
        }
    }
    Ok(told)
}

/// The sums of what executors told of one account. What runs right now is each one's newest word.
fn sum<'a>(
    told: impl Iterator<Item = &'a Told> + Clone,
    day: i64,
    minute: i64,
    alive_since: Timestamp,
) -> Ran {
    let mut sum = Ran::default();
    for one in told.clone().filter(|one| one.day == day) {
        sum.invocations = sum.invocations.saturating_add(one.ran.invocations);
        sum.cpu_us = sum.cpu_us.saturating_add(one.ran.cpu_us);
        if one.minute == minute {
            sum.minute_invocations = sum.minute_invocations.saturating_add(one.ran.minute_invocations);
        }
    }
    let mut newest: HashMap<Uuid, &Told> = HashMap::new();
    for one in told.filter(|one| one.seen_at >= alive_since) {
        let known = newest.entry(one.executor).or_insert(one);
        if (one.seen_at, one.day) > (known.seen_at, known.day) {
            *known = one;
        }
    }
    sum.running = newest.values().fold(0, |sum, one| sum.saturating_add(one.ran.running));
    sum
}

/// Those of the accounts that are there.
async fn known<B: Backend>(
    connection: &mut B::Connection,
    accounts: &HashSet<UserId>,
) -> Result<HashSet<UserId>, StoreError> {
    let asked: Vec<Value<'_>> = accounts.iter().copied().map(Value::from).collect();
    let mut known = HashSet::new();
    for chunk in asked.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut sql = "SELECT id FROM users WHERE id IN ".to_owned();
        sql.push_str(&tuple(1, chunk.len()));
        for row in B::rows(connection, AssertSqlSafe(sql), chunk).await? {
            known.insert(UserId(row.uuid(0)?));
        }
    }
    Ok(known)
}

#[async_trait]
impl<B: Backend> QuotaStore for SqlStore<B> {
    async fn account_plan(&self, account: UserId) -> Result<Option<AccountPlan>, StoreError> {
        let mut connection = self.read.acquire().await?;
        find_in::<B>(&mut connection, account).await
    }

    async fn account_has_module(&self, account: UserId, digest: &Digest) -> Result<bool, StoreError> {
        Ok(!read(&self.read, HAS_MODULE, values![account, digest]).await?.is_empty())
    }

    async fn keep_usage(
        &self,
        executor: Uuid,
        used: &[AccountUse],
        now: Timestamp,
        alive_since: Timestamp,
    ) -> Result<Vec<AccountUse>, StoreError> {
        if used.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = begin(&self.write).await?;
        let accounts: HashSet<UserId> = used.iter().map(|one| one.account).collect();
        let known = known::<B>(&mut transaction, &accounts).await?;
        // Sorted, so that rows are always locked in the same order; the last word of each counts.
        let mut each: BTreeMap<(Uuid, i64), &AccountUse> = BTreeMap::new();
        for one in used.iter().filter(|one| known.contains(&one.account)) {
            each.insert((one.account.0, one.day), one);
        }
        let each: Vec<&AccountUse> = each.into_values().collect();
        keep::<B>(&mut transaction, executor, &each, now).await?;
        transaction.commit().await?;
        let accounts: Vec<UserId> = known.into_iter().collect();
        let first_day = each.iter().map(|one| one.day).min().unwrap_or_default();
        let mut connection = self.read.acquire().await?;
        let mut by_account: HashMap<UserId, Vec<Told>> = HashMap::new();
        for one in told::<B>(&mut connection, &accounts, first_day.saturating_sub(1)).await? {
            if one.executor != executor {
                by_account.entry(one.account).or_default().push(one);
            }
        }
        let others = |one: &&AccountUse| {
            let told = by_account.get(&one.account).map(Vec::as_slice).unwrap_or_default();
            let ran = sum(told.iter(), one.day, one.minute, alive_since);
            AccountUse {
                invocations: ran.invocations,
                cpu_us: ran.cpu_us,
                minute_invocations: ran.minute_invocations,
                running: u32::try_from(ran.running).unwrap_or(u32::MAX),
                ..(*one).clone()
            }
        };
        Ok(each.iter().map(others).collect())
    }

    async fn ran(
        &self,
        account: UserId,
        day: i64,
        minute: i64,
        alive_since: Timestamp,
    ) -> Result<Ran, StoreError> {
        let mut connection = self.read.acquire().await?;
        let told = told::<B>(&mut connection, &[account], day.saturating_sub(1)).await?;
        Ok(sum(told.iter(), day, minute, alive_since))
    }

    async fn sweep_usage(&self, before_day: i64) -> Result<u64, StoreError> {
        in_bites(&self.write, OLD_USAGE, before_day).await
    }
}

/// `($1, $2, $3)`
fn tuple(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|place| format!("${place}")).collect();
    format!("({})", places.join(", "))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
