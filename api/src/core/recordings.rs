//! Recordings: what of a handler is recorded, and recorded invocations run again.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderName, Method};
use sha2::{Digest as _, Sha256};
use wasmcloud_wire::body::Scope;
use wasmcloud_wire::{
    Call, Change, DEPTH_FIELD, Deployment, Digest, Event, HandlerName, InvocationId, InvokeError, Invoker,
    PolicyMode, RECORDINGS_KEPT_MAX, Receipt, Recorded, RecordedAnswer, Recording, RecordingPolicy, Replay,
    ReplayRequest, RouteKey, Trigger, UrlPolicy, UserId, VersionNumber,
};

use super::{Core, Right, has_scope};
use crate::ApiError;
use crate::auth::Caller;

/// Most methods that are recorded of one handler.
const METHODS_MAX: usize = 16;
/// Most names of fields that a handler's owner lets go unrecorded.
const REDACT_MAX: usize = 32;

impl Core {
    /// Says what of a handler's invocations is recorded; new requests see it when this returns.
    pub(crate) async fn set_recording(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: &HandlerName,
        policy: Option<RecordingPolicy>,
    ) -> Result<(), ApiError> {
        let policy = policy.map(checked).transpose()?;
        if !self.store.set_recording(owner, name, policy.as_ref()).await? {
            return Err(ApiError::handler_not_found(name.as_str()));
        }
        self.announce(invoker, Change::Handler { name: name.clone() }).await;
        Ok(())
    }

    /// A recorded invocation of any handler that the caller may see.
    pub(crate) async fn find_recording(
        &self,
        caller: &Caller,
        id: InvocationId,
    ) -> Result<Recorded, ApiError> {
        has_scope(caller, Scope::Read)?;
        let name = self.store.recorded_handler(caller.user.id, id).await?;
        let name = name.ok_or_else(|| not_recorded(None, id))?;
        let owner = self.may(caller, &name, Right::Read).await?;
        self.recording(owner, Some(&name), id).await
    }

    /// A recorded invocation of one of an account's handlers.
    pub(crate) async fn recording(
        &self,
        owner: UserId,
        name: Option<&HandlerName>,
        id: InvocationId,
    ) -> Result<Recorded, ApiError> {
        let found = self.store.recording(owner, id).await?;
        let of_handler = found.filter(|(handler, _)| name.is_none_or(|name| name == handler));
        let (handler, recording) = of_handler.ok_or_else(|| not_recorded(name, id))?;
        Ok(Recorded { handler, recording })
    }

    /// Runs a recorded invocation again, and says whether the answer is the same.
    pub(crate) async fn replay(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: &HandlerName,
        id: InvocationId,
        asked: &ReplayRequest,
        depth: u32,
    ) -> Result<Replay, ApiError> {
        let Recorded { recording, .. } = self.recording(owner, Some(name), id).await?;
        let version = asked.version.unwrap_or(recording.version);
        let deployment = self.own_deployment(owner, name, version).await?;
        let hidden = hidden(&deployment);
        let call = replay_call(&recording, deployment, asked.outbound, depth);
        let (answer, receipt) = answer_of(&**invoker, call).await?;
        Ok(Replay::new(&recording, &answer, &receipt, Some(version), &hidden))
    }

    /// A version of a user's handler, ready to be run.
    pub(super) async fn own_deployment(
        &self,
        owner: UserId,
        name: &HandlerName,
        version: VersionNumber,
    ) -> Result<Deployment, ApiError> {
        let key = RouteKey { handler: name.clone(), version: Some(version) };
        let deployment = self.deployment(&key).await?.filter(|deployment| deployment.owner == owner);
        deployment.ok_or_else(|| ApiError::version_not_found(name, version))
    }

    /// The module of a version of a user's handler.
    pub(crate) async fn version_module(
        &self,
        owner: UserId,
        name: &HandlerName,
        version: VersionNumber,
    ) -> Result<Bytes, ApiError> {
        let versions = self.store.versions(owner, name).await?;
        let versions = versions.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
        let found = versions.into_iter().find(|row| row.number == version);
        let digest = found.ok_or_else(|| ApiError::version_not_found(name, version))?.digest;
        let bytes = self.blobs.get(&digest).await.map_err(ApiError::unavailable)?;
        bytes.ok_or_else(|| ApiError::unavailable(format!("the module {digest} is not stored")))
    }
}

