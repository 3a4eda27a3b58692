//! An installation as rows: what an export reads and an import writes. Every table and column that is a part of
//! an installation stands here, and nothing that only a running server needs.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::Digest;

use super::StoreError;

/// A table that is a part of an installation.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of its primary key, by their places in `columns`.
    pub key: &'static [usize],
    /// All of its columns.
    pub columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// A whole number or nothing.
    MaybeInt,
    /// A text.
    Text,
    /// A text or nothing.
    MaybeText,
    /// An id.
    Uuid,
    /// An id or nothing.
    MaybeUuid,
    /// Yes or no.
    Flag,
    /// Bytes.
    Bytes,
}

/// What a row has in one column. It may be a password's hash, so it does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// A whole number or nothing.
    Int(Option<i64>),
    /// A text or nothing.
    Text(Option<String>),
    /// An id or nothing.
    Uuid(Option<Uuid>),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row of a table, a cell a column.
pub type Row = Vec<Cell>;

impl Table {
    /// The place of a column.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|found| found.name == column)
    }
}

macro_rules! tables {
    ($( $table:ident ($($key:literal),+) { $($column:ident: $kind:ident),+ $(,)? } )+) => {
        /// Every table of an installation, in an order in which no row refers to one that comes later, but for
        /// a handler to its live version.
        pub const TABLES: &[Table] = &[
            $( Table {
                name: stringify!($table),
                key: &[$($key),+],
                columns: &[
                    $( Column { name: stringify!($column), kind: Kind::$kind }, )+
                    Column { name: "created_at", kind: Kind::Int },
                    Column { name: "updated_at", kind: Kind::Int },
                ],
            }, )+
        ];
    };
}

tables! {
    plans (0) {
        name: Text, handlers_max: MaybeInt, storage_bytes_max: MaybeInt, invocations_per_minute_max: MaybeInt,
        concurrent_max: MaybeInt, cpu_ms_per_day_max: MaybeInt, is_default: Flag,
    }
    users (0) {
        id: Uuid, name: Text, password_hash: Text, is_admin: Flag, kind: Text, plan: MaybeText, suspended_at: MaybeInt,
        suspended_reason: MaybeText,
    }
    members (0, 1) { team_id: Uuid, user_id: Uuid, role: Text }
    offers (0, 1) { team_id: Uuid, user_id: Uuid, role: Text, expires_at: Int }
    identities (0) {
        id: Uuid, user_id: Uuid, provider: Text, issuer: Text, subject: Text, label: Text, used_at: MaybeInt,
    }
    plan_requests (0) {
        id: Uuid, account_id: Uuid, asked_by: Uuid, plan: Text, reason: Text, state: Text, decided_by: MaybeUuid,
        decided_at: MaybeInt, note: MaybeText,
    }
    invitations (0) { code_hash: Bytes, created_by: Uuid, expires_at: Int, used_at: MaybeInt, used_by: MaybeUuid }
    tokens (0) {
        id: Uuid, user_id: Uuid, label: Text, expires_at: Int, revoked_at: MaybeInt, scopes: Text, handlers: MaybeText,
        used_at: MaybeInt,
    }
    modules (0) { digest: Bytes, size_bytes: Int, abi: Text, inspection: Text }
    handlers (0) {
        id: Uuid, owner_id: Uuid, name: Text, forward_authorization: Flag, live_version: Int, last_version: Int,
        deleted_at: MaybeInt, policy: Text, promoted_at: MaybeInt, previous_version: MaybeInt,
        split_version: MaybeInt, split_at: MaybeInt, split_percent: MaybeInt, auto_rollback: Flag,
        rolled_back: MaybeText, recording: MaybeText,
    }
    versions (0, 1) { handler_id: Uuid, number: Int, digest: Bytes }
    handler_settings (0, 1) { handler_id: Uuid, name: Text, secret: Flag, key_id: Text, sealed: Bytes }
    hosts (0, 1) {
        name: Text, owner_id: Uuid, challenge: Text, proven_at: MaybeInt, granted_by: MaybeUuid,
        checked_at: MaybeInt, problem: MaybeText,
    }
    routes (0, 2, 1) { host: Text, path: Text, owner_id: Uuid, handler_id: Uuid, strip_prefix: Flag }
}

/// Tables that are no part of an installation: records, and what only a running server needs.
pub const LEFT_OUT: &[&str] = &[
    "invocations",
    "log_lines",
    "recordings",
    "changes",
    "executors",
    "nonces",
    "claims",
    "usage",
    "sessions",
    "tickets",
    "logins",
    "audit",
    "tries",
    "chart_minutes",
    "chart_walls",
    "schema_floor",
    "_sqlx_migrations",
];

/// How the store gives and takes a whole installation.
#[async_trait]
pub trait DumpStore: Send + Sync {
    /// Begins to read everything as it is at this moment, whatever is written meanwhile. `Older` and `Newer` if
    /// the database has not the schema that this program knows.
    async fn dump(&self) -> Result<Box<dyn Dump>, StoreError>;

    /// Begins to write an installation, in one transaction, while nobody else can add a user. `None` if there
    /// are users already.
    async fn restore(&self) -> Result<Option<Box<dyn Restore>>, StoreError>;

    /// Versions with this module of handlers that are not deleted, in words, a few of them.
    async fn users_of_module(&self, digest: &Digest) -> Result<Vec<String>, StoreError>;
}

/// Reading everything, as it was when it began.
#[async_trait]
pub trait Dump: Send {
    /// How many rows a table has.
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError>;
    /// The modules that handlers need which are not deleted, and the size of each in bytes.
    async fn modules(&mut self) -> Result<Vec<(Digest, u64)>, StoreError>;
    /// The next rows of a table after this one, in the order of the key, a few hundred at most; none at the end.
    async fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>, StoreError>;
}

/// Writing everything. Dropped without [`Restore::commit`], nothing was written.
#[async_trait]
pub trait Restore: Send {
    /// Adds rows as they are.
    async fn insert(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), StoreError>;
    /// Makes it so.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
