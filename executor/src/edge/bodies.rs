//! Bodies of requests that are kept whole, and the memory that they take before and while a program runs.
//!
//! Anybody may send one, and it is read before its invocation has a place. So what all of them take
//! together is bounded, and shared fairly among the owners of the handlers ([`FairPool`]): as it fills,
//! whoever holds much has to wait, and whoever holds nothing does not. It counts as it arrives, so whoever announces
//! much and sends little takes little, and until nobody has the body any more; and of those who wait in the middle of a
//! body one goes on ([`Growing`]), so that they do not stall each other. How long a slow one may hold what it has is
//! bounded by a floor of speed. Little bodies have memory of their own: large ones of the same owner do not keep them
//! out.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use wasmcloud_fair::{FairPool, Growing};
use wasmcloud_listener::{BodyError, CollectError};
use wasmcloud_wire::UserId;

use super::error::EdgeError;

/// Memory for bodies of more than a few KiB, and those that do not say how long they are, in bytes.
const BYTES_MAX: usize = 512 << 20;
/// A body that says it is no longer than this is a little one.
const LITTLE_BODY_BYTES_MAX: u64 = 16 << 10;
/// Memory for little bodies, in bytes.
const LITTLE_BYTES_MAX: usize = 128 << 20;

/// How long a body waits for memory, each time that it needs more.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a body may take in all, however steadily it comes.
const BODY_MAX: Duration = Duration::from_secs(300);
/// The slowest that a body may come, on average, once it has been waited for [`SLOW_AFTER`]; the listener's
/// own floor is lower.
const BYTES_PER_SECOND_MIN: u64 = 8 << 10;
const SLOW_AFTER: Duration = Duration::from_secs(30);

/// The memory for bodies.
pub(crate) struct Bodies {
    memory: FairPool<UserId>,
    little: FairPool<UserId>,
    wait_max: Duration,
    body_max: Duration,
}

impl Default for Bodies {
    fn default() -> Bodies {
        Bodies {
            memory: FairPool::new(BYTES_MAX),
            little: FairPool::new(LITTLE_BYTES_MAX),
            wait_max: WAIT_MAX,
            body_max: BODY_MAX,
        }
    }
}

/// A body as it is read, and the memory that it has taken.
struct Held {
    bytes: Vec<u8>,
    memory: Growing<UserId>,
    wait_max: Duration,
}

