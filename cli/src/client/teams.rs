//! What is asked of the API about teams.

use reqwest::Method;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{Handler, Member, NewTeam, SetMember, Team, TeamWithMembers, Transfer};

use super::Client;
use crate::failure::Failure;

impl Client {
    /// The teams that the user belongs to, or is invited to.
    pub async fn teams(&self) -> Result<Vec<Team>, Failure> {
        self.fetch(self.get("/teams")).await
    }

    /// Makes a team.
    pub async fn create_team(&self, team: &NewTeam) -> Result<Team, Failure> {
        self.fetch(self.post("/teams").json(team)).await
    }

    /// A team, with everybody in it.
    pub async fn team(&self, name: &str) -> Result<TeamWithMembers, Failure> {
        self.fetch(self.get(&format!("/teams/{name}"))).await
    }

    /// Deletes a team.
    pub async fn delete_team(&self, name: &str) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/teams/{name}"), &[])).await
    }

    /// Becomes what a team offers.
    pub async fn accept_team(&self, name: &str) -> Result<Team, Failure> {
        self.fetch(self.post(&format!("/teams/{name}/accept"))).await
    }

    /// Drops what a team offers.
    pub async fn decline_team(&self, name: &str) -> Result<(), Failure> {
        self.done(self.post(&format!("/teams/{name}/decline"))).await
    }

    /// Offers somebody a place in a team, or gives a member another role.
    pub async fn set_member(&self, team: &str, user: &str, set: &SetMember) -> Result<Member, Failure> {
        self.fetch(self.request(Method::PUT, &format!("/teams/{team}/members/{user}"), &[]).json(set)).await
    }

    /// Takes somebody out of a team.
    pub async fn remove_member(&self, team: &str, user: &str) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/teams/{team}/members/{user}"), &[])).await
    }

    /// Gives a handler to another account.
    pub async fn transfer(&self, name: &HandlerName, to: &Transfer) -> Result<Handler, Failure> {
        self.fetch(self.post(&format!("/handlers/{name}/transfer")).json(to)).await
    }
}
