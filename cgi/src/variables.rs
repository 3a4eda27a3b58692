//! The variables that a program sees: RFC 3875 section 4.1, and what programs expect besides.

use std::collections::BTreeMap;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wasmcloud_wire::limits::METHOD_BYTES_MAX;
use wasmcloud_wire::{InvocationId, RequestHead, Scheme};

use crate::{SERVER_SOFTWARE, path, settings};

/// What a program's variables need besides the request.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The handler's own settings. None of them overrides a CGI variable or adds an `HTTP_*`.
    pub env: &'a BTreeMap<String, String>,
    /// Whether the handler asked for the `Authorization` field.
    pub forward_authorization: bool,
    /// The invocation's id: `RUN_ID`.
    pub run_id: InvocationId,
    /// The executor's id: `WORKER_ID`.
    pub worker_id: &'a str,
}

/// Why a request cannot be put into variables. The client's fault: to be answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The method is no token (RFC 9110 section 5.6.2).
    #[error(
        "`{method}` is no method: a method is at most {METHOD_BYTES_MAX} letters, digits and some punctuation, such as `GET`"
    )]
    Method {
        /// The method, escaped and shortened.
        method: String,
    },
    /// The path does not begin with `/`.
    #[error("the path `{path}` does not begin with `/`")]
    Path {
        /// The path, escaped and shortened.
        path: String,
    },
    /// The path has a `%` that two hexadecimal digits do not follow.
    #[error(
        "the path `{path}` has a `%` that is not followed by two hexadecimal digits; write `%25` for the sign itself"
    )]
    PercentEncoding {
        /// The path, escaped and shortened.
        path: String,
    },
    /// A NUL byte, plain or (in the path) encoded.
    #[error("the request's {what} has a NUL byte, which no program's environment can carry")]
    Nul {
        /// The part of the request.
        what: &'static str,
    },
}

/// A program's environment: names in ASCII, values of any bytes but NUL, sorted by name.
///
/// Values are bytes because a decoded `PATH_INFO` need not be UTF-8. All names and values lie in
/// one buffer; a lookup is a binary search.
#[derive(Clone, Default)]
pub struct Variables {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

/// Where a variable's name and value lie.
#[derive(Clone)]
struct Entry {
    name: Range<usize>,
    value: Range<usize>,
}

/// Fields that never reach a program as `HTTP_*`. They speak of the
/// connection, not of the request (RFC 9110 section 7.6.1); or have a variable of their own; or are
/// a proxy's business; or, as `Proxy`, would be taken for a setting (CVE-2016-5385, "httpoxy").
const DROPPED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What a prefix keeps as it is when it is encoded again for `REQUEST_URI`.
const PREFIX: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'~').remove(b'-').remove(b'_').remove(b'.');

/// Variables that every request has, as a first guess at how many entries there will be.
const VARIABLES_USUAL: usize = 20;

impl Variables {
    /// The variables of a request. `body_bytes` is the length of its body with all transfer codings
    /// removed, `None` where it has none, which is not the same as an empty one.
    ///
    /// # Errors
    ///
    /// If the request cannot be expressed as variables; it is then to be answered with 400.
    pub fn new(
        request: &RequestHead,
        body_bytes: Option<u64>,
        context: &Context<'_>,
    ) -> Result<Variables, RequestError> {
        let is_method = !request.method.is_empty()
            && request.method.len() <= METHOD_BYTES_MAX
            && request.method.bytes().all(crate::field::is_token_byte);
        if !is_method {
            return Err(RequestError::Method { method: crate::escape::quote(request.method.as_bytes()) });
        }
        let mut variables = Variables {
            text: Vec::with_capacity(1024),
            entries: Vec::with_capacity(VARIABLES_USUAL + request.headers.len() + context.env.len()),
        };
        variables.push_request(request)?;
        variables.push_fields(request, context.forward_authorization);
        if let Some(bytes) = body_bytes {
            variables.push("CONTENT_LENGTH", bytes.to_string());
        }
        variables.refuse_nul()?;
        variables.push_context(context);
        variables.sort();
        variables.join_repeated();
        Ok(variables)
    }

