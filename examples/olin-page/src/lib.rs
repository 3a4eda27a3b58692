//! A page with its own style: files of this folder, which the compiler puts into the module.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use olin::http::{HeaderValue, Method, Request, RequestExt as _, Response, StatusCode, header};
use olin::{Body, Failure, reply};

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(reply::status(StatusCode::METHOD_NOT_ALLOWED));
    }
    match request.path().segments()[..] {
        [] => file(&request, "text/html; charset=utf-8", include_str!("index.html")),
        ["style.css"] => file(&request, "text/css; charset=utf-8", include_str!("style.css")),
        _ => Ok(reply::status(StatusCode::NOT_FOUND)),
    }
}

/// A file, or 304 for who has it already.
fn file(request: &Request<Body>, content_type: &'static str, text: &str) -> Result<Response<Body>, Failure> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = request.header("if-none-match").unwrap_or_default();
    let mut response =
        if known.split(',').any(|known| [tag.as_str(), "*"].contains(&known.trim().trim_start_matches("W/")))
        {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            reply::content(content_type, text)
        };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::try_from(tag)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    fn got(path: &str, known: &str) -> Response<Vec<u8>> {
        let host = Host::new().request(Request::get(path).header("If-None-Match", known).body("").unwrap());
        olin::serve(handle);
        host.response()
    }

    #[test]
    fn the_page_and_its_style_have_their_types() {
        let page = got("/", "");
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (200, &HeaderValue::from_static("text/html; charset=utf-8"))
        );
        assert!(String::from_utf8_lossy(page.body()).contains("href=\"style.css\""));
        assert_eq!(got("/style.css", "").headers()["content-type"], "text/css; charset=utf-8");
        assert_eq!(got("/script.js", "").status(), 404);
    }

    #[test]
    fn who_has_it_already_is_told_so() {
        let tag = got("/", "").headers()["etag"].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("\"old\", W/{tag}"), "*".to_owned()] {
            let answer = got("/", &known);
            assert_eq!((answer.status().as_u16(), answer.body().len()), (304, 0), "{known}");
        }
        assert_eq!(got("/style.css", &tag).status(), 200);
    }
}