/// Fields of answers whose values are compared and not shown.
pub(super) fn hidden(deployment: &Deployment) -> Vec<String> {
    deployment.recording.as_ref().map(|policy| policy.redact.clone()).unwrap_or_default()
}

/// A recorded invocation as a call of this deployment: with its request, its clocks and its randomness. Unless
/// `outbound`, it opens no URL of the network.
pub fn replay_call(recording: &Recording, mut deployment: Deployment, outbound: bool, depth: u32) -> Call {
    if !outbound {
        let disallow = std::mem::take(&mut deployment.urls.disallow);
        deployment.urls = UrlPolicy { allow: Vec::new(), disallow, mode: PolicyMode::Deny };
    }
    deployment.split = None;
    deployment.recording = None;
    let mut request = recording.request.clone();
    request.headers.retain(|(name, _)| name != DEPTH_FIELD);
    if depth > 0 {
        // A handler that has itself replayed is counted like one that calls itself.
        request.headers.push((DEPTH_FIELD.to_owned(), depth.to_string()));
    }
    Call {
        invocation: InvocationId::new(),
        trigger: Trigger::Replay,
        request,
        body: recording.body.clone(),
        count_gas: recording.abi.is_wasi() && recording.gas > 0,
        inputs: Some(Box::new(recording.inputs.clone())),
        deployment,
    }
}

/// Runs a call to its end, and keeps of the answer what is compared.
///
/// # Errors
///
/// It did not begin, or its executor went away.
pub async fn answer_of(invoker: &dyn Invoker, call: Call) -> Result<(RecordedAnswer, Receipt), InvokeError> {
    let mut events = invoker.invoke(call).await?;
    let (mut status, mut headers, mut body, mut body_bytes) = (None, Vec::new(), Sha256::new(), 0);
    while let Some(event) = events.next().await {
        match event {
            Event::Head { status: answered, headers: fields } => (status, headers) = (Some(answered), fields),
            Event::Body { bytes } => {
                body.update(&bytes);
                body_bytes += bytes.len() as u64;
            }
            Event::Trailers { .. } | Event::Log { .. } => {}
            Event::End { receipt } => {
                let outcome = receipt.outcome.kind().to_owned();
                let body_digest = Digest::from(<[u8; 32]>::from(body.finalize()));
                return Ok((RecordedAnswer { status, headers, body_digest, body_bytes, outcome }, *receipt));
            }
        }
    }
    Err(InvokeError::Unavailable("the executor went away before the replay was over".to_owned()))
}

/// A policy with its names in their one form.
fn checked(mut policy: RecordingPolicy) -> Result<RecordingPolicy, ApiError> {
    for method in &mut policy.methods {
        method.make_ascii_uppercase();
        Method::from_bytes(method.as_bytes()).ok().filter(|_| method.len() <= 32).ok_or_else(|| {
            ApiError::invalid(format!("`{method}` is no HTTP method"), "write it like GET,HEAD")
        })?;
    }
    for name in &mut policy.redact {
        name.make_ascii_lowercase();
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            ApiError::invalid(format!("`{name}` is no name of a header field"), "write it like x-api-key")
        })?;
    }
    policy.methods.sort();
    policy.methods.dedup();
    policy.redact.sort();
    policy.redact.dedup();
    if policy.methods.is_empty() || policy.methods.len() > METHODS_MAX {
        return Err(ApiError::invalid(
            format!("a recording is of 1 to {METHODS_MAX} methods"),
            "name them like GET,HEAD, or turn recording off: wasmcloud set NAME --record off",
        ));
    }
    if policy.redact.len() > REDACT_MAX {
        return Err(ApiError::invalid(
            format!("at most {REDACT_MAX} header fields can be left out of recordings"),
            "name fewer; authorization, proxy-authorization, cookie and set-cookie are left out anyway",
        ));
    }
    if policy.keep == 0 || policy.keep > RECORDINGS_KEPT_MAX {
        return Err(ApiError::invalid(
            format!("1 to {RECORDINGS_KEPT_MAX} recordings of a handler are kept, not {}", policy.keep),
            "turn recording off instead of keeping none: wasmcloud set NAME --record off",
        ));
    }
    Ok(policy)
}

