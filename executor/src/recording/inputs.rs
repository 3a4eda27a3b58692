//! Clocks and randomness that are recorded, or given again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _, TryRng};
use wasmcloud_wire::{Inputs, RECORDED_READINGS_MAX};

/// Bytes of a seed.
const SEED_BYTES: usize = 32;

/// What clocks and randomness give one invocation, all of its runs together.
///
/// Randomness comes from a cryptographic generator (ChaCha20, RFC 8439) whose key is fresh for each recorded
/// invocation and kept with the recording.
pub(crate) struct Tape(Mutex<State>);

struct State {
    seed: [u8; SEED_BYTES],
    random: ChaCha20Rng,
    wall: Readings,
    monotonic: Readings,
}

enum Readings {
    /// The clock's own, of which the first are kept, and how many there were.
    Recording(Vec<u64>, u64),
    /// Those of then, from `next` on.
    Replaying { recorded: Vec<u64>, next: usize, ended: Option<Instant> },
}

impl Readings {
    /// The next reading, in nanoseconds; `real` is what the clock itself says.
    fn read(&mut self, real: u64) -> u64 {
        match self {
            Readings::Recording(kept, count) => {
                *count += 1;
                if kept.len() < RECORDED_READINGS_MAX {
                    kept.push(real);
                }
                real
            }
            Readings::Replaying { recorded, next, ended } => match recorded.get(*next) {
                Some(reading) => {
                    *next += 1;
                    if *next == recorded.len() {
                        *ended = Some(Instant::now());
                    }
                    *reading
                }
                // Time goes on from the last of them, in the clocks' whole milliseconds.
                None => match (recorded.last(), ended) {
                    (Some(last), Some(ended)) => {
                        let since = u64::try_from(ended.elapsed().as_millis()).unwrap_or(u64::MAX);
                        last.saturating_add(since.saturating_mul(1_000_000))
                    }
                    _ => real,
                },
            },
        }
    }
}

impl Tape {
    /// Records, with a fresh seed. `None` if the system has no randomness to give: then nothing is recorded.
    pub(crate) fn record() -> Option<Tape> {
        let mut seed = [0; SEED_BYTES];
        getrandom::fill(&mut seed).ok()?;
        let recording = || Readings::Recording(Vec::new(), 0);
        Some(Tape::new(seed, recording(), recording()))
    }

    /// Gives again what was recorded.
    ///
    /// # Errors
    ///
    /// The seed is none.
    pub(crate) fn replay(inputs: &Inputs) -> Result<Tape, String> {
        let mut seed = [0; SEED_BYTES];
        from_hex(&inputs.seed, &mut seed)
            .ok_or("the recording's seed is not 32 bytes in hexadecimal digits")?;
        let replaying =
            |recorded: &Vec<u64>| Readings::Replaying { recorded: recorded.clone(), next: 0, ended: None };
        Ok(Tape::new(seed, replaying(&inputs.wall_ns), replaying(&inputs.monotonic_ns)))
    }

    fn new(seed: [u8; SEED_BYTES], wall: Readings, monotonic: Readings) -> Tape {
        Tape(Mutex::new(State { seed, random: ChaCha20Rng::from_seed(seed), wall, monotonic }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills a buffer with randomness.
    pub(crate) fn fill(&self, buffer: &mut [u8]) {
        self.state().random.fill_bytes(buffer);
    }

    /// A reading of the clock that tells the time of day, in nanoseconds since 1970.
    pub(crate) fn wall(&self, real: u64) -> u64 {
        self.state().wall.read(real)
    }

    /// A reading of the clock that only goes forward, in nanoseconds.
    pub(crate) fn monotonic(&self, real: u64) -> u64 {
        self.state().monotonic.read(real)
    }

    /// What was given so far, and how often the clock that was read more often was read.
    pub(super) fn inputs(&self) -> (Inputs, u64) {
        let state = self.state();
        let readings = |readings: &Readings| match readings {
            Readings::Recording(kept, count) => (kept.clone(), *count),
            Readings::Replaying { recorded, .. } => (recorded.clone(), 0),
        };
        let ((wall_ns, walls), (monotonic_ns, monotonics)) =
            (readings(&state.wall), readings(&state.monotonic));
        let inputs = Inputs { seed: to_hex(&state.seed), wall_ns, monotonic_ns, ..Inputs::default() };
        (inputs, walls.max(monotonics))
    }
}

/// Fills a buffer from the tape, or from the system's cryptographic source.
pub(crate) fn fill(tape: Option<&Tape>, buffer: &mut [u8]) -> Result<(), getrandom::Error> {
    match tape {
        Some(tape) => {
            tape.fill(buffer);
            Ok(())
        }
        None => getrandom::fill(buffer),
    }
}

/// The tape as a generator.
pub(crate) struct Random(pub(crate) Arc<Tape>);

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.state().random.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.state().random.try_next_u64()
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0.state().random.try_fill_bytes(buffer)
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != bytes.len() * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(tape: &Tape) -> Vec<u8> {
        let mut bytes = vec![0; 100];
        tape.fill(&mut bytes[..7]);
        tape.fill(&mut bytes[7..]);
        bytes
    }

    #[test]
    fn a_replay_draws_what_was_drawn_and_two_recordings_draw_different_bytes() {
        let (one, other) = (Tape::record().unwrap(), Tape::record().unwrap());
        let bytes = drawn(&one);
        assert_ne!(bytes, drawn(&other));
        let again = Tape::replay(&one.inputs().0).unwrap();
        assert_eq!(drawn(&again), bytes);
    }

    #[test]
    fn a_replay_reads_the_recorded_times_and_goes_on_from_the_last() {
        let tape = Tape::record().unwrap();
        for real in [10, 20, 20, 30] {
            assert_eq!(tape.wall(real), real);
        }
        let again = Tape::replay(&tape.inputs().0).unwrap();
        let times: Vec<u64> = (0..4).map(|_| again.wall(999_000_000_000)).collect();
        assert_eq!(times, [10, 20, 20, 30]);
        let after = again.wall(999_000_000_000);
        assert!((30..900_000_000_000).contains(&after), "{after}");
        // What was never read then is read from the clock itself now.
        assert_eq!(again.monotonic(7), 7);
    }

    #[test]
    fn as_many_readings_are_kept_as_may_be_and_all_are_counted() {
        let tape = Tape::record().unwrap();
        for real in 0..RECORDED_READINGS_MAX as u64 + 5 {
            tape.monotonic(real);
        }
        let (inputs, readings) = tape.inputs();
        assert_eq!((inputs.monotonic_ns.len(), readings), (RECORDED_READINGS_MAX, 1_005));
        assert!(inputs.wall_ns.is_empty());
    }

    #[test]
    fn a_seed_that_is_none_is_refused() {
        for seed in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32), &"0".repeat(66)] {
            let inputs = Inputs { seed: seed.to_owned(), ..Inputs::default() };
            assert!(Tape::replay(&inputs).is_err(), "{seed}");
        }
    }
}
