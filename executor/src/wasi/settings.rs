//! `wasi:config` and `wasi:logging`: a handler's own settings, and its log.

use wasmcloud_wire::{Level, Source};
use wasmtime::component::HasData;

use super::state::Host;

mod generated {
    wasmtime::component::bindgen!({
        path: "src/wasi/wit",
        world: "wasmcloud:host/host",
    });
}

pub(super) use generated::wasi::config0_2_0_draft::store as store_draft;
pub(super) use generated::wasi::config0_2_0_rc_1::store as store_rc;
pub(super) use generated::wasi::logging::logging;
pub(super) use generated::wasi::logging0_1_0_draft::logging as logging_draft;

/// A guest's view of what its handler is set up with.
pub(super) struct Own<'a>(pub(super) &'a mut Host);

/// Says that those functions work on [`Own`].
pub(super) struct HasOwn;

impl HasData for HasOwn {
    type Data<'a> = Own<'a>;
}

impl Own<'_> {
    fn get(&self, key: &str) -> Option<String> {
        self.0.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    fn get_all(&self) -> Vec<(String, String)> {
        self.0.settings.clone()
    }

    fn log(&self, level: Level, context: &str, message: &str) {
        let text = if context.is_empty() { message.to_owned() } else { format!("{context}: {message}") };
        self.0.guest.with(|session| session.logs.write(level, Source::Log, text.as_bytes()));
    }
}

/// Both versions say the same.
macro_rules! stores {
    ($($store:ident)*) => {$(
        impl $store::Host for Own<'_> {
            fn get(&mut self, key: String) -> Result<Option<String>, $store::Error> {
                Ok(Own::get(self, &key))
            }

            fn get_all(&mut self) -> Result<Vec<(String, String)>, $store::Error> {
                Ok(Own::get_all(self))
            }
        }
    )*};
}

stores! { store_draft store_rc }

macro_rules! loggings {
    ($($logging:ident)*) => {$(
        impl $logging::Host for Own<'_> {
            fn log(&mut self, level: $logging::Level, context: String, message: String) {
                let level = match level {
                    $logging::Level::Trace | $logging::Level::Debug => Level::DEBUG,
                    $logging::Level::Info => Level::INFO,
                    $logging::Level::Warn => Level::WARNING,
                    $logging::Level::Error | $logging::Level::Critical => Level::ERROR,
                };
                Own::log(self, level, &context, &message);
            }
        }
    )*};
}

loggings! { logging logging_draft }
