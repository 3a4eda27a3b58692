//! `/api/v1/hosts`: hosts that a user or a team wants to route.

use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{State, delete, get, post, put};
use serde_json::json;
use wasmcloud_wire::body::{Grant, Host, NewGrant, NewHost, Role, Scope};
use wasmcloud_wire::{HostName, UserId};

use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{has_scope, is_unlimited};
use crate::guards::{Admin, Changing, Json, Query};
use crate::reply::{Done, Reply, Result};

/// The host under which this server was asked, without its port.
pub(crate) struct AskedHost(pub Option<String>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for AskedHost {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<AskedHost, ()> {
        let field = request.headers().get_one("host");
        let host = field.map(|host| host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned());
        Outcome::Success(AskedHost(host))
    }
}

/// The account whose hosts are asked for: the user's own, or with `?team=NAME` a team's. Hosts belong to no handler.
async fn to_see(app: &App, caller: &Caller, query: &Query) -> Result<UserId> {
    has_scope(caller, Scope::Read)?;
    is_unlimited(caller)?;
    query.only(&["team"])?;
    app.core.account_for(caller, query.get("team"), Role::Viewer).await
}

/// The account whose hosts are to be changed.
async fn to_change(app: &App, caller: &Caller, query: &Query) -> Result<UserId> {
    has_scope(caller, Scope::Deploy)?;
    is_unlimited(caller)?;
    query.only(&["team"])?;
    app.core.account_for(caller, query.get("team"), Role::Deployer).await
}

/// An account's hosts by name.
#[get("/hosts")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Vec<Host>>> {
    let owner = to_see(app, &caller, &query).await?;
    Reply::ok(app.core.hosts(owner).await?)
}

/// Adds a host; one that is there already is answered as it is.
#[post("/hosts")]
pub(crate) async fn add(
    app: &State<Arc<App>>,
    changing: Changing,
    asked: AskedHost,
    query: Query,
    body: Json<NewHost>,
) -> Result<Reply<Host>> {
    let owner = to_change(app, &changing.caller, &query).await?;
    changing.other(Scope::Deploy, owner, "host.add", &body.0.name, json!({})).await?;
    let (host, is_new) = app.core.add_host(owner, &body.0.name, asked.0.as_deref()).await?;
    let location = format!("/api/v1/hosts/{}", host.name);
    if is_new { Reply::created(host, location) } else { Reply::ok(host) }
}

/// A host.
#[get("/hosts/<name>")]
pub(crate) async fn show(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
) -> Result<Reply<Host>> {
    let owner = to_see(app, &caller, &query).await?;
    Reply::ok(app.core.host(owner, &host_name(name)?).await?)
}

/// Forgets a host without routes.
#[delete("/hosts/<name>")]
pub(crate) async fn remove(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    query: Query,
) -> Result<Done> {
    let owner = to_change(app, &changing.caller, &query).await?;
    changing.other(Scope::Deploy, owner, "host.remove", name, json!({})).await?;
    app.core.remove_host(&app.invoker, owner, &host_name(name)?).await?;
    Ok(Done)
}

/// Looks for the host's DNS record.
#[post("/hosts/<name>/verify")]
pub(crate) async fn verify(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    query: Query,
) -> Result<Reply<Host>> {
    let owner = to_change(app, &changing.caller, &query).await?;
    changing.other(Scope::Deploy, owner, "host.verify", name, json!({})).await?;
    Reply::ok(app.core.verify_host(&app.invoker, owner, &host_name(name)?).await?)
}

/// Lets a user or a team route a host without a DNS record; for operators.
#[put("/hosts/<name>/grant")]
pub(crate) async fn grant(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    asked: AskedHost,
    name: &str,
    body: Json<NewGrant>,
) -> Result<Reply<Grant>> {
    changing.noted(admin.0.user.id, "host.grant", name, json!({ "user": body.0.user })).await?;
    let (by, own) = (admin.0.user.id, asked.0.as_deref());
    Reply::ok(app.core.grant_host(&app.invoker, by, name, &body.0.user, own).await?)
}

/// Takes a host from whoever has proven it or was granted it; for operators.
#[delete("/hosts/<name>/grant")]
pub(crate) async fn revoke(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
) -> Result<Reply<Grant>> {
    changing.noted(admin.0.user.id, "host.revoke", name, json!({})).await?;
    Reply::ok(app.core.revoke_host(&app.invoker, &host_name(name)?).await?)
}

/// A name from a path. What cannot be a host is a host that nobody has.
fn host_name(text: &str) -> Result<HostName> {
    text.parse().map_err(|_| ApiError::host_not_found(text))
}
