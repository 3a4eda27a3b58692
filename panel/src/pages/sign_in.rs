//! Signing in and out.

use askama::Template;
use http::Method;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{LoginRequest, SessionGrant, SignIn};

use crate::api::Refused;
use crate::request::{Form, Request, SESSION_COOKIE, VISITOR_COOKIE};
use crate::response::{Response, form_status, page, see_other, set_cookie};
use crate::shell::{Shell, Visitor};

/// Longest way that is remembered over a sign-in, in bytes.
const NEXT_BYTES_MAX: usize = 1_000;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    shell: Shell,
    ways: SignIn,
    username: &'a str,
    next: &'a str,
    /// The host, if it was asked in a way in which browsers keep no cookies of ours.
    insecure: Option<&'a str>,
    error: Option<Refused>,
}

/// The form.
pub(crate) async fn show(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let next = request.query("next").unwrap_or_default();
    if visitor.user.is_some() {
        return Ok(see_other(local(next)));
    }
    form_page(request, visitor, "", next, None).await
}

/// The form, filled in.
pub(crate) async fn send(request: &Request, visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let login = LoginRequest {
        username: form.get("username").trim().to_owned(),
        password: form.get("password").to_owned(),
    };
    let next = form.get("next");
    match visitor.api.send::<SessionGrant>(Method::POST, "/api/v1/sessions", &login).await {
        Ok(session) => Ok(signed_in(visitor, &session, next).await),
        Err(refused) => form_page(request, visitor, &login.username, next, Some(refused)).await,
    }
}

/// Ends the session.
pub(crate) async fn out(visitor: &Visitor) -> Result<Response, Refused> {
    if visitor.user.is_some() {
        visitor.api.act(Method::POST, "/api/v1/logout").await?;
    }
    let mut response = visitor.done("/sign-in", "You are signed out.");
    set_cookie(&mut response, SESSION_COOKIE, "", Some(0));
    Ok(response)
}

/// On, with the new session's cookie. A session that there was before ends, and what tied forms to the browser is done with.
pub(crate) async fn signed_in(visitor: &Visitor, session: &SessionGrant, next: &str) -> Response {
    if visitor.user.is_some()
        && let Err(refused) = visitor.api.act(Method::POST, "/api/v1/logout").await
    {
        tracing::warn!(code = refused.error.code, "the session before could not be ended");
    }
    let mut response = see_other(local(next));
    let seconds = session.expires_at.0.saturating_sub(Timestamp::now().0) / 1000;
    set_cookie(&mut response, SESSION_COOKIE, &session.secret, Some(seconds.max(0)));
    set_cookie(&mut response, VISITOR_COOKIE, "", Some(0));
    response
}

/// A path of this panel, whatever was asked for: never another site.
fn local(next: &str) -> &str {
    let is_path = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= NEXT_BYTES_MAX
        && !next.contains(|character: char| character == '\\' || character.is_control());
    if is_path { next } else { "/handlers" }
}

/// The host, if the browser asked it over plain HTTP and it is not the browser's own machine: then no browser keeps
/// cookies that are `Secure`. Browsers say `Sec-Fetch-Site` only where they trust the way (Fetch Metadata, 2), which
/// sees through every proxy.
fn insecure(request: &Request) -> Option<&str> {
    let host = request.host();
    let forwarded =
        request.header("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let trusted = request.header("sec-fetch-site").is_some() || forwarded || request.is_https();
    (!trusted && !is_this_machine(host)).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    if host.starts_with("[::1]") {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

async fn form_page(
    request: &Request,
    visitor: &Visitor,
    username: &str,
    next: &str,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let ways = visitor.api.get("/api/v1/sign-in").await?;
    let status = form_status(error.as_ref());
    let (shell, insecure) = (visitor.shell("Sign in"), insecure(request));
    Ok(page(status, &SignInPage { shell, ways, username, next, insecure, error }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn whoever_signs_in_stays_on_this_site() {
        assert_eq!(local("/handlers/hello"), "/handlers/hello");
        let long = format!("/{}", "a".repeat(NEXT_BYTES_MAX));
        for elsewhere in [
            "",
            "https://example.com/",
            "//example.com",
            "/\\example.com",
            "/\t/example.com",
            "javascript:alert(1)",
            "/a\r\nb",
            &long,
        ] {
            assert_eq!(local(elsewhere), "/handlers", "{elsewhere}");
        }
    }

    #[test]
    fn whoever_comes_in_a_way_in_which_cookies_are_not_kept_is_told() {
        let asked = |fields: &[(&str, &str)]| {
            let mut builder = http::Request::builder().uri("/sign-in");
            for (name, value) in fields {
                builder = builder.header(*name, *value);
            }
            let request = Request::new(builder.body(()).unwrap().into_parts().0, Bytes::new());
            insecure(&request).map(str::to_owned)
        };
        assert_eq!(asked(&[("host", "box.example:8080")]).as_deref(), Some("box.example:8080"));
        assert_eq!(asked(&[("host", "10.0.0.7")]).as_deref(), Some("10.0.0.7"));
        assert_eq!(asked(&[("host", "127.0.0.1.example")]).as_deref(), Some("127.0.0.1.example"));
        for good in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "panel.localhost:8080"] {
            assert_eq!(asked(&[("host", good)]), None, "{good}");
        }
        for field in [("sec-fetch-site", "none"), ("x-forwarded-proto", "https")] {
            assert_eq!(asked(&[("host", "box.example"), field]), None, "{field:?}");
        }
    }
}
