//! The double's side of the imports: the same functions as the module `sys` of a WebAssembly program.

use std::io::Read as _;
use std::panic::resume_unwind;

use super::Exit;
use super::network;
use super::state::{Open, State, with};
use crate::abi::{self, Error};

pub(crate) fn env_get(key: &[u8], value: &mut [u8]) -> i32 {
    with(|state| match state.env.get(key) {
        None => Error::NotFound.as_raw(),
        Some(set) => {
            if let Some(room) = value.get_mut(..set.len()) {
                room.copy_from_slice(set);
            }
            count(set.len())
        }
    })
}

pub(crate) fn io_get_stdin() -> i32 {
    with(|state| state.insert(Open::Stdin))
}

pub(crate) fn io_get_stdout() -> i32 {
    with(|state| state.insert(Open::Stdout))
}

pub(crate) fn io_get_stderr() -> i32 {
    with(|state| state.insert(Open::Stderr))
}

pub(crate) fn log_write(level: i32, text: &[u8]) {
    let text = String::from_utf8_lossy(text).into_owned();
    with(|state| state.logs.push((level, text)));
}

pub(crate) fn random_i32() -> i32 {
    random_u32().cast_signed()
}

pub(crate) fn random_i64() -> i64 {
    random_u64().cast_signed()
}

pub(crate) fn random_u32() -> u32 {
    (random_u64() >> 32) as u32
}

pub(crate) fn random_u64() -> u64 {
    with(State::random)
}

pub(crate) fn resource_open(url: &[u8]) -> i32 {
    let opened = with(|state| {
        let url = std::str::from_utf8(url).map_err(|_| Error::InvalidArgument)?;
        let (scheme, rest) = url.split_once("://").ok_or(Error::InvalidArgument)?;
        let resource = match scheme.to_ascii_lowercase().as_str() {
            "log" => {
                Open::Log { prefix: rest.split_once("prefix=").map_or("", |(_, prefix)| prefix).to_owned() }
            }
            "null" => Open::Null,
            "zero" => Open::Zero,
            "random" => Open::Random,
            "http" | "https" | "gemini" | "ws" | "wss" => Open::Network(network::connect(&state.sites, url)?),
            _ => return Err(Error::NotFound),
        };
        Ok(state.insert(resource))
    });
    opened.unwrap_or_else(Error::as_raw)
}

pub(crate) fn resource_read(id: i32, buffer: &mut [u8]) -> i32 {
    let read = with(|state| {
        let mut random = state.random;
        let read = match state.open.get_mut(&id).ok_or(Error::InvalidArgument)? {
            Open::Stdin => match state.stdin.read(buffer).unwrap_or(0) {
                0 if !buffer.is_empty() => Err(Error::EndOfFile),
                bytes => Ok(bytes),
            },
            Open::Stdout | Open::Stderr => Err(Error::InvalidArgument),
            Open::Log { .. } | Open::Null => Ok(0),
            Open::Zero => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            Open::Random => {
                for byte in buffer.iter_mut() {
                    random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    *byte = (random >> 56) as u8;
                }
                Ok(buffer.len())
            }
            Open::Network(connection) => connection.read(buffer),
        };
        state.random = random;
        read
    });
    read.map_or_else(Error::as_raw, count)
}

pub(crate) fn resource_write(id: i32, bytes: &[u8]) -> i32 {
    let message = with(|state| {
        match state.open.get_mut(&id).ok_or(Error::InvalidArgument)? {
            Open::Stdin => return Err(Error::InvalidArgument),
            Open::Stdout => state.stdout.extend_from_slice(bytes),
            Open::Stderr => state.stderr.extend_from_slice(bytes),
            Open::Log { prefix } => {
                for line in String::from_utf8_lossy(bytes).lines() {
                    let line = if prefix.is_empty() { line.to_owned() } else { format!("{prefix}: {line}") };
                    state.logs.push((abi::LOG_INFO, line));
                }
            }
            Open::Null | Open::Zero => {}
            Open::Random => return Err(Error::Unknown),
            Open::Network(connection) => {
                state.written.entry(connection.url.clone()).or_default().extend_from_slice(bytes);
                return connection.write(bytes);
            }
        }
        Ok(None)
    });
    answer(id, message).map_or_else(Error::as_raw, |()| count(bytes.len()))
}

pub(crate) fn resource_flush(id: i32) -> i32 {
    let message = with(|state| match state.open.get_mut(&id).ok_or(Error::InvalidArgument)? {
        Open::Network(connection) => connection.flush(),
        _ => Ok(None),
    });
    answer(id, message).map_or_else(Error::as_raw, |()| 0)
}

/// Asks a site's own function, which may call the host itself, and keeps what it says.
fn answer(id: i32, message: Result<Option<network::Question>, Error>) -> Result<(), Error> {
    let Some(question) = message? else { return Ok(()) };
    let (said, request) = question.ask();
    with(|state| {
        state.requests.extend(request);
        if let Some(Open::Network(connection)) = state.open.get_mut(&id) {
            connection.take(said);
        }
    });
    Ok(())
}

pub(crate) fn resource_close(id: i32) {
    // A host that a test has replaced knows nothing of the resources that it had given.
    with(|state| state.open.remove(&id));
}

pub(crate) fn runtime_exit(status: i32) {
    // No hook is called: this is no failure.
    resume_unwind(Box::new(Exit(status)));
}

pub(crate) fn runtime_spec_major() -> i32 {
    abi::SPEC_MAJOR
}

pub(crate) fn runtime_spec_minor() -> i32 {
    abi::SPEC_MINOR
}

pub(crate) fn runtime_name(buffer: &mut [u8]) -> i32 {
    match buffer.get_mut(..abi::RUNTIME_NAME.len()) {
        Some(room) => {
            room.copy_from_slice(abi::RUNTIME_NAME.as_bytes());
            count(abi::RUNTIME_NAME.len())
        }
        None => Error::InvalidArgument.as_raw(),
    }
}

pub(crate) fn runtime_msleep(milliseconds: i32) {
    with(|state| state.slept_ms += u64::try_from(milliseconds).unwrap_or(0));
}

pub(crate) fn startup_arg_len() -> i32 {
    with(|state| count(state.args.len()))
}

pub(crate) fn startup_arg_at(index: i32, buffer: &mut [u8]) -> i32 {
    with(|state| {
        let arg = usize::try_from(index).ok().and_then(|index| state.args.get(index));
        let Some(arg) = arg else { return Error::InvalidArgument.as_raw() };
        let fits = arg.len().min(buffer.len());
        for (room, byte) in buffer.iter_mut().zip(arg) {
            *room = *byte;
        }
        count(fits)
    })
}

pub(crate) fn time_now() -> i64 {
    with(|state| state.now)
}

fn count(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
