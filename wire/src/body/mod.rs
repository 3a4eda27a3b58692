//! The JSON bodies of `/api/v1`, as the API writes and the command line reads them.

mod accounts;
mod audit;
mod charts;
mod quotas;
mod teams;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    Abi, Digest, ExecutorReport, HandlerId, HandlerName, Header, HostName, Inspection, Limits, LogLine,
    Receipt, RecordingPolicy, Split, Timestamp, UserId, UserName, VersionNumber,
};

pub use accounts::{
    Account, BeginOidc, ChangePassword, FinishLogin, FinishOidc, Identity, InvitationInfo, LoginBegun,
    LoginDecided, LoginDecision, NewLogin, OidcBegun, OidcFinished, PasswordReset, PendingLogin, Provider,
    RegisterOidc, ResetPassword, SessionGrant, SessionInfo, SignIn, Suspend, Suspension, UserInfo, UserPatch,
};
pub use audit::{Audit, AuditEntry};
pub use charts::{Chart, ChartPoint, Span, Sparkline};
pub use quotas::{NewPlanRequest, Plan, PlanDecision, PlanRequest, PlanRequestState, Quota, Quotas};
pub use teams::{Member, NewTeam, Offer, Role, Scope, SetMember, Team, TeamWithMembers, Transfer};

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
    /// What it may be used for, at most what the request itself may; as much if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// The handlers that it is limited to, 1 to 20, which need not be there yet; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handlers: Option<Vec<HandlerName>>,
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
    /// When it was last used, to the minute.
    #[serde(default)]
    pub used_at: Option<Timestamp>,
    /// What it may be used for.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// The handlers that it is limited to; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handlers: Option<Vec<HandlerName>>,
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
/// With `?promote=false`, and neither of the two, the `PUT` leaves the live version as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handler {
    /// Its id.
    pub id: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// The user or the team that has it; absent from servers before there were teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserName>,
    /// What whoever asks may do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Why nothing of the owner's answers, if the team that has it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// Its address.
    pub url: String,
    /// The version that the address serves.
    pub live: VersionNumber,
    /// The live version's ABI.
    pub abi: Abi,
    /// The live version's digest.
    pub digest: Digest,
    /// The version that was live before, which a rollback goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VersionNumber>,
    /// When the live version became live; absent if that was before this was noted down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_at: Option<Timestamp>,
    /// Another version that answers a part of the clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Whether a new version that clearly fails more than its predecessor is taken back.
    #[serde(default = "yes")]
    pub auto_rollback: bool,
    /// The automatic rollback that made things as they are; absent once the owner has moved on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
    /// Whether the request's `Authorization` field reaches the program.
    pub forward_authorization: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

fn yes() -> bool {
    true
}

/// A version that the platform took back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The version that failed.
    pub from: VersionNumber,
    /// The version that answers instead.
    pub to: VersionNumber,
    /// When it was taken back.
    pub at: Timestamp,
    /// Both versions' rates, in a sentence.
    pub reason: String,
}

/// The answer to an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployed {
    /// The handler as it is now.
    pub handler: Handler,
    /// The version that the upload made.
    pub version: VersionNumber,
    /// Where the version is found while it is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// What the module is and asks for.
    pub inspection: Inspection,
    /// What the module may miss, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A version that is not live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its own address.
    pub url: String,
    /// Its module's digest.
    pub digest: Digest,
}

/// `PATCH /api/v1/handlers/N`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerPatch {
    /// Whether the request's `Authorization` field reaches the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_authorization: Option<bool>,
    /// Whether a new version that clearly fails more than its predecessor is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_rollback: Option<bool>,
    /// What of its invocations is recorded; `null` for nothing, and what was recorded goes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub recording: Option<Option<RecordingPolicy>>,
}