    /// A variable's value; the case of its name matters.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        let at = self.entries.binary_search_by(|entry| self.slice(&entry.name).cmp(name)).ok()?;
        self.entries.get(at).map(|entry| self.slice(&entry.value))
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.entries.iter().map(|entry| {
            // Names are ASCII by construction, so the default is never taken.
            let name = std::str::from_utf8(self.slice(&entry.name)).unwrap_or_default();
            (name, self.slice(&entry.value))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none, as before anything was asked for.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push_request(&mut self, request: &RequestHead) -> Result<(), RequestError> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        self.push("GATEWAY_INTERFACE", "CGI/1.1");
        self.push("PATH_INFO", path::decode(path)?);
        self.push("QUERY_STRING", query);
        self.push("REMOTE_ADDR", &request.remote_addr);
        self.push("REMOTE_HOST", &request.remote_addr);
        self.push("REQUEST_METHOD", &request.method);
        self.push("SCRIPT_NAME", &request.script_name);
        self.push("SERVER_NAME", &request.server_name);
        self.push("SERVER_PORT", request.server_port.to_string());
        self.push("SERVER_PROTOCOL", &request.protocol);
        self.push("SERVER_SOFTWARE", SERVER_SOFTWARE);
        if request.scheme == Scheme::Https {
            self.push("HTTPS", "on");
        }
        self.push_request_uri(request);
        Ok(())
    }

    /// `REQUEST_URI`: the target as it came, with the prefix that led to the handler.
    fn push_request_uri(&mut self, request: &RequestHead) {
        let name = self.append("REQUEST_URI");
        let start = self.text.len();
        for part in utf8_percent_encode(&request.script_name, PREFIX) {
            self.text.extend_from_slice(part.as_bytes());
        }
        if request.script_name.is_empty() && !request.target.starts_with('/') {
            self.text.push(b'/');
        }
        self.text.extend_from_slice(request.target.as_bytes());
        self.entries.push(Entry { name, value: start..self.text.len() });
    }

    /// The request's fields as `HTTP_*`; one that is repeated has several entries, until they are joined.
    fn push_fields(&mut self, request: &RequestHead, forward_authorization: bool) {
        let (mut has_host, mut has_content_type) = (false, false);
        for (field, value) in &request.headers {
            if field.eq_ignore_ascii_case("content-type") && !has_content_type {
                has_content_type = true;
                self.push("CONTENT_TYPE", value);
            }
            if !field_passes(field, forward_authorization) {
                continue;
            }
            has_host |= field.eq_ignore_ascii_case("host");
            let start = self.text.len();
            self.text.extend_from_slice(b"HTTP_");
            self.text.extend(
                field.bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }),
            );
            let name = start..self.text.len();
            let value = self.append(value);
            self.entries.push(Entry { name, value });
        }
        if !has_host && !request.server_name.is_empty() {
            self.push_host(request);
        }
    }

    /// `HTTP_HOST` where no `Host` field came: HTTP/2 has `:authority`, HTTP/1.0 nothing.
    fn push_host(&mut self, request: &RequestHead) {
        let is_default =
            matches!((request.scheme, request.server_port), (Scheme::Http, 80) | (Scheme::Https, 443));
        if is_default {
            self.push("HTTP_HOST", &request.server_name);
        } else {
            self.push("HTTP_HOST", format!("{}:{}", request.server_name, request.server_port));
        }
    }

    fn push_context(&mut self, context: &Context<'_>) {
        self.push("RUN_ID", context.run_id.to_string());
        self.push("WORKER_ID", context.worker_id);
        for (name, value) in context.env {
            if settings::may_pass(name, value) {
                self.push(name, value);
            }
        }
    }

    /// Only what the client sent is checked here: the rest has no NUL.
    fn refuse_nul(&self) -> Result<(), RequestError> {
        let Some(entry) = self.entries.iter().find(|entry| self.slice(&entry.value).contains(&0)) else {
            return Ok(());
        };
        let what = match self.slice(&entry.name) {
            b"PATH_INFO" | b"QUERY_STRING" | b"REQUEST_URI" | b"SCRIPT_NAME" => "target",
            b"REMOTE_ADDR" | b"REMOTE_HOST" => "client address",
            b"SERVER_NAME" => "host",
            b"SERVER_PROTOCOL" => "protocol",
            _ => "header",
        };
        Err(RequestError::Nul { what })
    }

    /// By name; those of one name in the order of their arrival.
    fn sort(&mut self) {
        let Variables { text, entries } = self;
        let slice = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        entries.sort_unstable_by(|a, b| {
            slice(&a.name).cmp(slice(&b.name)).then(a.value.start.cmp(&b.value.start))
        });
    }

    /// Makes one entry of those that have the same name, which only fields can have: joined by `, `
    /// (RFC 9110 section 5.3), cookies by `; ` (RFC 6265 section 5.4).
    fn join_repeated(&mut self) {
        let Variables { text, entries } = self;
        entries.dedup_by(|next, kept| {
            let name = text.get(kept.name.clone()).unwrap_or_default();
            if text.get(next.name.clone()) != Some(name) {
                return false;
            }
            let separator: &[u8] = if name == b"HTTP_COOKIE" { b"; " } else { b", " };
            // What is joined a second time already lies at the end of the text, and grows there.
            if kept.value.end != text.len() {
                let start = text.len();
                text.extend_from_within(kept.value.clone());
                kept.value.start = start;
            }
            text.extend_from_slice(separator);
            text.extend_from_within(next.value.clone());
            kept.value.end = text.len();
            true
        });
    }

    fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = self.append(name);
        let value = self.append(value);
        self.entries.push(Entry { name, value });
    }

    fn append(&mut self, bytes: impl AsRef<[u8]>) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes.as_ref());
        start..self.text.len()
    }

    /// Every range was made when its bytes were appended, so it always lies within the text.
    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// Names only: a value may be a secret.
impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("forward_authorization", &self.forward_authorization)
            .field("run_id", &self.run_id)
            .field("worker_id", &self.worker_id)
            .finish()
    }
}

/// Names only: a value may be a secret.
impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a request's field becomes a variable. `_` would make two fields one name, so a name with
/// anything but letters, digits and `-` is dropped.
fn field_passes(name: &str, forward_authorization: bool) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name))
        && (forward_authorization || !name.eq_ignore_ascii_case("authorization"))
}
