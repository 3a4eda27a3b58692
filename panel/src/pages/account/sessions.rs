//! Sessions: the browsers in which the user is signed in.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::SessionInfo;

use crate::api::{Refused, path};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct SessionsPage {
    shell: Shell,
    sessions: Vec<SessionInfo>,
}

/// All of them, this one first.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    let mut sessions = all(visitor).await?;
    sessions.sort_by_key(|session| (!session.current, std::cmp::Reverse(session.seen_at)));
    Ok(page(StatusCode::OK, &SessionsPage { shell: visitor.shell("Sessions"), sessions }))
}

/// Ends one. One that has ended meanwhile is what was wanted.
pub(super) async fn end(visitor: &Visitor, id: &str) -> Result<Response, Refused> {
    end_one(visitor, id).await?;
    Ok(visitor.done("/account/sessions", "The session has ended."))
}

/// Ends all but this one.
pub(super) async fn end_others(visitor: &Visitor) -> Result<Response, Refused> {
    let mut ended = 0_u32;
    for session in all(visitor).await?.iter().filter(|session| !session.current) {
        end_one(visitor, &session.id.to_string()).await?;
        ended += 1;
    }
    let sentence = match ended {
        0 => "There is no other session.".to_owned(),
        1 => "The other session has ended.".to_owned(),
        _ => format!("{ended} other sessions have ended."),
    };
    Ok(visitor.done("/account/sessions", &sentence))
}

async fn all(visitor: &Visitor) -> Result<Vec<SessionInfo>, Refused> {
    visitor.api.get("/api/v1/sessions").await
}

async fn end_one(visitor: &Visitor, id: &str) -> Result<(), Refused> {
    match visitor.api.act(Method::DELETE, &path(&["sessions", id])).await {
        Err(refused) if refused.status != StatusCode::NOT_FOUND => Err(refused),
        _ => Ok(()),
    }
}

/// A browser and a system, where what the browser says of itself is known; all that it says where not.
fn browser(user_agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    // Each one claims to be those after it as well.
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ => crate::format::visible(user_agent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_where_they_are_known() {
        for (says, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.14.1", "curl/8.14.1"),
            ("-", "-"),
            ("a\u{202e}b", "a‹U+202E›b"),
        ] {
            assert_eq!(browser(says), name);
        }
    }
}
