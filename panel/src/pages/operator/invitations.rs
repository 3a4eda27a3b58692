//! `/operator/invitations`: who may come.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Invitation, InvitationInfo, Server};

use crate::api::{Refused, path};
use crate::request::Request;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor, encoded};
use crate::view;

#[derive(Template)]
#[template(path = "operator/invitations.html")]
struct Invitations {
    shell: Shell,
    tab: &'static str,
    /// `off`, `open` or `invitation`.
    registration: String,
    invitations: Vec<InvitationInfo>,
    now: Timestamp,
    /// One that was just made.
    made: Option<Invitation>,
    /// Where to register with it.
    link: String,
    error: Option<Refused>,
}

/// The list.
pub(crate) async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    filled(visitor, None, None).await
}

/// Makes an invitation, whose code is on the page this once.
pub(crate) async fn create(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let made: Result<Invitation, _> =
        visitor.api.upload(Method::POST, &path(&["invitations"]), &[], Default::default()).await;
    match made {
        Ok(made) => {
            let link = link(request, &made.code);
            filled(visitor, Some((made, link)), None).await
        }
        Err(refused) => filled(visitor, None, Some(refused)).await,
    }
}

/// The address of the page to register on: below the one that the operator's own browser has of this panel.
fn link(request: &Request, code: &str) -> String {
    let origin = request.header("origin").filter(|origin| origin.starts_with("http"));
    let origin = origin.map_or_else(
        || format!("{}://{}", if request.is_https() { "https" } else { "http" }, request.host()),
        str::to_owned,
    );
    format!("{origin}/register?invitation={}", encoded(code))
}

/// Takes an invitation back.
pub(crate) async fn revoke(visitor: &Visitor, id: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::DELETE, &path(&["invitations", id])).await {
        Ok(()) => Ok(visitor.done("/operator/invitations", "The invitation is taken back.")),
        Err(refused) => filled(visitor, None, Some(refused)).await,
    }
}

async fn filled(
    visitor: &Visitor,
    made: Option<(Invitation, String)>,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let invitations = visitor.api.get(&path(&["invitations"])).await?;
    let server: Server = visitor.api.get(&path(&["server"])).await?;
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let (made, link) = made.map_or((None, String::new()), |(made, link)| (Some(made), link));
    let invitations = Invitations {
        shell: visitor.shell("Invitations"),
        tab: "invitations",
        registration: server.registration,
        invitations,
        now: Timestamp::now(),
        made,
        link,
        error,
    };
    Ok(page(status, &invitations))
}
