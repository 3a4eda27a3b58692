//! What the store is told, and tells, of hosts and their routes.

use async_trait::async_trait;
use wasmcloud_wire::{HandlerName, HostName, HostRoute, Timestamp, UserId, UserName};

use super::StoreError;

/// What the control plane remembers of hosts and routes.
#[async_trait]
pub trait RouteStore: Send + Sync {
    /// The routes of a host that is proven or granted, the longest path first.
    async fn host_routes(&self, host: &HostName) -> Result<Vec<HostRoute>, StoreError>;

    /// Notes that a user wants to route a host. One that is there already stays as it is.
    async fn add_host(&self, new: &NewHostRow, hosts_max: u32) -> Result<AddHost, StoreError>;
    /// A user's host.
    async fn host(&self, owner: UserId, host: &HostName) -> Result<Option<HostRow>, StoreError>;
    /// A user's hosts by name.
    async fn hosts(&self, owner: UserId) -> Result<Vec<HostRow>, StoreError>;
    /// Forgets a user's host, which must have no routes.
    async fn remove_host(&self, owner: UserId, host: &HostName) -> Result<RemoveHost, StoreError>;
    /// Notes that a user has proven a host by this challenge, if that is still what its record has to say. Whoever
    /// had proven it before has not any more, and needs `next_challenge` to prove it again; a grant to somebody else
    /// stays. `Conflict` if somebody else proves it, or is granted it, at the same moment.
    async fn prove_host(
        &self,
        owner: UserId,
        host: &HostName,
        challenge: &str,
        next_challenge: &str,
        now: Timestamp,
    ) -> Result<ProveHost, StoreError>;
    /// Lets a user route a host, and nobody else any more, until an operator says otherwise. Returns who else
    /// could before.
    async fn grant_host(
        &self,
        new: &NewHostRow,
        by: UserId,
        now: Timestamp,
    ) -> Result<Option<UserName>, StoreError>;
    /// Lets nobody route a host by what was proven or granted until now. Returns who could.
    async fn revoke_host(
        &self,
        host: &HostName,
        next_challenge: &str,
    ) -> Result<Option<UserName>, StoreError>;

    /// Takes at most `limit` proven hosts that were proven or checked before `before`, so that whoever called
    /// checks them and nobody else does.
    async fn take_hosts_to_check(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HostRow>, StoreError>;
    /// Keeps what was wrong, or that nothing was, when a proven host was checked.
    async fn keep_host_problem(
        &self,
        owner: UserId,
        host: &HostName,
        problem: Option<&str>,
    ) -> Result<(), StoreError>;

    /// Adds a route, and its host if need be.
    async fn add_route(&self, new: &NewRouteRow, most: RouteLimits) -> Result<AddRoute, StoreError>;
    /// A user's routes by host, then path; of one host if one is named.
    async fn routes(&self, owner: UserId, host: Option<&HostName>) -> Result<Vec<RouteRow>, StoreError>;
    /// The hosts that have a route to a user's handler.
    async fn hosts_of_handler(
        &self,
        owner: UserId,
        handler: &HandlerName,
    ) -> Result<Vec<HostName>, StoreError>;
    /// Removes a route; false if there is none.
    async fn remove_route(&self, owner: UserId, host: &HostName, path: &str) -> Result<bool, StoreError>;
}

/// A host to be added.
#[derive(Clone, Debug)]
pub struct NewHostRow {
    /// Its name.
    pub name: HostName,
    /// Who wants it.
    pub owner: UserId,
    /// What the DNS record has to say, unless the user has added the host before.
    pub challenge: String,
}

/// A host that a user wants to route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// Its name.
    pub name: HostName,
    /// Who wants it.
    pub owner: UserId,
    /// What the DNS record has to say.
    pub challenge: String,
    /// Since when it is proven or granted.
    pub proven_at: Option<Timestamp>,
    /// Whether it is granted.
    pub granted: bool,
    /// When it was last checked after it had been proven.
    pub checked_at: Option<Timestamp>,
    /// What was wrong then.
    pub problem: Option<String>,
    /// How many routes it has.
    pub routes: u64,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What became of a host that was to be added.
#[derive(Clone, Debug)]
pub enum AddHost {
    /// It is there.
    Added(Box<HostRow>),
    /// It was there already.
    Known(Box<HostRow>),
    /// An operator granted it to somebody else.
    GrantedToAnother,
    /// The user has as many hosts as one may have.
    TooMany,
}

/// What became of a host that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoveHost {
    /// It is gone.
    Removed,
    /// It has so many routes; nothing changed.
    HasRoutes(u64),
    /// The user has no such host.
    NotFound,
}

/// What became of a proof.
#[derive(Clone, Debug)]
pub enum ProveHost {
    /// It is kept.
    Proven(Box<HostRow>),
    /// An operator granted the host to somebody else.
    GrantedToAnother,
    /// The user has no such host, or it needs another proof by now.
    NotFound,
}

/// A route to be added.
#[derive(Clone, Debug)]
pub struct NewRouteRow {
    /// Its host.
    pub host: NewHostRow,
    /// The path in its one form.
    pub path: String,
    /// One of the user's handlers.
    pub handler: HandlerName,
    /// Whether the program sees the path without this one before it.
    pub strip_prefix: bool,
}

/// How many hosts and routes there may be.
#[derive(Clone, Copy, Debug)]
pub struct RouteLimits {
    /// Hosts of one user.
    pub hosts_max: u32,
    /// Routes of one user's host.
    pub routes_max: u32,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// Its host.
    pub host: HostName,
    /// The path in its one form.
    pub path: String,
    /// Where it leads.
    pub handler: HandlerName,
    /// Whether the program sees the path without this one before it.
    pub strip_prefix: bool,
    /// Whether its host is proven or granted.
    pub served: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What became of a route that was to be added.
#[derive(Clone, Debug)]
pub enum AddRoute {
    /// It is there, and so is its host.
    Added(Box<RouteRow>, Box<HostRow>),
    /// The user has a route of this host and path already.
    Taken(Box<RouteRow>),
    /// Somebody else has proven the host, or was granted it.
    HostTaken {
        /// By a grant, against which no DNS record helps.
        granted: bool,
    },
    /// The user has no such handler.
    HandlerNotFound,
    /// The user has as many hosts as one may have.
    TooManyHosts,
    /// The host has as many routes as one may have.
    TooManyRoutes,
}
