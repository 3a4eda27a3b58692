//! Whether a policy and a module go together. The rule is the caller's, who knows the operator's limits;
//! the store asks it within the transaction that would bring the two together.

use wasmcloud_policy::SettingError;
use wasmcloud_wire::{Inspection, Policy};

/// What becomes of a handler's policy, given it and the live module, or why it stays.
pub type PolicyEdit<'a> = dyn Fn(Policy, &Inspection) -> Result<Policy, Unfit> + Send + Sync + 'a;

/// Whether a module may be live with a policy.
pub type Fits<'a> = dyn Fn(&Policy, &Inspection) -> Result<(), NoRoom> + Send + Sync + 'a;

/// A module begins with more memory than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// What it begins with.
    pub begins_with_bytes: u64,
    /// What it may have.
    pub limit_bytes: u64,
}

/// Why a policy is not for a handler.
#[derive(Clone, Debug)]
pub enum Unfit {
    /// It can be no handler's.
    Setting(SettingError),
    /// The handler's live module begins with more memory than it allows.
    NoRoom(NoRoom),
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
