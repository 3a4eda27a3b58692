//! Requests' bodies: who may send which, how many at once, and the memory that they take.
//!
//! A small body is read from everybody. A larger one is read only from users who are known, and they
//! share the places and the memory for such bodies fairly ([`FairPool`]): as these fill, whoever holds
//! many has to wait, and whoever holds none does not. Memory counts as it arrives, so whoever announces much and
//! sends little takes little; and of those who wait in the middle of a body one goes on ([`Growing`]), so that they do
//! not stall each other. How long a slow one may hold what it has is bounded by a floor of speed. Who logs in is not known
//! yet: their bodies are small, and so many for each address.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_fair::{FairPool, Full, Growing, Share};
use wasmcloud_listener::{Body, BodyError, CollectError};
use wasmcloud_wire::UserId;
use wasmcloud_wire::body::Scope;
use wasmcloud_wire::limits::{JSON_BODY_BYTES_MAX, POLICY_BYTES_MAX, UPLOAD_BYTES_MAX};

use crate::ApiError;
use crate::app::App;
use crate::auth;
use crate::bridge::is_page;
use crate::core::has_scope;
use crate::guards::Meta;
use crate::signed;
use crate::slots::Slots;

/// Largest JSON body that carries a request's body in base64, or a batch of records.
const LARGE_JSON_BYTES_MAX: usize = 14 << 20;
/// Largest body of whoever logs in or registers.
const LOGIN_BODY_BYTES_MAX: usize = 16 << 10;
/// What a form with a module may have besides the module.
const FORM_BYTES: usize = 256 << 10;
/// Largest body that is read without a place being taken for it.
const LITTLE_BODY_BYTES_MAX: u64 = 16 << 10;

/// Users' bodies of more than a few KiB at once, of all users together.
const PLACES_MAX: usize = 64;
/// Memory for users' bodies of more than a few KiB, in bytes, of all users together.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Uploads of one user at once.
const UPLOADS_PER_USER_MAX: usize = 1;
/// Requests with a large body to `invoke`, of one user at once.
const INVOKES_PER_USER_MAX: usize = 1;
/// Logins and registrations from one address at once; an IPv6 /64 counts as one.
const LOGINS_PER_ADDRESS_MAX: usize = 32;
/// Batches of records that are held in memory at once; users' bodies cannot keep them out.
const RECORD_BODIES_MAX: usize = 4;

/// How long an upload waits for the same user's upload before it.
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a body that is not little waits for its place, and for memory.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a body may take to arrive, however steadily it does.
const BODY_MAX: Duration = Duration::from_secs(600);
/// How long the body of whoever logs in may take.
const LOGIN_BODY_MAX: Duration = Duration::from_secs(30);
/// The slowest that a body which holds a place may arrive, on average, once it has been waited for
/// [`SLOW_AFTER`]; the listener's own floor is lower.
const BYTES_PER_SECOND_MIN: u64 = 8 << 10;
const SLOW_AFTER: Duration = Duration::from_secs(30);

/// What a request's body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// JSON of the usual size.
    Small,
    /// A name and a password, from whoever is not known yet.
    Login,
    /// A handler's policy.
    Policy,
    /// A module.
    Upload,
    /// A form of the panel with a module in it.
    PanelUpload,
    /// JSON with a request's body in it, or a form of the panel with one.
    Invoke,
    /// Records, from an executor.
    Records,
    /// What accounts use, from an executor.
    Usage,
}

impl Class {
    fn of(parts: &Parts) -> Class {
        // As routes and pages read them: decoded, each by itself.
        let decoded = |segment| percent_decode_str(segment).decode_utf8_lossy();
        let mut segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).map(decoded);
        let path: [Option<Cow<'_, str>>; 6] = std::array::from_fn(|_| segments.next());
        let path: [Option<&str>; 6] = std::array::from_fn(|at| path.get(at).and_then(Option::as_deref));
        if is_page(parts.uri.path()) {
            return Class::of_page(parts, path);
        }
        match (parts.method.as_str(), path) {
            (
                "POST",
                [
                    Some("api"),
                    Some("v1"),
                    Some("login" | "register" | "sessions" | "reset" | "logins"),
                    None,
                    ..,
                ],
            )
            | ("POST", [Some("api"), Some("v1"), Some("logins" | "oidc"), Some(_), ..]) => Class::Login,
            ("POST", [Some("api"), Some("v1"), Some("handlers" | "inspect"), None, ..]) => Class::Upload,
            ("PUT", [Some("api"), Some("v1"), Some("handlers"), Some(_), Some("module"), None]) => {
                Class::Upload
            }
            ("POST", [Some("api"), Some("v1"), Some("handlers"), Some(_), Some("invoke"), None]) => {
                Class::Invoke
            }
            (_, [Some("api"), Some("v1"), Some("handlers"), Some(_), Some("policy"), None]) => Class::Policy,
            ("POST", [Some("internal"), Some("v1"), Some("records"), None, ..]) => Class::Records,
            ("POST", [Some("internal"), Some("v1"), Some("usage"), None, ..]) => Class::Usage,
            _ => Class::Small,
        }
    }

