//! The panel: pages for people, made of what the public API answers.
//!
//! A request goes through `router.rs` to a function of `pages/`, which asks the API ([`Api`]) as the person whose
//! session is in the cookie, and fills a template. So the panel can do nothing that the API cannot, and knows neither
//! the store nor the control plane. Every page is HTML that works without JavaScript; scripts add what is live.

mod api;
mod assets;
mod chart;
mod csrf;
mod format;
mod hints;
mod request;
mod response;
mod router;
mod shell;
mod view;

mod pages {
    //! One file a group of pages.
    pub mod account;
    pub mod device;
    pub mod hand_over;
    pub mod handlers;
    pub mod oidc;
    pub mod operator;
    pub mod register;
    pub mod reset;
    pub mod sign_in;
    pub mod teams;
}

pub use api::Api;
pub use request::{SESSION_COOKIE, session_secret};

use bytes::Bytes;
use std::sync::Arc;
use wasmcloud_listener::ResponseBody;

/// Answers a request for a page.
pub async fn answer(request: http::Request<Bytes>, api: Arc<dyn Api>) -> http::Response<ResponseBody> {
    router::answer(request, api).await
}
