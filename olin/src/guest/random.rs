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

/// Random bytes, such as a key: `random::bytes::<32>()`.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills a slice with random bytes.
pub fn fill(bytes: &mut [u8]) {
    for piece in bytes.chunks_mut(size_of::<u64>()) {
        let random = u64().to_le_bytes();
        for (byte, random) in piece.iter_mut().zip(random) {
            *byte = random;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn every_byte_is_random() {
        let _host = Host::new();
        let (one, other): ([u8; 13], [u8; 13]) = (bytes(), bytes());
        assert_ne!(one, other);
        assert_ne!(one[8..], [0; 5]);
        assert_ne!((i32(), u32(), i64()), (i32(), u32(), i64()));
    }

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let numbers = |seed| {
            let _host = Host::new().seed(seed);
            [u64(), u64()]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
    }
}
