//! Whoever is about to change something: noted in the audit log before it begins.
//!
//! The bridge adds the answer's status when there is one, so a row without a status is of a change that goes on, or
//! in which the server died.

use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use serde_json::{Value, json};
use wasmcloud_wire::body::{Scope, User};
use wasmcloud_wire::{HandlerName, UserId};

use super::{Meta, app, reject};
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{Right, has_scope, is_unlimited};
use crate::store::{AuditMore, NewAuditRow, StoreError, audit_detail};

/// What a change is noted with; of somebody who need not be known.
pub(crate) struct Note {
    app: Arc<App>,
    meta: Arc<Meta>,
}

impl Note {
    /// Notes a change that is about to begin, once for each request.
    pub(crate) async fn begin(
        &self,
        actor: Option<&Caller>,
        action: &'static str,
        subject: &str,
        account: Option<UserId>,
        detail: Value,
    ) -> Result<(), ApiError> {
        let row = NewAuditRow {
            actor_id: actor.map(|caller| caller.user.id),
            actor: actor.map_or_else(|| "-".to_owned(), |caller| caller.user.name.to_string()),
            via: actor.map_or_else(|| "nobody".to_owned(), |caller| caller.via.to_string()),
            action: action.to_owned(),
            subject: subject.chars().filter(|sign| !sign.is_control()).take(253).collect(),
            account,
            detail: audit_detail(&detail),
            peer: self.meta.peer.ip().to_canonical().to_string(),
            request_id: self.meta.request_id,
        };
        let position = self.app.core.store.begin_audit(&row).await.map_err(cannot_note)?;
        self.meta.is_noted_at(position);
        Ok(())
    }
}

impl Note {
    /// Adds to what was begun whose it turned out to be, and more of it; written with the answer's status.
    pub(crate) fn more(&self, user: Option<&User>, detail: Option<&Value>) {
        self.meta.note_more(AuditMore {
            user: user.map(|user| (user.id, user.name.to_string())),
            detail: detail.map(audit_detail),
        });
    }
}

/// A change that cannot be noted does not begin, whatever is wrong with the store.
fn cannot_note(error: StoreError) -> ApiError {
    let error = ApiError::from(error);
    if error.status != 500 {
        return error;
    }
    ApiError::new(
        503,
        "audit_unavailable",
        "the audit log cannot be written, so nothing was changed",
        "try again; if it stays so, the operator finds the reason in the server's log",
    )
    .because(error)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Note {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Note, ()> {
        match app(request) {
            Ok(app) => Outcome::Success(Note { app: Arc::clone(app), meta: Arc::clone(Meta::of(request)) }),
            Err(error) => reject(request, error),
        }
    }
}

/// A caller who is about to change something.
pub(crate) struct Changing {
    pub caller: Caller,
    note: Note,
}

impl Changing {
    /// Whose handler it is, if the caller may do this with it; noted then.
    pub(crate) async fn handler(
        &self,
        name: &HandlerName,
        right: Right,
        action: &'static str,
        detail: Value,
    ) -> Result<UserId, ApiError> {
        let owner = self.note.app.core.may(&self.caller, name, right).await?;
        self.note.begin(Some(&self.caller), action, name.as_str(), Some(owner), detail).await?;
        Ok(owner)
    }

    /// Notes a handler that is about to be created for an account.
    pub(crate) async fn new_handler(
        &self,
        name: &HandlerName,
        account: UserId,
        detail: Value,
    ) -> Result<(), ApiError> {
        has_scope(&self.caller, Scope::Deploy)?;
        if !self.caller.reaches(name) {
            is_unlimited(&self.caller)?;
        }
        self.note.begin(Some(&self.caller), "handler.create", name.as_str(), Some(account), detail).await
    }

    /// Notes a change of something that belongs to no single handler, which this scope is needed for.
    pub(crate) async fn other(
        &self,
        scope: Scope,
        account: UserId,
        action: &'static str,
        subject: &str,
        detail: Value,
    ) -> Result<(), ApiError> {
        has_scope(&self.caller, scope)?;
        is_unlimited(&self.caller)?;
        self.note.begin(Some(&self.caller), action, subject, Some(account), detail).await
    }

    /// Notes a change of the caller's own account.
    pub(crate) async fn own(&self, action: &'static str, subject: &str) -> Result<(), ApiError> {
        self.other(Scope::Admin, self.caller.user.id, action, subject, json!({})).await
    }

    /// Notes a change that needs no scope, or whose scope the route has asked for.
    pub(crate) async fn noted(
        &self,
        account: UserId,
        action: &'static str,
        subject: &str,
        detail: Value,
    ) -> Result<(), ApiError> {
        self.note.begin(Some(&self.caller), action, subject, Some(account), detail).await
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Changing {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Changing, ()> {
        let caller = match request.guard::<Caller>().await {
            Outcome::Success(caller) => caller,
            Outcome::Error(error) => return Outcome::Error(error),
            Outcome::Forward(status) => return Outcome::Forward(status),
        };
        request.guard::<Note>().await.map(|note| Changing { caller, note })
    }
}
