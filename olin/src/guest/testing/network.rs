//! The double's network: what URLs answer, and the connections to them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use ::http::{HeaderName, HeaderValue, Method, Request, Response};

use super::super::http::field;
use crate::abi::Error;

/// Most header fields of a request that is read.
const FIELDS_MAX: usize = 128;

type Answers<Q, A> = Rc<RefCell<dyn FnMut(&Q) -> A>>;

/// What a URL answers.
#[derive(Clone)]
pub(super) enum Site {
    Denied,
    NotFound,
    Bytes(Vec<u8>),
    /// These, and then an error in place of the end.
    Cut(Vec<u8>),
    Http(Answers<Request<Vec<u8>>, Response<Vec<u8>>>),
    WebSocket(Answers<[u8], Vec<Vec<u8>>>),
}

impl Site {
    pub(super) fn http(answer: impl FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>> + 'static) -> Site {
        Site::Http(Rc::new(RefCell::new(answer)))
    }

    pub(super) fn web_socket(answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> Site {
        Site::WebSocket(Rc::new(RefCell::new(answer)))
    }
}

/// A connection to a site.
pub(super) struct Connection {
    pub(super) url: String,
    site: Site,
    unsent: Vec<u8>,
    /// What is still to be read; a message each on a WebSocket.
    coming: VecDeque<Vec<u8>>,
    /// How much of the first of them was read.
    position: usize,
    answered: bool,
}

/// What a site's own function is to be asked, once nothing of the double is in use.
pub(super) enum Question {
    Http(Box<Request<Vec<u8>>>, Answers<Request<Vec<u8>>, Response<Vec<u8>>>),
    Message(Vec<u8>, Answers<[u8], Vec<Vec<u8>>>),
}

impl Question {
    /// What the site says, and the request if it was one.
    pub(super) fn ask(self) -> (Vec<Vec<u8>>, Option<Request<Vec<u8>>>) {
        match self {
            Question::Http(request, answer) => {
                let response = (answer.borrow_mut())(&request);
                (vec![written(&request, response)], Some(*request))
            }
            Question::Message(message, answer) => ((answer.borrow_mut())(&message), None),
        }
    }
}

/// Connects to the first site whose beginning fits.
pub(super) fn connect(sites: &[(String, Site)], url: &str) -> Result<Connection, Error> {
    let site = sites.iter().find(|(beginning, _)| url.starts_with(beginning)).map(|(_, site)| site.clone());
    match site {
        None => Err(Error::Unknown),
        Some(Site::Denied) => Err(Error::PermissionDenied),
        // A WebSocket connects when it is opened; the others when they are flushed.
        Some(Site::NotFound) if url.starts_with("ws") => Err(Error::NotFound),
        Some(site) => Ok(Connection {
            url: url.to_owned(),
            site,
            unsent: Vec::new(),
            coming: VecDeque::new(),
            position: 0,
            answered: false,
        }),
    }
}

impl Connection {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let messages = matches!(self.site, Site::WebSocket(_));
        if !self.answered && !messages {
            return Err(Error::InvalidArgument);
        }
        let Some(first) = self.coming.front() else { return Err(self.end()) };
        let rest = first.get(self.position..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (room, byte) in buffer.iter_mut().zip(rest) {
            *room = *byte;
        }
        self.position += count;
        // A message that ends where the buffer does ends by a read of nothing.
        if count < buffer.len() || count == 0 {
            self.coming.pop_front();
            self.position = 0;
        }
        match count {
            0 if !messages && !buffer.is_empty() => Err(self.end()),
            count => Ok(count),
        }
    }

    /// What reading comes to where nothing is left.
    fn end(&self) -> Error {
        match self.site {
            Site::Cut(_) => Error::Unknown,
            _ => Error::EndOfFile,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<Option<Question>, Error> {
        match &self.site {
            Site::WebSocket(answer) => Ok(Some(Question::Message(bytes.to_vec(), answer.clone()))),
            _ if self.answered => Err(Error::InvalidArgument),
            _ => {
                self.unsent.extend_from_slice(bytes);
                Ok(None)
            }
        }
    }

    pub(super) fn flush(&mut self) -> Result<Option<Question>, Error> {
        if self.answered {
            return Ok(None);
        }
        let question = match &self.site {
            Site::Http(answer) => {
                let request = request(&self.url, &self.unsent).ok_or(Error::InvalidArgument)?;
                Some(Question::Http(Box::new(request), answer.clone()))
            }
            Site::NotFound => return Err(Error::NotFound),
            Site::Bytes(bytes) | Site::Cut(bytes) => {
                self.coming.push_back(bytes.clone());
                None
            }
            Site::WebSocket(_) | Site::Denied => return Ok(None),
        };
        self.answered = true;
        Ok(question)
    }

    /// Takes in what the site said.
    pub(super) fn take(&mut self, said: Vec<Vec<u8>>) {
        self.coming.extend(said);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.url)
    }
}

/// The request that these bytes are, with the whole URL: the origin that was opened, and its own path.
fn request(url: &str, bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let mut request = Request::new(bytes.get(length..)?.to_vec());
    *request.uri_mut() = format!("{scheme}://{authority}{}", parsed.path?).parse().ok()?;
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(request)
}

/// A response as HTTP/1.1's bytes.
fn written(request: &Request<Vec<u8>>, response: Response<Vec<u8>>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let mut bytes = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        field(&mut bytes, name.as_str(), value.as_bytes());
    }
    if !parts.headers.contains_key("content-length") {
        field(&mut bytes, "content-length", body.len().to_string().as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if request.method() != Method::HEAD {
        bytes.extend_from_slice(&body);
    }
    bytes
}
