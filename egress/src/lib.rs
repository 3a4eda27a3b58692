//! Every outbound connection of every program.

mod policy;
mod target;

pub use policy::*;
pub use target::{NETWORK_SCHEMES, Target, TargetError, URL_BYTES_MAX};
