//! The pages of handlers: which one a request is for, and what all pages of one handler have.

mod env;
mod inspect;
mod invocation;
mod invocations;
mod list;
mod log;
mod new;
mod overview;
mod policy;
mod routes;
mod settings;
mod try_it;
mod upload;
mod versions;

use http::StatusCode;
use wasmcloud_wire::body::{Handler, Role};

use crate::api::{Refused, path};
use crate::request::{Form, Request};
use crate::response::{Response, see_other};
use crate::router::{not_found, said};
use crate::shell::Visitor;

/// A page about handlers; `rest` is what follows `/handlers`.
pub(crate) async fn show(request: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    match rest {
        [] => list::show(visitor).await,
        ["new"] => new::show(visitor).await,
        // What was sent there is gone once the page is loaded again.
        ["new", "inspect"] => Ok(see_other("/handlers/new")),
        // The second address is for the handler that is called `new`.
        [name] | [name, "overview"] => overview::show(request, visitor, name).await,
        [name, "versions"] => versions::show(visitor, name).await,
        [name, "versions", "inspect"] => Ok(see_other(&tab_path(name, "versions"))),
        [name, "env"] => env::show(visitor, name).await,
        [name, "policy"] => policy::show(request, visitor, name).await,
        [name, "routes"] => routes::show(visitor, name).await,
        [name, "log"] => log::show(request, visitor, name).await,
        [name, "log", "events"] => log::events(request, visitor, name).await,
        [name, "invocations"] => invocations::show(request, visitor, name).await,
        [name, "invocations", id] => invocation::show(visitor, name, id).await,
        [name, "try"] => try_it::show(request, visitor, name).await,
        [name, "settings"] => settings::show(visitor, name).await,
        [name, "settings", "delete"] => settings::show_delete(visitor, name).await,
        _ => Err(not_found()),
    }
}

/// A form of one of them.
pub(crate) async fn send(
    request: &Request,
    rest: &[&str],
    visitor: &Visitor,
    form: &Form,
) -> Result<Response, Refused> {
    match rest {
        ["new"] => new::send(request, visitor, form).await,
        ["new", "inspect"] => new::inspect(request, visitor, form).await,
        [name, "versions"] => versions::send(request, visitor, name, form).await,
        [name, "versions", "inspect"] => versions::inspect(request, visitor, name, form).await,
        [name, "env"] => env::send(visitor, name, form).await,
        [name, "policy"] => policy::send(request, visitor, name, form).await,
        [name, "routes"] => routes::send(visitor, name, form).await,
        [name, "invocations", id] => invocation::replay(visitor, name, id, form).await,
        [name, "try"] => try_it::send(visitor, name, form).await,
        [name, "try", "stream"] => try_it::stream(visitor, name, form).await,
        [name, "settings"] => settings::send(visitor, name, form).await,
        [name, "settings", "delete"] => settings::delete(visitor, name, form).await,
        _ => Err(not_found()),
    }
}

/// What the pages of one handler have in common.
struct Frame {
    handler: Handler,
    /// Which of its pages it is.
    tab: &'static str,
    /// Why what was sent was not done.
    error: Option<Refused>,
}

impl Frame {
    async fn of(visitor: &Visitor, name: &str, tab: &'static str) -> Result<Frame, Refused> {
        let handler = visitor.api.get(&path(&["handlers", name])).await?;
        Ok(Frame { handler, tab, error: None })
    }

    /// The same page once more, with what went wrong. Whoever is not signed in any more has to sign in instead.
    fn failed(self, refused: Refused) -> Result<Frame, Refused> {
        match refused.status {
            StatusCode::UNAUTHORIZED => Err(refused),
            _ => Ok(Frame { error: Some(refused), ..self }),
        }
    }

    /// The status of the page.
    fn status(&self) -> StatusCode {
        self.error.as_ref().map_or(StatusCode::OK, |refused| refused.status)
    }

    fn name(&self) -> &str {
        self.handler.name.as_str()
    }

    /// What the person is to the handler; servers from before there were teams knew owners only.
    fn role(&self) -> Role {
        self.handler.role.unwrap_or(Role::Owner)
    }

    /// Whether the person may change and run it.
    fn can_change(&self) -> bool {
        self.role() >= Role::Deployer
    }

    /// Whether the person may delete it and give it away.
    fn can_own(&self) -> bool {
        self.role() == Role::Owner
    }

    /// The address of one of its pages.
    fn page(&self, tab: &str) -> String {
        tab_path(self.name(), tab)
    }

    /// The team that has it, if it is not the person's own: what requests about hosts and routes name.
    fn team(&self, visitor: &Visitor) -> Option<&str> {
        let owner = self.handler.owner.as_ref()?;
        let is_own = visitor.user.as_ref().is_some_and(|user| user.name == *owner);
        (!is_own).then(|| owner.as_str())
    }

    /// Whether the tab is the one that is shown, as an attribute says it.
    fn current(&self, tab: &str) -> &'static str {
        if self.tab == tab { " aria-current=\"page\"" } else { "" }
    }
}

/// The address of one of a handler's pages. Only names that a handler can have are in addresses of ours.
fn tab_path(name: &str, tab: &str) -> String {
    let name: String = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-");
    match (name.as_str(), tab) {
        ("new", "") => "/handlers/new/overview".to_owned(),
        (_, "") => format!("/handlers/{name}"),
        _ => format!("/handlers/{name}/{tab}"),
    }
}

/// Whether a script of ours asks, which puts a part of a page into the page that it is on.
fn by_script(request: &Request) -> bool {
    request.header("x-requested-with") == Some("script")
}

/// A field that cannot be read, before anybody is asked.
fn invalid(message: &str, hint: &str) -> Refused {
    said(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_called_new_has_pages_too() {
        assert_eq!(tab_path("new", ""), "/handlers/new/overview");
        assert_eq!(tab_path("new", "log"), "/handlers/new/log");
        assert_eq!(tab_path("one-of-cups", ""), "/handlers/one-of-cups");
        assert_eq!(tab_path("a/../b?c", "env"), "/handlers/a%2F%2E%2E%2Fb%3Fc/env");
    }
}
