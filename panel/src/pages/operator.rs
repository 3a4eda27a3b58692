//! Pages for whoever operates the installation.

use crate::api::Refused;
use crate::request::{Form, Request};
use crate::response::Response;
use crate::router::not_found;
use crate::shell::Visitor;

/// A page for operators; `rest` is what follows `/operator`.
pub(crate) async fn show(_: &Request, _: &[&str], _: &Visitor) -> Result<Response, Refused> {
    Err(not_found())
}

/// A form of one of them.
pub(crate) async fn send(_: &Request, _: &[&str], _: &Visitor, _: &Form) -> Result<Response, Refused> {
    Err(not_found())
}