/// A body in one piece, and the memory that it has taken: gone with the last who has the body.
struct Whole<T> {
    bytes: T,
    _memory: Growing<UserId>,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Whole<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Bodies {
    /// How many bytes are taken.
    pub(crate) fn taken(&self) -> usize {
        self.memory.taken() + self.little.taken()
    }

    /// Reads a body for a handler of this user. Its memory is given back with the last clone of what this
    /// returns.
    ///
    /// # Errors
    ///
    /// The body has more than `max` bytes, does not arrive whole or in time, or there is no memory for it.
    pub(crate) async fn collect(
        &self,
        body: impl Body<Data = Bytes, Error = BodyError> + Unpin,
        max: usize,
        owner: UserId,
    ) -> Result<Bytes, EdgeError> {
        // Refused before anything is read, and before a client that asks first is told to go on.
        let least = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if least > max {
            return Err(CollectError::TooLarge { max }.into());
        }
        let slow = |_| EdgeError::from(CollectError::Body(BodyError::TooSlow));
        tokio::time::timeout(self.body_max, self.read(body, max, owner)).await.map_err(slow)?
    }

    async fn read(
        &self,
        mut body: impl Body<Data = Bytes, Error = BodyError> + Unpin,
        max: usize,
        owner: UserId,
    ) -> Result<Bytes, EdgeError> {
        let said = body.size_hint().upper();
        let little = said.is_some_and(|bytes| bytes <= LITTLE_BODY_BYTES_MAX);
        let pool = if little { &self.little } else { &self.memory };
        let most = said.and_then(|bytes| usize::try_from(bytes).ok()).map_or(max, |said| said.min(max));
        let memory = Growing::new(pool, owner);
        let (mut held, mut waited) =
            (Held { bytes: Vec::new(), memory, wait_max: self.wait_max }, Duration::ZERO);
        loop {
            let asked = Instant::now();
            let patience = patience(held.bytes.len() as u64, waited);
            let frame = tokio::time::timeout(patience, body.frame()).await;
            let frame = frame.map_err(|_| CollectError::Body(BodyError::TooSlow))?;
            waited += asked.elapsed();
            let Some(frame) = frame else { return Ok(held.whole()) };
            // Trailers mean nothing here.
            let Ok(piece) = frame.map_err(CollectError::Body)?.into_data() else { continue };
            if piece.len() > max.saturating_sub(held.bytes.len()) {
                return Err(CollectError::TooLarge { max }.into());
            }
            if held.bytes.is_empty() && body.is_end_stream() {
                // Most bodies come in one piece, and are handed on without a copy.
                held.take(piece.len()).await?;
                return Ok(Bytes::from_owner(Whole { bytes: piece, _memory: held.memory }));
            }
            held.push(&piece, most).await?;
            if is_too_slow(held.bytes.len() as u64, waited) {
                return Err(CollectError::Body(BodyError::TooSlow).into());
            }
        }
    }
}

impl Held {
    /// Adds a piece. Room is made in steps that double, so what is taken is at most twice what has come, and
    /// never more than `most`, unless more than that has come.
    async fn push(&mut self, piece: &[u8], most: usize) -> Result<(), EdgeError> {
        let (room, needed) = (self.bytes.capacity(), self.bytes.len() + piece.len());
        if needed > room {
            let room_after = (2 * room).min(most).max(needed);
            self.take(room_after).await?;
            self.bytes.reserve_exact(room_after - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Takes memory for so many bytes in all.
    async fn take(&mut self, bytes: usize) -> Result<(), EdgeError> {
        let until = tokio::time::Instant::now() + self.wait_max;
        self.memory.grow_to(bytes, until).await.map_err(EdgeError::BodiesFull)
    }

    fn whole(self) -> Bytes {
        match self.bytes.is_empty() {
            true => Bytes::new(),
            false => Bytes::from_owner(Whole { bytes: self.bytes, _memory: self.memory }),
        }
    }
}

fn is_too_slow(bytes: u64, waited: Duration) -> bool {
    waited >= SLOW_AFTER && bytes < waited.as_secs() * BYTES_PER_SECOND_MIN
}

/// How much longer more is waited for until it is too slow, whether it comes or not.
fn patience(bytes: u64, waited: Duration) -> Duration {
    let in_all = SLOW_AFTER.max(Duration::from_secs(bytes / BYTES_PER_SECOND_MIN + 1));
    in_all.saturating_sub(waited)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
    use http_body_util::StreamBody;
    use hyper::body::{Frame, SizeHint};
    use wasmcloud_wire::InvocationId;

    use super::*;

    type Piece = Result<Frame<Bytes>, BodyError>;
    /// Long enough for anything that should happen, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(30);
    const MAX: usize = 10 << 20;

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

    fn small(bytes: usize, wait_max: Duration) -> Bodies {
        Bodies { memory: FairPool::new(bytes), wait_max, ..Bodies::default() }
    }

    /// A body that says no length, and whoever sends it.
    fn open() -> (UnboundedSender<Piece>, StreamBody<UnboundedReceiver<Piece>>) {
        let (sender, receiver) = unbounded();
        (sender, StreamBody::new(receiver))
    }

    fn send(sender: &UnboundedSender<Piece>, bytes: usize) {
        sender.unbounded_send(Ok(Frame::data(Bytes::from(vec![b'x'; bytes])))).unwrap();
    }

    fn ended(pieces: &[usize]) -> StreamBody<UnboundedReceiver<Piece>> {
        let (sender, body) = open();
        pieces.iter().for_each(|bytes| send(&sender, *bytes));
        body
    }

    #[tokio::test]
    async fn memory_counts_as_it_arrives_and_until_nobody_has_the_body_any_more() {
        let bodies = small(1_000_000, PATIENCE);
        let (sender, body) = open();
        let owner = UserId::new();
        let mut reading = Box::pin(bodies.collect(body, MAX, owner));
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.taken(), 0);
        send(&sender, 100);
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.taken(), 100);
        send(&sender, 1);
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.taken(), 200, "room doubles");
        drop(sender);
        let whole = reading.await.unwrap();
        let part = whole.slice(50..);
        assert_eq!((whole.len(), part.len(), bodies.taken()), (101, 51, 200));
        drop(whole);
        assert_eq!(bodies.taken(), 200);
        drop(part);
        assert_eq!(bodies.taken(), 0);
    }

