//! Items 11 to 13 and 15 to 17: a program's header block as an answer.

use wasmcloud_cgi::{Answer, Head, Malformed, Output, Problem};
use wasmcloud_wire::limits::{CGI_HEADER_BYTES_MAX, CGI_HEADER_FIELDS_MAX, URL_BYTES_MAX};

/// The answer and the body, however the output is cut into pieces.
pub fn parse(output: &[u8]) -> Result<(Answer, Vec<u8>), Malformed> {
    let whole = parse_in_pieces(output, output.len().max(1));
    for piece_bytes in [1, 2, 3, 7, 64] {
        let in_pieces = parse_in_pieces(output, piece_bytes);
        assert_eq!(in_pieces, whole, "in pieces of {piece_bytes}: {}", output.escape_ascii());
    }
    whole
}

fn parse_in_pieces(output: &[u8], piece_bytes: usize) -> Result<(Answer, Vec<u8>), Malformed> {
    let mut parser = Output::new("hello.example");
    let mut pieces = output.chunks(piece_bytes);
    while let Some(piece) = pieces.next() {
        if let Some((answer, body)) = parser.push(piece)? {
            let mut body = body.to_vec();
            pieces.for_each(|piece| body.extend_from_slice(piece));
            return Ok((answer, body));
        }
    }
    Err(parser.finish())
}

pub fn answer(header: &str) -> Answer {
    parse(format!("{header}\n\n").as_bytes()).unwrap_or_else(|error| panic!("{header:?}: {error}")).0
}

fn document(header: &str) -> Head {
    match answer(header) {
        Answer::Document(head) => head,
        other => panic!("{header:?} is {other:?}"),
    }
}