    /// Forms of the panel: only those that carry a module or a request's body are large.
    fn of_page(parts: &Parts, path: [Option<&str>; 6]) -> Class {
        let kind = parts.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let has_files = kind.is_some_and(|kind| kind.starts_with("multipart/form-data"));
        match (parts.method.as_str(), path) {
            ("POST", [Some("sign-in" | "register" | "reset"), ..]) => Class::Login,
            ("POST", [Some("handlers"), Some(_), Some("try"), ..]) => Class::Invoke,
            ("POST", [Some("handlers"), ..]) if has_files => Class::PanelUpload,
            _ => Class::Small,
        }
    }

    /// The scope that every route of the class needs.
    fn scope(self) -> Option<Scope> {
        match self {
            Class::Upload => Some(Scope::Deploy),
            Class::Invoke => Some(Scope::Invoke),
            _ => None,
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Class::PanelUpload => UPLOAD_BYTES_MAX + FORM_BYTES,
            Class::Small | Class::Usage => JSON_BODY_BYTES_MAX,
            Class::Login => LOGIN_BODY_BYTES_MAX,
            Class::Policy => POLICY_BYTES_MAX,
            Class::Upload => UPLOAD_BYTES_MAX,
            Class::Invoke | Class::Records => LARGE_JSON_BYTES_MAX,
        }
    }
}

/// The places for bodies, and their memory.
pub(crate) struct Bodies {
    places: FairPool<UserId>,
    memory: FairPool<UserId>,
    uploads: Slots<UserId>,
    invokes: Slots<UserId>,
    logins: Slots<IpAddr>,
    records: Arc<Semaphore>,
    wait_max: Duration,
}

/// A body, and what it holds until it is answered.
pub(crate) struct Admitted {
    pub body: Bytes,
    pub held: Held,
}

/// The places and the memory of one body.
#[derive(Default)]
pub(crate) struct Held {
    _permits: Vec<OwnedSemaphorePermit>,
    _place: Option<Share<UserId>>,
    _memory: Option<Growing<UserId>>,
}

impl Default for Bodies {
    fn default() -> Bodies {
        Bodies {
            places: FairPool::new(PLACES_MAX),
            memory: FairPool::new(MEMORY_BYTES_MAX),
            uploads: Slots::new(UPLOADS_PER_USER_MAX),
            invokes: Slots::new(INVOKES_PER_USER_MAX),
            logins: Slots::new(LOGINS_PER_ADDRESS_MAX),
            records: Arc::new(Semaphore::new(RECORD_BODIES_MAX)),
            wait_max: WAIT_MAX,
        }
    }
}

impl Bodies {
    /// Reads the body, if whoever sends it may send one like it now.
    pub(crate) async fn admit(
        &self,
        app: &App,
        parts: &Parts,
        body: Body,
        meta: &Meta,
    ) -> Result<Admitted, ApiError> {
        let signed = signed::verify(app, parts).await?;
        let admitted = self.admit_body(app, parts, body, meta).await?;
        if let Some(signed) = signed {
            signed.check_body(&admitted.body)?;
            meta.is_from_executor();
        }
        Ok(admitted)
    }

