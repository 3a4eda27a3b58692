//! Plans, and who asks for which.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{Plan, PlanRequest, PlanRequestState};
use wasmcloud_wire::{Timestamp, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read, write};
use super::quotas::number;
use super::value::{parse, values};
use crate::store::{
    AskPlan, Asked, DecidePlan, DeletePlan, NewPlanRequestRow, PlanStore, SetPlan, StoreError,
};

const PLANS: &str =
    "SELECT name, handlers_max, storage_bytes_max, invocations_per_minute_max, concurrent_max,
        cpu_ms_per_day_max, is_default FROM plans";
const PLAN: &str = "SELECT name, handlers_max, storage_bytes_max, invocations_per_minute_max, concurrent_max,
        cpu_ms_per_day_max, is_default FROM plans WHERE name = $1";
const UPSERT: &str = "INSERT INTO plans (name, handlers_max, storage_bytes_max, invocations_per_minute_max,
        concurrent_max, cpu_ms_per_day_max, is_default) VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (name) DO UPDATE SET handlers_max = excluded.handlers_max,
        storage_bytes_max = excluded.storage_bytes_max,
        invocations_per_minute_max = excluded.invocations_per_minute_max,
        concurrent_max = excluded.concurrent_max, cpu_ms_per_day_max = excluded.cpu_ms_per_day_max,
        is_default = excluded.is_default";

/// The columns in the order of [`request_row`].
macro_rules! select_requests {
    ($which:literal) => {
        concat!(
            "SELECT r.id, a.name, b.name, COALESCE(a.plan, d.name), r.plan, r.reason, r.state, r.note, r.created_at,
                r.decided_at
            FROM plan_requests r
            JOIN users a ON a.id = r.account_id
            JOIN users b ON b.id = r.asked_by
            JOIN plans d ON d.is_default
            WHERE ",
            $which
        )
    };
}

const REQUEST: &str = select_requests!("r.id = $1");
const REQUESTS_BY: &str = select_requests!(
    "r.asked_by = $1 OR r.account_id = $1
        OR EXISTS (SELECT 1 FROM members t WHERE t.team_id = r.account_id AND t.user_id = $1)
    ORDER BY CASE r.state WHEN 'open' THEN 0 ELSE 1 END, r.created_at DESC, r.id DESC LIMIT $2"
);
const REQUESTS_FOR: &str = select_requests!(
    "r.account_id = $1
    ORDER BY CASE r.state WHEN 'open' THEN 0 ELSE 1 END, r.created_at DESC, r.id DESC LIMIT $2"
);
const REQUESTS: &str = select_requests!(
    "TRUE ORDER BY CASE r.state WHEN 'open' THEN 0 ELSE 1 END, r.created_at DESC, r.id DESC LIMIT $1"
);

/// How many requests of an account are kept: its newest, of which one is open.
const REQUESTS_KEPT: i64 = 20;
const FORGET_REQUESTS: &str =
    "DELETE FROM plan_requests WHERE account_id = $1 AND state <> 'open' AND id NOT IN
    (SELECT id FROM plan_requests WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)";

/// Takes the lock of all who change which plans there are.
async fn lock<B: Backend>(connection: &mut B::Connection) -> Result<(), StoreError> {
    match B::LOCK_PLANS {
        Some(lock) => B::execute(connection, lock, &[]).await.map(|_| ()),
        None => Ok(()),
    }
}

async fn find<B: Backend>(connection: &mut B::Connection, name: &str) -> Result<Option<Plan>, StoreError> {
    B::rows(connection, PLAN, values![name]).await?.first().map(plan_row).transpose()
}

async fn find_request<B: Backend>(
    connection: &mut B::Connection,
    id: Uuid,
) -> Result<Option<PlanRequest>, StoreError> {
    B::rows(connection, REQUEST, values![id]).await?.first().map(request_row).transpose()
}

