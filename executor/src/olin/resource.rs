//! `resource`: everything that is opened by a URL, and the standard streams.

use olin::abi::Error;

use super::memory::{GuestMemory, Range};
use super::scheme::{self, GeminiResource, HttpResource, LogResource, WebSocketResource};
use super::{Failure, Host, lower};
use crate::guest::{Session, Stop};

/// Most resources that one guest has open at once.
pub(crate) const OPEN_MAX: usize = 1_024;
/// Longest URL, in bytes.
pub(crate) const URL_BYTES_MAX: usize = 8 << 10;
/// Bytes are moved between guest and host in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// Something that a guest has open.
pub(crate) enum Resource {
    /// The request's body.
    Stdin,
    /// The answer.
    Stdout,
    /// The log, in lines.
    Stderr,
    /// `log://`
    Log(LogResource),
    /// `null://`
    Null,
    /// `zero://`
    Zero,
    /// `random://`
    Random,
    /// `http://` and `https://`
    Http(Box<HttpResource>),
    /// `gemini://`
    Gemini(Box<GeminiResource>),
    /// `ws://` and `wss://`
    WebSocket(Box<WebSocketResource>),
}

impl Resource {
    /// Reads up to a bufferful; less than that only at the end of what there is.
    fn read(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<usize, Failure> {
        match self {
            Resource::Stdin => match session.read_stdin(buffer) {
                0 if !buffer.is_empty() => Err(Error::EndOfFile.into()),
                bytes => Ok(bytes),
            },
            Resource::Stdout | Resource::Stderr => Err(Error::InvalidArgument.into()),
            Resource::Log(_) => Ok(0),
            Resource::Null => scheme::null::read(buffer),
            Resource::Zero => scheme::zero::read(buffer),
            Resource::Random => scheme::random::read(session, buffer),
            Resource::Http(http) => http.read(session, buffer),
            Resource::Gemini(gemini) => gemini.read(session, buffer),
            Resource::WebSocket(socket) => socket.read(session, buffer),
        }
    }

    fn write(&mut self, session: &mut Session, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Resource::Stdin => Err(Error::InvalidArgument.into()),
            Resource::Stdout => Ok(session.write_stdout(bytes)?),
            Resource::Stderr => {
                session.logs.stderr(bytes);
                Ok(())
            }
            Resource::Log(log) => log.write(session, bytes),
            Resource::Null | Resource::Zero => Ok(()),
            Resource::Random => Err(Error::Unknown.into()),
            Resource::Http(http) => http.write(session, bytes),
            Resource::Gemini(gemini) => gemini.write(session, bytes),
            Resource::WebSocket(socket) => socket.write(session, bytes),
        }
    }

    /// Makes what was written take effect.
    pub(crate) fn flush(&mut self, session: &mut Session) -> Result<(), Failure> {
        match self {
            Resource::Stdout => Ok(session.stdout.flush()?),
            Resource::Http(http) => http.flush(session),
            Resource::Gemini(gemini) => gemini.flush(session),
            _ => Ok(()),
        }
    }

    /// Ends it, where more is to be done than to forget it.
    pub(crate) fn close(mut self, session: &mut Session) -> Result<(), Failure> {
        match &mut self {
            Resource::WebSocket(socket) => socket.close(session),
            _ => Ok(()),
        }
    }

    /// Whether the network is behind it: it is read as its bytes come.
    fn is_remote(&self) -> bool {
        matches!(self, Resource::Http(_) | Resource::Gemini(_) | Resource::WebSocket(_))
    }
}

/// What a guest has open, by id. Ids are never given twice.
#[derive(Default)]
pub(crate) struct Resources {
    /// In the order of their ids, which is that of their opening.
    open: Vec<(i32, Resource)>,
    next: i32,
}

impl Resources {
    /// Opens a resource and gives it an id.
    ///
    /// # Errors
    ///
    /// `Unknown` when too many are open.
    pub(crate) fn insert(&mut self, resource: Resource) -> Result<usize, Error> {
        if self.open.len() >= OPEN_MAX {
            return Err(Error::Unknown);
        }
        let id = self.next;
        self.next = id.checked_add(1).ok_or(Error::Unknown)?;
        self.open.push((id, resource));
        usize::try_from(id).map_err(|_| Error::Unknown)
    }

    fn get(&mut self, id: i32) -> Result<&mut Resource, Error> {
        let index = self.index(id).ok_or(Error::InvalidArgument)?;
        self.open.get_mut(index).map(|(_, resource)| resource).ok_or(Error::InvalidArgument)
    }

    fn remove(&mut self, id: i32) -> Option<Resource> {
        self.index(id).map(|index| self.open.remove(index).1)
    }

