//! Requests about how handlers did over time.

use reqwest::Method;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{Chart, Span};

use super::Client;
use crate::failure::Failure;

impl Client {
    /// How a handler did.
    pub async fn chart(&self, name: &HandlerName, span: Span) -> Result<Chart, Failure> {
        let span = [("span", span.as_str().to_owned())];
        self.fetch(self.request(Method::GET, &format!("/handlers/{name}/chart"), &span)).await
    }
}
