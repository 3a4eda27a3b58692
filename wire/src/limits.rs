//! Every limit's name and number.
//!
//! [`Limits`] are those of one invocation, which a deployment carries; the constants are the
//! platform's own.

use serde::{Deserialize, Serialize};

/// Bytes in one WebAssembly page.
pub const PAGE_BYTES: u64 = 65_536;

/// Largest module that can be uploaded.
pub const UPLOAD_BYTES_MAX: usize = 32 << 20;
/// Largest request body that is kept whole: of a program that speaks CGI, and of an invocation through the API.
pub const REQUEST_BODY_BYTES_MAX: usize = 10 << 20;
/// Largest JSON body at the API.
pub const JSON_BODY_BYTES_MAX: usize = 1 << 20;
/// Longest request target (path and query).
pub const URL_BYTES_MAX: usize = 8 << 10;
/// Largest header block of a request.
pub const HEADER_BYTES_MAX: usize = 32 << 10;
/// Most header fields of a request.
pub const HEADER_FIELDS_MAX: usize = 100;
/// Largest header block of a CGI answer.
pub const CGI_HEADER_BYTES_MAX: usize = 16 << 10;
/// Most fields of a CGI answer's header block.
pub const CGI_HEADER_FIELDS_MAX: usize = 100;
/// Most local redirects (`Location: /path`) that one request follows.
pub const LOCAL_REDIRECTS_MAX: usize = 5;
/// How deep handlers may call handlers over HTTP: a request that has come through this many is refused.
pub const CALL_DEPTH_MAX: u32 = 5;

/// Most variables in a handler's own environment.
pub const ENV_ENTRIES_MAX: usize = 64;
/// Longest variable of a handler's own environment, name and value together.
pub const ENV_ENTRY_BYTES_MAX: usize = 5 << 10;
/// Largest environment of a handler, all names and values together.
pub const ENV_BYTES_MAX: usize = 64 << 10;

/// Largest header field of an upload that sets settings together with the version; more of them are set
/// on their own.
pub const ENV_HEADER_BYTES_MAX: usize = 12 << 10;

/// Largest policy of a handler, as JSON without needless space: the body of a `PUT` or `PATCH`, and the
/// header field of an upload.
pub const POLICY_BYTES_MAX: usize = 16 << 10;

/// Most lines of one invocation's log, however short: each is a row in the database.
pub const LOG_LINES_MAX: u32 = 2_000;
/// Longest request method, in bytes.
pub const METHOD_BYTES_MAX: usize = 64;
/// Most characters that a log line keeps.
pub const LOG_LINE_CHARS_MAX: usize = 10_000;

/// Most invocations of one handler at once, on one executor.
pub const CONCURRENCY_PER_HANDLER_MAX: usize = 32;
/// Most invocations of one user's handlers at once, on one executor.
pub const CONCURRENCY_PER_USER_MAX: usize = 64;
/// Most invocations at once on one executor.
pub const CONCURRENCY_PER_EXECUTOR_MAX: usize = 256;
/// How long an invocation waits for its place before it is turned away.
pub const CONCURRENCY_WAIT_MS_MAX: u64 = 1_000;

/// How long an idle connection is kept.
pub const IDLE_TIMEOUT_MS: u64 = 30_000;
/// How long a request's header block may take from its first byte.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;
/// How long a request's body may stand still.
pub const BODY_TIMEOUT_MS: u64 = 30_000;
/// The slowest that a request's body may arrive, on average, after [`BODY_TIMEOUT_MS`].
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1 << 10;

/// Gas that counts as a millisecond of CPU time against a quota: what the default limits of both families make of it.
pub const GAS_PER_CPU_MS: u64 = 2_000_000;
/// Most accounts and days that an executor tells the use of at once.
pub const USAGE_ACCOUNTS_MAX: usize = 1_000;

/// Most hosts that one user may add.
pub const HOSTS_PER_USER_MAX: u32 = 20;
/// Most routes of one user's host.
pub const ROUTES_PER_HOST_MAX: u32 = 100;