    #[tokio::test]
    async fn nineteen_large_bodies_that_come_at_once_all_come_to_their_end() {
        for says in [true, false] {
            let bodies = small(256_000, PATIENCE);
            let one = async |_| {
                let body = Arriving { pieces: 31, says, rests: false };
                bodies
                    .collect(body, 31_000, UserId::new())
                    .await
                    .map(|whole| whole.len())
                    .map_err(|_| "refused")
            };
            let lengths = futures::future::join_all((0..19).map(one)).await;
            assert_eq!(lengths, [Ok(31_000); 19], "says how long: {says}");
            assert_eq!(bodies.taken(), 0);
        }
    }

    #[tokio::test]
    async fn a_body_that_announces_much_takes_memory_only_as_it_comes() {
        let bodies = small(40_000, Duration::ZERO);
        let announced = Arriving { pieces: 31, says: true, rests: false };
        let mut reading = Box::pin(bodies.collect(announced, 31_000, UserId::new()));
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.taken(), 0);
        assert_eq!(reading.await.unwrap().len(), 31_000);
    }

    #[tokio::test]
    async fn a_body_that_is_given_up_gives_its_memory_back() {
        let bodies = small(1_000_000, PATIENCE);
        let (sender, body) = open();
        send(&sender, 5_000);
        let mut reading = Box::pin(bodies.collect(body, MAX, UserId::new()));
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(bodies.taken(), 5_000);
        drop(reading);
        assert_eq!(bodies.taken(), 0);
    }

    #[tokio::test]
    async fn one_greedy_owner_waits_and_is_refused_while_anothers_body_goes_through() {
        let bodies = small(4_000, Duration::ZERO);
        let (greedy, other) = (UserId::new(), UserId::new());
        let mut held = Vec::new();
        let full = loop {
            match bodies.collect(ended(&[200]), MAX, greedy).await {
                Ok(body) => held.push(body),
                Err(error) => break error,
            }
        };
        assert_eq!(held.len(), 8, "of 4000 bytes");
        let answer = full.response(InvocationId::new());
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert_eq!(bodies.collect(ended(&[400, 400]), MAX, other).await.unwrap().len(), 800);
        // Its little bodies have memory of their own.
        let little = http_body_util::Full::new(Bytes::from_static(b"little"));
        let little = bodies.collect(little.map_err(|error| match error {}), MAX, greedy).await.unwrap();
        assert_eq!((&little[..], bodies.taken()), (&b"little"[..], 1_606));
        drop((little, held));
        assert_eq!(bodies.taken(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_memory_gets_it_from_whoever_ends() {
        let bodies = small(1_000, PATIENCE);
        let (one, other) = (UserId::new(), UserId::new());
        let first = bodies.collect(ended(&[900]), MAX, one).await.unwrap();
        let mut waiting = Box::pin(bodies.collect(ended(&[300]), MAX, other));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        assert_eq!(waiting.await.unwrap().len(), 300);
    }

    #[tokio::test]
    async fn a_body_that_drips_ends_and_gives_its_memory_back() {
        let bodies = Bodies { body_max: Duration::from_millis(20), ..small(1_000_000, PATIENCE) };
        let (sender, body) = open();
        send(&sender, 5_000);
        let error = bodies.collect(body, MAX, UserId::new()).await.unwrap_err();
        assert!(matches!(error, EdgeError::Body(CollectError::Body(BodyError::TooSlow))), "{error:?}");
        assert_eq!(bodies.taken(), 0);
        drop(sender);
        assert!(!is_too_slow(0, Duration::from_secs(29)));
        assert!(is_too_slow(240 << 10, Duration::from_secs(31)));
        assert!(!is_too_slow(248 << 10, Duration::from_secs(31)));
        // Nor is one waited for that does not come.
        assert_eq!(patience(0, Duration::from_secs(10)), Duration::from_secs(20));
        assert_eq!(patience(480 << 10, Duration::from_secs(70)), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_body_has_at_most_so_many_bytes_and_takes_memory_for_no_more() {
        let bodies = small(1_000_000, PATIENCE);
        let owner = UserId::new();
        let whole = bodies.collect(ended(&[600, 400]), 1_000, owner).await.unwrap();
        assert_eq!((whole.len(), bodies.taken()), (1_000, 1_000));
        let error = bodies.collect(ended(&[600, 401]), 1_000, owner).await.unwrap_err();
        assert!(matches!(error, EdgeError::Body(CollectError::TooLarge { max: 1_000 })), "{error:?}");
        let said = http_body_util::Full::new(Bytes::from(vec![0; 1_001])).map_err(|error| match error {});
        assert!(bodies.collect(said, 1_000, owner).await.is_err());
        assert_eq!(bodies.taken(), 1_000);
    }
}
