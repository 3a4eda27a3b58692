//! `/api/v1/handlers/N/module`, `/versions`, `/promote`, `/rollback`

use std::sync::Arc;

use rocket::{State, delete, get, post, put};
use serde_json::json;
use wasmcloud_wire::body::{Deployed, Promote, Promoted, Version};
use wasmcloud_wire::{HandlerName, RouteKey, Split, VersionNumber};

use super::handler_name;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{Right, Target};
use crate::guards::{Changing, EnvField, Json, Payload, PolicyField, Query};
use crate::reply::{Done, Reply, Result};
use crate::store::{Move, VersionRow};
use crate::{ApiError, EdgeUrl};

/// Uploads a handler's next version, and makes it live unless `promote=false`.
#[put("/handlers/<name>/module")]
pub(crate) async fn upload(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    query: Query,
    policy: PolicyField,
    env: EnvField,
    module: Payload,
) -> Result<Reply<Deployed>> {
    let name = handler_name(name)?;
    let location = format!("/api/v1/handlers/{name}");
    query.only(&["promote"])?;
    let promote = query.parse("promote", "true or false")?.unwrap_or(true);
    let detail = json!({ "bytes": module.0.len(), "promote": promote });
    let owner = changing.handler(&name, Right::Deploy, "handler.upload", detail).await?;
    let target = match promote {
        true => Target::Existing { name, policy: policy.0, env: env.0 },
        false if policy.0.is_some() || !env.0.is_empty() => return Err(preview_with_changes(&name)),
        false => Target::Preview { name },
    };
    Reply::created(app.core.deploy(&app.invoker, owner, target, module.0).await?, location)
}

/// A handler's versions, newest first.
#[get("/handlers/<name>/versions")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Vec<Version>>> {
    let name = handler_name(name)?;
    let owner = app.core.may(&caller, &name, Right::Read).await?;
    let rows = app.core.store.versions(owner, &name).await?;
    let rows = rows.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
    Reply::ok(rows.into_iter().map(|row| version_body(row, &name, &app.core.config.edge_url)).collect())
}

/// Deletes a version that the handler does not need.
#[delete("/handlers/<name>/versions/<version>")]
pub(crate) async fn delete(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    version: &str,
) -> Result<Done> {
    let name = handler_name(name)?;
    let detail = json!({ "version": version.chars().take(20).collect::<String>() });
    let owner = changing.handler(&name, Right::Deploy, "version.delete", detail).await?;
    let number = version.parse().map(VersionNumber).map_err(|_| no_version(version))?;
    app.core.delete_version(&app.invoker, owner, name, number).await?;
    Ok(Done)
}

/// Makes a version live, or lets it answer a part of the clients.
#[post("/handlers/<name>/promote")]
pub(crate) async fn promote(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Json<Promote>,
) -> Result<Reply<Promoted>> {
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "handler.promote", json!(&body.0)).await?;
    let Promote { version, percent } = body.0;
    let step = match percent {
        None | Some(100) => Move::Promote(version),
        Some(0) => Move::EndSplit(version),
        Some(percent @ 1..=99) => Move::Split(Split { version, percent }),
        Some(percent) => return Err(no_percentage(percent)),
    };
    Reply::ok(app.core.move_version(&app.invoker, owner, name, step).await?)
}

/// Goes back to the version that was live before.
#[post("/handlers/<name>/rollback")]
pub(crate) async fn rollback(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
) -> Result<Reply<Promoted>> {
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "handler.rollback", json!({})).await?;
    Reply::ok(app.core.move_version(&app.invoker, owner, name, Move::Rollback).await?)
}

fn no_version(text: &str) -> ApiError {
    let text: String = text.chars().take(64).collect();
    ApiError::invalid(format!("`{text}` is no version"), "a version is a whole number: 1, 2, 3 …")
}

fn no_percentage(percent: u8) -> ApiError {
    ApiError::new(
        422,
        "invalid_percent",
        format!("{percent} is no part of the clients in percent"),
        "`percent` is a whole number from 0 to 100",
    )
}

/// Policy and settings are the handler's, so the live version would have them too.
fn preview_with_changes(name: &HandlerName) -> ApiError {
    ApiError::new(
        422,
        "preview_with_changes",
        "a policy and settings are the handler's own: sent with a version that is not made live, they would \
         change what the live version may do",
        format!("change them first: wasmcloud policy set {name}, wasmcloud env set {name}; or make it live"),
    )
}

fn version_body(row: VersionRow, name: &HandlerName, edge: &EdgeUrl) -> Version {
    Version {
        url: edge.url(&RouteKey { handler: name.clone(), version: Some(row.number) }),
        number: row.number,
        digest: row.digest,
        abi: row.abi,
        size_bytes: row.size_bytes,
        live: row.live,
        previous: row.previous,
        split_percent: row.split_percent,
        created_at: row.created_at,
    }
}
