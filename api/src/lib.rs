//! The control plane: users, tokens, handlers, versions and their records, over HTTP.
//!
//! [`Core`] is the plane itself and knows no HTTP; [`serve`] puts it behind a listener, with Rocket
//! doing the routing; [`RemoteInvoker`] is how it speaks to executors in other processes. Requests
//! come in through `bridge.rs`, pass a guard of `guards.rs` and end in a file of `routes/`.

mod app;
mod auth;
mod bodies;
mod bridge;
mod catchers;
mod config;
mod core;
mod error;
pub mod export;
mod fleet;
mod guards;
mod json;
mod key_file;
mod oidc_provider;
mod public_url;
mod remote_invoker;
mod reply;
mod routes;
mod sealing;
mod serve;
mod signed;
mod slots;
pub mod store;

pub use config::{Config, EdgeUrl, EdgeUrlError, Registration};
pub use core::{
    Core, CoreError, ORPHAN_GRACE, SweepError, Swept, Target, TokenLimits, answer_of, replay_call,
};
pub use error::{ApiError, Problem};
pub use key_file::KeyError;
pub use oidc_provider::{OidcProvider, OidcProviderError};
pub use public_url::{PublicUrl, PublicUrlError};
pub use remote_invoker::{RemoteInvoker, RemoteInvokerError};
pub use routes::api_routes;
pub use serve::{LOG_DIRECTIVES, ServeError, serve};
pub use wasmcloud_plane::{ServiceKeys, ServiceToken, ServiceTokenError};
