//! Sessions of the panel: a secret that a browser holds, for which the API takes it as its user.

use std::net::IpAddr;

use uuid::Uuid;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Scope, SessionGrant, SessionInfo, User};

use super::tokens::unfounded;
use super::{Core, DAY_MS};
use crate::ApiError;
use crate::auth::{Caller, Secret, Via, hash_of};
use crate::store::{Grounds, LiveSession, NewSessionRow, StoreError};

/// How long a session lasts at most, in days.
const DAYS_MAX: i64 = 30;
/// How long a session lasts that nobody uses, in days.
const IDLE_DAYS_MAX: i64 = 7;
/// Sessions of one user; beyond it the one that was not used for longest ends.
const SESSIONS_MAX: u32 = 100;
/// What is kept of what a browser says that it is, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;
/// To what it is noted when a session was last used.
const SEEN_MS: i64 = 60_000;

impl Core {
    /// Begins a session for a user, on grounds that still have to hold.
    pub(crate) async fn begin_session(
        &self,
        user: User,
        grounds: &Grounds,
        user_agent: &str,
        peer: IpAddr,
    ) -> Result<SessionGrant, ApiError> {
        let (secret, now) = (Secret::new().map_err(ApiError::internal)?, Timestamp::now());
        let expires_at = Timestamp(now.0 + DAYS_MAX * DAY_MS);
        let row = NewSessionRow {
            id: Uuid::now_v7(),
            secret_hash: secret.hash(),
            user: user.id,
            user_agent: user_agent
                .chars()
                .filter(|sign| !sign.is_control())
                .take(USER_AGENT_CHARS_MAX)
                .collect(),
            peer: peer.to_canonical().to_string(),
            now,
            expires_at,
        };
        if !self.store.create_session(&row, SESSIONS_MAX, grounds).await? {
            return Err(unfounded(grounds));
        }
        Ok(SessionGrant { secret: secret.reveal(), expires_at, user })
    }

    /// Whoever a session's secret speaks for.
    pub(super) async fn session_caller(&self, secret: &str, now: Timestamp) -> Result<Caller, ApiError> {
        let live = self.store.live_session(&hash_of(secret), now, idle_since(now)).await?;
        let LiveSession { id, user, seen_at, suspended } = live.ok_or_else(ApiError::unauthorized)?;
        if let Some(reason) = suspended {
            return Err(ApiError::suspended(&reason));
        }
        let minute = now.0 - now.0.rem_euclid(SEEN_MS);
        if seen_at.0 < minute
            && let Err(error) = self.store.see_session(id, Timestamp(minute)).await
        {
            tracing::debug!(%error, session.id = %id, "cannot note that a session was used");
        }
        Ok(Caller { user, via: Via::Session(id), scopes: Scope::ALL.to_vec(), handlers: None })
    }

    /// Whether a session is still good.
    pub(super) async fn session_is_live(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        self.store.session_is_live(id, now, idle_since(now)).await
    }

    /// The caller's sessions.
    pub(crate) async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionInfo>, ApiError> {
        let now = Timestamp::now();
        let mut sessions = self.store.sessions(caller.user.id, now, idle_since(now)).await?;
        for session in &mut sessions {
            session.current = caller.via == Via::Session(session.id);
        }
        Ok(sessions)
    }
}

/// When a session must have been used to go on.
fn idle_since(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - IDLE_DAYS_MAX * DAY_MS)
}
