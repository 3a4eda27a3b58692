//! What a route asks for by naming it among its parameters: who calls, the body, the query.
//!
//! A guard that fails leaves the reason in the request, where `catchers.rs` finds it.

mod changing;
mod env;
mod maybe_caller;
mod user_agent;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use uuid::Uuid;
use wasmcloud_plane::Unsigned;
use wasmcloud_wire::body::{POLICY_HEADER, Scope};
use wasmcloud_wire::limits::{CALL_DEPTH_MAX, POLICY_BYTES_MAX};
use wasmcloud_wire::{DEPTH_FIELD, Policy, depth};

use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{has_scope, is_unlimited};
use crate::json;
use crate::store::AuditMore;

pub(crate) use changing::{Changing, Note};
pub(crate) use env::{EnvField, Unquoted};
pub(crate) use maybe_caller::MaybeCaller;
pub(crate) use user_agent::UserAgent;

/// What the bridge knows of a request besides what Rocket does.
pub(crate) struct Meta {
    /// In every answer and every log line about this request.
    pub request_id: Uuid,
    /// The client.
    pub peer: SocketAddr,
    caller: OnceCell<Result<Caller, ApiError>>,
    /// Set when the request was found to be signed by an executor, body and all.
    is_executor: AtomicBool,
    /// Where the audit log has what this request changes.
    noted_at: OnceLock<i64>,
    /// What it is to have when the request is answered.
    noted_more: OnceLock<AuditMore>,
}

impl Meta {
    pub(crate) fn new(request_id: Uuid, peer: SocketAddr) -> Meta {
        Meta {
            request_id,
            peer,
            caller: OnceCell::new(),
            is_executor: AtomicBool::new(false),
            noted_at: OnceLock::new(),
            noted_more: OnceLock::new(),
        }
    }

    /// Whoever makes this request, found out once.
    pub(crate) async fn caller(&self, app: &App, authorization: Option<&str>) -> Result<Caller, ApiError> {
        self.caller.get_or_init(|| app.core.authenticate(authorization)).await.clone()
    }

    /// Notes that an executor has signed the request, body and all.
    pub(crate) fn is_from_executor(&self) {
        self.is_executor.store(true, Ordering::Relaxed);
    }

    /// Notes where the audit log has what this request changes.
    fn is_noted_at(&self, position: i64) {
        // A request notes one change.
        let _ = self.noted_at.set(position);
    }

    /// Notes what was found out of it since.
    fn note_more(&self, more: AuditMore) {
        let _ = self.noted_more.set(more);
    }

    /// Where the audit log has what this request changes, if it changes anything, and what is known of it by now.
    pub(crate) fn noted(&self) -> Option<(i64, AuditMore)> {
        let position = self.noted_at.get().copied()?;
        Some((position, self.noted_more.get().cloned().unwrap_or_default()))
    }

    /// The user's name, if it is known by now; for the log.
    pub(crate) fn user(&self) -> Option<&str> {
        let caller = self.caller.get()?.as_ref().ok()?;
        Some(caller.user.name.as_str())
    }

    /// The bridge leaves one of these in every request.
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Arc<Meta> {
        request.local_cache(|| Arc::new(Meta::new(Uuid::now_v7(), SocketAddr::from(([0, 0, 0, 0], 0)))))
    }
}

/// Why a guard failed.
pub(crate) struct Rejection(pub Option<ApiError>);

pub(crate) fn reject<T>(request: &Request<'_>, error: ApiError) -> Outcome<T, ()> {
    let status = Status::new(error.status);
    request.local_cache(|| Rejection(Some(error)));
    Outcome::Error((status, ()))
}

fn or_reject<T>(request: &Request<'_>, result: Result<T, ApiError>) -> Outcome<T, ()> {
    match result {
        Ok(value) => Outcome::Success(value),
        Err(error) => reject(request, error),
    }
}

fn app<'r>(request: &'r Request<'_>) -> Result<&'r Arc<App>, ApiError> {
    request
        .rocket()
        .state::<Arc<App>>()
        .ok_or_else(|| ApiError::internal("Rocket does not hold the application"))
}

/// The only `Authorization` field; two of them are none.
fn authorization<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let mut fields = request.headers().get("authorization");
    fields.next().filter(|_| fields.next().is_none())
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Caller, ()> {
        let caller = match app(request) {
            Ok(app) => Meta::of(request).caller(app, authorization(request)).await,
            Err(error) => Err(error),
        };
        or_reject(request, caller)
    }
}

