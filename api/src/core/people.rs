//! People: passwords and their resets, and what operators do about accounts.

use std::sync::Arc;

use futures::StreamExt as _;
use wasmcloud_wire::body::{
    Account, ChangePassword, InvitationInfo, PasswordReset, Role, Suspension, UserInfo, UserPatch,
};
use wasmcloud_wire::{Change, Invoker, Timestamp, UserId, UserName};

use super::{Core, plan_not_found};
use crate::ApiError;
use crate::auth::{Caller, Secret, Via, hash_of};
use crate::store::{Changed, Keep, KeepTokens, NewTicket};

/// How long a reset can be used, in hours.
const RESET_HOURS: i64 = 24;
const HOUR_MS: i64 = 3_600_000;
/// Longest reason of a suspension, in characters.
const REASON_CHARS_MAX: usize = 500;
/// Handlers of a suspended account that executors are told of at once.
const ANNOUNCED_AT_ONCE: usize = 8;

/// The password so far is another one.
pub(crate) struct WrongPassword;

impl Core {
    /// What the caller's account is.
    pub(crate) async fn account(&self, caller: &Caller) -> Result<Account, ApiError> {
        let hash = self.store.password_hash(caller.user.id).await?;
        Ok(Account {
            user: caller.user.clone(),
            has_password: hash.is_some_and(|hash| !hash.is_empty()),
            identities: self.store.identities(caller.user.id).await?,
        })
    }

    /// Changes the caller's password. The request's own session or token goes on.
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        change: ChangePassword,
    ) -> Result<Result<(), WrongPassword>, ApiError> {
        let ChangePassword { old, new, revoke_tokens } = change;
        let known = self.store.password_hash(caller.user.id).await?.filter(|hash| !hash.is_empty());
        // What it was when it was checked: whoever else changes it meanwhile is not undone by this.
        let was = known.clone().unwrap_or_default();
        if known.is_some() {
            let old = old.unwrap_or_default();
            if !self.passwords.verify(caller.user.name.as_str(), old, known).await? {
                return Ok(Err(WrongPassword));
            }
        } else {
            // Whoever found a token would otherwise have found the account.
            by_session(caller, "a first password is set in the panel, by whoever is signed in there")?;
        }
        let hash = self.passwords.hash(new).await?;
        let (session, token) = match caller.via {
            Via::Session(id) => (Some(id), None),
            Via::Token(id) => (None, Some(id)),
        };
        let tokens = if revoke_tokens { KeepTokens::Only(token) } else { KeepTokens::All };
        let keep = Keep { session, tokens };
        let set = self.store.set_password(caller.user.id, &was, &hash, keep, Timestamp::now()).await?;
        Ok(if set { Ok(()) } else { Err(WrongPassword) })
    }

    /// Makes a code that a user sets a new password with, once; an earlier one is good for nothing then.
    pub(crate) async fn make_reset(&self, name: &UserName) -> Result<PasswordReset, ApiError> {
        let info = self.user_info(name).await?;
        is_user(&info)?;
        let secret = Secret::new().map_err(ApiError::internal)?;
        let expires_at = Timestamp(Timestamp::now().0 + RESET_HOURS * HOUR_MS);
        let ticket = NewTicket {
            secret_hash: secret.hash(),
            kind: "reset",
            user: Some(info.user.id),
            data: "{}".to_owned(),
            expires_at,
        };
        self.store.create_ticket(&ticket, true).await?;
        let code = secret.reveal();
        let url = self.config.public_url.join(&format!("/reset?code={code}"));
        Ok(PasswordReset { code, url, expires_at })
    }

    /// Sets a new password with such a code; whose it is.
    pub(crate) async fn reset_password(&self, code: &str, password: String) -> Result<UserId, ApiError> {
        let hash = self.passwords.hash(password).await?;
        let reset = self.store.reset_password(&hash_of(code), &hash, Timestamp::now()).await?;
        reset.ok_or_else(|| {
            ApiError::new(
                403,
                "reset_invalid",
                format!("this code sets no password: it was used, or is older than {RESET_HOURS} hours, or never was one"),
                "ask whoever operates this server for another: `wasmcloud users reset NAME`",
            )
        })
    }

    /// An account, for operators; a team with its owners.
    pub(crate) async fn user_info(&self, name: &UserName) -> Result<UserInfo, ApiError> {
        let mut info = self.store.person(name).await?.ok_or_else(|| user_not_found(name.as_str()))?;
        if info.is_team {
            let people = self.store.members(info.user.id, Timestamp::now()).await?;
            let owners = people.into_iter().filter(|member| member.role == Some(Role::Owner));
            info.owners = owners.map(|member| member.user).collect();
        }
        Ok(info)
    }

    /// Changes an account, for operators: what is absent stays.
    pub(crate) async fn patch_user(
        &self,
        caller: &Caller,
        name: &UserName,
        patch: UserPatch,
    ) -> Result<UserInfo, ApiError> {
        let info = self.user_info(name).await?;
        if let Some(is_admin) = patch.is_admin {
            is_user(&info)?;
            if !is_admin {
                not_oneself(caller, &info, "take your own operator's rights")?;
            }
        }
        // The plan first: it can be wrong.
        if let Some(plan) = &patch.plan
            && !self.store.give_plan(info.user.id, plan).await?
        {
            return Err(plan_not_found(plan));
        }
        if let Some(is_admin) = patch.is_admin {
            done(self.store.set_admin(info.user.id, is_admin).await?, name)?;
        }
        self.user_info(name).await
    }

    /// Suspends an account: none of its handlers answers, and none of its tokens and sessions is good, once this returns.
    pub(crate) async fn suspend(
        &self,
        invoker: &Arc<dyn Invoker>,
        caller: &Caller,
        name: &UserName,
        reason: &str,
    ) -> Result<Suspension, ApiError> {
        let reason = reason.trim();
        if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
            return Err(ApiError::invalid(
                format!("a suspension's reason has 1 to {REASON_CHARS_MAX} printable characters"),
                "say why in a sentence; everybody can read it who opens one of the account's addresses",
            ));
        }
        let info = self.user_info(name).await?;
        not_oneself(caller, &info, "suspend yourself")?;
        done(self.store.suspend(info.user.id, reason, Timestamp::now()).await?, name)?;
        self.announce_handlers(invoker, &info).await?;
        let info = self.user_info(name).await?;
        info.suspension.ok_or_else(|| not_suspended(name))
    }

    /// Lifts a suspension.
    pub(crate) async fn resume(&self, invoker: &Arc<dyn Invoker>, name: &UserName) -> Result<(), ApiError> {
        let info = self.user_info(name).await?;
        if !self.store.resume(info.user.id).await? {
            return Err(not_suspended(name));
        }
        self.announce_handlers(invoker, &info).await
    }

    async fn announce_handlers(&self, invoker: &Arc<dyn Invoker>, info: &UserInfo) -> Result<(), ApiError> {
        let names = self.store.handler_names(info.user.id).await?;
        let told = names.into_iter().map(|name| self.announce(invoker, Change::Handler { name }));
        futures::stream::iter(told).buffer_unordered(ANNOUNCED_AT_ONCE).collect::<()>().await;
        Ok(())
    }

    /// Invitations that have not expired.
    pub(crate) async fn invitations(&self) -> Result<Vec<InvitationInfo>, ApiError> {
        Ok(self.store.invitations(Timestamp::now()).await?)
    }

    /// Takes back an invitation.
    pub(crate) async fn revoke_invitation(&self, id: &str) -> Result<(), ApiError> {
        if self.store.revoke_invitation(id).await? {
            return Ok(());
        }
        let id: String = id.chars().take(64).collect();
        Err(ApiError::new(
            404,
            "invitation_not_found",
            format!("no invitation `{id}` is left that nobody has used"),
            "`wasmcloud invite list` shows those that there are",
        ))
    }
}

