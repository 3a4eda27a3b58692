//! Bodies about people: sessions, passwords, identities, logins by browser, and what operators do about users.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::User;
use crate::{Timestamp, UserName};

/// `GET /api/v1/sign-in`, for everybody: the ways to sign in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// `off`, `open` or `invitation`.
    pub registration: String,
    /// Providers of OpenID Connect.
    pub providers: Vec<Provider>,
}

/// A provider of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its name in addresses and commands.
    pub name: String,
    /// Its name for people.
    pub title: String,
}

/// The answer to `POST /api/v1/sessions`, which takes a [`super::LoginRequest`]: the one time that the secret is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionGrant {
    /// For `Authorization: Session …`, and nowhere else: no script of a page ever sees it.
    pub secret: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: User,
}

/// One of `GET /api/v1/sessions`; `DELETE /api/v1/sessions/ID` ends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its id.
    pub id: Uuid,
    /// What the browser said that it is.
    pub user_agent: String,
    /// The address that it was begun from.
    pub peer: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether this very request was made with it.
    pub current: bool,
}

/// `GET /api/v1/account`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Who it is.
    pub user: User,
    /// Whether there is a password.
    pub has_password: bool,
    /// Who the user is elsewhere; `DELETE /api/v1/account/identities/ID` unlinks one.
    pub identities: Vec<Identity>,
}

/// Who a user is at a provider of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id here.
    pub id: Uuid,
    /// The provider's name here.
    pub provider: String,
    /// What the provider calls the user: a name, or an address of e-mail.
    pub label: String,
    /// When it was linked.
    pub created_at: Timestamp,
    /// When it was last used to sign in.
    pub used_at: Option<Timestamp>,
}

/// `PUT /api/v1/account/password`, which ends the user's other sessions, and with `revoke_tokens` the tokens as well.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password so far; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The password from now on, 10 to 256 bytes.
    pub new: String,
    /// Whether all tokens but the one of this request end too.
    #[serde(default)]
    pub revoke_tokens: bool,
}

/// `POST /api/v1/reset`, for whoever was given a code by an operator. All sessions and tokens end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The code.
    pub code: String,
    /// The password from now on, 10 to 256 bytes.
    pub password: String,
}

/// `POST /api/v1/oidc/PROVIDER/begin`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginOidc {
    /// Whether the identity is to be linked to the user who asks, who has to be known then.
    #[serde(default)]
    pub link: bool,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OidcBegun {
    /// Where the browser has to go.
    pub url: String,
    /// What the same browser has to bring back; it goes into a cookie.
    pub flow: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// `POST /api/v1/oidc/finish`: what the provider sent the browser back with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishOidc {
    /// What [`OidcBegun::flow`] was.
    pub flow: String,
    /// The provider whose address the browser came back to. Another one's answer is none (RFC 9207).
    pub provider: String,
    /// `iss` of the query, where the provider says it (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// `state` of the query.
    pub state: String,
    /// `code` of the query.
    pub code: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OidcFinished {
    /// The user is known.
    SignedIn {
        /// The session.
        session: SessionGrant,
    },
    /// The identity is the user's from now on.
    Linked {
        /// The identity.
        identity: Identity,
    },
    /// Nobody here is known by this identity: a name has to be chosen, with `POST /api/v1/oidc/register`.
    NewUser {
        /// What proves the identity, for ten minutes, once.
        ticket: String,
        /// A name that would be free, made of what the provider says.
        suggested: Option<UserName>,
        /// What the provider calls the user.
        label: String,
    },
}

/// `POST /api/v1/oidc/register`, which answers with a [`SessionGrant`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterOidc {
    /// What [`OidcFinished::NewUser`] gave.
    pub ticket: String,
    /// The name that the new user wants.
    pub username: String,
    /// An invitation's code, where the server asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
}

/// `POST /api/v1/logins`, for everybody: a program asks for a token that somebody approves in a browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLogin {
    /// The SHA-256 of a verifier that only the program knows, in base64url (RFC 7636, S256).
    pub code_challenge: String,
    /// What the token will be called, and what the person is shown: 1 to 100 characters.
    pub label: String,
    /// The port of 127.0.0.1 that the browser is sent back to (RFC 8252, 7.3); absent where the browser runs on
    /// another machine, as of RFC 8628.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_port: Option<u16>,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginBegun {
    /// Its id, which the program asks with.
    pub id: Uuid,
    /// What the person compares, or types in: `WDJB-MJHT`.
    pub user_code: String,
    /// The page where the code is typed in.
    pub url: String,
    /// The same page with the code.
    pub url_with_code: String,
    /// Until when.
    pub expires_at: Timestamp,
    /// How long to wait between two questions, in seconds.
    pub interval_s: u32,
}

/// `GET /api/v1/logins/USER-CODE`: what is shown to whoever is to approve it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLogin {
    /// The code.
    pub user_code: String,
    /// What the token will be called.
    pub label: String,
    /// The address that it was asked from.
    pub peer: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be approved.
    pub expires_at: Timestamp,
}

/// `POST /api/v1/logins/USER-CODE/decision`, with a session alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginDecision {
    /// Whether the program gets its token.
    pub approve: bool,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginDecided {
    /// Where the browser has to go, with a code that only the program on this machine learns.
    pub redirect: Option<String>,
}

/// `POST /api/v1/logins/ID/token`: 200 and a [`super::TokenGrant`], or 409 `login_pending`, 403 `login_denied`,
/// 410 `login_expired`, 429 `slow_down`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishLogin {
    /// What the challenge was made of.
    pub code_verifier: String,
    /// What the browser brought, where it was sent back to this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// One of `GET /api/v1/users?query=…&after=NAME&limit=N`, for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserInfo {
    /// Who it is.
    #[serde(flatten)]
    pub user: User,
    /// Whether it is a team.
    pub is_team: bool,
    /// The plan's name.
    pub plan: String,
    /// How many handlers there are.
    pub handlers: u64,
    /// Since when nothing of this account's answers.
    pub suspension: Option<Suspension>,
    /// When one of the sessions or tokens was last used, to the minute.
    pub seen_at: Option<Timestamp>,
    /// Who owns it, by name, where one team is shown: each has a plan of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<UserName>,
}

/// That an account is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Since when.
    pub since: Timestamp,
    /// Why, as everybody is told who opens one of its addresses.
    pub reason: String,
}

/// `PUT /api/v1/users/NAME/suspension`, for operators; `DELETE` ends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// Why: 1 to 500 characters that everybody may read who opens one of the account's addresses.
    pub reason: String,
}

/// `PATCH /api/v1/users/NAME`, for operators: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// The plan's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whether the user operates this installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
}

/// The answer to `POST /api/v1/users/NAME/reset`, for operators: the one time that the code is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordReset {
    /// What the user sets a new password with, once.
    pub code: String,
    /// The page where that is done.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// One of `GET /api/v1/invitations`, for operators; `DELETE /api/v1/invitations/ID` takes it back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitationInfo {
    /// The first twelve characters of its code's hash.
    pub id: String,
    /// Who made it.
    pub created_by: UserName,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// Who has used it.
    pub used_by: Option<UserName>,
}
