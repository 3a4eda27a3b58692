//! Who may do what: the scopes of a token, the handlers that it is limited to, and roles in teams.
//!
//! Whoever may not even see a thing is told that it is not there; whoever sees it, what is missing.

use wasmcloud_wire::body::{Role, Scope};
use wasmcloud_wire::{HandlerName, UserId, UserName};

use super::Core;
use crate::ApiError;
use crate::auth::{Caller, Via};
use crate::store::{FoundHandler, TeamRow};

/// What somebody wants to do with a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// See it, its log and its records.
    Read,
    /// Run it through the API.
    Invoke,
    /// Change it.
    Deploy,
    /// Delete it, or give it away.
    Own,
}

impl Right {
    /// The scope that it needs.
    fn scope(self) -> Scope {
        match self {
            Right::Read => Scope::Read,
            Right::Invoke => Scope::Invoke,
            Right::Deploy | Right::Own => Scope::Deploy,
        }
    }

    /// The role that it needs, where a team has the handler.
    fn role(self) -> Role {
        match self {
            Right::Read => Role::Viewer,
            Right::Invoke | Right::Deploy => Role::Deployer,
            Right::Own => Role::Owner,
        }
    }
}

impl Core {
    /// Whose handler it is, if the caller may do this with it.
    pub(crate) async fn may(
        &self,
        caller: &Caller,
        name: &HandlerName,
        right: Right,
    ) -> Result<UserId, ApiError> {
        Ok(self.find(caller, name, right).await?.owner)
    }

    /// The handler, if the caller may do this with it, and by what right.
    pub(crate) async fn find(
        &self,
        caller: &Caller,
        name: &HandlerName,
        right: Right,
    ) -> Result<FoundHandler, ApiError> {
        let not_found = || ApiError::handler_not_found(name.as_str());
        let found = self.store.find_handler(caller.user.id, name).await?.ok_or_else(not_found)?;
        if let Some(handlers) = caller.handlers.as_deref().filter(|_| !caller.reaches(name)) {
            return Err(token_limited(handlers));
        }
        has_scope(caller, right.scope())?;
        if found.role < right.role() {
            let owner = self.store.account_plan(found.owner).await?.map(|owner| owner.name);
            has_role(found.role, right.role(), owner.as_ref())?;
        }
        Ok(found)
    }

    /// A team that the caller belongs to with this role at least.
    pub(crate) async fn team_for(
        &self,
        caller: &Caller,
        name: &str,
        wanted: Role,
    ) -> Result<TeamRow, ApiError> {
        let team = match name.parse::<UserName>() {
            Ok(name) => self.store.team(caller.user.id, &name).await?,
            Err(_) => None,
        };
        let team = team.ok_or_else(|| team_not_found(name))?;
        has_role(team.role, wanted, Some(&team.name))?;
        Ok(team)
    }

    /// The account that a request is about: the team that it names, where the caller needs this role, or the caller's
    /// own.
    pub(crate) async fn account_for(
        &self,
        caller: &Caller,
        team: Option<&str>,
        wanted: Role,
    ) -> Result<UserId, ApiError> {
        match team {
            None => Ok(caller.user.id),
            Some(name) => Ok(self.team_for(caller, name, wanted).await?.id),
        }
    }

    /// Whether what somebody is known by is still good. A store that does not answer changes nothing.
    pub(crate) async fn is_live(&self, caller: &Caller) -> bool {
        let now = wasmcloud_wire::Timestamp::now();
        match caller.via {
            Via::Token(id) => {
                let live = self.store.live_token(id, now).await;
                live.map_or(true, |live| live.is_some_and(|live| live.suspended.is_none()))
            }
            Via::Session(id) => self.session_is_live(id, now).await.unwrap_or(true),
        }
    }
}

/// Refuses a caller without this scope.
pub(crate) fn has_scope(caller: &Caller, wanted: Scope) -> Result<(), ApiError> {
    if caller.has(wanted) {
        return Ok(());
    }
    let has: Vec<&str> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
    Err(ApiError::new(
        403,
        "scope_missing",
        format!("this needs a token with the scope `{wanted}`; this one has: {}", has.join(", ")),
        format!("make another: wasmcloud tokens create LABEL --scope {wanted}"),
    ))
}

/// Refuses a caller who is limited to some handlers where no handler is asked for.
pub(crate) fn is_unlimited(caller: &Caller) -> Result<(), ApiError> {
    match &caller.handlers {
        None => Ok(()),
        Some(handlers) => Err(token_limited(handlers)),
    }
}

fn token_limited(handlers: &[HandlerName]) -> ApiError {
    let names: Vec<&str> = handlers.iter().map(HandlerName::as_str).collect();
    ApiError::new(
        403,
        "token_limited",
        format!("this token is good for these handlers alone: {}", names.join(", ")),
        "use a token that is not limited to handlers, or one that is limited to this one",
    )
}

/// Refuses whoever is less than this in a team.
pub(super) fn has_role(has: Role, wanted: Role, team: Option<&UserName>) -> Result<(), ApiError> {
    if has >= wanted {
        return Ok(());
    }
    let (of, show) = team.map_or_else(
        || ("the team".to_owned(), "TEAM"),
        |team| (format!("the team `{team}`"), team.as_str()),
    );
    Err(ApiError::new(
        403,
        "role_missing",
        format!("this needs the role {wanted} in {of}; yours is {has}"),
        format!("ask one of the team's owners: `wasmcloud teams show {show}` says who they are"),
    ))
}

/// A team that nobody knows, or that the caller does not belong to: nobody is told which.
pub(super) fn team_not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(
        404,
        "team_not_found",
        format!("you belong to no team `{name}`"),
        "`wasmcloud teams list` shows those that you belong to",
    )
}
