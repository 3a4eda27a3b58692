//! Whether a module can be live with its handler's policy and settings: its memory limit has room for what the
//! module begins with, and it has the settings that the module needs. An upload is looked at for it first; in
//! the end it is asked within the transaction of whatever could change the answer, since the requests of what
//! does not fit would end with 502.

use wasmcloud_wire::{HandlerName, Inspection, Limits, Policy};

use super::Core;
use super::env::names;
use super::needs::{Missing, are_not_set, command};
use crate::ApiError;
use crate::store::{NoRoom, SettingRow, Unfit};

impl Core {
    /// Whether a module may be live with this policy and these settings.
    pub(super) fn fits(
        &self,
        policy: &Policy,
        settings: &[SettingRow],
        module: &Inspection,
    ) -> Result<(), Unfit> {
        self.room(policy, module)?;
        let missing = Missing::of(&module.needs, &names(settings)).required;
        if missing.is_empty() { Ok(()) } else { Err(Unfit::Missing(missing)) }
    }

    /// Whether a module may be live with this policy.
    pub(super) fn room(&self, policy: &Policy, module: &Inspection) -> Result<(), NoRoom> {
        let (begins_with_bytes, limit_bytes) = (module.memory_bytes_min, self.limits_of(policy).memory_bytes);
        if begins_with_bytes <= limit_bytes {
            return Ok(());
        }
        Err(NoRoom { begins_with_bytes, limit_bytes })
    }

    /// The refusal of a change, after which a version (`what`) would be live that does not fit.
    pub(super) fn unfit(&self, name: &HandlerName, what: &str, unfit: Unfit) -> ApiError {
        match unfit {
            Unfit::Setting(error) => error.into(),
            Unfit::NoRoom(no_room) => self.no_room(name, what, no_room),
            Unfit::Env(error) => Core::env_refused(&error),
            Unfit::NotSet(setting) => ApiError::setting_not_found(name, &setting),
            Unfit::Missing(missing) => {
                let hint = format!("set it first: {}", command(name, &missing));
                missing_setting(what, &missing, hint)
            }
            Unfit::Unsealed => ApiError::internal("a setting cannot be encrypted"),
        }
    }

    /// The refusal of a version (`what`) that has no room, with the command that makes some.
    fn no_room(&self, name: &HandlerName, what: &str, no_room: NoRoom) -> ApiError {
        let NoRoom { begins_with_bytes, limit_bytes } = no_room;
        let ceiling = self.config.limits_max.memory_bytes;
        let hint = if begins_with_bytes <= ceiling {
            let bytes = Limits::memory_bytes_for(begins_with_bytes, ceiling);
            format!("allow it more: wasmcloud policy set {name} --memory-bytes {bytes}")
        } else {
            format!("this server's ceiling is {ceiling} bytes: make a version live that begins with less")
        };
        ApiError::new(
            422,
            "over_limit",
            format!(
                "{what} begins with {begins_with_bytes} bytes of memory; its memory limit would be {limit_bytes} bytes"
            ),
            hint,
        )
    }
}

/// The refusal of a version (`what`) that needs settings which its handler does not have.
pub(super) fn missing_setting(what: &str, missing: &[String], hint: String) -> ApiError {
    ApiError::new(422, "missing_setting", format!("{what} needs {}", are_not_set(missing)), hint)
}
