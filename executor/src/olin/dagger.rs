//! Dagger, the ABI before Olin: file descriptors, and integers of whatever size a program declares.

use olin::abi::Error;
use olin::abi::dagger::{BAD_URL, BAD_URL_INPUT, UNKNOWN_SCHEME};
use wasmer::{AsStoreMut, Function, FunctionEnv, FunctionEnvMut, RuntimeError, Type, Value};

use super::link::enter;
use super::resource::{OPEN_MAX, Resource, URL_BYTES_MAX, empty, fill};
use super::{Failure, Host, State, scheme};
use crate::engine::Needed;

/// What a failure returns where nothing else is said.
const FAILED: i64 = -1;

/// What a program has open, by descriptor.
#[derive(Default)]
pub(crate) struct Descriptors(Vec<Option<Resource>>);

impl Descriptors {
    /// Gives the lowest free descriptor to a resource; `None` when too many are open.
    fn insert(&mut self, resource: Resource) -> Option<i64> {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if free >= OPEN_MAX {
            return None;
        }
        match self.0.get_mut(free) {
            Some(slot) => *slot = Some(resource),
            None => self.0.push(Some(resource)),
        }
        i64::try_from(free).ok()
    }

    fn slot(&mut self, descriptor: i64) -> Result<&mut Option<Resource>, Error> {
        let index = usize::try_from(descriptor).map_err(|_| Error::InvalidArgument)?;
        self.0.get_mut(index).filter(|slot| slot.is_some()).ok_or(Error::InvalidArgument)
    }

    fn get(&mut self, descriptor: i64) -> Result<&mut Resource, Error> {
        self.slot(descriptor)?.as_mut().ok_or(Error::InvalidArgument)
    }
}

/// A host function under the type that the program declares.
pub(crate) fn function(
    store: &mut impl AsStoreMut,
    env: &FunctionEnv<State>,
    needed: &Needed,
) -> Option<Function> {
    let call: fn(&mut Host<'_>, &[i64]) -> Result<i64, Failure> = match needed.name {
        "open" => open,
        "close" => close,
        "read" => read,
        "write" => write,
        "sync" | "flush" => sync,
        _ => return None,
    };
    let (name, result) = (needed.name, needed.ty.results().first().copied());
    let host_function = move |ctx: FunctionEnvMut<'_, State>, values: &[Value]| {
        let arguments: Vec<i64> = values.iter().map(integer).collect();
        let returned = enter(ctx, name, |host| match call(host, &arguments) {
            Ok(number) => Ok(number),
            Err(Failure::Error(_)) => Ok(FAILED),
            Err(Failure::Stop(stop)) => Err(stop),
        });
        let returned = returned.map_err(|stop| RuntimeError::user(Box::new(stop)))?;
        Ok(match result {
            Some(Type::I64) => vec![Value::I64(returned)],
            // Counts and descriptors are small, and errors smaller.
            Some(_) => vec![Value::I32(i32::try_from(returned).unwrap_or(i32::MAX))],
            None => Vec::new(),
        })
    };
    Some(Function::new_with_env(store, env, needed.ty.clone(), host_function))
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::I32(number) => i64::from(*number),
        Value::I64(number) => *number,
        _ => FAILED,
    }
}

/// A pointer or a length: 32 bits, whether they came as an `i32` or as an `i64`.
fn address(number: i64) -> Result<i32, Error> {
    match i32::try_from(number) {
        Ok(number) => Ok(number),
        Err(_) => u32::try_from(number).map(u32::cast_signed).map_err(|_| Error::InvalidArgument),
    }
}

fn argument(arguments: &[i64], index: usize) -> Result<i64, Error> {
    arguments.get(index).copied().ok_or(Error::InvalidArgument)
}

/// `open`: flags have no meaning here.
fn open(host: &mut Host<'_>, arguments: &[i64]) -> Result<i64, Failure> {
    let minus = |number: i32| Ok(-i64::from(number));
    let url = address(argument(arguments, 0)?).and_then(|ptr| host.memory.until_nul(ptr, URL_BYTES_MAX));
    let Some(url) = url.ok().and_then(|url| String::from_utf8(url).ok()) else { return minus(BAD_URL) };
    let resource = match url.strip_prefix("fd://") {
        Some("0") => stream(host, &url, Resource::Stdin),
        Some("1") => stream(host, &url, Resource::Stdout),
        Some("2") => stream(host, &url, Resource::Stderr),
        Some(_) => return minus(BAD_URL_INPUT),
        None => match scheme::open(host.session, &url) {
            Ok(resource) => resource,
            Err(Failure::Error(Error::NotFound)) => return minus(UNKNOWN_SCHEME),
            Err(Failure::Error(_)) => return minus(BAD_URL),
            Err(stop) => return Err(stop),
        },
    };
    Ok(host.descriptors.insert(resource).ok_or(Error::Unknown)?)
}

fn stream(host: &mut Host<'_>, url: &str, stream: Resource) -> Resource {
    host.session.used.url(url);
    stream
}

fn close(host: &mut Host<'_>, arguments: &[i64]) -> Result<i64, Failure> {
    let closed = host.descriptors.slot(argument(arguments, 0)?)?.take();
    closed.map_or(Ok(()), |resource| resource.close(host.session))?;
    Ok(0)
}

/// `read`. The end is a failure like any other, as it was in Dagger: a program that reads until it is told -1
/// would not end otherwise.
fn read(host: &mut Host<'_>, arguments: &[i64]) -> Result<i64, Failure> {
    let target = host.memory.range(address(argument(arguments, 1)?)?, address(argument(arguments, 2)?)?)?;
    let resource = host.descriptors.get(argument(arguments, 0)?)?;
    Ok(count(fill(resource, host.session, &host.memory, target)?))
}

fn write(host: &mut Host<'_>, arguments: &[i64]) -> Result<i64, Failure> {
    let source = host.memory.range(address(argument(arguments, 1)?)?, address(argument(arguments, 2)?)?)?;
    let resource = host.descriptors.get(argument(arguments, 0)?)?;
    Ok(count(empty(resource, host.session, &host.memory, source)?))
}

fn sync(host: &mut Host<'_>, arguments: &[i64]) -> Result<i64, Failure> {
    host.descriptors.get(argument(arguments, 0)?)?.flush(host.session)?;
    Ok(0)
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