    async fn admit_body(
        &self,
        app: &App,
        parts: &Parts,
        body: Body,
        meta: &Meta,
    ) -> Result<Admitted, ApiError> {
        let class = Class::of(parts);
        let authorization = only_authorization(parts);
        let little = body.size_hint().upper().is_some_and(|bytes| bytes <= LITTLE_BODY_BYTES_MAX);
        match class {
            Class::Login => self.login(body, meta.peer.ip()).await,
            Class::Records | Class::Usage => {
                let permit = if little { None } else { Some(self.record_place().await?) };
                plain(body, class, BODY_MAX, permit).await
            }
            Class::Small | Class::Policy | Class::Invoke if little => {
                plain(body, class, BODY_MAX, None).await
            }
            Class::Small | Class::Policy | Class::Upload | Class::PanelUpload | Class::Invoke => {
                let caller = meta.caller(app, authorization.as_deref()).await?;
                // Before the body is read: it would be read for nothing.
                class.scope().map_or(Ok(()), |scope| has_scope(&caller, scope))?;
                self.users_body(class, body, caller.user.id).await
            }
        }
    }

    async fn login(&self, body: Body, peer: IpAddr) -> Result<Admitted, ApiError> {
        let permit = self.logins.enter(auth::network(peer), Duration::ZERO).await.ok_or_else(|| {
            let message = format!("{LOGINS_PER_ADDRESS_MAX} logins from this address are going on already");
            too_many(message, 5)
        })?;
        plain(body, Class::Login, LOGIN_BODY_MAX, Some(permit)).await
    }

    async fn record_place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        tokio::time::timeout(self.wait_max, Arc::clone(&self.records).acquire_owned())
            .await
            .map_err(|_| ApiError::unavailable("no place for a batch of records became free"))?
            .map_err(ApiError::internal)
    }

    /// A body of some size, from a user who is known.
    async fn users_body(&self, class: Class, body: Body, user: UserId) -> Result<Admitted, ApiError> {
        let (slots, wait_max, what) = match class {
            Class::Upload | Class::PanelUpload => {
                (Some(&self.uploads), UPLOAD_WAIT_MAX, "one of your uploads is")
            }
            Class::Invoke => (Some(&self.invokes), self.wait_max, "one of your large requests is"),
            _ => (None, self.wait_max, "requests of yours are"),
        };
        let mut held = Held::default();
        if let Some(slots) = slots {
            let permit = slots.enter(user, wait_max).await;
            held._permits.push(permit.ok_or_else(|| too_many(format!("{what} still going on"), 30))?);
        }
        if body.size_hint().lower() > class.bytes_max() as u64 {
            return Err(ApiError::too_large(class.bytes_max()));
        }
        let until = tokio::time::Instant::now() + self.wait_max;
        let place = self.places.take(user, 1, until).await.map_err(|Full { held, .. }| match held {
            0 => ApiError::unavailable("no place for a large body became free"),
            _ => too_many(format!("{held} large requests of yours are still going on"), 30),
        })?;
        held._place = Some(place);
        let reading = self.read(body, class.bytes_max(), user);
        let (body, memory) =
            tokio::time::timeout(BODY_MAX, reading).await.map_err(|_| body_error(BodyError::TooSlow))??;
        held._memory = Some(memory);
        Ok(Admitted { body, held })
    }

    /// Reads a body, and takes memory for it as it comes.
    async fn read(
        &self,
        mut body: impl hyper::body::Body<Data = Bytes, Error = BodyError> + Unpin,
        bytes_max: usize,
        user: UserId,
    ) -> Result<(Bytes, Growing<UserId>), ApiError> {
        let (mut whole, mut memory) = (BytesMut::new(), Growing::new(&self.memory, user));
        let mut waited = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let patience = patience(whole.len() as u64, waited);
            let frame = tokio::time::timeout(patience, body.frame()).await;
            let frame = frame.map_err(|_| body_error(BodyError::TooSlow))?;
            waited += asked.elapsed();
            let Some(frame) = frame else { return Ok((whole.freeze(), memory)) };
            // Trailers mean nothing here.
            let Ok(piece) = frame.map_err(body_error)?.into_data() else { continue };
            if piece.len() > bytes_max.saturating_sub(whole.len()) {
                return Err(ApiError::too_large(bytes_max));
            }
            self.grow(&mut memory, whole.len() + piece.len()).await?;
            whole.extend_from_slice(&piece);
            if is_too_slow(whole.len() as u64, waited) {
                return Err(body_error(BodyError::TooSlow));
            }
        }
    }

    async fn grow(&self, memory: &mut Growing<UserId>, bytes: usize) -> Result<(), ApiError> {
        let until = tokio::time::Instant::now() + self.wait_max;
        memory.grow_to(bytes, until).await.map_err(|Full { held, free }| {
            ApiError::unavailable(format!("no memory for a body: the user holds {held}, {free} are free"))
        })
    }
}

