//! What is asked of the API about hosts and their routes.

use reqwest::Method;
use wasmcloud_wire::HostName;
use wasmcloud_wire::body::{Grant, Host, NewGrant, NewHost, NewRoute, Route, Routed};

use super::Client;
use crate::failure::Failure;

impl Client {
    /// The user's hosts.
    pub async fn hosts(&self) -> Result<Vec<Host>, Failure> {
        self.fetch(self.get("/hosts")).await
    }

    /// Adds a host.
    pub async fn add_host(&self, host: &NewHost) -> Result<Host, Failure> {
        self.fetch(self.post("/hosts").json(host)).await
    }

    /// Has the host's DNS record looked for.
    pub async fn verify_host(&self, host: &HostName) -> Result<Host, Failure> {
        self.fetch(self.post(&format!("/hosts/{host}/verify"))).await
    }

    /// Forgets a host.
    pub async fn remove_host(&self, host: &HostName) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/hosts/{host}"), &[])).await
    }

    /// Lets a user route a host.
    pub async fn grant_host(&self, host: &HostName, grant: &NewGrant) -> Result<Grant, Failure> {
        self.fetch(self.request(Method::PUT, &format!("/hosts/{host}/grant"), &[]).json(grant)).await
    }

    /// Takes a host from its user.
    pub async fn revoke_host(&self, host: &HostName) -> Result<Grant, Failure> {
        self.fetch(self.request(Method::DELETE, &format!("/hosts/{host}/grant"), &[])).await
    }

    /// The user's routes.
    pub async fn routes(&self, host: Option<&HostName>) -> Result<Vec<Route>, Failure> {
        let query: Vec<_> = host.map(|host| ("host", host.to_string())).into_iter().collect();
        self.fetch(self.request(Method::GET, "/routes", &query)).await
    }

    /// Adds a route.
    pub async fn add_route(&self, route: &NewRoute) -> Result<Routed, Failure> {
        self.fetch(self.post("/routes").json(route)).await
    }

    /// Removes a route.
    pub async fn remove_route(&self, host: &str, path: &str) -> Result<(), Failure> {
        let query = [("host", host.to_owned()), ("path", path.to_owned())];
        self.done(self.request(Method::DELETE, "/routes", &query)).await
    }
}