/// Most handlers that a token can be limited to.
pub const TOKEN_HANDLERS_MAX: usize = 20;
/// Most teams that one user may own: each has a plan of its own.
pub const TEAMS_PER_OWNER_MAX: u32 = 5;
/// Most teams that one user belongs to.
pub const TEAMS_PER_MEMBER_MAX: u32 = 100;
/// Most members of one team.
pub const MEMBERS_PER_TEAM_MAX: u32 = 100;
/// Most roles that one team offers at a time, to whoever has not answered yet.
pub const OFFERS_PER_TEAM_MAX: u32 = 100;
/// How many days a role that a team offers can be accepted.
pub const OFFER_DAYS: i64 = 30;
/// Most offers of teams that one user is shown, the newest; any can be accepted by the team's name.
pub const OFFERS_SHOWN_MAX: u32 = 100;

/// How many days a deleted handler's name is kept from everyone but its last owner.
pub const DELETED_NAME_HELD_DAYS: i64 = 30;

/// What one invocation may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Instructions, each weighted by the cost table of docs/LIMITS.md.
    pub gas: u64,
    /// CPU time of a program whose instructions are not counted (the WASI family), in milliseconds.
    #[serde(default = "default_cpu_ms")]
    pub cpu_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_ms: u64,
    /// Linear memory, in bytes; rounded down to whole pages.
    pub memory_bytes: u64,
    /// Elements of each table; what the tables begin with counts together.
    pub table_elements: u32,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// Bytes of a body that streams through a `wasi:http` program, each way: nothing of it is kept.
    #[serde(default = "default_stream_bytes")]
    pub stream_bytes: u64,
    /// Bytes of log text.
    pub log_bytes: u64,
}

fn default_cpu_ms() -> u64 {
    1_000
}

fn default_stream_bytes() -> u64 {
    4 << 30
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            gas: 2_000_000_000,
            cpu_ms: default_cpu_ms(),
            wall_ms: 30_000,
            memory_bytes: 128 << 20,
            table_elements: 20_000,
            response_bytes: 100 << 20,
            stream_bytes: default_stream_bytes(),
            log_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// What a handler's policy may ask for at most, where the operator sets no other ceilings.
    pub fn ceiling() -> Limits {
        Limits {
            gas: 60_000_000_000,
            cpu_ms: 30_000,
            wall_ms: 300_000,
            memory_bytes: 1 << 30,
            ..Limits::default()
        }
    }

    /// The memory limit to advise for a program that needs so many bytes at least: with exactly as many it could
    /// allocate nothing. A quarter more, rounded up to a power of two, as far as the ceiling has room for it.
    pub fn memory_bytes_for(needed: u64, ceiling: u64) -> u64 {
        let roomy = needed.saturating_add(needed / 4).checked_next_power_of_two().unwrap_or(u64::MAX);
        roomy.min(ceiling).max(needed)
    }

    /// The memory limit in whole WebAssembly pages.
    pub fn memory_pages(&self) -> u32 {
        u32::try_from(self.memory_bytes / PAGE_BYTES).unwrap_or(65_536).min(65_536)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_that_is_advised_leaves_room_to_allocate_as_far_as_the_ceiling_does() {
        const MIB: u64 = 1 << 20;
        for (needed, ceiling, advised) in [
            (2 * MIB, 1 << 30, 4 * MIB),
            (200 * MIB, 1 << 30, 256 * MIB),
            (250 * MIB, 1 << 30, 512 * MIB),
            (900 * MIB, 1 << 30, 1 << 30),
            (900 * MIB, 1000 * MIB, 1000 * MIB),
            (1 << 30, 1 << 30, 1 << 30),
            (u64::MAX, u64::MAX, u64::MAX),
        ] {
            assert_eq!(Limits::memory_bytes_for(needed, ceiling), advised, "{needed} of {ceiling}");
        }
    }
}