/// Reads a body that holds no more than a permit.
async fn plain(
    body: Body,
    class: Class,
    time_max: Duration,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Admitted, ApiError> {
    let body = tokio::time::timeout(time_max, body.collect(class.bytes_max()))
        .await
        .map_err(|_| body_error(BodyError::TooSlow))?
        .map_err(|error| match error {
            CollectError::TooLarge { max } => ApiError::too_large(max),
            CollectError::Body(error) => body_error(error),
        })?;
    Ok(Admitted { body, held: Held { _permits: permit.into_iter().collect(), ..Held::default() } })
}

fn is_too_slow(bytes: u64, waited: Duration) -> bool {
    waited >= SLOW_AFTER && bytes < waited.as_secs() * BYTES_PER_SECOND_MIN
}

/// How much longer more is waited for until it is too slow, whether it comes or not.
fn patience(bytes: u64, waited: Duration) -> Duration {
    let in_all = SLOW_AFTER.max(Duration::from_secs(bytes / BYTES_PER_SECOND_MIN + 1));
    in_all.saturating_sub(waited)
}

/// What says who asks. Pages are asked for with the panel's cookie, which the API itself never reads.
fn only_authorization(parts: &Parts) -> Option<Cow<'_, str>> {
    if is_page(parts.uri.path()) {
        return wasmcloud_panel::session_secret(&parts.headers)
            .map(|secret| format!("Session {secret}").into());
    }
    let mut fields = parts.headers.get_all(http::header::AUTHORIZATION).iter();
    let first = fields.next().filter(|_| fields.next().is_none())?;
    first.to_str().ok().map(Cow::from)
}

fn too_many(message: String, retry_after_s: u32) -> ApiError {
    ApiError::new(429, "too_many_requests", message, "wait until it is done, then try again")
        .retry_after(retry_after_s)
}

