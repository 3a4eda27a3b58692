//! What an owner does among the versions that are there: promotions, splits, rollbacks.

use std::sync::Arc;

use wasmcloud_wire::body::Promoted;
use wasmcloud_wire::{Change, HandlerName, Inspection, Invoker, Policy, Timestamp, UserId, VersionNumber};

use super::Core;
use super::deploy::handler_body;
use crate::ApiError;
use crate::store::{DeleteVersion, Move, MoveResult, Needed, SettingRow};

impl Core {
    /// Does one step among a handler's versions; new requests see it when this returns.
    pub(crate) async fn move_version(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: HandlerName,
        step: Move,
    ) -> Result<Promoted, ApiError> {
        let fits = |policy: &Policy, settings: &[SettingRow], module: &Inspection| {
            self.fits(policy, settings, module)
        };
        match self.store.move_version(owner, &name, step, Timestamp::now(), &fits).await? {
            MoveResult::Moved { row, ended } => {
                self.announce(invoker, Change::Handler { name: name.clone() }).await;
                // What it may miss is no reason to say that the promotion failed.
                let warnings = self.env(owner, &name).await.map(|env| env.warnings).unwrap_or_default();
                Ok(Promoted { handler: handler_body(*row, &self.config.edge_url), ended, warnings })
            }
            MoveResult::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
            MoveResult::VersionNotFound(version) => Err(ApiError::version_not_found(&name, version)),
            MoveResult::IsLive(version) => Err(is_live(&name, version)),
            MoveResult::NoPrevious(version) => Err(no_previous(&name, version)),
            MoveResult::Refused(version, unfit) => {
                Err(self.unfit(&name, &format!("version {version}"), unfit))
            }
        }
    }
}

impl Core {
    /// Deletes a version that its handler does not need; its own address answers 404 when this returns.
    pub(crate) async fn delete_version(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: HandlerName,
        version: VersionNumber,
    ) -> Result<(), ApiError> {
        match self.store.delete_version(owner, &name, version).await? {
            DeleteVersion::Deleted => {
                self.announce(invoker, Change::Handler { name }).await;
                Ok(())
            }
            DeleteVersion::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
            DeleteVersion::VersionNotFound => Err(ApiError::version_not_found(&name, version)),
            DeleteVersion::Needed(why) => Err(version_needed(&name, version, why)),
        }
    }
}

fn version_needed(name: &HandlerName, version: VersionNumber, why: Needed) -> ApiError {
    let (why, hint) = match why {
        Needed::Live => ("is live", format!("make another one live: wasmcloud promote {name} N")),
        Needed::Previous => (
            "was live before, and is what a rollback would bring back",
            format!("it is free once another version was live since: wasmcloud promote {name} N"),
        ),
        Needed::Split => (
            "answers a part of the clients",
            format!("end that first: wasmcloud promote {name} {version} --percent 0"),
        ),
    };
    ApiError::new(409, "version_needed", format!("version {version} of {name} {why}"), hint)
}

fn is_live(name: &HandlerName, version: VersionNumber) -> ApiError {
    ApiError::new(
        409,
        "version_is_live",
        format!("version {version} of {name} is live: it answers everyone that no other version answers"),
        format!("let another version answer a part: wasmcloud promote {name} N --percent 10"),
    )
}

fn no_previous(name: &HandlerName, version: VersionNumber) -> ApiError {
    ApiError::new(
        409,
        "no_previous_version",
        format!(
            "there is nothing to go back to: {name} has served no other version before version {version}"
        ),
        format!("see what there is: wasmcloud versions {name}; make one live: wasmcloud promote {name} N"),
    )
}
