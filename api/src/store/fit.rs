//! Whether a policy, settings and a module go together. The rule is the caller's, who knows the operator's limits;
//! the store asks it within the transaction that would bring them together.

use wasmcloud_cgi::EnvError;
use wasmcloud_policy::SettingError;
use wasmcloud_wire::{Inspection, Policy};

use super::SettingRow;

/// What becomes of a handler's policy, given it and the live module, or why it stays.
pub type PolicyEdit<'a> = dyn Fn(Policy, &Inspection) -> Result<Policy, Unfit> + Send + Sync + 'a;

/// Whether a module may be live with a policy and settings.
pub type Fits<'a> = dyn Fn(&Policy, &[SettingRow], &Inspection) -> Result<(), Unfit> + Send + Sync + 'a;

/// A module begins with more memory than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// What it begins with.
    pub begins_with_bytes: u64,
    /// What it may have.
    pub limit_bytes: u64,
}

/// Why a policy, settings or a module are not for a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// The policy can be no handler's.
    Setting(SettingError),
    /// The live module would begin with more memory than the policy allows.
    NoRoom(NoRoom),
    /// The settings can be no handler's.
    Env(EnvError),
    /// There is no setting of this name to be removed.
    NotSet(String),
    /// The live module would need settings of these names.
    Missing(Vec<String>),
    /// A value cannot be encrypted.
    Unsealed,
}

impl From<SettingError> for Unfit {
    fn from(error: SettingError) -> Unfit {
        Unfit::Setting(error)
    }
}

impl From<NoRoom> for Unfit {
    fn from(error: NoRoom) -> Unfit {
        Unfit::NoRoom(error)
    }
}

impl From<EnvError> for Unfit {
    fn from(error: EnvError) -> Unfit {
        Unfit::Env(error)
    }
}
