//! Hosts of one's own, and which of their paths lead to a handler.

use askama::Template;
use http::Method;
use wasmcloud_wire::body::{Host, HostState, NewHost, NewRoute, Route, Routed};

use super::{Frame, invalid, tab_path};
use crate::api::{Refused, path_with};
use crate::request::Form;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/routes.html")]
struct RoutesPage {
    shell: Shell,
    frame: Frame,
    /// Those that lead to the handler.
    routes: Vec<Route>,
    hosts: Vec<Host>,
    form: Form,
}

/// What a host's state means.
fn state(host: &Host) -> (&'static str, &'static str) {
    match host.state {
        HostState::Unproven => ("warn", "not proven yet"),
        HostState::Proven => ("ok", "proven"),
        HostState::Granted => ("ok", "granted"),
    }
}

/// Routes and hosts, and the forms.
pub(super) async fn show(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    whole(visitor, Frame::of(visitor, name, "routes").await?, &Form::default()).await
}

async fn whole(visitor: &Visitor, frame: Frame, form: &Form) -> Result<Response, Refused> {
    let team = frame.team(visitor);
    let mut routes: Vec<Route> = visitor.api.get(&path_with(&["routes"], &[("team", team)])).await?;
    routes.retain(|route| route.handler == frame.handler.name);
    let hosts = visitor.api.get(&path_with(&["hosts"], &[("team", team)])).await?;
    let (shell, status) = (visitor.shell(&format!("{}: routes", frame.name())), frame.status());
    Ok(page(status, &RoutesPage { shell, frame, routes, hosts, form: form.clone() }))
}

/// Adds, removes, or has a host proven.
pub(super) async fn send(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "routes").await?;
    match change(visitor, &frame, form).await {
        Ok(sentence) => Ok(visitor.done(&tab_path(name, "routes"), &sentence)),
        Err(refused) => whole(visitor, frame.failed(refused)?, form).await,
    }
}

async fn change(visitor: &Visitor, frame: &Frame, form: &Form) -> Result<String, Refused> {
    let team = ("team", frame.team(visitor));
    let host = form.given("host");
    let host =
        host.ok_or_else(|| invalid("a host is missing", "write its name, such as `api.example.com`"))?;
    match form.get("do") {
        "add" => {
            let path = form.given("path").map(str::to_owned);
            let strip_prefix = form.ticked("strip_prefix");
            let new =
                NewRoute { host: host.to_owned(), path, handler: frame.name().to_owned(), strip_prefix };
            let made: Routed = visitor.api.send(Method::POST, &path_with(&["routes"], &[team]), &new).await?;
            let then = match made.host.state {
                HostState::Unproven => {
                    " It answers once the host is proven: set the DNS record below, then verify."
                }
                HostState::Proven | HostState::Granted => "",
            };
            Ok(format!("{}{} leads here.{then}", made.route.host, made.route.path))
        }
        "remove" => {
            let query = [("host", Some(host)), ("path", form.given("path")), team];
            visitor.api.act(Method::DELETE, &path_with(&["routes"], &query)).await?;
            Ok(format!("The route of {host} is removed."))
        }
        "add-host" => {
            let new = NewHost { name: host.to_owned() };
            let host: Host = visitor.api.send(Method::POST, &path_with(&["hosts"], &[team]), &new).await?;
            Ok(format!("{} is added. Set the DNS record below, then verify.", host.name))
        }
        "verify" => {
            let path = path_with(&["hosts", host, "verify"], &[team]);
            let host: Host = visitor.api.upload(Method::POST, &path, &[], bytes::Bytes::new()).await?;
            Ok(format!("{} is yours: its routes answer.", host.name))
        }
        "remove-host" => {
            visitor.api.act(Method::DELETE, &path_with(&["hosts", host], &[team])).await?;
            Ok(format!("{host} is removed."))
        }
        _ => Err(invalid("it is not said what to do", "use one of the buttons")),
    }
}
