//! What is asked of the API about people: passwords, accounts, invitations, logins by browser.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{
    ChangePassword, FinishLogin, InvitationInfo, LoginBegun, NewLogin, PasswordReset, Suspend, Suspension,
    TokenGrant, UserInfo, UserPatch,
};

use super::Client;
use crate::failure::Failure;

/// Accounts that are asked for at once.
const USERS_AT_ONCE: usize = 500;
/// The most accounts that are listed.
const USERS_MAX: usize = 100_000;

impl Client {
    /// Changes the user's password.
    pub async fn change_password(&self, change: &ChangePassword) -> Result<(), Failure> {
        self.done(self.request(Method::PUT, "/account/password", &[]).json(change)).await
    }

    /// Begins a login that somebody approves in a browser.
    pub async fn begin_login(&self, login: &NewLogin) -> Result<LoginBegun, Failure> {
        self.fetch(self.post("/logins").json(login)).await
    }

    /// The token of such a login.
    pub async fn finish_login(&self, id: Uuid, finish: &FinishLogin) -> Result<TokenGrant, Failure> {
        self.fetch(self.post(&format!("/logins/{id}/token")).json(finish)).await
    }

    /// Accounts whose name has `query` in it.
    pub async fn users(&self, query: Option<&str>) -> Result<Vec<UserInfo>, Failure> {
        let mut users: Vec<UserInfo> = Vec::new();
        while users.len() < USERS_MAX {
            let mut pairs = vec![("limit", USERS_AT_ONCE.to_string())];
            pairs.extend(query.map(|query| ("query", query.to_owned())));
            pairs.extend(users.last().map(|last| ("after", last.user.name.to_string())));
            let page: Vec<UserInfo> = self.fetch(self.request(Method::GET, "/users", &pairs)).await?;
            let last = page.len() < USERS_AT_ONCE;
            users.extend(page);
            if last {
                break;
            }
        }
        Ok(users)
    }

    /// One account.
    pub async fn user(&self, name: &UserName) -> Result<UserInfo, Failure> {
        self.fetch(self.get(&format!("/users/{name}"))).await
    }

    /// Changes an account.
    pub async fn change_user(&self, name: &UserName, patch: &UserPatch) -> Result<UserInfo, Failure> {
        self.fetch(self.request(Method::PATCH, &format!("/users/{name}"), &[]).json(patch)).await
    }

    /// A code that a user sets a new password with.
    pub async fn reset_user(&self, name: &UserName) -> Result<PasswordReset, Failure> {
        self.fetch(self.post(&format!("/users/{name}/reset")).json(&json!({}))).await
    }

    /// Suspends an account.
    pub async fn suspend_user(&self, name: &UserName, reason: String) -> Result<Suspension, Failure> {
        let suspend = Suspend { reason };
        self.fetch(self.request(Method::PUT, &format!("/users/{name}/suspension"), &[]).json(&suspend)).await
    }

    /// Lifts a suspension.
    pub async fn resume_user(&self, name: &UserName) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/users/{name}/suspension"), &[])).await
    }

    /// Invitations that have not expired.
    pub async fn invitations(&self) -> Result<Vec<InvitationInfo>, Failure> {
        self.fetch(self.get("/invitations")).await
    }

    /// Takes back an invitation.
    pub async fn revoke_invitation(&self, id: &str) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/invitations/{id}"), &[])).await
    }
}
