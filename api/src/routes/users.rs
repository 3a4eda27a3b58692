//! `/api/v1/users`: accounts, for operators.

use std::sync::Arc;

use rocket::{State, delete, get, patch, post, put};
use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{PasswordReset, Suspend, Suspension, UserInfo, UserPatch};

use crate::ApiError;
use crate::app::App;
use crate::core::user_not_found;
use crate::guards::{Admin, Changing, Json, Query};
use crate::reply::{Done, Reply, Result};

/// Accounts in one answer, unless it is said how many.
const ACCOUNTS: u32 = 100;
const ACCOUNTS_MAX: u32 = 500;

/// Accounts by name.
#[get("/users")]
pub(crate) async fn list(app: &State<Arc<App>>, admin: Admin, query: Query) -> Result<Reply<Vec<UserInfo>>> {
    let Admin(_) = admin;
    query.only(&["query", "after", "limit"])?;
    let limit = query.parse::<u32>("limit", "a number from 1 to 500")?.unwrap_or(ACCOUNTS);
    if !(1..=ACCOUNTS_MAX).contains(&limit) {
        return Err(ApiError::invalid(
            format!("`limit={limit}` is not from 1 to {ACCOUNTS_MAX}"),
            "ask for fewer, and with `after=NAME` for those that follow",
        ));
    }
    let after = query.parse::<UserName>("after", "the name of a user or a team")?;
    let text = query.get("query").unwrap_or_default().trim().to_ascii_lowercase();
    // No name has any other sign in it.
    if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Reply::ok(Vec::new());
    }
    Reply::ok(app.core.store.people(&text, after.as_ref(), limit).await?)
}

/// One account.
#[get("/users/<name>")]
pub(crate) async fn show(app: &State<Arc<App>>, admin: Admin, name: &str) -> Result<Reply<UserInfo>> {
    let Admin(_) = admin;
    Reply::ok(app.core.user_info(&user_name(name)?).await?)
}

/// Changes whether a user operates this server, and which plan an account has.
#[patch("/users/<name>")]
pub(crate) async fn change(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
    body: Json<UserPatch>,
) -> Result<Reply<UserInfo>> {
    let (name, Json(patch)) = (user_name(name)?, body);
    let id = app.core.user_info(&name).await?.user.id;
    let detail = json!({ "is_admin": patch.is_admin, "plan": patch.plan });
    changing.noted(id, "user.change", name.as_str(), detail).await?;
    Reply::ok(app.core.patch_user(&admin.0, &name, patch).await?)
}

/// Makes a code that a user sets a new password with.
#[post("/users/<name>/reset")]
pub(crate) async fn reset(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
) -> Result<Reply<PasswordReset>> {
    let (Admin(_), name) = (admin, user_name(name)?);
    let id = app.core.user_info(&name).await?.user.id;
    changing.noted(id, "user.reset", name.as_str(), json!({})).await?;
    Reply::created(app.core.make_reset(&name).await?, None)
}

/// Suspends an account.
#[put("/users/<name>/suspension")]
pub(crate) async fn suspend(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
    body: Json<Suspend>,
) -> Result<Reply<Suspension>> {
    let (name, Json(Suspend { reason })) = (user_name(name)?, body);
    let id = app.core.user_info(&name).await?.user.id;
    changing.noted(id, "user.suspend", name.as_str(), json!({ "reason": reason })).await?;
    Reply::ok(app.core.suspend(&app.invoker, &admin.0, &name, &reason).await?)
}

/// Lifts a suspension.
#[delete("/users/<name>/suspension")]
pub(crate) async fn resume(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
) -> Result<Done> {
    let (Admin(_), name) = (admin, user_name(name)?);
    let id = app.core.user_info(&name).await?.user.id;
    changing.noted(id, "user.resume", name.as_str(), json!({})).await?;
    app.core.resume(&app.invoker, &name).await?;
    Ok(Done)
}

/// A name from a path. What cannot be a name is nobody's.
fn user_name(text: &str) -> Result<UserName> {
    text.parse().map_err(|_| user_not_found(text))
}
