//! CGI/1.1 (RFC 3875): a request as variables, and a program's output as an answer.
//!
//! The way in: [`Variables`] from a request, with a handler's own settings checked by [`check_env`].
//! The way out: [`Output`] takes what a program prints, piece by piece, and gives an [`Answer`] once
//! the header block is complete; [`Framing`] then says how much of the body may pass. Where RFC 3875
//! leaves a choice, Apache httpd's mod_cgi and Go's net/http/cgi decide.
//!
//! Nothing here does I/O, blocks, or keeps anything between two requests.

mod cookie;
mod escape;
mod field;
mod framing;
mod leaving;
mod malformed;
mod output;
mod path;
mod redirect;
mod settings;
mod variables;

pub use escape::{escape, escape_to};
pub use framing::{Ending, Framing};
pub use leaving::leaving;
pub use malformed::{Malformed, Problem};
pub use output::{Answer, Head, Output};
pub use path::resolve_target;
pub use redirect::redirected;
pub use settings::{EnvError, check_env};
pub use variables::{Context, RequestError, Variables};

/// The value of `SERVER_SOFTWARE`: the platform's name and version.
pub const SERVER_SOFTWARE: &str = concat!("wasmcloud/", env!("CARGO_PKG_VERSION"));