    fn index(&self, id: i32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}

/// `resource_open`
pub(crate) fn open(host: &mut Host<'_>, url: i32, url_len: i32) -> Result<i32, Stop> {
    lower(try_open(host, url, url_len))
}

fn try_open(host: &mut Host<'_>, url: i32, url_len: i32) -> Result<usize, Failure> {
    let url = host.memory.range(url, url_len)?;
    if url.len() > URL_BYTES_MAX {
        return Err(Error::InvalidArgument.into());
    }
    let url = String::from_utf8(host.memory.read(url)?).map_err(|_| Error::InvalidArgument)?;
    let resource = scheme::open(host.session, &url)?;
    Ok(host.resources.insert(resource)?)
}

/// `resource_read`
pub(crate) fn read(host: &mut Host<'_>, id: i32, ptr: i32, len: i32) -> Result<i32, Stop> {
    lower(try_read(host, id, ptr, len))
}

fn try_read(host: &mut Host<'_>, id: i32, ptr: i32, len: i32) -> Result<usize, Failure> {
    let target = host.memory.range(ptr, len)?;
    fill(host.resources.get(id)?, host.session, &host.memory, target)
}

/// Reads from a resource into the guest's memory until the range is full or nothing more comes.
pub(crate) fn fill(
    resource: &mut Resource,
    session: &mut Session,
    memory: &GuestMemory<'_>,
    target: Range,
) -> Result<usize, Failure> {
    // What has come is not held back for what has not: one piece is all that a network is asked for.
    let target = if resource.is_remote() { target.part(0, PIECE_BYTES) } else { countable(target) };
    let mut buffer = vec![0; target.len().min(PIECE_BYTES)];
    let mut done = 0;
    loop {
        let piece = target.part(done, PIECE_BYTES);
        let buffer = buffer.get_mut(..piece.len()).unwrap_or_default();
        let bytes = match resource.read(session, buffer) {
            // The end is told by the next read; what was read counts.
            Err(Failure::Error(Error::EndOfFile)) if done > 0 => break,
            result => result?,
        };
        memory.write(piece, buffer.get(..bytes).unwrap_or_default())?;
        done += bytes;
        if bytes < piece.len() || done >= target.len() {
            break;
        }
        stop_if_over(session)?;
    }
    Ok(done)
}

/// `resource_write`
pub(crate) fn write(host: &mut Host<'_>, id: i32, ptr: i32, len: i32) -> Result<i32, Stop> {
    lower(try_write(host, id, ptr, len))
}

fn try_write(host: &mut Host<'_>, id: i32, ptr: i32, len: i32) -> Result<usize, Failure> {
    let source = host.memory.range(ptr, len)?;
    empty(host.resources.get(id)?, host.session, &host.memory, source)
}

/// Writes a range of the guest's memory to a resource, all of it.
pub(crate) fn empty(
    resource: &mut Resource,
    session: &mut Session,
    memory: &GuestMemory<'_>,
    source: Range,
) -> Result<usize, Failure> {
    let source = countable(source);
    let piece_bytes = match resource {
        // A log line must not be cut where a piece ends.
        Resource::Log(_) => super::log::TEXT_BYTES_MAX,
        // And a message must not become two.
        Resource::WebSocket(_) => scheme::websocket::MESSAGE_BYTES_MAX + 1,
        _ => PIECE_BYTES,
    };
    let mut buffer = vec![0; source.len().min(piece_bytes)];
    let mut done = 0;
    loop {
        let piece = source.part(done, piece_bytes);
        let buffer = buffer.get_mut(..piece.len()).unwrap_or_default();
        memory.read_into(piece, buffer)?;
        resource.write(session, buffer)?;
        done += piece.len();
        if done >= source.len() {
            return Ok(done);
        }
        stop_if_over(session)?;
    }
}

/// Counts are told as `i32`: no more than that many bytes are moved at once.
fn countable(range: Range) -> Range {
    range.part(0, i32::MAX.cast_unsigned() as usize)
}

fn stop_if_over(session: &Session) -> Result<(), Stop> {
    if session.watch.is_over() { Err(Stop::Killed) } else { Ok(()) }
}

/// `resource_flush`
pub(crate) fn flush(host: &mut Host<'_>, id: i32) -> Result<i32, Stop> {
    let flushed =
        host.resources.get(id).map_err(Into::into).and_then(|resource| resource.flush(host.session));
    lower(flushed.map(|()| 0))
}

/// `resource_close`, as programs that expect a result import it.
pub(crate) fn close(host: &mut Host<'_>, id: i32) -> Result<i32, Stop> {
    close_unit(host, id).map(|()| 0)
}

/// `resource_close`. An id that is not open ends the program, as the specification says.
pub(crate) fn close_unit(host: &mut Host<'_>, id: i32) -> Result<(), Stop> {
    let resource = host.resources.remove(id).ok_or(Stop::UnknownResource(id))?;
    match resource.close(host.session) {
        Err(Failure::Stop(stop)) => Err(stop),
        _ => Ok(()),
    }
}
