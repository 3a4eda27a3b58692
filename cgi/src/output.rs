//! A program's output: a header block, an empty line, a body (RFC 3875 section 6).
//!
//! Where the references differ, this is the choice:
//! - One well-formed field is enough, even if it is none of `Content-Type`, `Location` and `Status`: so
//!   does Apache. Go asks for one of the three. No `Content-Type` is invented.
//! - A line that is no field ends the parsing, as in Apache; Go skips it.
//! - A `Location` with a `Status` is an ordinary answer, so that `201` and `303` work.
//! - The empty line has to come, even where no body follows: so do both.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use wasmcloud_wire::Header;
use wasmcloud_wire::limits::{CGI_HEADER_BYTES_MAX, CGI_HEADER_FIELDS_MAX, URL_BYTES_MAX};

use crate::cookie;
use crate::field::{self, Field};
use crate::malformed::{Malformed, Problem};
use crate::path;

/// What a program's header block asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer with a body.
    Document(Head),
    /// A `Location` that is not local, without a `Status`: 302, and the program's body is dropped.
    Redirect(Head),
    /// A `Location` that begins with `/`, without a `Status`: the same handler serves that path; see
    /// [`crate::redirected`]. All other output is dropped.
    LocalRedirect {
        /// The path and perhaps a query, percent-encoded.
        target: String,
    },
}

/// The header of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status, 200 to 599.
    pub status: u16,
    /// The fields that may leave the platform, in the program's order, names in lower case. Never
    /// `content-length`: see [`crate::Framing::content_length`].
    pub headers: Vec<Header>,
    /// The program's own `Content-Length`, in bytes.
    pub declared_length: Option<u64>,
}

/// Takes a program's output piece by piece until its header block is complete.
///
/// ```
/// use wasmcloud_cgi::{Answer, Output};
///
/// let mut output = Output::new("hello.example");
/// assert!(output.push(b"Content-Type: text/plain\n").unwrap().is_none());
/// let (answer, body) = output.push(b"\nHello").unwrap().unwrap();
/// assert!(matches!(answer, Answer::Document(head) if head.status == 200));
/// assert_eq!(body, b"Hello");
/// ```
#[derive(Debug)]
pub struct Output {
    /// The handler's own host, without port: the only `Domain` that a cookie may name.
    host: String,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Bytes of the complete lines, with their ends.
    bytes: usize,
    /// Complete lines.
    lines: u32,
    fields: Fields,
}

/// The fields so far, those with a meaning for the platform apart from the others.
#[derive(Debug, Default)]
struct Fields {
    status: Option<u16>,
    /// With the number of its line.
    location: Option<(String, u32)>,
    content_type: bool,
    length: Option<u64>,
    /// What `Connection` names, in lower case; such fields are the connection's too.
    connection: Vec<String>,
    headers: Vec<Header>,
}

/// What a local redirect's path is encoded with where the program did not.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl Output {
    /// `host` is the handler's own host as the client wrote it, without port.
    pub fn new(host: &str) -> Output {
        Output { host: host.to_owned(), partial: Vec::new(), bytes: 0, lines: 0, fields: Fields::default() }
    }

    /// Takes the next bytes. Once the header block is complete, gives the answer and the rest of
    /// these bytes, which is the beginning of the body; nothing is to be pushed after that.
    ///
    /// # Errors
    ///
    /// At the first line that no answer may have, however the output was cut into pieces.
    pub fn push<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<(Answer, &'b [u8])>, Malformed> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let is_end = if self.partial.is_empty() {
                self.line(line)?
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                let is_end = self.line(&whole)?;
                whole.clear();
                self.partial = whole;
                is_end
            };
            if is_end {
                return Ok(Some((std::mem::take(&mut self.fields).answer()?, rest)));
            }
        }
        self.keep(rest)?;
        Ok(None)
    }

    /// What is wrong with output that ends here, before its header block is complete.
    pub fn finish(self) -> Malformed {
        let partial = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        if !partial.is_empty() {
            // A line without a line end: if it is no field either, that is the better word.
            let problem = field::parse(partial, self.lines == 0).err().unwrap_or(Problem::NoEmptyLine);
            return self.malformed(problem, partial);
        }
        let problem = if self.lines == 0 { Problem::Nothing } else { Problem::NoEmptyLine };
        Malformed { problem, line_number: 0, line: String::new() }
    }

    /// Takes a whole line, without its line feed; returns whether it was the empty one.
    fn line(&mut self, line: &[u8]) -> Result<bool, Malformed> {
        self.check_size(line, 1)?;
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text.is_empty() {
            return if self.lines == 0 { Err(self.malformed(Problem::EmptyHeader, line)) } else { Ok(true) };
        }
        if self.lines as usize >= CGI_HEADER_FIELDS_MAX {
            return Err(self.malformed(Problem::TooMany, text));
        }
        field::parse(text, self.lines == 0)
            .and_then(|field| self.fields.take(field, self.lines + 1, &self.host))
            .map_err(|problem| self.malformed(problem, text))?;
        self.bytes += line.len() + 1;
        self.lines += 1;
        Ok(false)
    }

    /// Keeps the beginning of a line.
    fn keep(&mut self, part: &[u8]) -> Result<(), Malformed> {
        let room = (CGI_HEADER_BYTES_MAX + 1).saturating_sub(self.bytes + self.partial.len());
        self.partial.extend_from_slice(part.get(..room).unwrap_or(part));
        self.check_size(&self.partial, 0)
    }

    /// Quotes only what fits the limit, so that the message does not depend on how the output came.
    fn check_size(&self, line: &[u8], line_end_bytes: usize) -> Result<(), Malformed> {
        let room = CGI_HEADER_BYTES_MAX.saturating_sub(self.bytes);
        if line.len() + line_end_bytes <= room {
            return Ok(());
        }
        Err(self.malformed(Problem::TooLarge, line.get(..room).unwrap_or(line)))
    }

    fn malformed(&self, problem: Problem, line: &[u8]) -> Malformed {
        Malformed { problem, line_number: self.lines + 1, line: crate::escape::quote(line) }
    }
}

