//! What every page has around its own: who is signed in, where one can go, what just happened.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::User;

use crate::api::{Api, Client, Refused};
use crate::csrf;
use crate::request::{FLASH_COOKIE, Form, Request, SESSION_COOKIE, VISITOR_COOKIE, cookie, session_secret};
use crate::response::{Response, page, see_other, set_cookie};
use crate::router::said;

/// Longest sentence that is carried to the next page, in characters.
const FLASH_CHARS_MAX: usize = 300;

/// Whoever looks at a page: the API in their name, and what forms are tied to.
pub(crate) struct Visitor {
    pub api: Client,
    /// Who is signed in.
    pub user: Option<User>,
    /// Whether the browser has a session's cookie that is good for nothing any more.
    pub is_over: bool,
    /// What the forms' tokens are made of.
    secret: String,
    /// Whether the secret is new, so that its cookie has to be set.
    is_new: bool,
    flash: Option<String>,
    path: String,
    /// Where to come back to after signing in: the page itself, or the page that a form was on.
    here: String,
}

impl Visitor {
    /// Finds out who looks. A session that is over is nobody's; any other error is the page's to show. Where the API
    /// refuses the person, as one who is suspended, the session is over too; where it does not work, it is not.
    pub(crate) async fn of(request: &Request, api: Arc<dyn Api>) -> Result<Visitor, (Visitor, Refused)> {
        let session = session_secret(&request.headers);
        let user_agent = request.header("user-agent").unwrap_or("-").to_owned();
        let client = Client::new(api, session.clone(), user_agent);
        let (user, refused) = match &session {
            None => (None, None),
            Some(_) => match client.get::<User>("/api/v1/whoami").await {
                Ok(user) => (Some(user), None),
                Err(refused) if refused.status == StatusCode::UNAUTHORIZED => (None, None),
                Err(refused) => (None, Some(refused)),
            },
        };
        let refusal = refused.as_ref().map(|refused| refused.status);
        let is_over =
            session.is_some() && user.is_none() && matches!(refusal, None | Some(StatusCode::FORBIDDEN));
        let known = session.filter(|_| user.is_some()).or_else(|| cookie(&request.headers, VISITOR_COOKIE));
        let flash = cookie(&request.headers, FLASH_COOKIE)
            .map(|text| percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned());
        let visitor = Visitor {
            api: client,
            user,
            is_over,
            is_new: known.is_none(),
            secret: known.unwrap_or_else(csrf::fresh_secret),
            flash: flash.map(|text| text.chars().take(FLASH_CHARS_MAX).collect()),
            path: request.path.clone(),
            here: page_of(request),
        };
        match refused {
            None => Ok(visitor),
            Some(refused) => Err((visitor, refused)),
        }
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// Nobody is: [`Visitor::refused`] makes a way to the sign-in and back of it.
    pub(crate) fn known(&self) -> Result<&User, Refused> {
        let sign_in =
            || said(StatusCode::UNAUTHORIZED, "unauthorized", "you are not signed in", "sign in first");
        self.user.as_ref().ok_or_else(sign_in)
    }

    /// To the sign-in, and back here after it.
    pub(crate) fn to_sign_in(&self) -> Response {
        see_other(&format!("/sign-in?next={}", encoded(&self.here)))
    }

    /// Whether a form was sent from a page that this browser was given.
    pub(crate) fn sent(&self, request: &Request, form: &Form) -> bool {
        csrf::is_ours(request, form, &self.secret)
    }

    /// What surrounds a page with this title.
    pub(crate) fn shell(&self, title: &str) -> Shell {
        Shell {
            title: title.to_owned(),
            user: self.user.clone(),
            csrf: csrf::token(&self.secret),
            flash: self.flash.clone(),
            section: self.path.split('/').nth(1).unwrap_or_default().to_owned(),
            assets: crate::assets::HASH.clone(),
        }
    }

    /// The page that says why something did not happen.
    pub(crate) fn refused(&self, refused: &Refused) -> Response {
        if refused.status == StatusCode::UNAUTHORIZED {
            return self.to_sign_in();
        }
        let template =
            Problem { shell: self.shell("That did not work"), status: refused.status.as_u16(), refused };
        page(refused.status, &template)
    }

    /// Another page, with a sentence on it.
    pub(crate) fn done(&self, to: &str, sentence: &str) -> Response {
        let mut response = see_other(to);
        set_cookie(&mut response, FLASH_COOKIE, &encoded(sentence), Some(60));
        response
    }

    /// Sets the cookies that the next request needs, and takes back those that are used up.
    pub(crate) fn finish(&self, request: &Request, response: &mut Response) {
        if self.is_new && request.method == http::Method::GET && response.status().is_success() {
            set_cookie(response, VISITOR_COOKIE, &self.secret, None);
        }
        let shown = response.status().is_success() || response.status().is_client_error();
        if self.flash.is_some() && shown {
            set_cookie(response, FLASH_COOKIE, "", Some(0));
        }
        if self.is_over && !sets_session(response) {
            set_cookie(response, SESSION_COOKIE, "", Some(0));
        }
    }
}

fn sets_session(response: &Response) -> bool {
    let cookies = response.headers().get_all(http::header::SET_COOKIE).iter();
    cookies.filter_map(|cookie| cookie.to_str().ok()).any(|cookie| cookie.starts_with("__Host-wasmcloud="))
}

/// The page that a request is for; for a form, the page that it was on, which the browser names to ourselves alone.
fn page_of(request: &Request) -> String {
    if request.method != http::Method::POST {
        return request.target.clone();
    }
    let page = request.header("referer").and_then(|page| url::Url::parse(page).ok());
    page.map_or_else(
        || "/".to_owned(),
        |page| match page.query() {
            Some(query) => format!("{}?{query}", page.path()),
            None => page.path().to_owned(),
        },
    )
}

/// What is encoded in addresses and cookies: all but letters, digits and these, which mean nothing else in either.
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Text as a part of an address, or of a cookie.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string()
}

/// What `layout.html` shows around a page.
pub(crate) struct Shell {
    pub title: String,
    pub user: Option<User>,
    pub csrf: String,
    pub flash: Option<String>,
    /// The first segment of the path, whose place in the navigation is marked.
    pub section: String,
    /// The hash in the assets' addresses.
    pub assets: String,
}

impl Shell {
    /// Whether the person operates this installation.
    pub(crate) fn is_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.is_admin)
    }
}

/// Why something did not happen.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    shell: Shell,
    status: u16,
    refused: &'a Refused,
}
