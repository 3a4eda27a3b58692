//! The Olin family of ABIs on wasmer: one file a namespace, one file a scheme, linked by the tables of
//! imports. Dagger and h, which came before, have a file each.

mod dagger;
mod env;
mod h;
mod io;
mod link;
mod log;
mod memory;
mod random;
mod resource;
mod run;
mod runtime;
mod scheme;
mod startup;
mod time;

use olin::abi::Error;
use wasmer::Memory;

use crate::guest::{Session, Stop};
use dagger::Descriptors;
use memory::GuestMemory;
use resource::Resources;

pub(crate) use h::HEADER as H_HEADER;
pub(crate) use run::run;

/// What host functions find in their store.
pub(crate) struct State {
    /// The guest's memory; none before the instance is complete, or if it exports none.
    memory: Option<Memory>,
    /// `None` only after the run, when the session was taken back.
    session: Option<Box<Session>>,
    resources: Resources,
    descriptors: Descriptors,
}

/// What a host function works on.
pub(crate) struct Host<'a> {
    session: &'a mut Session,
    resources: &'a mut Resources,
    descriptors: &'a mut Descriptors,
    memory: GuestMemory<'a>,
}

/// Why a host function did not succeed: the guest is told, or the guest is ended.
pub(crate) enum Failure {
    /// Told, by a negative number.
    Error(Error),
    /// Ended.
    Stop(Stop),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure::Stop(stop)
    }
}

/// A host function's result as the guest sees it: a count or an id, or a negative error.
fn lower(result: Result<usize, Failure>) -> Result<i32, Stop> {
    match result {
        Ok(count) => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        Err(Failure::Error(error)) => Ok(error.as_raw()),
        Err(Failure::Stop(stop)) => Err(stop),
    }
}