fn body_error(error: BodyError) -> ApiError {
    match error {
        BodyError::TimedOut | BodyError::TooSlow => {
            ApiError::new(408, "body_too_slow", error.to_string(), "try again over a faster connection")
        }
        BodyError::Malformed | BodyError::Disconnected => {
            ApiError::new(400, "bad_body", error.to_string(), "send it again")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    use super::*;

    type Piece = Result<Frame<Bytes>, BodyError>;

    /// A body that comes in pieces while others come, and says how long it is, or does not.
    struct Arriving {
        pieces: usize,
        says: bool,
        rests: bool,
    }

    const PIECE: &[u8] = &[7; 1_000];

    impl hyper::body::Body for Arriving {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
            self.rests = !self.rests;
            if self.rests {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(left) = self.pieces.checked_sub(1) else { return Poll::Ready(None) };
            self.pieces = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
        }

        fn size_hint(&self) -> SizeHint {
            let bytes = (self.pieces * PIECE.len()) as u64;
            if self.says { SizeHint::with_exact(bytes) } else { SizeHint::default() }
        }
    }

    fn class(method: &str, uri: &str) -> Class {
        let (parts, ()) = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        Class::of(&parts)
    }

    #[test]
    fn only_routes_that_take_large_bodies_may_have_them() {
        assert_eq!(class("POST", "/api/v1/handlers?name=hello"), Class::Upload);
        assert_eq!(class("POST", "/api/v1/inspect"), Class::Upload);
        assert_eq!(class("PUT", "/api/v1/handlers/hello/module"), Class::Upload);
        assert_eq!(class("POST", "/api/v1/handlers/hello/invoke"), Class::Invoke);
        assert_eq!(class("POST", "/internal/v1/records"), Class::Records);
        assert_eq!(class("POST", "/internal/v1/usage"), Class::Usage);
        assert_eq!(class("PUT", "/api/v1/handlers/hello/policy"), Class::Policy);
        assert_eq!(class("POST", "/api/v1/login"), Class::Login);
        assert_eq!(class("POST", "/api/v1//register?x"), Class::Login);
        assert_eq!(class("POST", "/api/v1/logins/ID/token"), Class::Login);
        assert_eq!(class("POST", "/api/v1/oidc/finish"), Class::Login);
        assert_eq!(class("POST", "/api/v1/%6cogin"), Class::Login);
        assert_eq!(class("POST", "/%73ign-in"), Class::Login);
        assert_eq!(class("POST", "/sign-in/forge/register"), Class::Login);
        for (method, uri) in [
            ("GET", "/api/v1/handlers"),
            ("POST", "/api/v1/login/more"),
            ("POST", "/api/v1/login%2Fmore"),
            ("POST", "/api/v1/handlers/hello/promote"),
            ("POST", "/api/v1/handlers/hello/invoke/more"),
            ("POST", "/internal/v1/records/more"),
        ] {
            assert_eq!(class(method, uri), Class::Small, "{method} {uri}");
        }
    }

    #[tokio::test]
    async fn memory_is_shared_fairly_and_given_back_with_the_answer() {
        let bodies = Bodies { memory: FairPool::new(4_000), wait_max: Duration::ZERO, ..Bodies::default() };
        let (alice, bob) = (UserId::new(), UserId::new());
        let upload = async |user, bytes| {
            bodies.users_body(Class::Upload, Body::from(Bytes::from(vec![7; bytes])), user).await
        };
        let first = upload(alice, 2_000).await.unwrap();
        assert_eq!((first.body.len(), bodies.memory.taken(), bodies.places.taken()), (2_000, 2_000, 1));
        let json = Body::from(Bytes::from(vec![b' '; 1_000]));
        let refused = bodies.users_body(Class::Invoke, json, alice).await.err().unwrap();
        assert_eq!((refused.status, refused.retry_after_s), (503, Some(5)));
        assert_eq!(upload(bob, 1_000).await.unwrap().body.len(), 1_000);
        drop(first);
        assert_eq!((bodies.memory.taken(), bodies.places.taken()), (0, 0));
    }

    #[tokio::test]
    async fn nineteen_large_bodies_that_come_at_once_all_come_to_their_end() {
        for says in [true, false] {
            let bodies = Bodies { memory: FairPool::new(256_000), ..Bodies::default() };
            let one = async |_| {
                let body = Arriving { pieces: 31, says, rests: false };
                bodies
                    .read(body, 32_000, UserId::new())
                    .await
                    .map(|(whole, _)| whole.len())
                    .map_err(|_| "refused")
            };
            let lengths = futures::future::join_all((0..19).map(one)).await;
            assert_eq!(lengths, [Ok(31_000); 19], "says how long: {says}");
            assert_eq!(bodies.memory.taken(), 0);
        }
    }

    #[tokio::test]
    async fn a_body_that_announces_much_takes_memory_only_as_it_comes() {
        let bodies = Bodies { memory: FairPool::new(40_000), wait_max: Duration::ZERO, ..Bodies::default() };
        let announced = Arriving { pieces: 31, says: true, rests: false };
        let mut reading = Box::pin(bodies.read(announced, 32_000, UserId::new()));
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.memory.taken(), 0);
        assert_eq!(reading.await.unwrap().0.len(), 31_000);
    }

    #[tokio::test]
    async fn a_user_with_many_large_requests_leaves_places_for_others() {
        let bodies = Bodies { wait_max: Duration::ZERO, ..Bodies::default() };
        let small =
            async |user| bodies.users_body(Class::Small, Body::from(Bytes::from_static(b"{}")), user).await;
        let (mut all, greedy) = (Vec::new(), [UserId::new(), UserId::new(), UserId::new()]);
        for user in greedy {
            let refused = loop {
                match small(user).await {
                    Ok(admitted) => all.push(admitted),
                    Err(error) => break error,
                }
            };
            assert_eq!(refused.status, 429);
        }
        assert!(all.len() < PLACES_MAX);
        assert!(small(UserId::new()).await.is_ok());
    }

    #[test]
    fn a_body_is_too_slow_only_after_a_while() {
        let s = Duration::from_secs;
        assert!(!is_too_slow(0, s(29)));
        assert!(is_too_slow(30 * BYTES_PER_SECOND_MIN - 1, s(30)));
        assert!(!is_too_slow(30 * BYTES_PER_SECOND_MIN, s(30)));
        assert!(!is_too_slow(UPLOAD_BYTES_MAX as u64, s(600)));
        // Nor is one waited for that does not come.
        assert_eq!(patience(0, s(10)), s(20));
        assert_eq!(patience(59 * BYTES_PER_SECOND_MIN, s(50)), s(10));
        assert!(is_too_slow(59 * BYTES_PER_SECOND_MIN, s(60)));
        assert_eq!(patience(0, s(31)), s(0));
    }
}
