//! Routes: the paths below a host that lead to a user's handlers.

use std::sync::Arc;

use wasmcloud_wire::body::{NewRoute, Route, Routed};
use wasmcloud_wire::limits::{HOSTS_PER_USER_MAX, ROUTES_PER_HOST_MAX};
use wasmcloud_wire::{Change, HandlerName, HostName, Invoker, UserId, route_path};

use super::Core;
use super::hosts::{granted_to_another, host_body, too_many_hosts};
use crate::ApiError;
use crate::store::{AddRoute, NewRouteRow, RouteLimits, RouteRow};

const LIMITS: RouteLimits = RouteLimits { hosts_max: HOSTS_PER_USER_MAX, routes_max: ROUTES_PER_HOST_MAX };

impl Core {
    /// A user's routes by host, then path.
    pub(crate) async fn host_routes(
        &self,
        owner: UserId,
        host: Option<&HostName>,
    ) -> Result<Vec<Route>, ApiError> {
        Ok(self.store.routes(owner, host).await?.into_iter().map(route_body).collect())
    }

    /// Refuses what is no host, no path, or no handler's name.
    pub(crate) fn may_add_route(
        &self,
        owner: UserId,
        new: &NewRoute,
        own: Option<&str>,
    ) -> Result<NewRouteRow, ApiError> {
        let not_found = || ApiError::handler_not_found(&new.handler);
        Ok(NewRouteRow {
            host: self.new_host(owner, &new.host, own)?,
            path: path(new.path.as_deref().unwrap_or("/"))?,
            handler: new.handler.parse::<HandlerName>().map_err(|_| not_found())?,
            strip_prefix: new.strip_prefix,
        })
    }

    /// Adds a route, and its host if need be; it is served when this returns, if the host is proven.
    pub(crate) async fn add_route(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        new: &NewRoute,
        own: Option<&str>,
    ) -> Result<Routed, ApiError> {
        let not_found = || ApiError::handler_not_found(&new.handler);
        let row = self.may_add_route(owner, new, own)?;
        let host = &row.host.name;
        match self.store.add_route(&row, LIMITS).await? {
            AddRoute::Added(route, known) => {
                self.announce(invoker, Change::Host { host: host.clone() }).await;
                Ok(Routed { route: route_body(*route), host: host_body(*known) })
            }
            AddRoute::Taken(there) => Err(taken(&there)),
            AddRoute::HostTaken { granted: true } => Err(granted_to_another(host)),
            AddRoute::HostTaken { granted: false } => Err(ApiError::new(
                409,
                "host_taken",
                format!("another user of this server has proven that `{host}` is theirs"),
                format!(
                    "if it is yours now, prove that: wasmcloud host add {host}, then wasmcloud host verify {host}"
                ),
            )),
            AddRoute::HandlerNotFound => Err(not_found()),
            AddRoute::TooManyHosts => Err(too_many_hosts()),
            AddRoute::TooManyRoutes => Err(ApiError::new(
                409,
                "too_many_routes",
                format!("`{host}` has {ROUTES_PER_HOST_MAX} routes, which is the most that a host may have"),
                format!("remove those that you do not need: wasmcloud route list {host}"),
            )),
        }
    }

    /// Removes a route; it is not served any more when this returns.
    pub(crate) async fn remove_route(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        host: &str,
        route: &str,
    ) -> Result<(), ApiError> {
        let not_found = || route_not_found(host, route);
        let host: HostName = host.parse().map_err(|_| not_found())?;
        let route = route_path(route).map_err(|_| not_found())?;
        if !self.store.remove_route(owner, &host, &route).await? {
            return Err(not_found());
        }
        self.announce(invoker, Change::Host { host }).await;
        Ok(())
    }
}

fn path(text: &str) -> Result<String, ApiError> {
    route_path(text).map_err(|error| {
        let hint = "write it like /v1 or /shop/cart; everything below it is routed too";
        ApiError::new(422, "invalid_path", error.to_string(), hint)
    })
}

fn route_body(row: RouteRow) -> Route {
    Route {
        host: row.host,
        path: row.path,
        handler: row.handler,
        strip_prefix: row.strip_prefix,
        served: row.served,
        created_at: row.created_at,
    }
}

fn taken(there: &RouteRow) -> ApiError {
    let RouteRow { host, path, handler, strip_prefix, .. } = there;
    let stripped = if *strip_prefix { ", without its prefix" } else { "" };
    ApiError::new(
        409,
        "route_taken",
        format!("{host}{path} leads to your handler `{handler}` already{stripped}"),
        format!("to change it, remove it first: wasmcloud route remove {host}{path}"),
    )
}

fn route_not_found(host: &str, path: &str) -> ApiError {
    let short = |text: &str| text.chars().take(200).collect::<String>();
    ApiError::new(
        404,
        "route_not_found",
        format!("you have no route `{}{}`", short(host), short(path)),
        "`wasmcloud route list` shows those that you have",
    )
}
