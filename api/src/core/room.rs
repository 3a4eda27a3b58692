//! Whether a handler's memory limit has room for what its module begins with. An upload is inspected for
//! it; a policy and a promotion are asked here, since the requests of what does not fit would end with 502.

use wasmcloud_wire::{HandlerName, Inspection, Policy};

use super::Core;
use crate::ApiError;
use crate::store::NoRoom;

impl Core {
    /// Whether a module may be live with this policy.
    pub(super) fn room(&self, policy: &Policy, module: &Inspection) -> Result<(), NoRoom> {
        let (begins_with_bytes, limit_bytes) = (module.memory_bytes_min, self.limits_of(policy).memory_bytes);
        if begins_with_bytes <= limit_bytes {
            return Ok(());
        }
        Err(NoRoom { begins_with_bytes, limit_bytes })
    }

    /// The refusal of a version (`what`) that has no room, with the command that makes some.
    pub(super) fn no_room(&self, name: &HandlerName, what: &str, no_room: NoRoom) -> ApiError {
        let NoRoom { begins_with_bytes, limit_bytes } = no_room;
        let ceiling = self.config.limits_max.memory_bytes;
        let hint = if begins_with_bytes <= ceiling {
            format!("allow it more: wasmcloud policy set {name} --memory-bytes {begins_with_bytes}")
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
