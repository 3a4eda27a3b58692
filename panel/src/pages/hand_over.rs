//! A page that sends the browser on to another origin.
//!
//! Chromium holds the redirect that answers a form to the page's `form-action` as well, so a form of ours cannot be
//! answered with a redirect to a provider, or to a program on the browser's machine, unless the policy names them. A page
//! that goes on by itself needs no such hole, and works without JavaScript.

use askama::Template;
use http::StatusCode;

use crate::response::{Response, page as answer};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "hand_over.html")]
struct HandOver<'a> {
    shell: Shell,
    whom: &'a str,
    to: &'a str,
}

/// On to `to`, an address of `http:` or `https:` that the API gave.
pub(crate) fn page(visitor: &Visitor, whom: &str, to: &str) -> Response {
    answer(StatusCode::OK, &HandOver { shell: visitor.shell("One moment"), whom, to })
}
