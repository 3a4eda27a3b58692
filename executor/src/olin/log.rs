//! `log`: lines for the invocation's log.

use wasmcloud_wire::{Level, Source};

use super::Host;
use crate::guest::Stop;

/// Most bytes of one text that are looked at: more than any log may have in all.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;

/// `log_write`: a text at a level. It has no result, so a bad range can only be told to the log.
pub(crate) fn write(host: &mut Host<'_>, level: i32, ptr: i32, len: i32) -> Result<(), Stop> {
    let text = host.memory.range(ptr, len).and_then(|range| host.memory.read(range.part(0, TEXT_BYTES_MAX)));
    match text {
        Ok(text) => host.session.logs.write(Level(level), Source::Log, &text),
        Err(_) => host.session.logs.warn(&format!(
            "log_write was given {} bytes at {}, outside of memory",
            len.cast_unsigned(),
            ptr.cast_unsigned()
        )),
    }
    Ok(())
}
