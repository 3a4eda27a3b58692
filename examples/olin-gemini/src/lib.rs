//! Shows a page of Gemini as HTML: `GET /?url=gemini://capsule.example/`.

use olin::http::{Request, RequestExt as _, Response, StatusCode};
use olin::{Body, Failure, gemini, reply};

/// Largest page that is shown, in bytes.
const PAGE_BYTES_MAX: usize = 1 << 20;

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    let Some(url) = request.query("url") else {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "which page? say /?url=gemini://…"));
    };
    let response = gemini::get(&url).map_err(|error| match error {
        olin::net::Error::Url { .. } => Failure::new(StatusCode::BAD_REQUEST, error),
        error => error.into(),
    })?;
    if !response.is_success() {
        let words = format!("the capsule says {} {}", response.status, response.meta);
        return Err(Failure::new(StatusCode::BAD_GATEWAY, words));
    }
    if !response.meta.starts_with("text/gemini") {
        let words = format!("that is no page but {}", response.meta);
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
    }
    let text = response.body.bytes_at_most(PAGE_BYTES_MAX)?;
    Ok(reply::html(html(&String::from_utf8_lossy(&text))))
}

/// Gemini's text, line by line.
fn html(text: &str) -> String {
    let mut page = String::from("<!doctype html>\n<meta charset=\"utf-8\">\n");
    let mut preformatted = false;
    for line in text.lines() {
        if line.starts_with("```") {
            preformatted = !preformatted;
            page.push_str(if preformatted { "<pre>" } else { "</pre>\n" });
        } else if preformatted {
            page.push_str(&escaped(line));
            page.push('\n');
        } else {
            page.push_str(&one_line(line));
        }
    }
    page
}

fn one_line(line: &str) -> String {
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>\n", escaped(text.trim()));
    let beginnings = [("###", "h3"), ("##", "h2"), ("#", "h1"), ("* ", "li"), (">", "blockquote")];
    for (beginning, name) in beginnings {
        if let Some(text) = line.strip_prefix(beginning) {
            return element(name, text);
        }
    }
    match line.strip_prefix("=>") {
        Some(link) => {
            let link = link.trim();
            let (url, name) = link.split_once(char::is_whitespace).unwrap_or((link, link));
            let (url, name) = (escaped(url), escaped(name.trim()));
            // Links that a browser would run as a program are shown and lead nowhere.
            let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
            let leads = scheme.is_none_or(|scheme| ["http", "https", "gemini"].contains(&scheme.as_str()));
            if leads { format!("<p><a href=\"{url}\">{name}</a></p>\n") } else { format!("<p>{name}</p>\n") }
        }
        None => element("p", line),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    fn shown(answer: &str) -> (u16, String) {
        let host = Host::new()
            .request(Request::get("/?url=gemini://a.example/").body("").unwrap())
            .bytes("gemini://a.example/", answer);
        olin::serve(handle);
        let response = host.response();
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    }

    #[test]
    fn a_page_is_shown_as_html() {
        let text = "20 text/gemini\r\n# Tea\n=> gemini://b.example/ Pots & cups\n* <hot>\n```\n  a\n```\n";
        let (status, page) = shown(text);
        assert_eq!(status, 200);
        for part in [
            "<h1>Tea</h1>",
            "<a href=\"gemini://b.example/\">Pots &amp; cups</a>",
            "<li>&lt;hot&gt;</li>",
            "<pre>  a\n</pre>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn a_link_that_would_run_leads_nowhere() {
        let (_, page) = shown("20 text/gemini\r\n=> JavaScript:alert(1) click\n=> \"onclick=x y\n");
        assert!(page.contains("<p>click</p>") && !page.contains("href=\"Java"), "{page}");
        assert!(page.contains("href=\"&quot;onclick=x\""), "{page}");
    }

    #[test]
    fn what_is_no_page_is_said() {
        assert_eq!(shown("51 no tea here\r\n"), (502, "the capsule says 51 no tea here\n".to_owned()));
        assert_eq!(shown("20 image/png\r\n").0, 422);
        assert_eq!(shown("tea\r\n").0, 502);
    }
}
