//! What the double of a thread knows.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

use ::http::Request;

use super::network::{Connection, Site};

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Works on this thread's state. Nothing of a program's own is called within.
pub(super) fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(work)
}

pub(super) struct State {
    pub(super) env: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) args: Vec<Vec<u8>>,
    pub(super) stdin: Cursor<Vec<u8>>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) logs: Vec<(i32, String)>,
    pub(super) now: i64,
    pub(super) random: u64,
    pub(super) slept_ms: u64,
    pub(super) sites: Vec<(String, Site)>,
    pub(super) requests: Vec<Request<Vec<u8>>>,
    pub(super) written: HashMap<String, Vec<u8>>,
    pub(super) open: HashMap<i32, Open>,
    pub(super) next_id: i32,
}

/// Something that the program has open.
pub(super) enum Open {
    Stdin,
    Stdout,
    Stderr,
    Log { prefix: String },
    Null,
    Zero,
    Random,
    Network(Connection),
}

impl Default for State {
    fn default() -> State {
        State {
            env: BTreeMap::new(),
            args: vec![b"test".to_vec()],
            stdin: Cursor::default(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            logs: Vec::new(),
            now: 1_000_000_000,
            random: 0,
            slept_ms: 0,
            sites: Vec::new(),
            requests: Vec::new(),
            written: HashMap::new(),
            open: HashMap::new(),
            next_id: 0,
        }
    }
}

impl State {
    /// The next random number: SplitMix64, which is no cryptographic source and need not be one here.
    pub(super) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn insert(&mut self, open: Open) -> i32 {
        let id = self.next_id;
        self.next_id += 1;
        self.open.insert(id, open);
        id
    }
}