/// The fields that leave the platform, as text.
fn fields(header: &str) -> Vec<String> {
    document(header).headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn malformed(output: impl AsRef<[u8]>) -> Malformed {
    let output = output.as_ref();
    parse(output).expect_err(&output.escape_ascii().to_string())
}

#[test]
fn item_11_line_ends_may_be_lf_or_crlf_or_both() {
    for end in ["\n", "\r\n"] {
        for last in ["\n", "\r\n"] {
            let output = format!("Content-Type: text/plain{end}X-A: 1{last}{end}body\r\n\r\nmore");
            let (answer, body) = parse(output.as_bytes()).unwrap();
            let headers = vec![("content-type".into(), "text/plain".into()), ("x-a".into(), "1".into())];
            assert_eq!(answer, Answer::Document(Head { status: 200, headers, declared_length: None }));
            assert_eq!(body, b"body\r\n\r\nmore");
        }
    }
}

#[test]
fn item_11_a_value_keeps_what_is_in_it() {
    assert_eq!(fields("X-A:  a: b\tc  "), ["x-a: a: b\tc"]);
    assert_eq!(fields("X-A:"), ["x-a: "]);
    let (answer, _) = parse(b"X-A: caf\xe9\nX-B: caf\xc3\xa9\n\n").unwrap();
    let Answer::Document(head) = answer else { panic!("{answer:?}") };
    assert!(head.headers.iter().all(|(_, value)| value == "café"), "Latin-1 where it is no UTF-8: {head:?}");
}

#[test]
fn item_12_a_header_block_has_at_most_16_kib() {
    let block = |bytes: usize| format!("X-A: {}\n\n", "a".repeat(bytes - 7));
    let (_, body) = parse(block(CGI_HEADER_BYTES_MAX).as_bytes()).unwrap();
    assert!(body.is_empty());
    for output in [
        block(CGI_HEADER_BYTES_MAX + 1),
        block(CGI_HEADER_BYTES_MAX * 3),
        "a".repeat(CGI_HEADER_BYTES_MAX * 2),
    ] {
        let error = malformed(output);
        assert_eq!(error.problem, Problem::TooLarge);
        assert!(error.to_string().contains("16384") && error.to_string().len() < 500, "{error}");
    }
}

#[test]
fn item_12_a_header_block_has_at_most_100_fields() {
    let block = |fields: usize| "X-A: b\n".repeat(fields) + "\nbody";
    let (_, body) = parse(block(CGI_HEADER_FIELDS_MAX).as_bytes()).unwrap();
    assert_eq!(body, b"body");
    for fields in [CGI_HEADER_FIELDS_MAX + 1, CGI_HEADER_BYTES_MAX] {
        let error = malformed(block(fields));
        assert_eq!((error.problem, error.line_number), (Problem::TooMany, 101));
        assert!(error.to_string().contains("more than 100"), "{error}");
    }
}

#[test]
fn item_12_a_status_is_200_to_599_and_its_reason_means_nothing() {
    for (line, status) in [
        ("Status: 200", 200),
        ("status:404 Not Found", 404),
        ("STATUS: 599\tanything: at all", 599),
        ("Status: 201 Created\r\nLocation: /new", 201),
    ] {
        assert_eq!(document(line).status, status, "{line}");
    }
    for value in ["199", "600", "100 Continue", "OK", "20", "2000", "200OK", "+20", "-200", "0200", "2 0 0"] {
        let error = malformed(format!("Content-Type: a/b\nStatus: {value}\n\n"));
        assert_eq!((error.problem, error.line_number), (Problem::Status, 2), "{value}");
        assert_eq!(error.line, format!("Status: {value}"));
    }
}

#[test]
fn item_12_status_location_and_type_stand_there_once_at_most() {
    for line in ["Status: 200", "Location: https://example.com/", "Content-Type: a/b", "Content-Length: 0"] {
        let error = malformed(format!("{line}\n{}\n\n", line.to_uppercase()));
        assert_eq!((error.problem, error.line_number), (Problem::Repeated, 2), "{line}");
        let name = line.split(':').next().unwrap();
        assert_eq!(malformed(format!("{name}: \n\n")).problem, Problem::Empty, "{name}");
    }
    assert_eq!(fields("Vary: a\nVary: b"), ["vary: a", "vary: b"]);
}

#[test]
fn item_12_output_without_a_header_is_quoted_with_what_to_print() {
    for (output, problem, quoted) in [
        ("Hello, world\n", Problem::NoHeader, "`Hello, world`"),
        ("Hello", Problem::NoHeader, "`Hello`"),
        ("<p>Note: this\n", Problem::NoHeader, "`<p>Note: this`"),
        ("{\"a\": 1}\n", Problem::NoHeader, "`{\"a\": 1}`"),
        (" Content-Type: a/b\n\n", Problem::NoHeader, "` Content-Type: a/b`"),
        ("\x1b[31mred\n", Problem::NoHeader, r"`\x1b[31mred`"),
        ("\nHello\n", Problem::EmptyHeader, "empty line"),
        ("\r\nHello\n", Problem::EmptyHeader, "empty line"),
        ("", Problem::Nothing, "no output"),
    ] {
        let error = malformed(output);
        assert_eq!(error.problem, problem, "{output:?}");
        let message = error.to_string();
        assert!(message.contains(quoted) && message.contains("`Content-Type: text/plain`"), "{message}");
    }
    let long = malformed("é".repeat(5000) + "\n").to_string();
    assert!(long.chars().count() < 500 && long.contains("…`"), "{long}");
}

#[test]
fn item_12_a_malformed_line_is_quoted_with_its_number() {
    for (line, problem) in [
        ("<html>", Problem::NoColon),
        ("Content-Length : 5", Problem::Name),
        (": value", Problem::Name),
        ("X A: b", Problem::Name),
        ("X-É: b", Problem::Name),
        (" folded", Problem::Folded),
        ("\tfolded: too", Problem::Folded),
        ("Content-Length: +5", Problem::ContentLength),
        ("Content-Length: 5, 5", Problem::ContentLength),
        ("Content-Length: 99999999999999999999", Problem::ContentLength),
    ] {
        let error = malformed(format!("X-A: b\n{line}\n\n"));
        assert_eq!((error.problem, error.line_number), (problem, 2), "{line:?}");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
    assert_eq!(
        malformed("Content-Type : a/b\n\n").problem,
        Problem::Name,
        "a slip, not output without a header"
    );
}

#[test]
fn item_12_one_field_is_enough_as_in_apache() {
    assert_eq!(
        document("X-A: b"),
        Head { status: 200, headers: vec![("x-a".into(), "b".into())], declared_length: None }
    );
    assert_eq!(document("Content-Length: 5").declared_length, Some(5));
}

#[test]
fn item_13_a_location_without_a_status_is_302() {
    for location in ["https://example.com/a?b#c", "HTTP://x/", "page.html", "?next", "mailto:a@example.com"] {
        let answer = answer(&format!("Location: {location}\nContent-Type: a/b\nSet-Cookie: a=b"));
        let headers = vec![("set-cookie".into(), "a=b".into()), ("location".into(), location.into())];
        assert_eq!(answer, Answer::Redirect(Head { status: 302, headers, declared_length: None }));
    }
    for location in ["/x", "https://example.com/"] {
        let head = document(&format!("Status: 303 See Other\nLocation: {location}\nContent-Type: a/b"));
        assert_eq!(
            (head.status, head.headers.len()),
            (303, 2),
            "with a status it is an answer like any other"
        );
    }
}

#[test]
fn item_13_a_local_location_is_served_internally() {
    for (location, target) in [
        ("/", "/"),
        ("/a?b=c&d", "/a?b=c&d"),
        ("/a#fragment", "/a"),
        ("/a b/é?\"", "/a%20b/%C3%A9?%22"),
        ("/a%20b", "/a%20b"),
        ("//example.com/x", "//example.com/x"),
    ] {
        let answer = answer(&format!("Location: {location}"));
        assert_eq!(answer, Answer::LocalRedirect { target: target.into() });
    }
    let long = format!("/{}", "a".repeat(URL_BYTES_MAX));
    for location in ["/100%", "/%00", &long] {
        let error = malformed(format!("X-A: b\nLocation: {location}\nX-C: d\n\n"));
        assert_eq!((error.problem, error.line_number), (Problem::Location, 2), "{location}");
        assert!(error.line.starts_with("Location: /"), "{error}");
    }
}

#[test]
fn item_15_fields_that_are_not_the_programs_are_stripped() {
    for line in [
        "Connection: close",
        "Keep-Alive: timeout=5",
        "Transfer-Encoding: chunked",
        "TE: trailers",
        "Trailer: X-A",
        "Upgrade: h2c",
        "Proxy-Authenticate: Basic",
        "X-Sendfile: /etc/passwd",
        "X-SENDFILE: /etc/passwd",
        "X-Accel-Redirect: /internal",
        "X-LIGHTTPD-send-file: /etc/passwd",
        "X-Reproxy-URL: http://127.0.0.1/",
        "Alt-Svc: h3=\":443\"",
        "Strict-Transport-Security: max-age=1",
        "Server: me",
        "Date: now",
        "Wasmcloud-Invocation: 0",
    ] {
        assert_eq!(fields(&format!("{line}\nX-A: b")), ["x-a: b"], "{line}");
    }
    assert_eq!(fields("X-Hop: 1\nConnection: close, X-Hop ,x-other\nX-Other: 2\nX-A: b"), ["x-a: b"]);
}

#[test]
fn item_15_a_cookie_stays_its_own_field_and_with_its_host() {
    assert_eq!(
        fields(
            "Set-Cookie: a=1; Domain=hello.example\nset-cookie: b=2; domain=.example; Secure\nSet-Cookie: c=3"
        ),
        ["set-cookie: a=1; Domain=hello.example", "set-cookie: b=2; Secure", "set-cookie: c=3"]
    );
}

#[test]
fn item_15_a_control_character_in_a_value_is_malformed() {
    for byte in (0..0x20).chain([0x7f]).filter(|byte| ![b'\n', b'\t'].contains(byte)) {
        for name in ["X-A", "Location", "Connection", "X-Sendfile"] {
            // With CRLF, so that a carriage return at the value's end is not taken for the line's.
            for value in [&[b'/', byte, b'b'][..], &[b'/', byte], &[byte, b'/'], &[b'/', byte, b' ']] {
                let error = malformed([name.as_bytes(), b": ", value, b"\r\n\r\n"].concat());
                assert_eq!(error.problem, Problem::Control, "{byte}");
                assert!(!error.to_string().contains(char::from(byte)), "{error:?}");
            }
        }
    }
    assert_eq!(malformed("X-A: b\r\r\n\n").problem, Problem::Control);
}

#[test]
fn item_16_a_status_line_is_malformed_with_a_hint() {
    for output in ["HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nbody", "HTTP/1.0 200 OK\n", "http/2 200\n"] {
        let error = malformed(output);
        assert_eq!(error.problem, Problem::StatusLine);
        assert!(error.to_string().contains("`Status: 200 OK`"), "{error}");
    }
}

#[test]
fn item_17_output_that_ends_within_the_header_is_no_answer() {
    for output in ["Status: 204", "Status: 204\n", "Content-Type: text/plain\r\n\r"] {
        let error = malformed(output);
        assert_eq!(error.problem, Problem::NoEmptyLine, "{output:?}");
        assert!(error.to_string().contains("print an empty line"), "{error}");
    }
    assert_eq!(malformed("Content-Type: text/plain\nHello").problem, Problem::NoColon);
}
