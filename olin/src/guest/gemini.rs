//! A client for Gemini.
//!
//! ```
//! # let _host = olin::testing::Host::new()
//! #     .bytes("gemini://capsule.example/", "20 text/gemini; lang=en\r\n# Tea\r\n");
//! let response = olin::gemini::get("gemini://capsule.example/")?;
//! assert_eq!((response.status, response.meta.as_str()), (20, "text/gemini; lang=en"));
//! assert_eq!(response.body.text()?, "# Tea\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::Body;
use super::net::{self, Error, Incoming, failed, malformed};

/// Longest header of a response, in bytes, with its line end: two digits, a space, and 1024 bytes of meta.
const HEADER_BYTES_MAX: usize = 3 + 1024 + 2;

/// What a Gemini server answers.
#[derive(Debug)]
pub struct Response {
    /// Two digits. The first says what it is about: 1 asks for input, 2 is success, 3 is another place, 4 and 5
    /// are failures, 6 asks for a certificate.
    pub status: u8,
    /// What the status says more: a media type, a place, a question, or words.
    pub meta: String,
    /// What follows a success; empty otherwise.
    pub body: Body,
}

impl Response {
    /// Whether the body is what was asked for.
    pub fn is_success(&self) -> bool {
        self.status / 10 == 2
    }
}

/// Gets a `gemini://` URL. Places that the server names instead are not followed. The host trusts a server's
/// certificate on first use, and no other one afterwards.
///
/// # Errors
/// [`Error::Denied`] where the handler's policy does not allow the URL; [`Error::NotFound`] where there is no server of
/// that name; [`Error::Failed`] where the host could not do it; [`Error::Malformed`] for a response that is none.
pub fn get(url: &str) -> Result<Response, Error> {
    let mut resource = net::open(url, &["gemini"])?;
    let request = format!("{url}\r\n");
    resource.write_whole(request.as_bytes()).map_err(|error| failed(url, "writing the request", error))?;
    resource.flush_now().map_err(|error| failed(url, "sending the request", error))?;
    let mut bytes = vec![0; HEADER_BYTES_MAX];
    let mut length = 0;
    let (end, whole) = loop {
        let space = bytes.get_mut(length..).unwrap_or_default();
        let read = resource.read_some(space).map_err(|error| failed(url, "reading the response", error))?;
        length += read.unwrap_or(0);
        let so_far = bytes.get(..length).unwrap_or_default();
        if let Some(end) = so_far.windows(2).position(|pair| pair == b"\r\n") {
            break (end, length);
        }
        if read.is_none() || length == HEADER_BYTES_MAX {
            return Err(malformed(url, "its first line does not end"));
        }
    };
    bytes.truncate(whole);
    let rest = bytes.split_off(end + 2);
    let header = bytes.get(..end).and_then(|header| std::str::from_utf8(header).ok());
    let (status, meta) =
        header.and_then(parse).ok_or_else(|| malformed(url, "its first line has no status"))?;
    let body = match status / 10 {
        2 => Body::from_reader(Incoming::new(url, rest, resource, None)),
        _ => Body::empty(),
    };
    Ok(Response { status, meta: meta.to_owned(), body })
}

fn parse(header: &str) -> Option<(u8, &str)> {
    let (status, meta) = header.split_at_checked(2)?;
    let digits = status.bytes().all(|byte| byte.is_ascii_digit());
    let meta = if meta.is_empty() { meta } else { meta.strip_prefix(' ')? };
    Some((status.parse().ok().filter(|status| digits && *status >= 10)?, meta))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_capsule_answers() {
        let host = Host::new().bytes("gemini://a.example/", "31 gemini://b.example/\r\nignored");
        let response = get("gemini://a.example/old").unwrap();
        assert_eq!(
            (response.status, response.meta.as_str(), response.is_success()),
            (31, "gemini://b.example/", false)
        );
        assert!(response.body.is_empty());
        assert_eq!(host.written("gemini://a.example/old"), b"gemini://a.example/old\r\n");
        assert_eq!(host.open_resources(), 0);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let host = |text: &str| Host::new().bytes("gemini://a.example/", text.to_owned());
        for text in ["", "20", "2x text\r\n", "200 text\r\n", "5\r\n", &"2".repeat(HEADER_BYTES_MAX + 9)] {
            let _host = host(text);
            assert!(matches!(get("gemini://a.example/"), Err(Error::Malformed { .. })), "{text:?}");
        }
        let _host = host("20\r\n");
        assert!(get("gemini://a.example/").unwrap().is_success());
        assert!(matches!(get("https://a.example/"), Err(Error::Url { .. })));
        let _host = Host::new().not_found("gemini://a.example/");
        assert!(matches!(get("gemini://a.example/"), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_body_that_breaks_off_names_its_url() {
        let _host = Host::new().cut("gemini://a.example/", "20 text/gemini\r\n# Te");
        let error = get("gemini://a.example/tea").unwrap().body.text().unwrap_err();
        assert_eq!(error.to_string(), "gemini://a.example/tea: reading the response's body: unknown error");
    }
}
