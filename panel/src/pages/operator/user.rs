//! `/operator/users/NAME`: one account, and what an operator does about it.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{PasswordReset, Plan, Suspend, UserInfo, UserPatch};

use crate::api::{Refused, path};
use crate::request::Form;
use crate::response::{Response, page};
use crate::router::not_found;
use crate::shell::{Shell, Visitor};
use crate::view;

#[derive(Template)]
#[template(path = "operator/user.html")]
struct UserPage<'a> {
    shell: Shell,
    tab: &'static str,
    info: UserInfo,
    plans: Vec<Plan>,
    /// The reason that was filled in.
    reason: &'a str,
    /// A reset that was just made.
    reset: Option<PasswordReset>,
    error: Option<Refused>,
}

impl UserPage<'_> {
    /// Whether the operator looks at their own account, from which they do not lock themselves out.
    fn is_own(&self) -> bool {
        self.shell.user.as_ref().is_some_and(|user| user.name == self.info.user.name)
    }
}

/// The page.
pub(crate) async fn show(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    filled(visitor, name, "", None, None).await
}

/// One of its forms.
pub(crate) async fn send(
    visitor: &Visitor,
    name: &str,
    action: &str,
    form: &Form,
) -> Result<Response, Refused> {
    let api = &visitor.api;
    let user = path(&["users", name]);
    let suspension = path(&["users", name, "suspension"]);
    let reason = form.get("reason").trim();
    let (result, done) = match action {
        "plan" => {
            let patch = UserPatch { plan: Some(form.get("plan").to_owned()), is_admin: None };
            (
                api.tell(Method::PATCH, &user, &patch).await,
                format!("{name} has the plan {}.", form.get("plan")),
            )
        }
        "operator" => {
            let is_admin = form.get("is_admin") == "true";
            let now = if is_admin { "operates this installation now" } else { "is no operator any more" };
            let patch = UserPatch { plan: None, is_admin: Some(is_admin) };
            (api.tell(Method::PATCH, &user, &patch).await, format!("{name} {now}."))
        }
        "suspend" => {
            let why = Suspend { reason: reason.to_owned() };
            (api.tell(Method::PUT, &suspension, &why).await, format!("{name} is suspended."))
        }
        "resume" => (api.act(Method::DELETE, &suspension).await, format!("{name} may go on.")),
        "reset" => return reset(visitor, name).await,
        _ => return Err(not_found()),
    };
    match result {
        Ok(()) => Ok(visitor.done(&at(name), &done)),
        Err(refused) => filled(visitor, name, reason, None, Some(refused)).await,
    }
}

/// Makes a reset, whose code is on the page this once.
async fn reset(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    match visitor.api.upload(Method::POST, &path(&["users", name, "reset"]), &[], Default::default()).await {
        Ok(reset) => filled(visitor, name, "", Some(reset), None).await,
        Err(refused) => filled(visitor, name, "", None, Some(refused)).await,
    }
}

async fn filled(
    visitor: &Visitor,
    name: &str,
    reason: &str,
    reset: Option<PasswordReset>,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let info: UserInfo = visitor.api.get(&path(&["users", name])).await?;
    let plans = visitor.api.get(&path(&["plans"])).await?;
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let shell = visitor.shell(&format!("{} · Users", info.user.name));
    Ok(page(status, &UserPage { shell, tab: "users", info, plans, reason, reset, error }))
}

/// The page's address.
fn at(name: &str) -> String {
    format!(
        "/operator/users/{}",
        percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
    )
}
