//! What the browser asks for: path, query, cookies, form.

use std::convert::Infallible;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, header};

/// The cookie that holds a session's secret. Its prefix makes browsers refuse it from any other host and over plain
/// HTTP (RFC 6265bis, 4.1.3.2).
pub const SESSION_COOKIE: &str = "__Host-wasmcloud";
/// The cookie that ties forms to a browser before there is a session.
pub(crate) const VISITOR_COOKIE: &str = "__Host-wasmcloud-visitor";
/// The cookie that ties a sign-in at a provider to the browser that began it.
pub(crate) const FLOW_COOKIE: &str = "__Host-wasmcloud-flow";
/// The cookie that carries a sentence to the next page.
pub(crate) const FLASH_COOKIE: &str = "__Host-wasmcloud-flash";
/// Most fields of a form.
const FORM_FIELDS_MAX: usize = 1_000;

/// The session's secret in a request's cookies, if there is one that could be one.
pub fn session_secret(headers: &HeaderMap) -> Option<String> {
    let secret = cookie(headers, SESSION_COOKIE)?;
    (!secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(secret)
}

/// The only cookie of this name; two of them are none.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut values = fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned());
    values.next().filter(|_| values.next().is_none())
}

/// A request for a page.
pub(crate) struct Request {
    pub method: Method,
    /// The path as it is in the address.
    pub path: String,
    /// The path with its query.
    pub target: String,
    pub headers: HeaderMap,
    /// What the address says of the host, where it does: in HTTP/2.
    authority: Option<String>,
    is_https: bool,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl Request {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Request {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Request {
            query: url::form_urlencoded::parse(query).into_owned().collect(),
            path: parts.uri.path().to_owned(),
            target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            is_https: parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS),
            authority: parts.uri.authority().map(ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
        }
    }

    /// The path's segments, percent-decoded.
    pub(crate) fn segments(&self) -> Vec<String> {
        let segments = self.path.split('/').filter(|segment| !segment.is_empty());
        segments
            .map(|one| percent_encoding::percent_decode_str(one).decode_utf8_lossy().into_owned())
            .collect()
    }

    /// A field of the query that is not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let value = self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// A header field as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The host, perhaps with a port, that the browser asked.
    pub(crate) fn host(&self) -> &str {
        self.authority.as_deref().or_else(|| self.header("host")).unwrap_or_default()
    }

    /// Whether the address says that it was asked over TLS: in HTTP/2.
    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// The form in the body, in either encoding that browsers use.
    pub(crate) async fn form(&self) -> Result<Form, FormError> {
        let kind = self.header("content-type").unwrap_or_default();
        match multer::parse_boundary(kind) {
            Ok(boundary) => multipart(self.body.clone(), boundary).await,
            Err(_) => {
                let fields = url::form_urlencoded::parse(&self.body).into_owned().take(FORM_FIELDS_MAX);
                Ok(Form { fields: fields.collect(), files: Vec::new() })
            }
        }
    }
}

/// A form's body cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the form cannot be read: {0}")]
pub(crate) struct FormError(#[from] multer::Error);

async fn multipart(body: Bytes, boundary: String) -> Result<Form, FormError> {
    let stream = futures::stream::once(async move { Ok::<Bytes, Infallible>(body) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut form = Form::default();
    while form.fields.len() + form.files.len() < FORM_FIELDS_MAX {
        let Some(field) = parts.next_field().await? else { break };
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            Some(file_name) => form.files.push(File { name, file_name, bytes: field.bytes().await? }),
            None => form.fields.push((name, field.text().await?)),
        }
    }
    Ok(form)
}

/// What somebody filled in.
#[derive(Clone, Default)]
pub(crate) struct Form {
    pub fields: Vec<(String, String)>,
    pub files: Vec<File>,
}

/// A file of a form.
#[derive(Clone)]
pub(crate) struct File {
    /// The form field's name.
    pub name: String,
    /// What the browser calls the file.
    pub file_name: String,
    pub bytes: Bytes,
}

impl Form {
    /// A field as it was filled in, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// A field without space around it, if anything is left of it.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// All values of a field: those of ticked boxes.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a box is ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        self.fields.iter().any(|(found, _)| found == name)
    }

    /// A file that was chosen.
    pub(crate) fn file(&self, name: &str) -> Option<&File> {
        self.files
            .iter()
            .find(|file| file.name == name && !(file.bytes.is_empty() && file.file_name.is_empty()))
    }
}
