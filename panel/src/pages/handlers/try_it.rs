//! Trying a handler: a request from a form, and what comes of it, always as text.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use wasmcloud_listener::ResponseBody;
use wasmcloud_wire::body::{InvokeRequest, Version};
use wasmcloud_wire::{ErrorBody, Event, Header, Receipt, VersionNumber};

use super::log::{Line, passed_on};
use super::{Frame, invalid};
use crate::api::{Refused, path};
use crate::format;
use crate::request::{Form, Request};
use crate::response::{Response, page, text};
use crate::router::said;
use crate::shell::{Shell, Visitor};

/// How much of an answer's body is shown.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How many lines of the log are shown.
const LINES_MAX: usize = 500;
/// The longest event: a part of a body in base64 has far less.
const EVENT_BYTES_MAX: usize = 4 << 20;

#[derive(Template)]
#[template(path = "handlers/try_it.html")]
struct TryPage {
    shell: Shell,
    frame: Frame,
    versions: Vec<Version>,
    form: Form,
    answer: Option<Answer>,
}

impl TryPage {
    /// A field as it was filled in, or its usual value.
    fn or<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        if self.form.fields.is_empty() { usual } else { self.form.get(name) }
    }
}

/// What came of a request.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    headers: Vec<Header>,
    trailers: Vec<Header>,
    /// The body's beginning.
    body: Vec<u8>,
    body_bytes: u64,
    lines: Vec<Line>,
    lines_left_out: usize,
    receipt: Option<Receipt>,
}

impl Answer {
    fn take(&mut self, event: Event) {
        match event {
            Event::Head { status, headers } => (self.status, self.headers) = (Some(status), headers),
            Event::Body { bytes } => {
                let room = BODY_BYTES_MAX.saturating_sub(self.body.len());
                self.body.extend(bytes.iter().take(room));
                self.body_bytes = self.body_bytes.saturating_add(bytes.len() as u64);
            }
            Event::Trailers { fields } => self.trailers = fields,
            Event::Log { .. } if self.lines.len() >= LINES_MAX => self.lines_left_out += 1,
            Event::Log { line } => self.lines.push(Line::of(&line)),
            Event::End { receipt } => self.receipt = Some(*receipt),
        }
    }

    fn is_cut(&self) -> bool {
        self.body_bytes > self.body.len() as u64
    }

    /// The body as text, if it is one.
    fn text(&self) -> Option<String> {
        format::text_of(&self.body, self.is_cut())
    }

    fn hex(&self) -> String {
        format::hex_of(&self.body)
    }

    fn head(&self) -> String {
        fields(&self.headers)
    }

    fn tail(&self) -> String {
        fields(&self.trailers)
    }
}

/// Header fields as lines.
fn fields(fields: &[Header]) -> String {
    let lines =
        fields.iter().map(|(name, value)| format!("{}: {}\n", format::visible(name), format::visible(value)));
    lines.collect()
}

/// The form.
pub(super) async fn show(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let mut form = Form::default();
    for field in ["method", "path", "version"] {
        if let Some(value) = request.query(field) {
            form.fields.push((field.to_owned(), value.to_owned()));
        }
    }
    whole(visitor, Frame::of(visitor, name, "try").await?, form, None).await
}

async fn whole(
    visitor: &Visitor,
    frame: Frame,
    form: Form,
    answer: Option<Answer>,
) -> Result<Response, Refused> {
    let versions = visitor.api.get(&path(&["handlers", frame.name(), "versions"])).await?;
    let (shell, status) = (visitor.shell(&format!("{}: try it", frame.name())), frame.status());
    Ok(page(status, &TryPage { shell, frame, versions, form, answer }))
}

/// Runs the handler, and shows what came of it once it is over.
pub(super) async fn send(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let run = async {
        let body = asked(form)?;
        let path = path(&["handlers", name, "invoke"]);
        collect(visitor.api.stream(Method::POST, &path, &[JSON], body).await).await
    };
    let frame = Frame::of(visitor, name, "try").await?;
    match run.await {
        Ok(answer) => whole(visitor, frame, form.clone(), Some(answer)).await,
        Err(refused) => whole(visitor, frame.failed(refused)?, form.clone(), None).await,
    }
}

