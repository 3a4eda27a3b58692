//! An upload: inspect, store, prepare, commit, tell. Bytes first, pointer last: a crash anywhere
//! leaves the old version serving, and at worst bytes that nothing refers to.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_wire::body::{Deployed, Handler, Preview};
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{
    Change, Digest, EnvPatch, HandlerId, HandlerName, Inspection, Invoker, Limits, Policy, PrepareError,
    Refusal, RouteKey, Timestamp, UserId, VersionNumber,
};

use super::Core;
use super::env::{names, names_after};
use super::needs::{Missing, command};
use super::room::missing_setting;
use crate::store::{
    AddPreview, AddVersion, CreateHandler, HandlerRow, NewHandler, NewModule, SettingRow, SettingsEdit,
};
use crate::{ApiError, EdgeUrl};

/// Where an upload goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// To a handler that is not there yet.
    New {
        /// Its name.
        name: HandlerName,
        /// Whether `Authorization` reaches the program.
        forward_authorization: bool,
        /// Its own policy.
        policy: Policy,
        /// Its own settings.
        env: EnvPatch,
    },
    /// To one of the owner's handlers, as its next version, which is not live.
    Preview {
        /// Its name.
        name: HandlerName,
    },
    /// To one of the owner's handlers, as its next version.
    Existing {
        /// Its name.
        name: HandlerName,
        /// The policy that it has from this version on; as it is if absent.
        policy: Option<Policy>,
        /// Changes of its settings that come with this version.
        env: EnvPatch,
    },
}

impl Target {
    fn name(&self) -> &HandlerName {
        match self {
            Target::New { name, .. } | Target::Existing { name, .. } | Target::Preview { name } => name,
        }
    }

    fn env(&self) -> EnvPatch {
        match self {
            Target::New { env, .. } | Target::Existing { env, .. } => env.clone(),
            Target::Preview { .. } => EnvPatch::default(),
        }
    }
}

impl Core {
    /// Makes a module serve at a handler's address, or at its version's alone; it does when this returns.
    pub async fn deploy(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        target: Target,
        module: Bytes,
    ) -> Result<Deployed, ApiError> {
        let (policy, settings) = self.check_target(owner, &target).await?;
        let inspected = inspect(module.clone(), self.limits_of(&policy)).await?;
        let (digest, inspection) = match inspected {
            Ok(inspected) => inspected,
            Err(refusal) => return Err(self.refused(refusal, module, &target).await),
        };
        let missing = Missing::of(&inspection.needs, &settings);
        if !missing.required.is_empty() {
            return Err(missing_for(&target, missing.required));
        }
        self.check_room(owner, &target, &digest, &inspection).await?;
        let upload = async {
            self.blobs.put(&digest, module).await?;
            Ok(self.prepare_and_commit(invoker, owner, &target, digest, &inspection).await)
        };
        let (row, version) = match self.uploading(&digest, upload).await? {
            Ok(added) => added,
            Err(error) => {
                self.forget_unused(&digest).await;
                return Err(error);
            }
        };
        self.announce(invoker, Change::Handler { name: target.name().clone() }).await;
        let warnings = missing.warnings(target.name());
        let preview = matches!(target, Target::Preview { .. }).then(|| {
            let key = RouteKey { handler: row.name.clone(), version: Some(version) };
            Preview { url: self.config.edge_url.url(&key), digest }
        });
        let handler = handler_body(row, &self.config.edge_url);
        Ok(Deployed { handler, version, preview, inspection, warnings })
    }

    /// Refuses early what would be refused in the end; the policy that the handler is going to have, and the
    /// names of its settings.
    async fn check_target(
        &self,
        owner: UserId,
        target: &Target,
    ) -> Result<(Policy, BTreeSet<String>), ApiError> {
        let (policy, there) = match target {
            Target::New { name, policy, .. } => {
                let key = RouteKey { handler: name.clone(), version: None };
                if self.store.deployment(&key).await?.is_some() {
                    return Err(name_taken(name));
                }
                (policy.clone(), Vec::new())
            }
            Target::Existing { name, policy, .. } => {
                let not_found = || ApiError::handler_not_found(name.as_str());
                let row = self.store.handler(owner, name).await?.ok_or_else(not_found)?;
                let settings = self.store.settings(owner, name).await?.ok_or_else(not_found)?;
                (policy.clone().unwrap_or(row.policy), settings.rows)
            }
            Target::Preview { name } => {
                let not_found = || ApiError::handler_not_found(name.as_str());
                let row = self.store.handler(owner, name).await?.ok_or_else(not_found)?;
                let settings = self.store.settings(owner, name).await?.ok_or_else(not_found)?;
                (row.policy, settings.rows)
            }
        };
        // A policy that stays is not checked: the operator may have lowered a ceiling since.
        if !matches!(target, Target::Existing { policy: None, .. } | Target::Preview { .. }) {
            wasmcloud_policy::check(&policy, &self.config.limits_max)?;
        }
        // What is sealed here is dropped again: only whether it could be counts.
        let env = target.env();
        self.changes(HandlerId::new(), &there, &env)
            .map_err(|unfit| self.unfit(target.name(), "the module", unfit))?;
        Ok((policy, names_after(names(&there), &env)))
    }

