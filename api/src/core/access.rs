//! Who may do what: the scopes of a token, the handlers that it is limited to, and roles in teams.
//!
//! Whoever may not even see a thing is told that it is not there; whoever sees it, what is missing.

use wasmcloud_wire::body::{Role, Scope};
use wasmcloud_wire::{HandlerName, UserId};

use super::Core;
use crate::ApiError;
use crate::auth::{Caller, Via};

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
        let not_found = || ApiError::handler_not_found(name.as_str());
        let found = self.store.find_handler(caller.user.id, name).await?.ok_or_else(not_found)?;
        if !caller.reaches(name) {
            return Err(beyond_token(name));
        }
        has_scope(caller, right.scope())?;
        if found.role < right.role() {
            return Err(role_missing(found.role, right.role()));
        }
        Ok(found.owner)
    }

    /// Whether what somebody is known by is still good. A store that does not answer changes nothing.
    pub(crate) async fn is_live(&self, caller: &Caller) -> bool {
        let now = wasmcloud_wire::Timestamp::now();
        match caller.via {
            Via::Token(id) => {
                let live = self.store.live_token(id, now).await;
                live.map_or(true, |live| live.is_some_and(|live| live.suspended.is_none()))
            }
            Via::Session(_) => true,
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
        Some(handlers) => {
            let names: Vec<&str> = handlers.iter().map(HandlerName::as_str).collect();
            Err(ApiError::new(
                403,
                "token_limited",
                format!("this token is good for these handlers alone: {}", names.join(", ")),
                "use a token that is not limited to handlers",
            ))
        }
    }
}

fn beyond_token(name: &HandlerName) -> ApiError {
    ApiError::new(
        403,
        "token_limited",
        format!("this token is limited to other handlers than `{name}`"),
        "use a token that is not, or one that is limited to this one",
    )
}

fn role_missing(has: Role, wanted: Role) -> ApiError {
    ApiError::new(
        403,
        "role_missing",
        format!("this needs the role {wanted} in the team that has the handler; yours is {has}"),
        "ask one of the team's owners",
    )
}
