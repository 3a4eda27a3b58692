//! Functions of WASI 0.1 that answer otherwise than wasmtime's own: as the specification says, where those do
//! less, and within limits, where those have none.

use wasmtime::{Caller, Extern, Linker, Memory, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;
use wiggle::GuestMemory;

use super::link::{FUNCTIONS, SNAPSHOT, UNSTABLE};
use super::state::{HOSTCALL_BYTES_MAX, ModuleState};
use crate::recording;

/// `errno`: it would take more memory than a host call may.
const NOMEM: i32 = 48;
/// Most bytes that one call reads or writes: of a longer buffer a part, and the guest calls again.
const PART_BYTES_MAX: u32 = 8 << 20;
/// Most buffers that are looked at for the first one that is not empty.
const BUFFERS_MAX: u32 = 1_024;
/// Most random bytes that are made before others on the thread have their turn.
const RANDOM_PART_BYTES: usize = 256 << 10;
/// Bytes of a subscription, in this version and the one before.
const SUBSCRIPTION_BYTES: usize = 48;
const OLD_SUBSCRIPTION_BYTES: usize = 56;

/// Defines a function that reads or writes buffers, so that it does as much as one call may, and the guest calls
/// again.
macro_rules! in_parts {
    ($linker:ident, $module:ident, $function:ident) => {
        let called = number(stringify!($function));
        $linker.func_wrap_async(
            $module,
            stringify!($function),
            move |mut caller: Guest<'_>, (fd, buffers, many, done_bytes): (i32, u32, u32, i32)| {
                Box::new(async move {
                    count(&mut caller, called);
                    let fuel = caller.as_context_fuel();
                    let (memory, state) = memory(&mut caller)?.data_and_store_mut(&mut caller);
                    let cut = cut_to_a_part(memory, buffers, many);
                    let mut guest = GuestMemory::Unshared(&mut *memory);
                    wasi::WasiSnapshotPreview1::set_hostcall_fuel(&mut state.wasi, fuel);
                    let (at, number) = (buffers.cast_signed(), many.cast_signed());
                    let result =
                        wasi::$function(&mut state.wasi, &mut guest, fd, at, number, done_bytes).await;
                    restore(memory, cut);
                    result
                })
            },
        )?;
    };
}

/// Defines these functions anew, under both names.
///
/// # Errors
///
/// The engine refuses a definition, which would be an error of this program.
pub(super) fn define(linker: &mut Linker<ModuleState>) -> wasmtime::Result<()> {
    for module in [SNAPSHOT, UNSTABLE] {
        let (exit, random, unlink) = (number("proc_exit"), number("random_get"), number("path_unlink_file"));
        linker.func_wrap(module, "proc_exit", move |mut caller: Guest<'_>, status: i32| {
            count(&mut caller, exit);
            // wasmtime's own takes 0 to 125 alone.
            wasmtime::Result::<()>::Err(I32Exit(status).into())
        })?;
        linker.func_wrap_async(
            module,
            "random_get",
            move |mut caller: Guest<'_>, (at, bytes): (u32, u32)| {
                Box::new(async move {
                    count(&mut caller, random);
                    random_get(caller, at, bytes).await
                })
            },
        )?;
        linker.func_wrap_async(
            module,
            "path_unlink_file",
            move |mut caller: Guest<'_>, (fd, at, bytes): (i32, i32, u32)| {
                Box::new(async move {
                    count(&mut caller, unlink);
                    if bytes as usize > HOSTCALL_BYTES_MAX {
                        return Ok(NOMEM);
                    }
                    let (memory, state) = memory(&mut caller)?.data_and_store_mut(&mut caller);
                    let mut memory = GuestMemory::Unshared(memory);
                    wasi::path_unlink_file(&mut state.wasi, &mut memory, fd, at, bytes.cast_signed()).await
                })
            },
        )?;
        in_parts!(linker, module, fd_read);
        in_parts!(linker, module, fd_write);
    }
    // Those of the older name end the program; what they take and give is the same.
    for name in ["sock_recv", "sock_send", "sock_shutdown"] {
        linker.alias(SNAPSHOT, name, UNSTABLE, name)?;
    }
    let poll = number("poll_oneoff");
    linker.func_wrap_async(
        UNSTABLE,
        "poll_oneoff",
        move |mut caller: Guest<'_>, (subscriptions, events, many, count_at): (u32, i32, u32, i32)| {
            Box::new(async move {
                count(&mut caller, poll);
                poll_oneoff_old(caller, subscriptions, events, many, count_at).await
            })
        },
    )?;
    Ok(())
}

/// The number of a function, by which its calls are counted.
fn number(name: &str) -> usize {
    FUNCTIONS.iter().position(|known| *known == name).unwrap_or(FUNCTIONS.len())
}

type Guest<'a> = Caller<'a, ModuleState>;

/// How many bytes a host call may copy.
trait AsContextFuel {
    fn as_context_fuel(&mut self) -> usize;
}

impl AsContextFuel for Guest<'_> {
    fn as_context_fuel(&mut self) -> usize {
        wasmtime::AsContextMut::as_context_mut(self).hostcall_fuel()
    }
}

fn count(caller: &mut Guest<'_>, number: usize) {
    caller.data().host.guest.usage.call(number);
}

fn memory(caller: &mut Guest<'_>) -> wasmtime::Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(wasmtime::Error::msg("missing required memory export")),
    }
}

