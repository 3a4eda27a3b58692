//! `log://?prefix=p`: whatever is written becomes lines of the log, each with `p: ` before it.

use percent_encoding::percent_decode_str;
use wasmcloud_wire::{Level, Source};

use crate::guest::Session;
use crate::olin::Failure;

/// An open `log://`.
pub(crate) struct LogResource {
    prefix: Vec<u8>,
}

impl LogResource {
    /// `rest` is what follows `log://`.
    pub(crate) fn open(rest: &str) -> LogResource {
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
        let mut prefix: Vec<u8> = percent_decode_str(&prefix.replace('+', " ")).collect();
        if !prefix.is_empty() {
            prefix.extend_from_slice(b": ");
        }
        LogResource { prefix }
    }

    /// Logs a text of one or more lines.
    pub(crate) fn write(&mut self, session: &mut Session, text: &[u8]) -> Result<(), Failure> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            let line = [self.prefix.as_slice(), line].concat();
            session.logs.write(Level::INFO, Source::Log, &line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_found_and_decoded() {
        for (rest, prefix) in [
            ("", ""),
            ("?", ""),
            ("?prefix=", ""),
            ("?prefix=p", "p: "),
            ("/x?a=b&prefix=a%20b+c#d", "a b c: "),
        ] {
            assert_eq!(LogResource::open(rest).prefix, prefix.as_bytes(), "{rest}");
        }
    }
}
