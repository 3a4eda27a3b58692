//! A double of the host, for tests that run natively: it gives a program its variables, its request and the
//! answers of other servers, and keeps what the program wrote.
//!
//! ```
//! use olin::http::{self, Request, Response};
//! use olin::testing::Host;
//! use olin::{Body, Failure};
//!
//! fn handle(_: Request<Body>) -> Result<Response<Body>, Failure> {
//!     olin::log::info("asking upstream");
//!     Ok(http::get("https://api.example/tea")?)
//! }
//!
//! let host = Host::new()
//!     .request(Request::get("/").body("")?)
//!     .http("https://api.example/", |request| Response::new(request.uri().path().into()));
//! olin::serve(handle);
//! assert_eq!(host.response().body(), b"/tea");
//! assert_eq!(host.logs(), [(6, "asking upstream".to_owned())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every thread has a host of its own, so tests may run side by side. A handler can also be called without
//! [`serve`](crate::serve()): it is a function.
#![expect(clippy::panic, reason = "a test that goes wrong panics, and says why")]

mod network;
mod state;
pub(crate) mod sys;

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use ::http::header::CONTENT_LENGTH;
use ::http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use network::Site;
use state::{State, with};

/// The host of this thread, until another is made.
#[derive(Debug)]
pub struct Host {
    /// It belongs to its thread.
    _here: PhantomData<*const ()>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its entry returned.
    Returned,
    /// It called `runtime_exit` with this code.
    Exit(i32),
}

/// What a panic carries that stands for `runtime_exit`.
struct Exit(i32);

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

