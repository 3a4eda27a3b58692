//! The routes, one file a group.

mod account;
mod audit;
mod charts;
mod env;
mod executors;
mod handlers;
mod health;
mod host_routes;
mod hosts;
mod inspect;
mod internal;
mod invitations;
mod invoke;
mod login;
mod logins;
mod logs;
mod oidc;
mod plans;
mod policy;
mod quotas;
mod recordings;
mod register;
mod server;
mod sessions;
mod teams;
mod tokens;
mod users;
mod versions;

use rocket::{Route, routes};

use crate::auth::Caller;
use crate::core::Right;
use crate::reply::Result;
use crate::store::HandlerRow;
use crate::{ApiError, Core};
use wasmcloud_wire::HandlerName;

/// `/api/v1`
pub(crate) fn api() -> Vec<Route> {
    routes![
        register::register,
        login::login,
        login::logout,
        login::whoami,
        sessions::create,
        sessions::list,
        sessions::end,
        server::server,
        tokens::list,
        tokens::create,
        tokens::revoke,
        teams::list,
        teams::create,
        teams::show,
        teams::delete,
        teams::accept,
        teams::decline,
        teams::set_member,
        teams::remove_member,
        account::show,
        account::password,
        account::unlink,
        account::reset,
        users::list,
        users::show,
        users::change,
        users::reset,
        users::suspend,
        users::resume,
        oidc::ways,
        oidc::begin,
        oidc::finish,
        oidc::register,
        logins::begin,
        logins::show,
        logins::decide,
        logins::token,
        invitations::create,
        invitations::list,
        invitations::revoke,
        executors::list,
        quotas::show,
        plans::list,
        plans::set,
        plans::delete,
        plans::ask,
        plans::requests,
        plans::decide,
        inspect::inspect,
        handlers::list,
        handlers::create,
        handlers::show,
        handlers::patch,
        handlers::delete,
        handlers::transfer,
        policy::show,
        policy::replace,
        policy::change,
        policy::learned,
        env::list,
        env::change,
        env::set,
        env::unset,
        versions::upload,
        versions::list,
        versions::delete,
        versions::promote,
        versions::rollback,
        hosts::list,
        hosts::add,
        hosts::show,
        hosts::remove,
        hosts::verify,
        hosts::grant,
        hosts::revoke,
        host_routes::list,
        host_routes::add,
        host_routes::remove,
        invoke::invoke,
        audit::list,
        audit::export,
        charts::chart,
        charts::list,
        logs::logs,
        logs::invocations,
        logs::invocation,
        recordings::policy,
        recordings::find,
        recordings::show,
        recordings::replay,
        recordings::compare,
        recordings::module,
        health::healthz,
        health::readyz,
    ]
}

/// The method and the path of each route of `/api/v1`, so that nothing is forgotten where all of them are listed.
pub fn api_routes() -> Vec<(String, String)> {
    api().iter().map(|route| (route.method.to_string(), route.uri.to_string())).collect()
}

/// `/`
pub(crate) fn root() -> Vec<Route> {
    routes![health::healthz, health::readyz]
}

/// `/internal/v1`
pub(crate) fn internal() -> Vec<Route> {
    routes![
        internal::resolve,
        internal::routes,
        internal::report,
        internal::usage,
        internal::changes,
        internal::records,
        internal::module,
    ]
}

/// A name from a path. What cannot be a name is the name of nothing.
fn handler_name(text: &str) -> Result<HandlerName> {
    text.parse().map_err(|_| ApiError::handler_not_found(text))
}

/// A handler that the caller may do this with; 404 if it is not there, or nothing that the caller can see.
async fn handler_for(core: &Core, caller: &Caller, name: &HandlerName, right: Right) -> Result<HandlerRow> {
    let owner = core.may(caller, name, right).await?;
    core.store.handler(owner, name).await?.ok_or_else(|| ApiError::handler_not_found(name.as_str()))
}