    /// A refusal as an error. Where a policy with more memory would let the module in, the hint says how.
    async fn refused(&self, refusal: Refusal, module: Bytes, target: &Target) -> ApiError {
        let mut error = ApiError::from(refusal);
        if error.code != "over_limit" {
            return error;
        }
        let Ok(Ok((_, inspection))) = inspect(module, self.config.limits_max.clone()).await else {
            return error;
        };
        let ceiling = self.config.limits_max.memory_bytes;
        let bytes = Limits::memory_bytes_for(inspection.memory_bytes_min, ceiling);
        error.hint = match target {
            Target::New { policy, .. } | Target::Existing { policy: Some(policy), .. }
                if policy.memory_bytes.is_some() =>
            {
                format!("give the policy more `memory_bytes`: {bytes}, for instance")
            }
            Target::Existing { name, policy: None, .. } | Target::Preview { name } => {
                format!("allow it more: wasmcloud policy set {name} --memory-bytes {bytes}")
            }
            _ => {
                format!(
                    "allow it more by a policy, a file with {{\"memory_bytes\": {bytes}}}: --policy POLICY"
                )
            }
        };
        error
    }

    async fn prepare_and_commit(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        target: &Target,
        digest: Digest,
        inspection: &Inspection,
    ) -> Result<(HandlerRow, VersionNumber), ApiError> {
        invoker.prepare(&digest).await.map_err(|error| match error {
            PrepareError::Refused(refusal) => refusal.into(),
            other => ApiError::from(other),
        })?;
        let module = NewModule { digest, inspection: inspection.clone() };
        match target {
            Target::New { name, forward_authorization, policy, env } => {
                let id = HandlerId::new();
                let changes = self.changes(id, &[], env);
                let changes = changes.map_err(|unfit| self.unfit(name, "the module", unfit))?;
                let new = NewHandler {
                    id,
                    owner,
                    name: name.clone(),
                    forward_authorization: *forward_authorization,
                    policy: policy.clone(),
                    settings: changes.set,
                    module,
                };
                match self.store.create_handler(new, Timestamp::now()).await? {
                    CreateHandler::Created(row) => Ok(and_live(*row)),
                    CreateHandler::NameTaken => Err(name_taken(name)),
                    CreateHandler::NameHeld(until) => Err(name_held(name, until)),
                    CreateHandler::OverQuota(over) => Err(over.into()),
                }
            }
            Target::Existing { name, policy, env } => {
                // Policy and settings may be others since the module was looked at.
                let fits = |policy: &Policy, settings: &[SettingRow], module: &Inspection| {
                    self.fits(policy, settings, module)
                };
                let edit = |handler: HandlerId, rows: &[SettingRow]| self.changes(handler, rows, env);
                let edit: Option<&SettingsEdit<'_>> = if env.is_empty() { None } else { Some(&edit) };
                match self.store.add_version(owner, name, module, policy.as_ref(), edit, &fits).await? {
                    AddVersion::Added(row) => Ok(and_live(*row)),
                    AddVersion::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
                    AddVersion::Refused(unfit) => Err(self.unfit(name, "the module", unfit)),
                    AddVersion::OverQuota(over) => Err(over.into()),
                }
            }
            Target::Preview { name } => {
                let fits = |policy: &Policy, settings: &[SettingRow], module: &Inspection| {
                    self.fits(policy, settings, module)
                };
                match self.store.add_preview(owner, name, module, &fits).await? {
                    AddPreview::Added(row, version) => Ok((*row, version)),
                    AddPreview::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
                    AddPreview::Refused(unfit) => Err(self.unfit(name, "the module", unfit)),
                    AddPreview::OverQuota(over) => Err(over.into()),
                }
            }
        }
    }
}

/// The refusal of a module that needs settings which its handler is not going to have.
fn missing_for(target: &Target, missing: Vec<String>) -> ApiError {
    let hint = match target {
        Target::New { .. } => {
            let flags: Vec<String> = missing.iter().map(|name| format!("--secret {name}=…")).collect();
            format!("set it from the start: wasmcloud create … {}", flags.join(" "))
        }
        Target::Existing { name, .. } | Target::Preview { name } => {
            format!("set it first: {}", command(name, &missing))
        }
    };
    missing_setting("the module", &missing, hint)
}

/// A handler and the version that an upload has made live.
fn and_live(row: HandlerRow) -> (HandlerRow, VersionNumber) {
    let version = row.live;
    (row, version)
}

/// A module's digest, and what it is, or why it cannot run within these limits.
pub(crate) async fn inspect(
    module: Bytes,
    limits: Limits,
) -> Result<Result<(Digest, Inspection), Refusal>, ApiError> {
    if module.len() > UPLOAD_BYTES_MAX {
        return Err(ApiError::too_large(UPLOAD_BYTES_MAX));
    }
    tokio::task::spawn_blocking(move || {
        let inspection = wasmcloud_inspect::inspect(&module, &limits)?;
        Ok((Digest::of(&module), inspection))
    })
    .await
    .map_err(ApiError::internal)
}

/// A handler as clients see it.
pub(crate) fn handler_body(row: HandlerRow, edge: &EdgeUrl) -> Handler {
    Handler {
        url: edge.url(&RouteKey { handler: row.name.clone(), version: None }),
        id: row.id,
        name: row.name,
        owner: Some(row.owner_name),
        role: None,
        suspended: row.suspended,
        live: row.live,
        abi: row.abi,
        digest: row.digest,
        previous: row.previous,
        promoted_at: row.promoted_at,
        split: row.split,
        auto_rollback: row.auto_rollback,
        rolled_back: row.rolled_back,
        forward_authorization: row.forward_authorization,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn name_taken(name: &HandlerName) -> ApiError {
    ApiError::new(
        409,
        "name_taken",
        format!("there is a handler `{name}` already"),
        format!("choose another name; if it is yours, `wasmcloud update {name} FILE` gives it a new version"),
    )
}

fn name_held(name: &HandlerName, until: Timestamp) -> ApiError {
    ApiError::new(
        409,
        "name_held",
        format!("somebody's deleted handler had the name `{name}`, which is kept until {}", until.rfc3339()),
        "choose another name",
    )
}