#[async_trait]
impl<B: Backend> PlanStore for SqlStore<B> {
    async fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        let rows = read(&self.read, PLANS, &[]).await?;
        let mut plans = rows.iter().map(plan_row).collect::<Result<Vec<_>, _>>()?;
        // Here and not in SQL: PostgreSQL sorts by the database's locale, which may pass over dashes.
        plans.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(plans)
    }

    async fn set_plan(&self, plan: &Plan, plans_max: u64) -> Result<SetPlan, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock::<B>(&mut transaction).await?;
        let before = find::<B>(&mut transaction, &plan.name).await?;
        match &before {
            Some(before) if before.is_default && !plan.is_default => return Ok(SetPlan::IsDefault),
            None if number(&B::rows(&mut transaction, "SELECT count(*) FROM plans", &[]).await?)?
                >= plans_max =>
            {
                return Ok(SetPlan::TooMany);
            }
            _ => {}
        }
        if plan.is_default {
            let sql = "UPDATE plans SET is_default = FALSE WHERE is_default AND name <> $1";
            B::execute(&mut transaction, sql, values![plan.name.as_str()]).await?;
        }
        let values = values![
            plan.name.as_str(),
            plan.handlers_max.map(whole),
            plan.storage_bytes_max.map(whole),
            plan.invocations_per_minute_max.map(whole),
            plan.concurrent_max.map(whole),
            plan.cpu_ms_per_day_max.map(whole),
            plan.is_default,
        ];
        B::execute(&mut transaction, UPSERT, values).await?;
        transaction.commit().await?;
        Ok(if before.is_some() { SetPlan::Changed } else { SetPlan::Made })
    }

    async fn delete_plan(&self, name: &str) -> Result<DeletePlan, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock::<B>(&mut transaction).await?;
        match find::<B>(&mut transaction, name).await? {
            None => return Ok(DeletePlan::NotFound),
            Some(plan) if plan.is_default => return Ok(DeletePlan::IsDefault),
            Some(_) => {}
        }
        let accounts = "SELECT count(*) FROM users WHERE plan = $1";
        let requests = "SELECT count(*) FROM plan_requests WHERE plan = $1 AND state = 'open'";
        let accounts = number(&B::rows(&mut transaction, accounts, values![name]).await?)?;
        let requests = number(&B::rows(&mut transaction, requests, values![name]).await?)?;
        if accounts > 0 || requests > 0 {
            return Ok(DeletePlan::InUse { accounts, requests });
        }
        for sql in ["DELETE FROM plan_requests WHERE plan = $1", "DELETE FROM plans WHERE name = $1"] {
            B::execute(&mut transaction, sql, values![name]).await?;
        }
        transaction.commit().await?;
        Ok(DeletePlan::Deleted)
    }

    async fn give_plan(&self, account: UserId, plan: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET plan = $2 WHERE id = $1 AND EXISTS (SELECT 1 FROM plans WHERE name = $2)";
        Ok(write(&self.write, sql, values![account, plan]).await? == 1)
    }

    async fn ask_plan(&self, new: NewPlanRequestRow) -> Result<AskPlan, StoreError> {
        let mut transaction = begin(&self.write).await?;
        // The account is held until the commit, so that of two requests at once the second withdraws the first.
        let sql = "UPDATE users SET kind = kind WHERE id = $1";
        if B::execute(&mut transaction, sql, values![new.account]).await? == 0 {
            return Err(StoreError::AccountGone);
        }
        if find::<B>(&mut transaction, &new.plan).await?.is_none() {
            return Ok(AskPlan::NoSuchPlan);
        }
        let has = "SELECT 1 FROM users u JOIN plans p ON p.name = u.plan OR (u.plan IS NULL AND p.is_default)
            WHERE u.id = $1 AND p.name = $2";
        if !B::rows(&mut transaction, has, values![new.account, new.plan.as_str()]).await?.is_empty() {
            return Ok(AskPlan::HasIt);
        }
        let withdraw =
            "UPDATE plan_requests SET state = 'withdrawn' WHERE account_id = $1 AND state = 'open'";
        B::execute(&mut transaction, withdraw, values![new.account]).await?;
        let sql = "INSERT INTO plan_requests (id, account_id, asked_by, plan, reason, state)
            VALUES ($1, $2, $3, $4, $5, 'open')";
        let values = values![new.id, new.account, new.asked_by, new.plan.as_str(), new.reason.as_str()];
        B::execute(&mut transaction, sql, values).await?;
        let account = values![new.account, REQUESTS_KEPT];
        B::execute(&mut transaction, FORGET_REQUESTS, account).await?;
        let request = find_request::<B>(&mut transaction, new.id).await?.ok_or_else(vanished)?;
        transaction.commit().await?;
        Ok(AskPlan::Asked(Box::new(request)))
    }

    async fn plan_requests(&self, asked: Asked, limit: u32) -> Result<Vec<PlanRequest>, StoreError> {
        let limit = i64::from(limit);
        let rows = match asked {
            Asked::By(user) => read(&self.read, REQUESTS_BY, values![user, limit]).await?,
            Asked::For(account) => read(&self.read, REQUESTS_FOR, values![account, limit]).await?,
            Asked::All => read(&self.read, REQUESTS, values![limit]).await?,
        };
        rows.iter().map(request_row).collect()
    }

    async fn decide_plan(
        &self,
        id: Uuid,
        by: UserId,
        approve: bool,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<DecidePlan, StoreError> {
        let mut transaction = begin(&self.write).await?;
        // The account is held first, as by everybody.
        let hold =
            "UPDATE users SET kind = kind WHERE id = (SELECT account_id FROM plan_requests WHERE id = $1)";
        B::execute(&mut transaction, hold, values![id]).await?;
        let state = if approve { "approved" } else { "refused" };
        let sql = "UPDATE plan_requests SET state = $2, decided_by = $3, decided_at = $4, note = $5
            WHERE id = $1 AND state = 'open' RETURNING account_id";
        let rows = B::rows(&mut transaction, sql, values![id, state, by, now, note]).await?;
        let request = find_request::<B>(&mut transaction, id).await?;
        let (Some(row), Some(request)) = (rows.first(), &request) else {
            return Ok(request.map_or(DecidePlan::NotFound, |request| DecidePlan::NotOpen(Box::new(request))));
        };
        if approve {
            let sql = "UPDATE users SET plan = $2 WHERE id = $1";
            B::execute(&mut transaction, sql, values![row.uuid(0)?, request.plan.as_str()]).await?;
        }
        transaction.commit().await?;
        Ok(DecidePlan::Decided(Box::new(request.clone())))
    }
}

