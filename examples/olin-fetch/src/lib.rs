//! Fetches a page and says what is in it: `GET /?url=https://example.com/`.
//!
//! The handler's policy says which URLs it may fetch; `policy.json` beside this has an example.

use olin::http::{self, Request, RequestExt as _, Response, StatusCode, header};
use olin::{Body, Failure, reply};
use serde::Serialize;

/// Largest page that is looked at, in bytes.
const PAGE_BYTES_MAX: usize = 4 << 20;

#[derive(Serialize)]
struct Summary<'a> {
    url: &'a str,
    status: u16,
    content_type: Option<String>,
    bytes: usize,
    words: usize,
    title: Option<&'a str>,
}

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    let Some(url) = request.query("url") else {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "which page? say /?url=https://example.com/"));
    };
    let response = http::get(&url).map_err(|error| match error {
        olin::net::Error::Url { .. } => Failure::new(StatusCode::BAD_REQUEST, error),
        // Whoever may not know why is told no more than that it did not work; the log has the rest.
        error => error.into(),
    })?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let page = response.into_body().bytes_at_most(PAGE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&page);
    reply::json(&Summary {
        url: &url,
        status,
        content_type,
        bytes: page.len(),
        words: text.split_whitespace().count(),
        title: title(&text),
    })
}

/// What stands between `<title>` and `</title>`.
fn title(page: &str) -> Option<&str> {
    // Lower case of ASCII alone keeps every byte's place.
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title")?;
    let begin = begin + lower.get(begin..)?.find('>')? + 1;
    let end = begin + lower.get(begin..)?.find("</title")?;
    page.get(begin..end).map(str::trim)
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    fn fetched(url: &str) -> (u16, String) {
        let host = Host::new()
            .request(Request::get(format!("/?url={url}")).body("").unwrap())
            .http("https://tea.example/", |_| {
                let page = "<html><Title lang=en> All of Tea </TITLE><p>hot and wet".into();
                Response::builder().status(203).header("Content-Type", "text/html").body(page).unwrap()
            })
            .deny("https://denied.example/");
        olin::serve(handle);
        let response = host.response();
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    }

    #[test]
    fn a_page_is_summed_up() {
        let (status, summary) = fetched("https://tea.example/");
        assert_eq!(status, 200);
        for part in
            [r#""status":203"#, r#""content_type":"text/html""#, r#""words":8"#, r#""title":"All of Tea""#]
        {
            assert!(summary.contains(part), "{part}: {summary}");
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_told_apart() {
        for (url, status) in [
            ("", 400),
            ("file:///etc/passwd", 400),
            ("https://denied.example/", 502),
            ("http://gone.example/", 502),
        ] {
            assert_eq!(fetched(url).0, status, "{url}");
        }
    }

    #[test]
    fn a_page_need_not_have_a_title() {
        for page in ["", "<title", "<title>", "<p>no</p>", "<title>never ends"] {
            assert_eq!(title(page), None, "{page}");
        }
        assert_eq!(title("İ<title>é</title>"), Some("é"));
    }
}