/// What the program finds.
impl Host {
    /// A host that knows nothing yet, in place of the one that this thread had.
    pub fn new() -> Host {
        // Ids are never given twice, so that what was open before can still be dropped.
        with(|state| *state = State { next_id: state.next_id, ..State::default() });
        Host { _here: PhantomData }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(self, name: &str, value: impl AsRef<[u8]>) -> Host {
        with(|state| state.env.insert(name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the standard input.
    #[must_use]
    pub fn stdin(self, bytes: impl Into<Vec<u8>>) -> Host {
        let bytes = bytes.into();
        with(|state| state.stdin = std::io::Cursor::new(bytes));
        self
    }

    /// Sets the variables and the standard input of a request, as the platform does.
    #[must_use]
    pub fn request(mut self, request: Request<impl Into<Vec<u8>>>) -> Host {
        let (parts, body) = request.into_parts();
        let body = body.into();
        let path: Vec<u8> = percent_encoding::percent_decode_str(parts.uri.path()).collect();
        self = self
            .env("REQUEST_METHOD", parts.method.as_str())
            .env("PATH_INFO", path)
            .env("REQUEST_URI", parts.uri.path_and_query().map_or("/", |target| target.as_str()))
            .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
            .env("SCRIPT_NAME", "")
            .env("SERVER_NAME", "handler.example");
        if !body.is_empty() {
            self = self.env("CONTENT_LENGTH", body.len().to_string());
        }
        for name in parts.headers.keys().filter(|name| *name != CONTENT_LENGTH) {
            let values: Vec<&[u8]> = parts.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let variable = super::http::variable(name.as_str());
            self = self.env(&variable, values.join(&b", "[..]));
        }
        self.stdin(body)
    }

    /// Sets the arguments; the first is the program's name.
    #[must_use]
    pub fn args<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Host {
        let args = args.into_iter().map(|arg| arg.as_bytes().to_vec()).collect();
        with(|state| state.args = args);
        self
    }

    /// Sets the clock, in seconds since 1970. Without this it is 2001, at the second 1 000 000 000.
    #[must_use]
    pub fn now(self, seconds: i64) -> Host {
        with(|state| state.now = seconds);
        self
    }

    /// Where the random numbers begin. They are the same ones for the same seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Host {
        with(|state| state.random = seed);
        self
    }

    /// What `http(s)://` URLs with this beginning answer; the first that fits counts.
    #[must_use]
    pub fn http(
        self,
        beginning: &str,
        answer: impl FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>> + 'static,
    ) -> Host {
        self.site(beginning, Site::http(answer))
    }

    /// The bytes that URLs with this beginning answer, whatever is written to them: for `gemini://`, and for
    /// servers that break their protocol.
    #[must_use]
    pub fn bytes(self, beginning: &str, bytes: impl Into<Vec<u8>>) -> Host {
        self.site(beginning, Site::Bytes(bytes.into()))
    }

    /// What `ws(s)://` URLs with this beginning send when a message arrives.
    #[must_use]
    pub fn web_socket(self, beginning: &str, answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> Host {
        self.site(beginning, Site::web_socket(answer))
    }

    /// URLs with this beginning may not be opened.
    #[must_use]
    pub fn deny(self, beginning: &str) -> Host {
        self.site(beginning, Site::Denied)
    }

    /// URLs with this beginning name a server that is not found.
    #[must_use]
    pub fn not_found(self, beginning: &str) -> Host {
        self.site(beginning, Site::NotFound)
    }

    /// As [`bytes`](Host::bytes), but then the host fails: the connection broke, or a limit was reached.
    #[must_use]
    pub fn cut(self, beginning: &str, bytes: impl Into<Vec<u8>>) -> Host {
        self.site(beginning, Site::Cut(bytes.into()))
    }

    fn site(self, beginning: &str, site: Site) -> Host {
        with(|state| state.sites.push((beginning.to_owned(), site)));
        self
    }
}

/// What the program did.
impl Host {
    /// Runs a program until it returns or exits. Without this, an exit ends the test as a panic does.
    pub fn run(&self, program: impl FnOnce()) -> Ended {
        match catch_unwind(AssertUnwindSafe(program)) {
            Ok(()) => Ended::Returned,
            Err(payload) => match payload.downcast::<Exit>() {
                Ok(exit) => Ended::Exit(exit.0),
                Err(payload) => resume_unwind(payload),
            },
        }
    }

    /// What was written to the standard output.
    pub fn stdout(&self) -> Vec<u8> {
        with(|state| state.stdout.clone())
    }

    /// The standard output, read as an answer.
    ///
    /// # Panics
    /// If it is none.
    pub fn response(&self) -> Response<Vec<u8>> {
        parse_answer(&self.stdout()).unwrap_or_else(|reason| {
            panic!("no CGI answer, {reason}: {:?}", String::from_utf8_lossy(&self.stdout()))
        })
    }

    /// What was written to the standard error.
    pub fn stderr(&self) -> Vec<u8> {
        with(|state| state.stderr.clone())
    }

    /// What was logged, with levels.
    pub fn logs(&self) -> Vec<(i32, String)> {
        with(|state| state.logs.clone())
    }

    /// The HTTP requests that were sent, with their whole URLs.
    pub fn requests(&self) -> Vec<Request<Vec<u8>>> {
        with(|state| state.requests.clone())
    }

    /// What was written to a URL of the network.
    pub fn written(&self, url: &str) -> Vec<u8> {
        with(|state| state.written.get(url).cloned().unwrap_or_default())
    }

    /// How many resources are open.
    pub fn open_resources(&self) -> usize {
        with(|state| state.open.len())
    }

    /// How long the program slept, all in all. No time passes in it.
    pub fn slept(&self) -> Duration {
        Duration::from_millis(with(|state| state.slept_ms))
    }
}

/// Reads a CGI answer, as the platform does: the header's lines end in LF or CRLF.
fn parse_answer(bytes: &[u8]) -> Result<Response<Vec<u8>>, String> {
    let mut response = Response::new(Vec::new());
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("the header does not end")?;
        let (line, after) = rest.split_at_checked(end + 1).ok_or("the header does not end")?;
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            *response.body_mut() = rest.to_vec();
            return Ok(response);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no field: {line:?}"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code
                .and_then(|code| StatusCode::from_u16(code).ok())
                .ok_or_else(|| format!("no status: {value:?}"))?;
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("{name:?}: {error}"))?;
        let value = HeaderValue::from_str(value).map_err(|error| format!("{value:?}: {error}"))?;
        response.headers_mut().append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env, runtime};

    #[test]
    fn a_request_becomes_the_variables_that_the_platform_sets() {
        let request = Request::post("/a%20b?c=%20")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .header("Content-Type", "text/tea")
            .body("green");
        let _host = Host::new().request(request.unwrap());
        for (name, value) in [
            ("REQUEST_METHOD", "POST"),
            ("PATH_INFO", "/a b"),
            ("REQUEST_URI", "/a%20b?c=%20"),
            ("QUERY_STRING", "c=%20"),
            ("HTTP_X_TWICE", "1, 2"),
            ("CONTENT_TYPE", "text/tea"),
            ("CONTENT_LENGTH", "5"),
        ] {
            assert_eq!(env::get(name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn a_new_host_knows_nothing_of_the_one_before() {
        let _before = Host::new().env("TEA", "green");
        crate::log::info("tea");
        let after = Host::new();
        assert_eq!((env::get("TEA"), after.logs()), (None, Vec::new()));
    }

    #[test]
    fn each_thread_has_its_own() {
        let _host = Host::new().env("TEA", "green");
        assert_eq!(std::thread::spawn(|| env::get("TEA")).join().unwrap(), None);
        assert_eq!(env::get("TEA").as_deref(), Some("green"));
    }

    #[test]
    fn a_panic_is_a_panic_and_no_exit() {
        let host = Host::new();
        assert!(catch_unwind(AssertUnwindSafe(|| host.run(|| panic!("spilt")))).is_err());
        assert_eq!(host.run(|| runtime::exit(0)), Ended::Exit(0));
    }

    #[test]
    fn an_answer_may_end_its_lines_either_way_and_must_have_a_header() {
        let answer = parse_answer(b"Status: 201\nA: 1\r\n\nbody\n").unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["a"], answer.body().as_slice()),
            (201, &"1".parse().unwrap(), &b"body\n"[..])
        );
        for bytes in ["", "hello", "hello\n\n", "Status: x\n\n", "A: 1\n"] {
            assert!(parse_answer(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
