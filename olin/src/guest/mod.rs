//! The guest's side of the table: what a program calls.

mod body;
pub mod cgi;
mod entry;
pub mod env;
pub mod gemini;
pub mod http;
pub mod io;
pub mod log;
pub mod net;
pub mod random;
pub mod reply;
pub mod resource;
pub mod runtime;
pub mod startup;
#[cfg(target_arch = "wasm32")]
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;
pub mod ws;

#[cfg(not(target_arch = "wasm32"))]
use testing::sys;

pub use body::Body;
#[cfg(feature = "json")]
pub use body::JsonError;
pub use entry::{run, serve};
pub use reply::{Failure, IntoResponse};
