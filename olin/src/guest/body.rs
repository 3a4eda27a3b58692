//! What a request or an answer carries.

use std::fmt;
use std::io::{self, Cursor, Read};

/// A body: bytes, or something that they are read from.
///
/// It is read with [`Read`], or whole by [`bytes`](Body::bytes), [`text`](Body::text) and `json`.
pub struct Body(Kind);

enum Kind {
    Bytes(Cursor<Vec<u8>>),
    Reader { reader: Box<dyn Read>, len: Option<u64> },
}

impl Body {
    /// A body without a byte.
    pub fn empty() -> Body {
        Body::from(Vec::new())
    }

    /// A body that is read piece by piece as it is sent. It goes out without a `Content-Length`.
    pub fn from_reader(reader: impl Read + 'static) -> Body {
        Body(Kind::Reader { reader: Box::new(reader), len: None })
    }

    /// As [`from_reader`](Body::from_reader), where it is known how many bytes there are.
    pub(crate) fn from_reader_of(reader: impl Read + 'static, len: Option<u64>) -> Body {
        Body(Kind::Reader { reader: Box::new(reader), len })
    }

    /// How many bytes are left, where that is known.
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Bytes(bytes) => Some((bytes.get_ref().len() as u64).saturating_sub(bytes.position())),
            Kind::Reader { len, .. } => *len,
        }
    }

    /// Whether it is known that nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Everything that is left. The program's memory is the limit.
    ///
    /// # Errors
    /// What reading came to.
    pub fn bytes(self) -> io::Result<Vec<u8>> {
        match self.0 {
            Kind::Bytes(bytes) if bytes.position() == 0 => Ok(bytes.into_inner()),
            kind => {
                let mut bytes = Vec::new();
                Body(kind).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Everything that is left, if it is not more than that many bytes.
    ///
    /// # Errors
    /// `FileTooLarge` if it is more; what reading came to.
    pub fn bytes_at_most(self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            let message = format!("the body has more than {bytes_max} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }

    /// Everything that is left, as text.
    ///
    /// # Errors
    /// `InvalidData` if it is no UTF-8; what reading came to.
    pub fn text(self) -> io::Result<String> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// What is left, as JSON.
    ///
    /// # Errors
    /// [`JsonError`] if it is something else, or could not be read. A handler that passes it on with `?` answers
    /// something else with 400 and what is wrong, with line and column.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, JsonError> {
        let bytes = self.bytes().map_err(|error| JsonError(Fault::Read(error)))?;
        serde_json::from_slice(&bytes).map_err(|error| JsonError(Fault::Json(error)))
    }
}

/// Why a body is not the JSON that was expected.
#[cfg(feature = "json")]
#[derive(Debug)]
pub struct JsonError(Fault);

#[cfg(feature = "json")]
#[derive(Debug)]
enum Fault {
    /// It could not be read.
    Read(io::Error),
    /// It is something else.
    Json(serde_json::Error),
}

#[cfg(feature = "json")]
impl JsonError {
    /// Why the body could not be read, if that is why.
    pub(crate) fn unread(&self) -> Option<&io::Error> {
        match &self.0 {
            Fault::Read(error) => Some(error),
            Fault::Json(_) => None,
        }
    }
}

#[cfg(feature = "json")]
impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Read(error) => write!(f, "cannot read the body: {error}"),
            Fault::Json(error) => write!(f, "the body is not the JSON that is expected: {error}"),
        }
    }
}

#[cfg(feature = "json")]
impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Fault::Read(error) => Some(error),
            Fault::Json(error) => Some(error),
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Bytes(bytes) => bytes.read(buffer),
            Kind::Reader { reader, len } => {
                let count = reader.read(buffer)?;
                *len = len.map(|len| len.saturating_sub(count as u64));
                Ok(count)
            }
        }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            Some(len) => write!(f, "Body({len} bytes)"),
            None => f.write_str("Body(a stream)"),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Kind::Bytes(Cursor::new(bytes)))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body::from(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Body {
        Body::from(bytes.to_vec())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(text.into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body::from(text.as_bytes())
    }
}

impl From<()> for Body {
    fn from((): ()) -> Body {
        Body::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_bytes_knows_what_is_left() {
        let mut body = Body::from("tea time");
        assert_eq!(body.len(), Some(8));
        body.read_exact(&mut [0; 4]).unwrap();
        assert_eq!((body.len(), body.text().unwrap()), (Some(4), "time".to_owned()));
        assert!(Body::empty().is_empty());
    }

    #[test]
    fn a_body_that_is_read_counts_down_from_its_length() {
        let mut body = Body::from_reader_of(io::repeat(b'x').take(3), Some(3));
        body.read_exact(&mut [0; 2]).unwrap();
        assert_eq!((body.len(), body.is_empty()), (Some(1), false));
        assert_eq!(Body::from_reader(io::empty()).len(), None);
    }

    #[test]
    fn a_body_is_read_up_to_a_limit_and_no_further() {
        assert_eq!(Body::from("four").bytes_at_most(4).unwrap(), b"four");
        let error = Body::from_reader(io::repeat(b'x')).bytes_at_most(4).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (io::ErrorKind::FileTooLarge, "the body has more than 4 bytes".to_owned())
        );
    }

    #[test]
    fn text_must_be_utf_8() {
        assert_eq!(Body::from(b"caf\xe9").text().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(feature = "json")]
    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        assert_eq!(Body::from("[1, 2]").json::<Vec<u8>>().unwrap(), [1, 2]);
        let error = Body::from("[1,\n oh]").json::<Vec<u8>>().unwrap_err().to_string();
        assert!(error.contains("line 2 column"), "{error}");
    }
}