/// Runs the handler, and passes on what happens as it happens. Errors have the API's shape, for the script.
pub(super) async fn stream(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let path = path(&["handlers", name, "invoke"]);
    match asked(form) {
        Ok(body) => Ok(passed_on(visitor.api.stream(Method::POST, &path, &[JSON], body).await)),
        Err(refused) => {
            let json = serde_json::to_string(&ErrorBody { error: refused.error }).unwrap_or_default();
            let mut response = text(refused.status, "application/json", json);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// The request that was filled in, as the API takes it.
fn asked(form: &Form) -> Result<Bytes, Refused> {
    let version = form.given("version").map(|version| {
        let number = version.parse().map(VersionNumber);
        number.map_err(|_| invalid(&format!("`{version}` is no version"), "choose one of the list"))
    });
    let request = InvokeRequest {
        method: form.given("method").map(str::to_owned),
        path: form.given("path").map(str::to_owned),
        headers: headers(form.get("headers"))?,
        body_base64: body(form).map(|body| BASE64.encode(body)),
        version: version.transpose()?,
        count_gas: form.ticked("count_gas"),
    };
    let json =
        serde_json::to_vec(&request).map_err(|error| invalid(&error.to_string(), "try another request"))?;
    Ok(json.into())
}

/// The body: the chosen file, else the text. Browsers send every line end of a text as two characters.
fn body(form: &Form) -> Option<Bytes> {
    match form.file("body_file") {
        Some(file) => Some(file.bytes.clone()),
        None => Some(form.get("body").replace("\r\n", "\n")).filter(|body| !body.is_empty()).map(Bytes::from),
    }
}

fn headers(text: &str) -> Result<Vec<Header>, Refused> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fields = lines.map(|line| match line.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(invalid(
            &format!("`{}` is no header field", line.chars().take(100).collect::<String>()),
            "write one field a line, such as `accept: text/html`",
        )),
    });
    fields.collect()
}

/// Reads an invocation's events to their end.
async fn collect(response: Response) -> Result<Answer, Refused> {
    let (parts, mut body) = response.into_parts();
    let (mut answer, mut rest) = (Answer::default(), BytesMut::new());
    if !parts.status.is_success() {
        return Err(refusal(parts.status, body).await);
    }
    while let Some(frame) = body.frame().await {
        let Some(data) = frame.ok().and_then(|frame| frame.into_data().ok()) else { break };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = rest.split_to(end);
            rest.advance(1);
            if let Ok(event) = serde_json::from_slice(&line) {
                answer.take(event);
            }
        }
        if rest.len() > EVENT_BYTES_MAX {
            break;
        }
    }
    match answer.receipt {
        Some(_) => Ok(answer),
        None => Err(said(
            StatusCode::BAD_GATEWAY,
            "interrupted",
            "the run was interrupted before its end",
            "try again; the log may say more",
        )),
    }
}

async fn refusal(status: StatusCode, body: ResponseBody) -> Refused {
    let body = http_body_util::Limited::new(body, EVENT_BYTES_MAX).collect().await;
    let error = body.ok().and_then(|body| serde_json::from_slice::<ErrorBody>(&body.to_bytes()).ok());
    match error {
        Some(body) => Refused { status, error: body.error },
        None => {
            said(StatusCode::BAD_GATEWAY, "unreadable", "the server's own answer cannot be read", "try again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Form { fields: fields.collect(), files: Vec::new() }
    }

    #[test]
    fn a_form_is_a_request() {
        let filled = form(&[
            ("method", "PUT"),
            ("path", "/a?b"),
            ("headers", "Accept: text/html\r\n\r\n x-a:b:c "),
            ("body", "one\r\ntwo"),
            ("version", "3"),
        ]);
        let asked: InvokeRequest = serde_json::from_slice(&asked(&filled).unwrap()).unwrap();
        assert_eq!((asked.method.as_deref(), asked.path.as_deref()), (Some("PUT"), Some("/a?b")));
        assert_eq!(
            asked.headers,
            [("Accept", "text/html"), ("x-a", "b:c")].map(|(a, b)| (a.into(), b.into()))
        );
        assert_eq!(BASE64.decode(asked.body_base64.unwrap()).unwrap(), b"one\ntwo");
        assert_eq!(asked.version, Some(VersionNumber(3)));
    }

    #[test]
    fn what_is_left_empty_is_left_to_the_api() {
        let asked: InvokeRequest = serde_json::from_slice(&asked(&form(&[("body", "")])).unwrap()).unwrap();
        assert!(asked.method.is_none() && asked.path.is_none() && asked.body_base64.is_none());
        assert!(asked.version.is_none() && asked.headers.is_empty());
    }

    #[test]
    fn a_line_that_is_no_field_is_named() {
        let refused = super::asked(&form(&[("headers", "nonsense")])).unwrap_err();
        assert!(refused.error.message.contains("`nonsense`"), "{refused:?}");
        assert!(super::asked(&form(&[("version", "x")])).is_err());
    }

    #[test]
    fn of_a_long_body_the_beginning_is_kept_and_the_size_counted() {
        let mut answer = Answer::default();
        for _ in 0..3 {
            answer.take(Event::Body { bytes: Bytes::from(vec![b'a'; BODY_BYTES_MAX / 2]) });
        }
        assert_eq!((answer.body.len(), answer.body_bytes), (BODY_BYTES_MAX, 3 * BODY_BYTES_MAX as u64 / 2));
        assert!(answer.is_cut() && answer.text().is_some());
    }
}
