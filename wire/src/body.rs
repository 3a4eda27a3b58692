//! The JSON bodies of `/api/v1`, as the API writes and the command line reads them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Abi, Digest, ExecutorReport, HandlerId, HandlerName, Header, Inspection, Limits, LogLine, Receipt, Timestamp, UserId,
    UserName, VersionNumber,
};

/// The header field of an upload that sets the handler's policy together with the version.
pub const POLICY_HEADER: &str = "wasmcloud-policy";

/// `POST /api/v1/login`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// `POST /api/v1/register`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The name that the new user wants.
    pub username: String,
    /// The new user's password, 10 to 256 bytes.
    pub password: String,
    /// An invitation's code, where the server asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
}

/// The answer to a login, a registration and a new token: the one time that the token is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The JSON Web Token, for `Authorization: Bearer …`.
    pub token: String,
    /// Its id (`jti`).
    pub id: Uuid,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: User,
}

/// `GET /api/v1/whoami`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: UserName,
    /// Whether the user operates this installation.
    pub is_admin: bool,
    /// When the user came.
    pub created_at: Timestamp,
}

/// `POST /api/v1/tokens`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the token is for, in the user's words; 1 to 100 characters.
    pub label: String,
    /// How long it lasts, in days, 1 to 365; 90 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// One of `GET /api/v1/tokens`; never the token itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Its id (`jti`).
    pub id: Uuid,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether this very request was made with it.
    pub current: bool,
}

/// `POST /api/v1/invitations`, for operators: the one time that the code is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// The code that one new user may register with.
    pub code: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A handler. `POST /api/v1/handlers?name=N` and `PUT /api/v1/handlers/N/module` take the module as
/// their body (`application/wasm`), perhaps a [`crate::Policy`] as ASCII JSON in the header field
/// [`POLICY_HEADER`], perhaps a [`crate::EnvPatch`] in [`crate::ENV_HEADER`], and answer with [`Deployed`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handler {
    /// Its id.
    pub id: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Its address.
    pub url: String,
    /// The version that the address serves.
    pub live: VersionNumber,
    /// The live version's ABI.
    pub abi: Abi,
    /// The live version's digest.
    pub digest: Digest,
    /// Whether the request's `Authorization` field reaches the program.
    pub forward_authorization: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The answer to an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployed {
    /// The handler as it is now.
    pub handler: Handler,
    /// The version that the upload made.
    pub version: VersionNumber,
    /// What the module is and asks for.
    pub inspection: Inspection,
    /// What the module may miss, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `PATCH /api/v1/handlers/N`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerPatch {
    /// Whether the request's `Authorization` field reaches the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_authorization: Option<bool>,
}

/// One of `GET /api/v1/handlers/N/versions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub number: VersionNumber,
    /// Its module's digest.
    pub digest: Digest,
    /// Its module's ABI.
    pub abi: Abi,
    /// Its module's size.
    pub size_bytes: u64,
    /// Whether the handler's address serves it.
    pub live: bool,
    /// Its own address, which serves it whatever is live.
    pub url: String,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// `POST /api/v1/handlers/N/promote`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// The version to make live.
    pub version: VersionNumber,
}

/// The answer to `POST /api/v1/handlers/N/promote`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Promoted {
    /// The handler as it is now.
    #[serde(flatten)]
    pub handler: Handler,
    /// What the version may miss, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `POST /api/v1/handlers/N/invoke`; the answer is a stream of [`crate::Event`]s, one JSON text a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvokeRequest {
    /// The request's method; `GET`, or `POST` where there is a body, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path with its query, beginning with `/`; `/` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Header fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// The body, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The version to run; the live one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// Whether to count the instructions of a program of the WASI family: another compilation of it, which
    /// runs slower. The Olin family's are always counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub count_gas: bool,
}

/// `GET /api/v1/handlers/N/logs?since=…&invocation=…&limit=…`: the newest `limit` lines, oldest first.
///
/// With `follow=true` the answer is `text/event-stream`: events named `line` ([`LogLine`]) and
/// `receipt` ([`Receipt`]), each with an `id` that `Last-Event-ID` takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logs {
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// `GET /api/v1/handlers/N/invocations?since=…&limit=…`, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invocations {
    /// Their receipts.
    pub receipts: Vec<Receipt>,
}

/// `GET /api/v1/handlers/N/invocations/ID`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invocation {
    /// What it used; absent while it runs.
    pub receipt: Option<Receipt>,
    /// Its log.
    pub lines: Vec<LogLine>,
}

/// `GET /api/v1/server`: what a client may know before it logs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// The server's version.
    pub version: String,
    /// `off`, `open` or `invitation`.
    pub registration: String,
    /// What an invocation may use where its handler's policy says nothing.
    #[serde(default)]
    pub limits: Limits,
    /// What a handler's policy may ask for at most.
    #[serde(default = "Limits::ceiling")]
    pub limits_max: Limits,
}

/// One of `GET /api/v1/executors`, for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecutorStatus {
    /// What it said of itself when it was last heard of.
    #[serde(flatten)]
    pub report: ExecutorReport,
    /// How it is.
    pub health: ExecutorHealth,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// For how long it has not been heard of, in seconds.
    pub silent_s: u64,
}

/// How an executor is, by what was last heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorHealth {
    /// It takes work.
    Healthy,
    /// It takes no new work, since it is about to stop.
    Draining,
    /// It was not heard of for longer than [`crate::GONE_AFTER_S`]: it is down, or cut off.
    Silent,
    /// It said that it would stop, and has been silent since.
    Stopped,
}
