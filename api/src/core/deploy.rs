//! An upload: inspect, store, prepare, commit, tell. Bytes first, pointer last: a crash anywhere
//! leaves the old version serving, and at worst bytes that nothing refers to.

use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_blob::BlobError;
use wasmcloud_wire::body::{Deployed, Handler};
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{
    Change, Digest, HandlerId, HandlerName, Inspection, Invoker, Limits, Policy, PrepareError, Refusal,
    RouteKey, Timestamp, UserId, VersionNumber,
};

use super::Core;
use crate::store::{AddVersion, CreateHandler, HandlerRow, NewHandler, NewModule, PromoteResult};
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
    },
    /// To one of the owner's handlers, as its next version.
    Existing {
        /// Its name.
        name: HandlerName,
        /// The policy that it has from this version on; as it is if absent.
        policy: Option<Policy>,
    },
}

impl Target {
    fn name(&self) -> &HandlerName {
        match self {
            Target::New { name, .. } | Target::Existing { name, .. } => name,
        }
    }
}

impl Core {
    /// Makes a module serve at a handler's address; it does when this returns.
    pub async fn deploy(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        target: Target,
        module: Bytes,
    ) -> Result<Deployed, ApiError> {
        let policy = self.check_target(owner, &target).await?;
        let inspected = inspect(module.clone(), self.limits_of(&policy)).await?;
        let (digest, inspection) = match inspected {
            Ok(inspected) => inspected,
            Err(refusal) => return Err(self.refused(refusal, module, &target).await),
        };
        let row = {
            let _uploading = self.uploads.read().await;
            self.blobs.put(&digest, module).await.map_err(blob_error)?;
            self.prepare_and_commit(invoker, owner, &target, digest, &inspection).await
        };
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                self.forget_unused(&digest).await;
                return Err(error);
            }
        };
        self.announce(invoker, Change::Handler { name: target.name().clone() }).await;
        let version = row.live;
        Ok(Deployed { handler: handler_body(row, &self.config.edge_url), version, inspection })
    }

    /// Makes a version live; new requests see it when this returns.
    pub(crate) async fn promote(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: HandlerName,
        version: VersionNumber,
    ) -> Result<HandlerRow, ApiError> {
        let fits = |policy: &Policy, module: &Inspection| self.room(policy, module);
        match self.store.promote(owner, &name, version, &fits).await? {
            PromoteResult::Promoted(row) => {
                self.announce(invoker, Change::Handler { name }).await;
                Ok(*row)
            }
            PromoteResult::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
            PromoteResult::VersionNotFound => Err(ApiError::version_not_found(&name, version)),
            PromoteResult::NoRoom(no_room) => {
                Err(self.no_room(&name, &format!("version {version}"), no_room))
            }
        }
    }

    /// Refuses early what would be refused in the end; the policy that the handler is going to have.
    async fn check_target(&self, owner: UserId, target: &Target) -> Result<Policy, ApiError> {
        let policy = match target {
            Target::New { name, policy, .. } => {
                let key = RouteKey { handler: name.clone(), version: None };
                if self.store.deployment(&key).await?.is_some() {
                    return Err(name_taken(name));
                }
                policy
            }
            Target::Existing { name, policy } => {
                let row = self.store.handler(owner, name).await?;
                let row = row.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
                match policy {
                    Some(policy) => policy,
                    None => return Ok(row.policy),
                }
            }
        };
        wasmcloud_policy::check(policy, &self.config.limits_max)?;
        Ok(policy.clone())
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
        let bytes = inspection.memory_bytes_min;
        error.hint = match target {
            Target::New { policy, .. } | Target::Existing { policy: Some(policy), .. }
                if policy.memory_bytes.is_some() =>
            {
                format!("give the policy a `memory_bytes` of {bytes} or more")
            }
            Target::Existing { name, policy: None } => {
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
    ) -> Result<HandlerRow, ApiError> {
        invoker.prepare(&digest).await.map_err(|error| match error {
            PrepareError::Refused(refusal) => refusal.into(),
            other => ApiError::from(other),
        })?;
        let module = NewModule { digest, inspection: inspection.clone() };
        match target {
            Target::New { name, forward_authorization, policy } => {
                let new = NewHandler {
                    id: HandlerId::new(),
                    owner,
                    name: name.clone(),
                    forward_authorization: *forward_authorization,
                    policy: policy.clone(),
                    module,
                };
                match self.store.create_handler(new, Timestamp::now()).await? {
                    CreateHandler::Created(row) => Ok(*row),
                    CreateHandler::NameTaken => Err(name_taken(name)),
                    CreateHandler::NameHeld(until) => Err(name_held(name, until)),
                }
            }
            Target::Existing { name, policy } => {
                // The policy may be another since the module was inspected by it.
                let fits = |policy: &Policy, module: &Inspection| self.room(policy, module);
                match self.store.add_version(owner, name, module, policy.as_ref(), &fits).await? {
                    AddVersion::Added(row) => Ok(*row),
                    AddVersion::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
                    AddVersion::NoRoom(no_room) => Err(self.no_room(name, "the module", no_room)),
                }
            }
        }
    }

    /// Deletes bytes that no version refers to. While other uploads go on they stay: one of them
    /// may be about to refer to them.
    async fn forget_unused(&self, digest: &Digest) {
        let Ok(_alone) = self.uploads.try_write() else { return };
        let forgotten = match self.store.module_in_use(digest).await {
            Ok(true) => return,
            Ok(false) => self.blobs.delete(digest).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = forgotten {
            tracing::warn!(%digest, error, "cannot delete a module that nothing refers to");
        }
    }
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
        live: row.live,
        abi: row.abi,
        digest: row.digest,
        forward_authorization: row.forward_authorization,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn blob_error(error: BlobError) -> ApiError {
    match error {
        BlobError::Full { .. } => ApiError::storage_full(error),
        other => ApiError::unavailable(other),
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
