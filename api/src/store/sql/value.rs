//! Values on their way into a query, and back from a row's columns.

use uuid::Uuid;
use wasmcloud_wire::{Digest, HandlerId, InvocationId, Timestamp, UserId, VersionNumber};

use crate::store::StoreError;

/// A value that goes into a query.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A whole number.
    Int(i64),
    /// A whole number or nothing.
    MaybeInt(Option<i64>),
    /// A text.
    Text(&'a str),
    /// A text or nothing.
    MaybeText(Option<&'a str>),
    /// An id.
    Uuid(Uuid),
    /// An id or nothing.
    MaybeUuid(Option<Uuid>),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The values of a query, in the order of their placeholders.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::sql::value::Value::from($value)),*]
    };
}
pub(super) use values;

/// A column's text as the word that it stands for.
pub fn parse<T>(text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error| StoreError::Corrupt(format!("`{text}`: {error}")))
}

/// A column's bytes as a digest.
pub fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    parse(&hex::encode(bytes))
}

/// A column's number as a version's.
pub fn version(number: i64) -> Result<VersionNumber, StoreError> {
    u32::try_from(number).map(VersionNumber).map_err(|_| StoreError::Corrupt(format!("version {number}")))
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Value::MaybeInt(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Flag(value)
    }
}

impl From<Uuid> for Value<'_> {
    fn from(value: Uuid) -> Self {
        Value::Uuid(value)
    }
}

impl From<Option<Uuid>> for Value<'_> {
    fn from(value: Option<Uuid>) -> Self {
        Value::MaybeUuid(value)
    }
}

impl From<HandlerId> for Value<'_> {
    fn from(value: HandlerId) -> Self {
        Value::Uuid(value.0)
    }
}

impl From<UserId> for Value<'_> {
    fn from(value: UserId) -> Self {
        Value::Uuid(value.0)
    }
}

impl From<InvocationId> for Value<'_> {
    fn from(value: InvocationId) -> Self {
        Value::Uuid(value.0)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Value::Int(value.0)
    }
}

impl From<VersionNumber> for Value<'_> {
    fn from(value: VersionNumber) -> Self {
        Value::Int(i64::from(value.0))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Value::MaybeText(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Bytes(value)
    }
}

impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(value: &'a [u8; 32]) -> Self {
        Value::Bytes(value)
    }
}

impl<'a> From<&'a Digest> for Value<'a> {
    fn from(value: &'a Digest) -> Self {
        Value::Bytes(value.as_bytes())
    }
}
