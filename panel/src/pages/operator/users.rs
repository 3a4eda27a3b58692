//! `/operator/users`: who has an account.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::UserInfo;

use crate::api::{Refused, path_with};
use crate::request::Request;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};
use crate::view;

/// How many are on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "operator/users.html")]
struct Users<'a> {
    shell: Shell,
    tab: &'static str,
    query: &'a str,
    users: Vec<UserInfo>,
    /// Whether these are not the first.
    is_later: bool,
    /// The query of the page after this one.
    next: Option<String>,
}

/// A page of the list, by name.
pub(crate) async fn list(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let (query, after) = (request.query("query"), request.query("after"));
    let limit = PAGE.to_string();
    let fields = [("query", query), ("after", after), ("limit", Some(limit.as_str()))];
    let users: Vec<UserInfo> = visitor.api.get(&path_with(&["users"], &fields)).await?;
    let last = users.last().filter(|_| users.len() == PAGE).map(|last| last.user.name.to_string());
    let next = last.map(|last| {
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        if let Some(query) = query {
            next.append_pair("query", query);
        }
        next.append_pair("after", &last).finish()
    });
    let users = Users {
        shell: visitor.shell("Users"),
        tab: "users",
        query: query.unwrap_or_default(),
        users,
        is_later: after.is_some(),
        next,
    };
    Ok(page(StatusCode::OK, &users))
}
