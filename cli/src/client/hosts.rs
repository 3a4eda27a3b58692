//! What is asked of the API about hosts and their routes.

use reqwest::Method;
use wasmcloud_wire::HostName;
use wasmcloud_wire::body::{Grant, Host, NewGrant, NewHost, NewRoute, Route, Routed};

use super::{Client, of_team};
use crate::failure::Failure;

impl Client {
    /// The user's hosts, or a team's.
    pub async fn hosts(&self, team: Option<&str>) -> Result<Vec<Host>, Failure> {
        self.fetch(self.request(Method::GET, "/hosts", &of_team(team))).await
    }

    /// Adds a host.
    pub async fn add_host(&self, team: Option<&str>, host: &NewHost) -> Result<Host, Failure> {
        self.fetch(self.request(Method::POST, "/hosts", &of_team(team)).json(host)).await
    }

    /// Has the host's DNS record looked for.
    pub async fn verify_host(&self, team: Option<&str>, host: &HostName) -> Result<Host, Failure> {
        self.fetch(self.request(Method::POST, &format!("/hosts/{host}/verify"), &of_team(team))).await
    }

    /// Forgets a host.
    pub async fn remove_host(&self, team: Option<&str>, host: &HostName) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/hosts/{host}"), &of_team(team))).await
    }

    /// Lets a user route a host.
    pub async fn grant_host(&self, host: &HostName, grant: &NewGrant) -> Result<Grant, Failure> {
        self.fetch(self.request(Method::PUT, &format!("/hosts/{host}/grant"), &[]).json(grant)).await
    }

    /// Takes a host from its user.
    pub async fn revoke_host(&self, host: &HostName) -> Result<Grant, Failure> {
        self.fetch(self.request(Method::DELETE, &format!("/hosts/{host}/grant"), &[])).await
    }

    /// The user's routes, or a team's.
    pub async fn routes(&self, team: Option<&str>, host: Option<&HostName>) -> Result<Vec<Route>, Failure> {
        let mut query = of_team(team);
        query.extend(host.map(|host| ("host", host.to_string())));
        self.fetch(self.request(Method::GET, "/routes", &query)).await
    }

    /// Adds a route.
    pub async fn add_route(&self, team: Option<&str>, route: &NewRoute) -> Result<Routed, Failure> {
        self.fetch(self.request(Method::POST, "/routes", &of_team(team)).json(route)).await
    }

    /// Removes a route.
    pub async fn remove_route(&self, team: Option<&str>, host: &str, path: &str) -> Result<(), Failure> {
        let mut query = vec![("host", host.to_owned()), ("path", path.to_owned())];
        query.extend(of_team(team));
        self.done(self.request(Method::DELETE, "/routes", &query)).await
    }
}
