//! The ABI's error numbers: a host function that fails returns one of them instead of a length or an id.

use core::fmt;

/// Why a host function failed. On the wire each is a negative `i32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Error {
    /// The host says no more than that it failed.
    Unknown = -1,
    /// An argument makes no sense: a pointer outside memory, an id that was never given, malformed text.
    InvalidArgument = -2,
    /// The program's policy does not allow it.
    PermissionDenied = -3,
    /// There is no such variable, scheme or thing.
    NotFound = -4,
    /// Everything was read.
    EndOfFile = -5,
}

impl Error {
    /// Every error, in the order of their numbers.
    pub const ALL: [Error; 5] =
        [Error::Unknown, Error::InvalidArgument, Error::PermissionDenied, Error::NotFound, Error::EndOfFile];

    /// The number that stands for this error on the wire.
    pub const fn as_raw(self) -> i32 {
        self as i32
    }

    /// The error that a number stands for; `None` for numbers that are no error of this ABI.
    pub const fn from_raw(raw: i32) -> Option<Error> {
        match raw {
            -1 => Some(Error::Unknown),
            -2 => Some(Error::InvalidArgument),
            -3 => Some(Error::PermissionDenied),
            -4 => Some(Error::NotFound),
            -5 => Some(Error::EndOfFile),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Unknown => "unknown error",
            Error::InvalidArgument => "invalid argument",
            Error::PermissionDenied => "permission denied",
            Error::NotFound => "not found",
            Error::EndOfFile => "end of file",
        })
    }
}

impl core::error::Error for Error {}

/// What a host function's `i32` says: a count or an id, or an error.
///
/// # Errors
/// The error that a negative number stands for; [`Error::Unknown`] where it stands for none.
pub const fn outcome(raw: i32) -> Result<u32, Error> {
    match Error::from_raw(raw) {
        Some(error) => Err(error),
        None if raw < 0 => Err(Error::Unknown),
        None => Ok(raw.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_survives_the_wire() {
        for error in Error::ALL {
            assert_eq!(Error::from_raw(error.as_raw()), Some(error));
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_specification() {
        assert_eq!(Error::ALL.map(Error::as_raw), [-1, -2, -3, -4, -5]);
    }

    #[test]
    fn counts_are_no_errors_and_odd_negative_numbers_are_unknown_ones() {
        assert_eq!(outcome(0), Ok(0));
        assert_eq!(outcome(i32::MAX), Ok(2_147_483_647));
        assert_eq!(outcome(-5), Err(Error::EndOfFile));
        assert_eq!(outcome(-6), Err(Error::Unknown));
        assert_eq!(outcome(i32::MIN), Err(Error::Unknown));
    }
}
