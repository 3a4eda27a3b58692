//! What is answered at the addresses of an account that is suspended: a page for people, JSON for programs.

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use wasmcloud_listener::ResponseBody;
use wasmcloud_wire::InvocationId;

/// The page loads nothing, runs nothing and is shown in nobody's frame.
const CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether the client is a browser that shows a page, as far as it says so.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|field| field.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|range| range.eq_ignore_ascii_case("text/html"));
        let is_refused = |part: &str| {
            part.split_once('=').is_some_and(|(name, weight)| {
                name.trim().eq_ignore_ascii_case("q")
                    && weight.trim().parse().is_ok_and(|weight: f32| weight <= 0.0)
            })
        };
        is_html && !parts.any(is_refused)
    })
}

/// The page. The reason is an operator's, and no markup.
pub(crate) fn page(reason: &str, invocation: InvocationId) -> Response<ResponseBody> {
    let reason = escaped(reason);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Suspended</title>\n</head>\n<body>\n<main>\n<h1>This address is suspended</h1>\n<p>{reason}</p>\n\
         <p>If it is yours, ask whoever operates this server, who can lift it.</p>\n\
         <p><small>Request {invocation}</small></p>\n</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(ResponseBody::from(html.into_bytes()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let fields = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, CSP),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "accept"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            character if character.is_control() && character != '\n' => html.push(' '),
            character => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_those_who_ask_for_html() {
        for (accept, wants) in [
            (vec!["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], true),
            (vec!["application/json", "TEXT/HTML; q=0.1"], true),
            (vec!["application/json, text/html;q=0"], false),
            (vec!["text/html;level=1;q=0.000"], false),
            (vec!["*/*"], false),
            (vec!["text/htmlx, application/json"], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for field in &accept {
                headers.append(ACCEPT, HeaderValue::from_static(field));
            }
            assert_eq!(wants_html(&headers), wants, "{accept:?}");
        }
    }

    #[test]
    fn a_reason_is_text_whatever_it_says() {
        let hostile = "</p><script>alert('x')</script>&amp;\"\u{1b}";
        let safe = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;&quot; ";
        assert_eq!(escaped(hostile), safe);
    }
}