impl Fields {
    fn take(&mut self, field: Field<'_>, line_number: u32, host: &str) -> Result<(), Problem> {
        let Field { name, value } = field;
        match name.as_str() {
            "status" => set_once(&mut self.status, parse_status(required(&value)?)?),
            "content-length" => set_once(&mut self.length, parse_length(required(&value)?)?),
            "location" => set_once(&mut self.location, (required(&value)?.to_owned(), line_number)),
            "content-type" => {
                if std::mem::replace(&mut self.content_type, true) {
                    return Err(Problem::Repeated);
                }
                self.headers.push((name, required(&value)?.to_owned()));
                Ok(())
            }
            "set-cookie" => {
                self.headers.push((name, cookie::confined(&value, host).into_owned()));
                Ok(())
            }
            "connection" => {
                self.connection.extend(value.split(',').map(|option| option.trim().to_ascii_lowercase()));
                Ok(())
            }
            _ => {
                if field::may_leave(&name) {
                    self.headers.push((name, value.into_owned()));
                }
                Ok(())
            }
        }
    }

    fn answer(mut self) -> Result<Answer, Malformed> {
        if let (None, Some((location, line_number))) = (self.status, &self.location)
            && location.starts_with('/')
        {
            return local_redirect(location, *line_number);
        }
        if !self.connection.is_empty() {
            self.headers.retain(|(name, _)| !self.connection.contains(name));
        }
        let is_redirect = self.status.is_none() && self.location.is_some();
        if is_redirect {
            // The body that it speaks of is dropped.
            self.headers.retain(|(name, _)| name != "content-type");
        }
        if let Some((location, _)) = self.location {
            self.headers.push(("location".to_owned(), location));
        }
        let status = self.status.unwrap_or(if is_redirect { 302 } else { 200 });
        let head = Head { status, headers: self.headers, declared_length: self.length };
        Ok(if is_redirect { Answer::Redirect(head) } else { Answer::Document(head) })
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Problem> {
    if slot.is_some() {
        return Err(Problem::Repeated);
    }
    *slot = Some(value);
    Ok(())
}

fn required(value: &str) -> Result<&str, Problem> {
    if value.is_empty() { Err(Problem::Empty) } else { Ok(value) }
}

/// `404` or `404 Not Found`; the reason means nothing (RFC 9110 section 15).
fn parse_status(value: &str) -> Result<u16, Problem> {
    let digits = value.split([' ', '\t']).next().unwrap_or_default();
    if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Status);
    }
    digits.parse().ok().filter(|status| (200..=599).contains(status)).ok_or(Problem::Status)
}

/// Digits only: `+5` and `5, 5` are how requests are smuggled.
fn parse_length(value: &str) -> Result<u64, Problem> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::ContentLength);
    }
    value.parse().map_err(|_| Problem::ContentLength)
}

/// The target is the location without its fragment, which never reaches a server, and with what no
/// request line may have encoded. It has to be one that a request could ask for, since one will.
fn local_redirect(location: &str, line_number: u32) -> Result<Answer, Malformed> {
    let target = location.split('#').next().unwrap_or_default();
    let target = utf8_percent_encode(target, TARGET).to_string();
    let path = target.split('?').next().unwrap_or_default();
    if target.len() > URL_BYTES_MAX || path::decode(path).is_err() {
        let line = crate::escape::quote(format!("Location: {location}").as_bytes());
        return Err(Malformed { problem: Problem::Location, line_number, line });
    }
    Ok(Answer::LocalRedirect { target })
}
