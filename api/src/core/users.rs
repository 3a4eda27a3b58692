//! Users, their tokens, and invitations.

use wasmcloud_wire::body::{Invitation, User};
use wasmcloud_wire::{Timestamp, UserId, UserName};

use super::tokens::is_limited;
use super::{Core, DAY_MS};
use crate::auth::{Caller, Credential, Via, credential, hash_of};
use crate::store::{Grounds, LiveToken, NewUser, StoreError};
use crate::{ApiError, Registration};

/// How long an invitation can be used, in days.
const INVITATION_DAYS: i64 = 7;
/// Randomness of an invitation's code, in bytes.
const INVITATION_BYTES: usize = 20;

/// A wrong password, a user who does not exist: nobody is told which.
pub(crate) struct FailedLogin;

impl Core {
    /// How many users there are: none on the very first start.
    pub async fn count_users(&self) -> Result<u64, ApiError> {
        Ok(self.store.count_users().await?)
    }

    /// A user by name.
    pub async fn user(&self, name: &UserName) -> Result<Option<User>, ApiError> {
        Ok(self.store.user_by_name(name).await?.map(|(user, _)| user))
    }

    /// Adds a user, whatever the rules for registering are; 409 if the name is taken.
    pub async fn create_user(
        &self,
        name: UserName,
        password: String,
        is_admin: bool,
    ) -> Result<User, ApiError> {
        let new = self.new_user(name, password, is_admin).await?;
        let name = new.name.clone();
        self.store.create_user(new).await.map_err(|error| name_conflict(error, &name))
    }

    /// Adds a user by the rules for registering.
    pub(crate) async fn register(
        &self,
        name: UserName,
        password: String,
        invitation: Option<&str>,
    ) -> Result<User, ApiError> {
        match self.config.registration {
            Registration::Off => Err(registration_off()),
            Registration::Open => self.create_user(name, password, false).await,
            Registration::Invitation => {
                let code = invitation.ok_or_else(bad_invitation)?;
                let new = self.new_user(name, password, false).await?;
                let name = new.name.clone();
                self.store
                    .create_invited_user(new, &hash_of(code), Timestamp::now())
                    .await
                    .map_err(|error| name_conflict(error, &name))?
                    .ok_or_else(bad_invitation)
            }
        }
    }

    async fn new_user(&self, name: UserName, password: String, is_admin: bool) -> Result<NewUser, ApiError> {
        let password_hash = self.passwords.hash(password).await?;
        Ok(NewUser { id: UserId::new(), name, password_hash, is_admin })
    }

    /// The user whom a name and a password belong to, and what the user is known by then.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: String,
    ) -> Result<Result<(User, Grounds), FailedLogin>, ApiError> {
        let known = match name.parse::<UserName>() {
            Ok(name) => self.store.user_by_name(&name).await?,
            Err(_) => None,
        };
        let (user, hash) = known.unzip();
        // Who signs in elsewhere has no password: that is as much work as a wrong one, and is no fault to be logged.
        let hash = hash.filter(|hash| !hash.is_empty());
        let grounds = hash.clone().map(Grounds::Password);
        let right = self.passwords.verify(name, password, hash).await?;
        let Some((user, grounds)) = user.zip(grounds).filter(|_| right) else { return Ok(Err(FailedLogin)) };
        if let Some(reason) = self.store.known(user.id).await?.and_then(|known| known.suspended) {
            return Err(ApiError::suspended(&reason));
        }
        Ok(Ok((user, grounds)))
    }

    /// Whoever an `Authorization` field speaks for; 401 if it speaks for nobody.
    pub(crate) async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, ApiError> {
        let now = Timestamp::now();
        let claims = match authorization.and_then(credential).ok_or_else(ApiError::unauthorized)? {
            Credential::Session(secret) => return self.session_caller(secret, now).await,
            Credential::Bearer(token) => self.keys.verify(token, now).ok_or_else(ApiError::unauthorized)?,
        };
        let live = self.store.live_token(claims.jti, now).await?.ok_or_else(ApiError::unauthorized)?;
        if live.user.id != claims.sub || claims.is_limited() != is_limited(&live.scopes, &live.handlers) {
            return Err(ApiError::unauthorized());
        }
        if let Some(reason) = live.suspended {
            return Err(ApiError::suspended(&reason));
        }
        self.note_token_use(claims.jti, live.used_at, now);
        let LiveToken { user, scopes, handlers, .. } = live;
        Ok(Caller { user, via: Via::Token(claims.jti), scopes, handlers })
    }

    /// Makes an invitation for one new user.
    pub(crate) async fn invite(&self, by: UserId) -> Result<Invitation, ApiError> {
        let mut random = [0; INVITATION_BYTES];
        getrandom::fill(&mut random).map_err(ApiError::internal)?;
        let code = hex::encode(random);
        let expires_at = Timestamp(Timestamp::now().0 + INVITATION_DAYS * DAY_MS);
        self.store.create_invitation(&hash_of(&code), by, expires_at).await?;
        Ok(Invitation { code, expires_at })
    }
}

/// 401: nobody is told more of why.
pub(crate) fn wrong_credentials() -> ApiError {
    ApiError::new(
        401,
        "wrong_credentials",
        "no user has this name and this password",
        "check both; `wasmcloud login` asks for them again",
    )
}

pub(super) fn registration_off() -> ApiError {
    ApiError::new(
        403,
        "registration_off",
        "this server does not let people register",
        "ask whoever operates it for a user",
    )
}

pub(super) fn bad_invitation() -> ApiError {
    ApiError::new(
        403,
        "invitation_required",
        "registering needs an invitation's code that was not used yet and is not older than 7 days",
        "ask whoever operates this server for one, and register with `--invitation CODE`",
    )
}

fn name_conflict(error: StoreError, name: &UserName) -> ApiError {
    match error {
        StoreError::Conflict => name_taken(name),
        other => other.into(),
    }
}

pub(super) fn name_taken(name: &UserName) -> ApiError {
    ApiError::new(
        409,
        "user_name_taken",
        format!("there is a user or a team `{name}` already"),
        "choose another name",
    )
}