fn not_recorded(name: Option<&HandlerName>, id: InvocationId) -> ApiError {
    let handler = name.map_or("NAME".to_owned(), ToString::to_string);
    let whose = name.map_or("of yours".to_owned(), |name| format!("of `{name}`"));
    ApiError::new(
        404,
        "not_recorded",
        format!("no invocation {whose} with the id {id} is recorded"),
        format!(
            "recording is off until it is turned on: wasmcloud set {handler} --record GET,HEAD; then send a request, \
             and replay the id in its Wasmcloud-Invocation field"
        ),
    )
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::Header;

    use super::*;

    fn policy(methods: &[&str], redact: &[&str], keep: u32) -> RecordingPolicy {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        RecordingPolicy { methods: owned(methods), redact: owned(redact), keep }
    }

    #[test]
    fn names_have_one_form_and_numbers_have_bounds() {
        let checked_one = checked(policy(&["post", "GET", "get"], &["X-Api-Key", "x-api-key"], 1)).unwrap();
        assert_eq!(checked_one, policy(&["GET", "POST"], &["x-api-key"], 1));
        assert!(checked(policy(&["GET"], &[], RECORDINGS_KEPT_MAX)).is_ok());
        let many: Vec<String> = (0..REDACT_MAX + 1).map(|number| format!("x-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for bad in [
            policy(&[], &[], 1),
            policy(&["G T"], &[], 1),
            policy(&["GET"], &["x y"], 1),
            policy(&["GET"], &many, 1),
            policy(&["GET"], &[], 0),
            policy(&["GET"], &[], RECORDINGS_KEPT_MAX + 1),
        ] {
            assert_eq!(checked(bad.clone()).unwrap_err().status, 422, "{bad:?}");
        }
    }

    #[test]
    fn a_handler_that_replays_itself_is_counted_like_one_that_calls_itself() {
        let header = |depth: u32| -> Vec<Header> { vec![(DEPTH_FIELD.to_owned(), depth.to_string())] };
        let recording = recording(header(7));
        let fields = |depth| replay_call(&recording, deployment(), true, depth).request.headers;
        assert_eq!(fields(0), []);
        assert_eq!(fields(3), header(3));
    }

    #[test]
    fn a_replay_opens_no_url_unless_it_is_told_to() {
        let recording = recording(Vec::new());
        assert_eq!(replay_call(&recording, deployment(), false, 0).deployment.urls.allow, [""; 0]);
        assert_eq!(
            replay_call(&recording, deployment(), true, 0).deployment.urls.allow,
            ["https://example.com/"]
        );
    }

    fn deployment() -> Deployment {
        Deployment {
            handler: wasmcloud_wire::HandlerId::new(),
            name: "hello".parse().unwrap(),
            owner: UserId::new(),
            version: VersionNumber(1),
            digest: Digest::of(b""),
            abi: wasmcloud_wire::Abi::Olin,
            env: Default::default(),
            limits: Default::default(),
            urls: UrlPolicy { allow: vec!["https://example.com/".to_owned()], ..UrlPolicy::default() },
            forward_authorization: false,
            secrets: Default::default(),
            split: None,
            recording: None,
            quota: Default::default(),
            suspended: None,
        }
    }

    fn recording(headers: Vec<Header>) -> Recording {
        Recording {
            invocation: InvocationId::new(),
            handler: wasmcloud_wire::HandlerId::new(),
            version: VersionNumber(1),
            digest: Digest::of(b""),
            abi: wasmcloud_wire::Abi::Olin,
            at: wasmcloud_wire::Timestamp(0),
            request: wasmcloud_wire::RequestHead {
                method: "GET".to_owned(),
                scheme: wasmcloud_wire::Scheme::Http,
                protocol: "HTTP/1.1".to_owned(),
                server_name: "hello.localhost".to_owned(),
                server_port: 3001,
                script_name: String::new(),
                target: "/".to_owned(),
                headers,
                remote_addr: "127.0.0.1".to_owned(),
            },
            body: None,
            inputs: Default::default(),
            answer: RecordedAnswer {
                status: Some(200),
                headers: Vec::new(),
                body_digest: Digest::of(b""),
                body_bytes: 0,
                outcome: "ok".to_owned(),
            },
            gas: 1,
            wall_us: 1,
            gaps: Vec::new(),
        }
    }
}