/// Fills all of a buffer, however long it is.
async fn random_get(mut caller: Guest<'_>, at: u32, bytes: u32) -> wasmtime::Result<i32> {
    let memory = memory(&mut caller)?;
    let tape = caller.data().host.tape.clone();
    let (mut at, end) = (at as usize, (at as usize).saturating_add(bytes as usize));
    if end > memory.data_size(&caller) {
        return Err(Trap::MemoryOutOfBounds.into());
    }
    while at < end {
        let until = end.min(at.saturating_add(RANDOM_PART_BYTES));
        let part = memory.data_mut(&mut caller).get_mut(at..until).ok_or(Trap::MemoryOutOfBounds)?;
        recording::fill(tape.as_deref(), part).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        at = until;
        if at < end {
            tokio::task::yield_now().await;
        }
    }
    Ok(0)
}

/// A buffer whose length stands shorter in the guest's memory for as long as a call takes: where, and what it was.
type Cut = Option<(usize, u32)>;

/// Lets the first buffer that is not empty be at most a part.
fn cut_to_a_part(memory: &mut [u8], buffers: u32, many: u32) -> Cut {
    for index in 0..many.min(BUFFERS_MAX) {
        let at = (buffers as usize).checked_add(index as usize * 8 + 4)?;
        let field: &mut [u8; 4] = memory.get_mut(at..at.checked_add(4)?)?.try_into().ok()?;
        let length = u32::from_le_bytes(*field);
        if length > PART_BYTES_MAX {
            *field = PART_BYTES_MAX.to_le_bytes();
            return Some((at, length));
        }
        if length > 0 {
            return None;
        }
    }
    None
}

fn restore(memory: &mut [u8], cut: Cut) {
    if let Some((at, length)) = cut
        && let Some(field) = memory.get_mut(at..at.saturating_add(4))
    {
        field.copy_from_slice(&length.to_le_bytes());
    }
}

/// `poll_oneoff` of `wasi_unstable`, whose subscriptions have one more field. wasmtime's own sees nothing right
/// behind the first of them.
async fn poll_oneoff_old(
    mut caller: Guest<'_>,
    subscriptions: u32,
    events: i32,
    many: u32,
    count_at: i32,
) -> wasmtime::Result<i32> {
    let fuel = caller.as_context_fuel();
    let (memory, state) = memory(&mut caller)?.data_and_store_mut(&mut caller);
    let (from, bytes) = (subscriptions as usize, (many as usize).saturating_mul(OLD_SUBSCRIPTION_BYTES));
    if bytes > fuel {
        return Ok(NOMEM);
    }
    let region = memory.get_mut(from..from.saturating_add(bytes)).ok_or(Trap::MemoryOutOfBounds)?;
    let old = region.to_vec();
    for (old, new) in
        old.chunks_exact(OLD_SUBSCRIPTION_BYTES).zip(region.chunks_exact_mut(SUBSCRIPTION_BYTES))
    {
        repack(old, new);
    }
    let mut guest = GuestMemory::Unshared(&mut *memory);
    wasi::WasiSnapshotPreview1::set_hostcall_fuel(&mut state.wasi, fuel);
    let (at, number) = (subscriptions.cast_signed(), many.cast_signed());
    let result = wasi::poll_oneoff(&mut state.wasi, &mut guest, at, events, number, count_at).await;
    if let Some(region) = memory.get_mut(from..from.saturating_add(bytes)) {
        region.copy_from_slice(&old);
    }
    result
}

/// A subscription as the newer version has it. The clock's have a field less, `identifier`, at 16.
fn repack(old: &[u8], new: &mut [u8]) {
    const CLOCK: u8 = 0;
    const TAG: usize = 8;
    const IDENTIFIER: std::ops::Range<usize> = 16..24;
    let is_clock = old.get(TAG) == Some(&CLOCK);
    let kept = old.iter().enumerate().filter(|(at, _)| !(is_clock && IDENTIFIER.contains(at)));
    for ((_, byte), place) in kept.zip(new) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_buffer_is_cut_for_one_call_and_the_guest_finds_it_as_it_was() {
        let mut memory = [0u8; 32];
        // An empty buffer, then a long one.
        memory[12..16].copy_from_slice(&(PART_BYTES_MAX + 1).to_le_bytes());
        let before = memory;
        let cut = cut_to_a_part(&mut memory, 0, 2);
        assert_eq!(cut, Some((12, PART_BYTES_MAX + 1)));
        assert_eq!(memory[12..16], PART_BYTES_MAX.to_le_bytes());
        restore(&mut memory, cut);
        assert_eq!(memory, before);
        assert_eq!(cut_to_a_part(&mut memory, 0, 1), None);
        assert_eq!(cut_to_a_part(&mut memory, 24, 9), None);
        assert_eq!(cut_to_a_part(&mut memory, u32::MAX, u32::MAX), None);
    }

    #[test]
    fn a_subscription_to_a_clock_loses_its_identifier_and_one_to_a_descriptor_nothing() {
        let mut old: Vec<u8> = (0..56).collect();
        let mut new = [0; 48];
        old[8] = 0;
        repack(&old, &mut new);
        assert_eq!((&new[..8], new[16], new[47]), (&old[..8], 24, 55));
        old[8] = 1;
        repack(&old, &mut new);
        assert_eq!((new[16], new[47]), (16, 47));
    }
}
