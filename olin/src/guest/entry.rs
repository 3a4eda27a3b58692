//! How a program begins.

use std::fmt::Display;

use ::http::{Request, StatusCode};

use super::{Body, Failure, IntoResponse, cgi, log, runtime};

/// The exit code of a program that could not do what it was started for.
const EXIT_FAILURE: i32 = 1;

/// Makes a function the program's entry, `_start`. It takes nothing and returns a `Result`: see [`run`](crate::run()).
///
/// ```
/// use std::io::Write as _;
///
/// fn main() -> std::io::Result<()> {
///     write!(olin::io::stdout(), "Content-Type: text/plain\n\nhello\n")
/// }
///
/// olin::entry!(main);
/// ```
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn _start() {
            $crate::run($main);
        }
        // Elsewhere nothing begins here, and the function counts as used.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || $crate::run($main);
    };
}

/// Makes a handler the program's entry, `_start`: see [`serve`](crate::serve()).
///
/// ```
/// use olin::http::{Request, Response};
///
/// fn handle(request: Request<olin::Body>) -> Response<String> {
///     Response::new(format!("{} {}\n", request.method(), request.uri()))
/// }
///
/// olin::serve!(handle);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! serve {
    ($handler:path) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn _start() {
            $crate::serve($handler);
        }
        // Elsewhere nothing begins here, and the function counts as used.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || $crate::serve($handler);
    };
}

/// Answers the request that the program was started for with what the handler returns.
///
/// A handler returns a [`Response`](crate::http::Response) of anything that becomes a [`Body`], a
/// [`StatusCode`], or a `Result` of them, most often with [`Failure`]. The macros of the crate `log` write to the
/// invocation's log. A panic becomes a line of the log that says where it happened, and traps: the client gets 502,
/// and the log the backtrace. An answer that cannot be sent ends the program with exit code 1.
pub fn serve<R: IntoResponse>(handler: impl FnOnce(Request<Body>) -> R) {
    prepare();
    let response = match cgi::request() {
        Ok(request) => handler(request).into_response(),
        Err(error) => {
            log::error(&format!("{error}; the program answers HTTP requests"));
            Failure::new(StatusCode::BAD_REQUEST, error).into_response()
        }
    };
    if let Err(error) = cgi::respond(response) {
        log::error(&error.to_string());
        runtime::exit(EXIT_FAILURE);
    }
}

/// Runs `main`. An error of it, or a panic, becomes a line of the log; the error ends the program with exit
/// code 1, and the panic traps.
pub fn run<E: Display>(main: fn() -> Result<(), E>) {
    prepare();
    if let Err(error) = main() {
        log::error(&error.to_string());
        runtime::exit(EXIT_FAILURE);
    }
}

/// What every program wants before it does anything.
fn prepare() {
    #[cfg(feature = "log")]
    log::init();
    // Elsewhere the hook is the test harness's.
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|info| log::error(&told(info))));
}

/// A panic in one line.
#[cfg(target_arch = "wasm32")]
fn told(info: &std::panic::PanicHookInfo<'_>) -> String {
    let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("panicked{place}: {}", info.payload_as_str().unwrap_or("with a value that is no text"))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http::Response;
    use crate::testing::{Ended, Host};

    #[test]
    fn a_handler_answers_its_request() {
        let host = Host::new().request(Request::post("/tea?hot").body("green").unwrap());
        serve(|request: Request<Body>| {
            let words = format!("{} {} ", request.method(), request.uri());
            let body = request.into_body().text()?;
            Ok::<_, Failure>(Response::new(words + &body))
        });
        assert_eq!(host.response().body(), b"POST /tea?hot green");
    }

    #[test]
    fn a_handler_that_fails_answers_too() {
        let host = Host::new().request(Request::get("/").body("").unwrap());
        serve(|_| -> Result<StatusCode, Failure> { Err(io::Error::other("out of tea"))? });
        assert_eq!(
            (host.response().status().as_u16(), host.logs()),
            (500, vec![(1, "out of tea".to_owned())])
        );
    }

    #[test]
    fn without_a_request_the_answer_is_400_and_the_log_says_why() {
        let host = Host::new();
        serve(|_| StatusCode::OK);
        assert_eq!(host.response().status(), 400);
        assert!(host.logs()[0].1.contains("REQUEST_METHOD"), "{:?}", host.logs());
    }

    #[test]
    fn an_answer_that_breaks_off_is_a_failed_program() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the pot is empty"))
            }
        }
        let host = Host::new().request(Request::get("/").body("").unwrap());
        let ended = host.run(|| serve(|_| Response::new(Body::from_reader(Broken))));
        assert_eq!(ended, Ended::Exit(1));
        assert!(host.logs()[0].1.contains("the pot is empty"), "{:?}", host.logs());
    }

    #[test]
    fn an_error_of_main_is_logged_and_exit_code_1() {
        let host = Host::new();
        assert_eq!(host.run(|| run(|| Err("no tea"))), Ended::Exit(1));
        assert_eq!(host.logs(), [(1, "no tea".to_owned())]);
        assert_eq!(host.run(|| run(|| Ok::<(), String>(()))), Ended::Returned);
    }
}
