//! What the store is told, and tells, of handlers and versions.

use std::collections::{BTreeMap, BTreeSet};

use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{
    Abi, AccountQuota, Deployment, Digest, HandlerId, HandlerName, Inspection, Limits, Policy,
    RecordingPolicy, Split, Timestamp, UserId, UserName, VersionNumber,
};

use super::{OverQuota, SealedSetting, SettingRow, Unfit};

/// A module that is stored already.
#[derive(Clone, Debug)]
pub struct NewModule {
    /// Its digest.
    pub digest: Digest,
    /// What it is and asks for.
    pub inspection: Inspection,
}

/// A handler to be added.
#[derive(Clone, Debug)]
pub struct NewHandler {
    /// Its id.
    pub id: HandlerId,
    /// Whose it is.
    pub owner: UserId,
    /// Its name.
    pub name: HandlerName,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// Its own policy.
    pub policy: Policy,
    /// Its own settings.
    pub settings: Vec<SealedSetting>,
    /// Its first version's module.
    pub module: NewModule,
}

/// What became of a handler that was to be added.
#[derive(Clone, Debug)]
pub enum CreateHandler {
    /// It is there.
    Created(Box<HandlerRow>),
    /// Somebody's handler has this name.
    NameTaken,
    /// Somebody else's deleted handler had this name, until when it is held.
    NameHeld(Timestamp),
    /// The account's plan does not allow it.
    OverQuota(OverQuota),
}

/// A handler and its live version.
#[derive(Clone, Debug)]
pub struct HandlerRow {
    /// Its id.
    pub id: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is.
    pub owner: UserId,
    /// The name of that user or team.
    pub owner_name: UserName,
    /// The live version.
    pub live: VersionNumber,
    /// The live version's ABI.
    pub abi: Abi,
    /// The live version's module.
    pub digest: Digest,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// Its own policy.
    pub policy: Policy,
    /// The version that was live before.
    pub previous: Option<VersionNumber>,
    /// When the live version became live.
    pub promoted_at: Option<Timestamp>,
    /// Another version that answers a part of the clients.
    pub split: Option<Split>,
    /// Since when it does.
    pub split_at: Option<Timestamp>,
    /// Whether new versions that fail are taken back.
    pub auto_rollback: bool,
    /// The last version that was taken back, unless the owner has moved on since.
    pub rolled_back: Option<RolledBack>,
    /// Why the account that has it is suspended, if so.
    pub suspended: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What an address serves.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentRow {
    /// The handler.
    pub handler: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is.
    pub owner: UserId,
    /// The version.
    pub version: VersionNumber,
    /// The version's module.
    pub digest: Digest,
    /// How the module speaks to the host.
    pub abi: Abi,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// The handler's own policy.
    pub policy: Policy,
    /// The handler's own settings.
    pub settings: Vec<SettingRow>,
    /// Another version that answers a part of the clients; of the live address alone.
    pub split: Option<Split>,
    /// What is recorded.
    pub recording: Option<RecordingPolicy>,
    /// What all handlers of the owner together may use.
    pub quota: AccountQuota,
    /// Why the owner is suspended, if so.
    pub suspended: Option<String>,
}

impl DeploymentRow {
    fn secrets(&self) -> BTreeSet<String> {
        let secret = self.settings.iter().filter(|row| row.setting.secret);
        secret.map(|row| row.setting.name.clone()).collect()
    }

    /// What an executor is told, where the settings have these values and the operator these defaults and
    /// ceilings.
    pub fn deployment(self, env: BTreeMap<String, String>, default: &Limits, ceiling: &Limits) -> Deployment {
        Deployment {
            limits: self.policy.limits(default, ceiling),
            urls: self.policy.urls(),
            secrets: self.secrets(),
            handler: self.handler,
            name: self.name,
            owner: self.owner,
            version: self.version,
            digest: self.digest,
            abi: self.abi,
            env,
            forward_authorization: self.forward_authorization,
            split: self.split,
            recording: self.recording,
            quota: self.quota,
            suspended: self.suspended,
        }
    }
}

/// What became of a version that was to be added.
#[derive(Clone, Debug)]
pub enum AddVersion {
    /// It is there, and live.
    Added(Box<HandlerRow>),
    /// The user has no such handler.
    HandlerNotFound,
    /// It does not fit the handler's policy or settings; nothing changed.
    Refused(Unfit),
    /// The account's plan does not allow it; nothing changed.
    OverQuota(OverQuota),
}

/// A version.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Its number.
    pub number: VersionNumber,
    /// Its module.
    pub digest: Digest,
    /// Its module's ABI.
    pub abi: Abi,
    /// Its module's size.
    pub size_bytes: u64,
    /// Whether it is live.
    pub live: bool,
    /// Whether it was live before.
    pub previous: bool,
    /// How large a part of the clients it answers beside the live version, in percent.
    pub split_percent: Option<u8>,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// What became of a policy that was to be changed.
#[derive(Clone, Debug)]
pub enum EditPolicy {
    /// It is changed.
    Changed(Box<HandlerRow>),
    /// The edit refused; nothing changed.
    Refused(Unfit),
    /// The user has no such handler.
    HandlerNotFound,
}