/// A plan's columns, in the order of [`PLAN`].
pub(super) fn plan_row(row: &impl Columns) -> Result<Plan, StoreError> {
    Ok(Plan {
        name: row.text(0)?,
        handlers_max: most(row.maybe_int(1)?),
        storage_bytes_max: most(row.maybe_int(2)?),
        invocations_per_minute_max: most(row.maybe_int(3)?),
        concurrent_max: most(row.maybe_int(4)?),
        cpu_ms_per_day_max: most(row.maybe_int(5)?),
        is_default: row.flag(6)?,
    })
}

fn request_row(row: &impl Columns) -> Result<PlanRequest, StoreError> {
    Ok(PlanRequest {
        id: row.uuid(0)?,
        account: parse(&row.text(1)?)?,
        asked_by: parse(&row.text(2)?)?,
        plan_now: row.text(3)?,
        plan: row.text(4)?,
        reason: row.text(5)?,
        state: state(&row.text(6)?)?,
        note: row.maybe_text(7)?,
        created_at: Timestamp(row.int(8)?),
        decided_at: row.maybe_int(9)?.map(Timestamp),
    })
}

fn state(text: &str) -> Result<PlanRequestState, StoreError> {
    match text {
        "open" => Ok(PlanRequestState::Open),
        "approved" => Ok(PlanRequestState::Approved),
        "refused" => Ok(PlanRequestState::Refused),
        "withdrawn" => Ok(PlanRequestState::Withdrawn),
        other => Err(StoreError::Corrupt(format!("a plan request's state is `{other}`"))),
    }
}

/// A column's number as a quota's; less than nothing is nothing.
pub(super) fn most(number: Option<i64>) -> Option<u64> {
    number.map(|number| u64::try_from(number).unwrap_or_default())
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn vanished() -> StoreError {
    StoreError::Corrupt("a plan request that was written a moment ago is gone".to_owned())
}
