//! Items 1 to 8: a request as variables.

use std::collections::BTreeMap;

use wasmcloud_cgi::{Context, RequestError, Variables, redirected};
use wasmcloud_wire::{InvocationId, RequestHead, Scheme};

/// `GET /` of `hello.example`, over plain HTTP, with no fields but the host's.
pub fn request() -> RequestHead {
    RequestHead {
        method: "GET".into(),
        scheme: Scheme::Http,
        protocol: "HTTP/1.1".into(),
        server_name: "hello.example".into(),
        server_port: 80,
        script_name: String::new(),
        target: "/".into(),
        headers: vec![("host".into(), "hello.example".into())],
        remote_addr: "192.0.2.1".into(),
    }
}

fn at(script_name: &str, target: &str) -> RequestHead {
    RequestHead { script_name: script_name.into(), target: target.into(), ..request() }
}

fn with(fields: &[(&str, &str)]) -> RequestHead {
    let headers = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    RequestHead { headers, ..request() }
}

fn build(request: &RequestHead, body_bytes: Option<u64>) -> Result<Variables, RequestError> {
    let env = BTreeMap::new();
    let context = Context {
        env: &env,
        forward_authorization: false,
        run_id: InvocationId::new(),
        worker_id: "worker-7",
    };
    Variables::new(request, body_bytes, &context)
}

fn variables(request: &RequestHead) -> Variables {
    build(request, None).unwrap()
}

/// A variable as text; `-` where it is not set.
fn get<'v>(variables: &'v Variables, name: &str) -> &'v str {
    variables.get(name).map_or("-", |value| std::str::from_utf8(value).unwrap())
}

#[test]
fn item_01_the_server_says_who_it_is_and_which_port_was_asked() {
    let plain = variables(&request());
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", wasmcloud_cgi::SERVER_SOFTWARE),
        ("SERVER_NAME", "hello.example"),
        ("SERVER_PORT", "80"),
    ] {
        assert_eq!(get(&plain, name), value, "{name}");
    }
    assert!(wasmcloud_cgi::SERVER_SOFTWARE.starts_with("wasmcloud/"));
    let other = variables(&RequestHead { server_port: 3001, protocol: "HTTP/2.0".into(), ..request() });
    assert_eq!((get(&other, "SERVER_PORT"), get(&other, "SERVER_PROTOCOL")), ("3001", "HTTP/2.0"));
}

#[test]
fn item_02_the_method_keeps_its_case_and_the_query_its_encoding() {
    let odd =
        variables(&RequestHead { method: "pAtCh".into(), target: "/?a=%2F%00+b?c".into(), ..request() });
    assert_eq!(get(&odd, "REQUEST_METHOD"), "pAtCh");
    assert_eq!(get(&odd, "QUERY_STRING"), "a=%2F%00+b?c");
    assert_eq!(get(&variables(&at("", "/a")), "QUERY_STRING"), "");
    assert_eq!(get(&variables(&at("", "/a?")), "QUERY_STRING"), "");
    for method in ["", "GE T", "GET\r\n", "GET\0"] {
        let error = build(&RequestHead { method: method.into(), ..request() }, None).unwrap_err();
        assert!(matches!(error, RequestError::Method { .. }), "{method:?}: {error}");
    }
}

#[test]
fn item_03_the_path_is_decoded_resolved_and_split() {
    for (script_name, target, path_info) in [
        ("", "/", "/"),
        ("", "/Case/Kept?q", "/Case/Kept"),
        ("", "/a%20b/%C3%A9", "/a b/é"),
        ("", "/a//b/", "/a//b/"),
        ("", "/%41%2fb", "/A/b"),
        ("", "/a/../b", "/b"),
        ("", "/a/%2e%2E/./b/.", "/b/"),
        ("", "/a%2F..%2F..%2F..%2Fb", "/b"),
        ("", "/../../etc/passwd", "/etc/passwd"),
        ("", "/..", "/"),
        ("", "/...", "/..."),
        ("", "/%252e", "/%2e"),
        ("/~hello", "/x", "/x"),
        ("/~hello", "/../../x", "/x"),
        ("/~hello", "", ""),
        ("/~hello", "?q=1", ""),
    ] {
        let variables = variables(&at(script_name, target));
        assert_eq!(get(&variables, "SCRIPT_NAME"), script_name, "{target}");
        assert_eq!(get(&variables, "PATH_INFO"), path_info, "{script_name}{target}");
    }
    assert_eq!(variables(&at("", "/caf%e9")).get("PATH_INFO"), Some(&b"/caf\xe9"[..]));
}

