//! What survives when something around the platform fails: each row of docs/PROMISES.md's faults, with real
//! processes stopped, killed or cut off, in the shapes whose parts can fail apart from each other.

mod clock;
mod database;
mod executors;
mod memory;
mod storage;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::{Handler, Platform};

/// How long an answer may take that is promised "within 2 s": the machine that tests run on has other things to do.
const PROMPT: Duration = Duration::from_secs(6);

/// Expects an answer from a handler that the platform knows, whatever else is away; gives its invocation.
#[track_caller]
fn answers_promptly(handler: &Handler<'_>, words: &str) -> String {
    let began = Instant::now();
    let reply = handler.answers(words);
    assert!(began.elapsed() < PROMPT, "it took {:?}", began.elapsed());
    reply.invocation()
}

/// What clients of a handler met while something was done: the texts of good answers counted, others in words.
#[derive(Debug, Default)]
struct Met {
    good: usize,
    bad: Vec<String>,
}

/// Has so many clients call a handler, one request after the other, while `act` happens and until it is over.
fn under_load(
    platform: &Platform,
    handler: &Handler<'_>,
    words: &str,
    clients: usize,
    act: impl FnOnce(),
) -> Met {
    let (met, over) = (Mutex::new(Met::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let reply = platform.web().try_get(&handler.url);
                    let mut met = met.lock().unwrap();
                    match reply {
                        Ok(reply) if reply.status == 200 && reply.text() == words => met.good += 1,
                        Ok(reply) => met.bad.push(format!("{}: {}", reply.status, reply.text())),
                        Err(error) => met.bad.push(format!("{error:?}")),
                    }
                }
            });
        }
        // Whatever goes wrong meanwhile, the clients must end.
        let acted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        acted.unwrap();
    });
    met.into_inner().unwrap()
}
