//! Ports that a platform keeps over its restarts.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports lie below those that the kernel gives to connections and to listeners that ask for any:
/// between two starts of a platform nobody takes its ports by chance.
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// A port on which nobody listens, given to nobody else in this process.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Test programs that run side by side begin at different places.
    let start = std::process::id().wrapping_mul(97);
    loop {
        let offset = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
