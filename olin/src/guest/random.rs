//! Random numbers from a cryptographic source.

use super::sys;

/// A random number, any of its type.
pub fn i32() -> i32 {
    sys::random_i32()
}

/// A random number, any of its type.
pub fn u32() -> u32 {
    sys::random_u32()
}

/// A random number, any of its type.
pub fn i64() -> i64 {
    sys::random_i64()
}

/// A random number, any of its type.
pub fn u64() -> u64 {
    sys::random_u64()
}