/// A caller who operates this installation.
pub(crate) struct Admin(pub Caller);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Admin, ()> {
        match request.guard::<Caller>().await {
            Outcome::Success(caller) if caller.user.is_admin => {
                let whole = has_scope(&caller, Scope::Admin).and_then(|()| is_unlimited(&caller));
                or_reject(request, whole.map(|()| Admin(caller)))
            }
            Outcome::Success(_) => reject(
                request,
                ApiError::new(
                    403,
                    "admins_only",
                    "only whoever operates this server may do this",
                    "ask them to do it",
                ),
            ),
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

/// A caller who may do all that the user may, with the account as well.
pub(crate) struct Whole(pub Caller);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Whole {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Whole, ()> {
        match request.guard::<Caller>().await {
            Outcome::Success(caller) => {
                let whole = has_scope(&caller, Scope::Admin).and_then(|()| is_unlimited(&caller));
                or_reject(request, whole.map(|()| Whole(caller)))
            }
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

/// An executor, known by its signature: `signed.rs` has verified it before the body was read.
pub(crate) struct Executor;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Executor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Executor, ()> {
        let known = Meta::of(request).is_executor.load(Ordering::Relaxed);
        or_reject(request, known.then_some(Executor).ok_or_else(|| Unsigned::Missing.into()))
    }
}

/// The client's address.
pub(crate) struct Peer(pub SocketAddr);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Peer {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Peer, ()> {
        Outcome::Success(Peer(Meta::of(request).peer))
    }
}

/// How many handlers the request has come through; 508 beyond the most, as at the edge.
pub(crate) struct Depth(pub u32);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Depth {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Depth, ()> {
        let fields = request.headers().get(DEPTH_FIELD);
        let fields: Vec<_> = fields.map(|value| (DEPTH_FIELD.to_owned(), value.to_owned())).collect();
        let depth = Some(depth(&fields)).filter(|&depth| depth < CALL_DEPTH_MAX);
        or_reject(request, depth.map(Depth).ok_or_else(ApiError::too_deep))
    }
}

/// The body as it came; the bridge has bounded it.
#[derive(Clone)]
pub(crate) struct Payload(pub Bytes);

impl Payload {
    fn of(request: &Request<'_>) -> Payload {
        request.local_cache(|| Payload(Bytes::new())).clone()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Payload {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Payload, ()> {
        Outcome::Success(Payload::of(request))
    }
}

/// The body as JSON of a certain shape.
pub(crate) struct Json<T>(pub T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromRequest<'r> for Json<T> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Json<T>, ()> {
        or_reject(request, parse_json(&Payload::of(request).0).map(Json))
    }
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    json::from_slice(body).map_err(|error| {
        let (status, code) = if error.is_data() { (422, "invalid_body") } else { (400, "malformed_json") };
        ApiError::new(
            status,
            code,
            format!("the body cannot be read as the JSON that this address takes: {error}"),
            "correct the body at the line and column that the message names",
        )
    })
}

/// The policy that an upload sets together with its version, if it does.
pub(crate) struct PolicyField(pub Option<Policy>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for PolicyField {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<PolicyField, ()> {
        let mut fields = request.headers().get(POLICY_HEADER);
        let policy = match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(text), None) => parse_policy(text).map(Some),
            (Some(_), Some(_)) => Err(ApiError::new(
                422,
                "invalid_policy",
                "the header field Wasmcloud-Policy comes twice",
                "send it once",
            )),
        };
        or_reject(request, policy.map(PolicyField))
    }
}

fn parse_policy(text: &str) -> Result<Policy, ApiError> {
    let invalid = |message: String, hint: &str| ApiError::new(422, "invalid_policy", message, hint);
    if text.len() > POLICY_BYTES_MAX {
        let message = format!(
            "the header field Wasmcloud-Policy has {} bytes; at most {POLICY_BYTES_MAX} are read",
            text.len()
        );
        return Err(invalid(message, "join some rules with `|`, or name a whole origin"));
    }
    if !text.is_ascii() {
        let message = "the header field Wasmcloud-Policy is not ASCII".to_owned();
        return Err(invalid(message, "write other characters as JSON does: \\u00fc"));
    }
    json::from_slice(text.as_bytes()).map_err(|error| {
        let message = format!("the header field Wasmcloud-Policy is no policy: {error}");
        invalid(message, "it is JSON, like what `GET /api/v1/handlers/NAME/policy` answers")
    })
}

/// The query's fields; each at most once, and none that the route does not know.
pub(crate) struct Query(Vec<(String, String)>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Query {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Query, ()> {
        let fields =
            request.query_fields().map(|field| (field.name.to_string(), field.value.to_owned())).collect();
        Outcome::Success(Query(fields))
    }
}

impl Query {
    /// Refuses fields that are not among `known`, and fields that come twice.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (place, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let hint = match known {
                    [] => "this address takes no query".to_owned(),
                    _ => format!("this address takes: {}", known.join(", ")),
                };
                return Err(ApiError::invalid(format!("unknown query field `{name}`"), hint));
            }
            if self.0.iter().take(place).any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(
                    format!("the query field `{name}` comes twice"),
                    "give it once",
                ));
            }
        }
        Ok(())
    }

    /// A field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A field's value as something else; 422 if it is none.
    pub(crate) fn parse<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let text: String = text.chars().take(64).collect();
            ApiError::invalid(format!("`{name}={text}` in the query is not {what}"), format!("give {what}"))
        })
    }
}