#[test]
fn item_03_a_path_with_nul_or_a_broken_encoding_is_refused() {
    for target in ["/%00", "/a%00b", "/a\0b", "/?a\0b"] {
        let error = build(&at("", target), None).unwrap_err();
        assert!(matches!(error, RequestError::Nul { .. }), "{target:?}: {error}");
    }
    for target in ["/%", "/%4", "/%zz", "/%4g", "/a%?41"] {
        let error = build(&at("", target), None).unwrap_err();
        assert!(matches!(error, RequestError::PercentEncoding { .. }), "{target}: {error}");
        assert!(error.to_string().contains("%25"), "{error}");
    }
    assert!(matches!(build(&at("", "*"), None), Err(RequestError::Path { .. })));
    let error = build(&with(&[("x-a", "1\x002")]), None).unwrap_err();
    assert_eq!(error, RequestError::Nul { what: "header" });
}

#[test]
fn item_04_what_programs_expect_is_there_and_path_translated_is_not() {
    let plain = variables(&at("", "/a%20b/../c?q=1"));
    assert_eq!(get(&plain, "REQUEST_URI"), "/a%20b/../c?q=1");
    assert_eq!(get(&plain, "HTTP_HOST"), "hello.example");
    assert_eq!((get(&plain, "HTTPS"), get(&plain, "PATH_TRANSLATED")), ("-", "-"));
    let secure =
        variables(&RequestHead { scheme: Scheme::Https, server_port: 8443, headers: vec![], ..request() });
    assert_eq!((get(&secure, "HTTPS"), get(&secure, "HTTP_HOST")), ("on", "hello.example:8443"));
    let default_port = RequestHead { scheme: Scheme::Https, server_port: 443, headers: vec![], ..request() };
    assert_eq!(get(&variables(&default_port), "HTTP_HOST"), "hello.example");
    for (script_name, target, uri) in [
        ("/~hello", "/x?y", "/~hello/x?y"),
        ("/~hello", "", "/~hello"),
        ("", "", "/"),
        ("/a b", "?q", "/a%20b?q"),
    ] {
        assert_eq!(get(&variables(&at(script_name, target)), "REQUEST_URI"), uri);
    }
}

#[test]
fn item_05_the_length_is_told_if_there_is_a_body_and_the_type_if_it_was_sent() {
    let sent = with(&[("content-length", "999"), ("content-type", "text/plain"), ("content-type", "x/y")]);
    for (body_bytes, length) in [(None, "-"), (Some(0), "0"), (Some(12), "12"), (Some(10 << 20), "10485760")]
    {
        let variables = build(&sent, body_bytes).unwrap();
        assert_eq!(get(&variables, "CONTENT_LENGTH"), length);
        assert_eq!(get(&variables, "CONTENT_TYPE"), "text/plain");
    }
    assert_eq!(get(&build(&request(), Some(3)).unwrap(), "CONTENT_TYPE"), "-");
}

#[test]
fn item_06_the_client_is_named_by_its_address() {
    for address in ["192.0.2.1", "2001:db8::1"] {
        let variables = variables(&RequestHead { remote_addr: address.into(), ..request() });
        assert_eq!((get(&variables, "REMOTE_ADDR"), get(&variables, "REMOTE_HOST")), (address, address));
    }
}