/// Tells `null` from what is not there at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<RecordingPolicy>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
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
    /// Whether it was live before, so that a rollback goes back to it.
    #[serde(default)]
    pub previous: bool,
    /// How large a part of the clients it answers beside the live version, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_percent: Option<u8>,
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
    /// Makes it answer so many percent of the clients beside the live version instead: 1 to 99. 0 ends that,
    /// 100 makes it live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

/// The answer to `POST /api/v1/handlers/N/promote` and `POST /api/v1/handlers/N/rollback`, which takes no body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Promoted {
    /// The handler as it is now.
    #[serde(flatten)]
    pub handler: Handler,
    /// The split that this ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Split>,
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

/// `GET /api/v1/handlers/N/logs?since=…&invocation=…&limit=…&level=…&text=…`: the newest `limit` lines, oldest first.
/// `level` is the least severe that is wanted (`error`, `warning`, `information`), `text` what a line has to contain,
/// ASCII letters in either case; with `until=…` only lines before that time.
///
/// With `follow=true` the answer is `text/event-stream`: events named `line` ([`LogLine`]) and
/// `receipt` ([`Receipt`]), each with an `id` that `Last-Event-ID` takes. Receipts come whatever `level` and `text` say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logs {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Lines before this time were not searched, since there are so many: ask again with `until`. Absent if all were
    /// searched, or as many found as were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_before: Option<Timestamp>,
}

/// `GET /api/v1/handlers/N/invocations?since=…&before=ID&failed=true&limit=…`, newest first: those that began before
/// the invocation with that id, and only failures.
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
    /// Why the API that answers could not call it lately, if it is unreachable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How an executor is, by what was last heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorHealth {
    /// It takes work.
    Healthy,
    /// It reports, but the API that answers could not call it when it last tried.
    Unreachable,
    /// It takes no new work, since it is about to stop.
    Draining,
    /// It was not heard of for longer than [`crate::GONE_AFTER_S`]: it is down, or cut off.
    Silent,
    /// It said that it would stop, and has been silent since.
    Stopped,
}

/// `POST /api/v1/hosts`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHost {
    /// The host's name.
    pub name: String,
}

/// A host that a user wants to route: one of `GET /api/v1/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Whether its routes answer.
    pub state: HostState,
    /// The DNS record of type TXT that proves the ownership: its name.
    pub record_name: String,
    /// What that record has to say.
    pub record_value: String,
    /// Since when it is proven or granted.
    pub proven_at: Option<Timestamp>,
    /// When DNS was last asked again about a proven host.
    pub checked_at: Option<Timestamp>,
    /// What was wrong with the record of a proven host when it was last looked for.
    pub problem: Option<String>,
    /// How many routes it has.
    pub routes: u64,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Whether a host's routes answer, and by what right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// They do not: nobody has shown yet that the host is this user's, or somebody else has since.
    Unproven,
    /// They do, since a DNS record said so.
    Proven,
    /// They do, since an operator said so.
    Granted,
}

/// `PUT /api/v1/hosts/NAME/grant`, for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The name of the user who may route the host from now on.
    pub user: String,
}

/// The answer to a grant, and to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The host.
    pub host: HostName,
    /// Who may route it now.
    pub user: Option<UserName>,
    /// Who else could until now.
    pub taken_from: Option<UserName>,
}

/// `POST /api/v1/routes`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    /// The host; it is added if it is not there.
    pub host: String,
    /// The path that is routed with everything below it; `/` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// One of the user's handlers.
    pub handler: String,
    /// Whether the program sees the path without this one before it.
    #[serde(default)]
    pub strip_prefix: bool,
}

/// One of `GET /api/v1/routes?host=…`; `DELETE /api/v1/routes?host=…&path=…` removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The host.
    pub host: HostName,
    /// The path.
    pub path: String,
    /// The handler.
    pub handler: HandlerName,
    /// Whether the program sees the path without this one before it.
    pub strip_prefix: bool,
    /// Whether it answers: the host is proven or granted.
    pub served: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The answer to a new route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Routed {
    /// The route.
    pub route: Route,
    /// Its host.
    pub host: Host,
}
