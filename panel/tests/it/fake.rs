//! An API that answers by method and path, and a browser without JavaScript in front of the panel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use wasmcloud_listener::ResponseBody;

/// A time in the future, in milliseconds: of sessions and tokens.
pub const LATER: i64 = 4_000_000_000_000;
/// A session's secret.
pub const SECRET: &str = "5e55i0n";
/// What no page may hold as it is.
pub const SCRIPT: &str = "<script>alert('x')</script>\"'&";

/// What was asked of the API.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path with query.
    pub what: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Last-Event-ID`.
    pub last_event_id: Option<String>,
    /// The body, if it is JSON.
    pub body: Value,
}

/// An API that answers what it was told to, to whoever asks with [`SECRET`] or asks what everybody may.
#[derive(Default)]
pub struct Fake {
    answers: Mutex<HashMap<String, (u16, Value)>>,
    texts: Mutex<HashMap<String, (&'static str, String)>>,
    asked: Mutex<Vec<Asked>>,
}

impl Fake {
    /// One that knows `alice`, and what everybody may know.
    pub fn new() -> Arc<Fake> {
        let fake = Arc::new(Fake::default());
        fake.on("GET /api/v1/whoami", alice());
        fake.on("GET /api/v1/sign-in", json!({ "registration": "open", "providers": [] }));
        fake.on("POST /api/v1/logout", Value::Null);
        fake
    }

    /// Answers this from now on; with or without the path's query.
    pub fn on(&self, what: &str, body: Value) {
        let status = if body.is_null() { 204 } else { 200 };
        self.answers.lock().unwrap().insert(what.to_owned(), (status, body));
    }

    /// Answers a text of some kind from now on: a stream that has come to its end.
    pub fn streams(&self, what: &str, kind: &'static str, text: &str) {
        self.texts.lock().unwrap().insert(what.to_owned(), (kind, text.to_owned()));
    }

    /// Refuses this from now on.
    pub fn refuses(&self, what: &str, status: u16, code: &str, message: &str) {
        let error =
            json!({ "code": code, "message": message, "hint": "do something else", "request_id": "r-1" });
        self.answers.lock().unwrap().insert(what.to_owned(), (status, json!({ "error": error })));
    }

    /// What was asked that changes something.
    pub fn changes(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| !asked.what.starts_with("GET ")).cloned().collect()
    }

    /// Where the newest request wanted to go on.
    pub fn last_event_id(&self) -> Option<String> {
        self.asked.lock().unwrap().last()?.last_event_id.clone()
    }

    /// The body of the only request of this method and path.
    #[track_caller]
    pub fn told(&self, what: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let mut found = asked.iter().filter(|asked| asked.what == what);
        let first = found.next().unwrap_or_else(|| panic!("{what} was not asked, but {asked:?}"));
        assert!(found.next().is_none(), "{what} was asked more than once");
        first.body.clone()
    }
}

/// A user.
pub fn alice() -> Value {
    json!({
        "id": "0197a000-0000-7000-8000-000000000001",
        "name": "alice",
        "is_admin": false,
        "created_at": 1_795_219_750_123_i64,
    })
}

/// A session that the API grants.
pub fn grant() -> Value {
    json!({ "secret": SECRET, "expires_at": LATER, "user": alice() })
}

#[async_trait]
impl wasmcloud_panel::Api for Fake {
    async fn call(&self, request: Request<Bytes>) -> Response<ResponseBody> {
        let what = format!("{} {}", request.method(), request.uri());
        let without_query = what.split('?').next().unwrap().to_owned();
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let last_event_id =
            request.headers().get("last-event-id").map(|value| value.to_str().unwrap().to_owned());
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let is_known = authorization.as_deref() == Some(&format!("Session {SECRET}"));
        self.asked.lock().unwrap().push(Asked { what: what.clone(), authorization, last_event_id, body });
        let texts = self.texts.lock().unwrap();
        if let Some((kind, text)) =
            texts.get(&what).or_else(|| texts.get(&without_query)).filter(|_| is_known)
        {
            let mut response = Response::new(ResponseBody::from(text.clone()));
            response.headers_mut().insert("content-type", kind.parse().unwrap());
            return response;
        }
        let answers = self.answers.lock().unwrap();
        let public = ["/sign-in", "/sessions", "/register", "/reset", "/oidc/"];
        let is_public = public.iter().any(|path| without_query.contains(&format!("/api/v1{path}")));
        let (status, body) = match answers.get(&what).or_else(|| answers.get(&without_query)) {
            Some(answer) if is_known || is_public => answer.clone(),
            None if is_known => (404, error("handler_not_found", &format!("{what} is not there"))),
            _ => (401, error("unauthorized", "who asks is not known")),
        };
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
        let mut response = Response::new(ResponseBody::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }
}

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "hint": "ask for another", "request_id": "r-1" } })
}

/// An answer of the panel.
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    /// Where a redirect leads.
    pub fn to(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    /// Expects that the page says this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Page {
        assert!(self.body.contains(text), "no {text:?} in {} {}:\n{}", self.status, self.to(), self.body);
        self
    }

    /// Expects that the page does not say this.
    #[track_caller]
    pub fn says_no(&self, text: &str) -> &Page {
        assert!(!self.body.contains(text), "{text:?} in {}:\n{}", self.status, self.body);
        self
    }

    /// Expects a status.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Page {
        assert_eq!(self.status, status, "{}:\n{}", self.to(), self.body);
        self
    }
}

/// A browser that keeps cookies, and sends the token of the page that it looked at last.
pub struct Browser {
    pub api: Arc<Fake>,
    pub cookies: HashMap<String, String>,
}

impl Browser {
    /// One in which nobody is signed in.
    pub fn new(api: &Arc<Fake>) -> Browser {
        Browser { api: Arc::clone(api), cookies: HashMap::new() }
    }

    /// One in which `alice` is.
    pub fn of_alice(api: &Arc<Fake>) -> Browser {
        let cookies = HashMap::from([(wasmcloud_panel::SESSION_COOKIE.to_owned(), SECRET.to_owned())]);
        Browser { api: Arc::clone(api), cookies }
    }

    /// Looks at a page.
    pub async fn get(&mut self, path: &str) -> Page {
        self.ask(Request::get(path), Bytes::new()).await
    }

    /// Sends a form of a page that was looked at just before.
    pub async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page =
            if self.cookies.contains_key(wasmcloud_panel::SESSION_COOKIE) { "/teams" } else { "/sign-in" };
        let token = token(&self.get(page).await);
        let mut fields = fields.to_vec();
        fields.push(("csrf", &token));
        self.send_raw(path, &fields, &[]).await
    }

    /// Sends a form with these fields and header fields alone.
    pub async fn send_raw(&mut self, path: &str, fields: &[(&str, &str)], header: &[(&str, &str)]) -> Page {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in header {
            request = request.header(*name, *value);
        }
        self.ask(request, body.finish().into()).await
    }

    /// Sends a form with a file in its field `module`.
    pub async fn upload(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        file: (&str, &[u8]),
        header: &[(&str, &str)],
    ) -> Page {
        let token = token(&self.get("/teams").await);
        let mut body = Vec::new();
        for (name, value) in fields.iter().chain(&[("csrf", token.as_str())]) {
            let part = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.into_bytes());
        }
        let (name, bytes) = file;
        let part =
            format!("--x\r\ncontent-disposition: form-data; name=\"module\"; filename=\"{name}\"\r\n\r\n");
        body.extend(part.into_bytes());
        body.extend(bytes);
        body.extend(b"\r\n--x--\r\n");
        let mut request = Request::post(path).header("content-type", "multipart/form-data; boundary=x");
        for (name, value) in header {
            request = request.header(*name, *value);
        }
        self.ask(request, body.into()).await
    }

    async fn ask(&mut self, request: http::request::Builder, body: Bytes) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("host", "localhost").header("cookie", cookies.join("; "));
        let api: Arc<dyn wasmcloud_panel::Api> = Arc::clone(&self.api) as _;
        let (parts, body) = wasmcloud_panel::answer(request.body(body).unwrap(), api).await.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{name}");
            assert!(attributes.starts_with("Path=/; Secure; HttpOnly; SameSite=Lax"), "{attributes}");
            match attributes.ends_with("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let body = body.collect().await.unwrap().to_bytes();
        Page {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

/// The token in a page's forms.
#[track_caller]
pub fn token(page: &Page) -> String {
    let (_, rest) = page.body.split_once("<meta name=\"csrf\" content=\"").expect("a page with a token");
    rest.split('"').next().unwrap().to_owned()
}
