//! Claims, and which modules are in use.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use wasmcloud_wire::{Digest, Timestamp};

use super::SqlStore;
use super::backend::{Backend, Columns as _, begin, write};
use super::value::{Value, digest, values};
use crate::store::{Claim, ModuleStore, StoreError, Subject};

#[async_trait]
impl<B: Backend> ModuleStore for SqlStore<B> {
    async fn claim(&self, claim: Claim<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let (subject, alone) = match claim.subject {
            Subject::Upload(digest) => (of_module(digest), false),
            Subject::Sweep => ("sweep".to_owned(), true),
        };
        let mut transaction = begin(&self.write).await?;
        begin_claiming::<B>(&mut transaction, now).await?;
        let sql = "SELECT 1 FROM claims WHERE subject = $1 AND holder <> $2 AND (alone OR $3) LIMIT 1";
        let held = B::rows(&mut transaction, sql, values![subject.as_str(), claim.holder, alone]).await?;
        if held.is_empty() {
            insert::<B>(&mut transaction, &subject, claim.holder, alone, claim.expires_at).await?;
        }
        transaction.commit().await?;
        Ok(held.is_empty())
    }

    async fn claim_unused(
        &self,
        digests: &[Digest],
        holder: Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Digest>, StoreError> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = begin(&self.write).await?;
        begin_claiming::<B>(&mut transaction, now).await?;
        // Claims before versions: an upload gives up its claim after its version is there, so that one of the two
        // questions finds it, whatever is committed between them.
        let claimed = claimed::<B>(&mut transaction, digests).await?;
        let used = used::<B>(&mut transaction, digests).await?;
        let free =
            digests.iter().filter(|digest| !used.contains(*digest) && !claimed.contains(&of_module(digest)));
        let free: Vec<Digest> = free.copied().collect();
        for digest in &free {
            insert::<B>(&mut transaction, &of_module(digest), holder, true, expires_at).await?;
        }
        transaction.commit().await?;
        Ok(free)
    }

    async fn count_known(&self, digests: &[Digest]) -> Result<usize, StoreError> {
        if digests.is_empty() {
            return Ok(0);
        }
        let values: Vec<Value<'_>> = digests.iter().map(Value::from).collect();
        let sql = format!("SELECT count(*) FROM modules WHERE digest IN ({})", placeholders(values.len()));
        let mut connection = self.read.acquire().await?;
        let rows = B::rows(&mut connection, AssertSqlSafe(sql), &values).await?;
        let count = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or_default())
    }

    async fn release(&self, holder: Uuid) -> Result<(), StoreError> {
        write(&self.write, "DELETE FROM claims WHERE holder = $1", values![holder]).await.map(|_| ())
    }
}

fn of_module(digest: &Digest) -> String {
    format!("module {digest}")
}

/// Nobody else claims until the transaction ends; what nobody holds any more is forgotten.
async fn begin_claiming<B: Backend>(
    connection: &mut B::Connection,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(lock) = B::LOCK_CLAIMS {
        B::execute(connection, lock, &[]).await?;
    }
    B::execute(connection, "DELETE FROM claims WHERE expires_at <= $1", values![now]).await.map(|_| ())
}

async fn insert<B: Backend>(
    connection: &mut B::Connection,
    subject: &str,
    holder: Uuid,
    alone: bool,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO claims (subject, holder, alone, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject, holder) DO UPDATE SET alone = excluded.alone, expires_at = excluded.expires_at";
    B::execute(connection, sql, values![subject, holder, alone, expires_at]).await.map(|_| ())
}

async fn claimed<B: Backend>(
    connection: &mut B::Connection,
    digests: &[Digest],
) -> Result<HashSet<String>, StoreError> {
    let subjects: Vec<String> = digests.iter().map(of_module).collect();
    let values: Vec<Value<'_>> = subjects.iter().map(|subject| Value::from(subject.as_str())).collect();
    let sql = format!("SELECT subject FROM claims WHERE subject IN ({})", placeholders(values.len()));
    B::rows(connection, AssertSqlSafe(sql), &values).await?.iter().map(|row| row.text(0)).collect()
}

async fn used<B: Backend>(
    connection: &mut B::Connection,
    digests: &[Digest],
) -> Result<HashSet<Digest>, StoreError> {
    let values: Vec<Value<'_>> = digests.iter().map(Value::from).collect();
    let sql = format!(
        "SELECT DISTINCT v.digest FROM versions v JOIN handlers h ON h.id = v.handler_id
            WHERE h.deleted_at IS NULL AND v.digest IN ({})",
        placeholders(values.len())
    );
    B::rows(connection, AssertSqlSafe(sql), &values).await?.iter().map(|row| digest(&row.bytes(0)?)).collect()
}

/// `$1, $2, $3`.
fn placeholders(count: usize) -> String {
    (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}