#[test]
fn item_07_credentials_reach_a_program_only_if_its_handler_opts_in() {
    let request = with(&[("authorization", "Bearer x"), ("Proxy-Authorization", "Basic y")]);
    let env = BTreeMap::new();
    for (forward_authorization, value) in [(false, "-"), (true, "Bearer x")] {
        let context =
            Context { env: &env, forward_authorization, run_id: InvocationId::new(), worker_id: "worker-7" };
        let variables = Variables::new(&request, None, &context).unwrap();
        assert_eq!(get(&variables, "HTTP_AUTHORIZATION"), value);
        for name in ["HTTP_PROXY_AUTHORIZATION", "AUTH_TYPE", "REMOTE_USER"] {
            assert_eq!(get(&variables, name), "-", "{name}");
        }
    }
}

#[test]
fn item_08_headers_become_http_variables_and_repeated_ones_are_joined() {
    let variables = variables(&with(&[
        ("accept", "text/html"),
        ("cookie", "a=1"),
        ("x-forwarded-for", "192.0.2.7"),
        ("Accept", "*/*"),
        ("cookie", "b=2"),
        ("cookie", "c=3"),
        ("ACCEPT", ""),
        ("x-2", "two"),
    ]));
    assert_eq!(get(&variables, "HTTP_ACCEPT"), "text/html, */*, ");
    assert_eq!(get(&variables, "HTTP_COOKIE"), "a=1; b=2; c=3");
    assert_eq!(get(&variables, "HTTP_X_FORWARDED_FOR"), "192.0.2.7");
    assert_eq!(get(&variables, "HTTP_X_2"), "two");
    assert_eq!(get(&variables, "http_x_2"), "-");
}

#[test]
fn item_08_a_field_repeated_a_hundred_times_keeps_its_order() {
    let numbers: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let fields: Vec<_> = numbers.iter().map(|number| ("x-n", number.as_str())).collect();
    assert_eq!(get(&variables(&with(&fields)), "HTTP_X_N"), numbers.join(", "));
}

#[test]
fn item_08_headers_that_could_be_taken_for_something_else_are_dropped() {
    let names = [
        "proxy",
        "Proxy",
        "PROXY",
        "x_y",
        "x.y",
        "x y",
        "x=y",
        "x\u{e9}",
        "",
        "connection",
        "Transfer-Encoding",
        "te",
        "upgrade",
        "keep-alive",
        "trailer",
        "content-length",
        "content-type",
        "proxy-connection",
    ];
    let fields: Vec<_> = names.iter().map(|name| (*name, "value")).collect();
    let variables = variables(&with(&fields));
    let http: Vec<_> =
        variables.iter().map(|(name, _)| name).filter(|name| name.starts_with("HTTP_")).collect();
    assert_eq!(http, ["HTTP_HOST"], "only the one that is made of the server's name");
}

#[test]
fn item_08_no_two_names_are_the_same_but_for_their_case() {
    let variables = variables(&with(&[("x-a", "1"), ("X-A", "2"), ("x_a", "3"), ("X_A", "4")]));
    assert_eq!(get(&variables, "HTTP_X_A"), "1, 2");
    let names: Vec<_> = variables.iter().map(|(name, _)| name.to_ascii_uppercase()).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "sorted, and each once: {names:?}");
    assert_eq!(names.len(), variables.len());
}

#[test]
fn item_13_a_local_redirect_asks_the_same_handler_with_get_and_no_body() {
    let post = RequestHead {
        method: "POST".into(),
        script_name: "/~hello".into(),
        target: "/form?a=b".into(),
        ..with(&[("content-type", "text/plain"), ("Content-Length", "3"), ("cookie", "a=1")])
    };
    for (location, target) in [
        ("/thanks?n=1", "/thanks?n=1"),
        ("/~hello/thanks", "/thanks"),
        ("/~hello", ""),
        ("/~hello?q", "?q"),
        ("/~hello2/x", "/~hello2/x"),
    ] {
        let next = redirected(&post, location);
        assert_eq!((next.method.as_str(), next.target.as_str()), ("GET", target));
        assert_eq!(next.headers, [("cookie".to_owned(), "a=1".to_owned())]);
    }
    assert_eq!(redirected(&RequestHead { method: "HEAD".into(), ..request() }, "/").method, "HEAD");
}