/// Refuses whoever is known by a token.
pub(super) fn by_session(caller: &Caller, message: &str) -> Result<(), ApiError> {
    match caller.via {
        Via::Session(_) => Ok(()),
        Via::Token(_) => {
            Err(ApiError::new(403, "session_needed", message, "sign in to the panel, and do it there"))
        }
    }
}

fn is_user(info: &UserInfo) -> Result<(), ApiError> {
    if !info.is_team {
        return Ok(());
    }
    let message = format!("`{}` is a team, which nobody signs in as", info.user.name);
    Err(ApiError::new(422, "is_team", message, "name one of its members instead"))
}

fn not_oneself(caller: &Caller, info: &UserInfo, what: &str) -> Result<(), ApiError> {
    if caller.user.id != info.user.id {
        return Ok(());
    }
    let message = format!("you cannot {what}");
    Err(ApiError::new(409, "yourself", message, "another operator can do it"))
}

fn done(changed: Changed, name: &UserName) -> Result<(), ApiError> {
    match changed {
        Changed::Done => Ok(()),
        Changed::NotFound => Err(user_not_found(name.as_str())),
        Changed::LastOperator => Err(ApiError::new(
            409,
            "last_operator",
            format!("without `{name}` this server would have no operator"),
            "make another user an operator first: `wasmcloud users promote NAME`",
        )),
    }
}

/// 404 for a name that is no account's.
pub(crate) fn user_not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(
        404,
        "user_not_found",
        format!("there is no user or team `{name}`"),
        "`wasmcloud users list` shows those that there are",
    )
}

fn not_suspended(name: &UserName) -> ApiError {
    ApiError::new(
        404,
        "not_suspended",
        format!("`{name}` is not suspended"),
        format!("`wasmcloud users show {name}` says how the account stands"),
    )
}
