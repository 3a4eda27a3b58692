//! Every example in Rust, deployed as it stands and called. `cargo xtask guests` builds them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_tungstenite::tungstenite;

use crate::platform::{Handler, Platform, Shape};

every_shape![
    the_json_api_converts_and_says_what_it_cannot,
    a_program_knows_its_own_run,
    the_page_has_its_style_and_is_sent_once,
    the_fetcher_fetches_what_its_policy_allows,
    the_websocket_client_answers_with_the_replies,
    the_gemini_reader_shows_a_page,
    the_webhook_relay_wants_a_secret_and_a_signature,
    the_policies_beside_the_examples_are_taken,
];

/// A module of `cargo xtask guests`.
pub(super) fn module(name: &str) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let path = target.join("guests").join(name).with_extension("wasm");
    assert!(path.is_file(), "{} is not built; run `cargo xtask guests` first", path.display());
    path.to_str().unwrap().to_owned()
}

/// A platform whose operator lets handlers reach this machine.
pub(super) fn platform(shape: Shape) -> Platform {
    Platform::new(shape).edge_flags(&["--egress-open", "127.0.0.0/8"]).started()
}

fn url(handler: &Handler<'_>, path: &str) -> String {
    format!("{}{path}", handler.url)
}

/// Lets a handler open the URLs of this rule.
pub(super) fn allow(handler: &Handler<'_>, platform: &Platform, rule: &str) {
    platform.admin().run(&["policy", "allow", &handler.name, rule]).good();
}

/// Serves each connection to a port of its own, one after the other, until the test ends.
pub(super) fn server(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(|connection| serve(connection.unwrap())));
    port
}

/// A URL of plain HTTP that answers as a handler does, as far as its first answer goes: its own where the edge
/// speaks plain HTTP, else one of this test's, which certificate and name of the edge do not concern.
fn in_plain_http(platform: &Platform, handler: &Handler<'_>) -> String {
    if platform.shape == Shape::Serve {
        return format!("http://127.0.0.1:{}/~{}/", platform.edge_port, handler.name);
    }
    let reply = handler.get();
    let kind = reply.headers["content-type"].to_str().unwrap();
    let (status, length) = (reply.status, reply.body.len());
    let head = format!(
        "HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let answer = [head.into_bytes(), reply.body].concat();
    let port = server(move |mut connection| {
        let lines = BufReader::new(connection.try_clone().unwrap()).lines();
        assert!(lines.map(Result::unwrap).take_while(|line| !line.is_empty()).count() > 0);
        connection.write_all(&answer).unwrap();
    });
    format!("http://127.0.0.1:{port}/")
}

fn the_json_api_converts_and_says_what_it_cannot(shape: Shape) {
    let platform = platform(shape);
    let api = platform.admin().create("converter", &module("olin-json"));
    let convert = |body: &str| platform.web().post(&url(&api, "convert"), body.to_owned());
    let reply = convert(r#"{"value": 26.2, "from": "mi", "to": "km"}"#).has_status(200);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.text(), "{\"value\":42.1648128,\"unit\":\"km\"}\n");
    assert!(convert("{").has_status(400).text().contains("line 1"));
    assert!(convert(r#"{"value":1,"from":"kg","to":"m"}"#).has_status(422).text().contains("mass"));
    assert!(api.get_path("units").has_status(200).text().contains("temperature"));
    api.get_path("convert").has_status(405);
    api.get().has_status(404);
}

fn a_program_knows_its_own_run(shape: Shape) {
    let platform = platform(shape);
    let about = platform.admin().create("teapot", &module("olin-about"));
    let reply = about.get().has_status(200);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&said["host"], &said["specification"]), (&"olin".into(), &"0.2".into()));
    assert_eq!(
        (&said["arguments"], &said["invocation"]),
        (&serde_json::json!(["teapot"]), &reply.invocation().into())
    );
    assert_eq!((&said["random"], &said["zeroes"]), (&true.into(), &serde_json::json!([0, 0, 0, 0])));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(said["seconds_since_1970"].as_u64().unwrap().abs_diff(now) < 300, "{said}");
    let log = about.log_of(&reply.invocation());
    let lines =
        ["teapot was asked about itself", "and the standard error is a log as well", "about: so is this"];
    assert_eq!(log, lines);
}

fn the_page_has_its_style_and_is_sent_once(shape: Shape) {
    let platform = platform(shape);
    let admin = platform.admin();
    let page = admin.create("tea-page", &module("olin-page"));
    let reply = page.get().has_status(200);
    assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(reply.headers["content-length"], reply.body.len().to_string().as_str());
    assert!(reply.text().contains("href=\"style.css\""));
    let style = page.get_path("style.css").has_status(200);
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    page.get_path("favicon.ico").has_status(404);
    let known = format!("If-None-Match: {}", reply.headers["etag"].to_str().unwrap());
    let again = admin.run(&["invoke", "tea-page", "--include", "--header", &known]).good().stdout;
    assert!(again.starts_with("HTTP/1.1 304") && !again.contains("<h1>"), "{again}");
    // By path, where its relative link leads to its style as well.
    if shape == Shape::Serve {
        let by_path = format!("http://localhost:{}/~tea-page/style.css", platform.edge_port);
        platform.web().get(&by_path).has_status(200);
    }
}

fn the_fetcher_fetches_what_its_policy_allows(shape: Shape) {
    let platform = platform(shape);
    let admin = platform.admin();
    let fetcher = admin.create("fetcher", &module("olin-fetch"));
    let page = admin.create("tea-page", &module("olin-page"));
    let page = in_plain_http(&platform, &page);
    let fetch = || fetcher.get_path(&format!("?url={page}"));
    let denied = fetch().has_status(502);
    let log = fetcher.log_of(&denied.invocation()).join("\n");
    assert!(log.contains("may not be opened"), "{log}");
    allow(&fetcher, &platform, &format!("^{}", page.replace('.', "\\.")));
    let summary: serde_json::Value = serde_json::from_str(&fetch().has_status(200).text()).unwrap();
    assert_eq!((&summary["status"], &summary["title"]), (&200.into(), &"Tea".into()));
    assert_eq!(summary["content_type"], "text/html; charset=utf-8");
    fetcher.get().has_status(400);
    fetcher.get_path("?url=file:///etc/passwd").has_status(400);
}

fn the_websocket_client_answers_with_the_replies(shape: Shape) {
    let port = server(|connection| {
        let mut socket = tungstenite::accept(connection).unwrap();
        let message = socket.read().unwrap();
        socket.send(message.clone()).unwrap();
        // Longer than one read of the program.
        socket.send("x".repeat(100_000).into()).unwrap();
        let _ = socket.read();
    });
    let platform = platform(shape);
    let client = platform.admin().create("talker", &module("olin-websocket"));
    allow(&client, &platform, &format!("^ws://127\\.0\\.0\\.1:{port}/"));
    let say = |query: &str| {
        platform.web().post(&url(&client, &format!("?url=ws://127.0.0.1:{port}/{query}")), "tea")
    };
    assert_eq!(say("").has_status(200).text(), "tea\n");
    assert_eq!(say("&messages=2").has_status(200).body.len(), "tea\n".len() + 100_001);
    client.post("tea").has_status(400);
}

fn the_gemini_reader_shows_a_page(shape: Shape) {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config =
        rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private);
    let config = Arc::new(config.unwrap());
    let port = server(move |connection| {
        let tls = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(tls, connection));
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let stream = stream.get_mut();
        write!(stream, "20 text/gemini\r\n# You asked for {line}\n=> /pots <Pots>\n").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let platform = platform(shape);
    let reader = platform.admin().create("reader", &module("olin-gemini"));
    allow(&reader, &platform, &format!("^gemini://127\\.0\\.0\\.1:{port}/"));
    let page = reader.get_path(&format!("?url=gemini://127.0.0.1:{port}/tea")).has_status(200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let page = page.text();
    assert!(page.contains(&format!("<h1>You asked for gemini://127.0.0.1:{port}/tea</h1>")), "{page}");
    assert!(page.contains("<a href=\"/pots\">&lt;Pots&gt;</a>"), "{page}");
}

fn the_webhook_relay_wants_a_secret_and_a_signature(shape: Shape) {
    let platform = platform(shape);
    let admin = platform.admin();
    let relay = admin.create("relay", &module("olin-webhook"));
    relay.get().has_status(405);
    let unset = relay.post("Hello, World!").has_status(500);
    let log = relay.log_of(&unset.invocation()).join("\n");
    assert!(log.contains("WEBHOOK_SECRET is not set"), "{log}");

    // Handlers have no variables of their own yet; a run of the command line has.
    let parrot = in_plain_http(&platform, &admin.create("parrot", &module("olin-echo")));
    let target = format!("WEBHOOK_TARGET={parrot}");
    let rule = format!("^{}", parrot.replace('.', "\\."));
    let sent = |signature: &str, flags: &[&str]| {
        let signature = format!("X-Hub-Signature-256: {signature}");
        let secret = "WEBHOOK_SECRET=It's a Secret to Everybody";
        let run = ["run", "--data", "Hello, World!", "-e", secret, "-e", &target, "--header", &signature];
        admin.run(&[&run[..], flags, &[&module("olin-webhook")]].concat()).good()
    };
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let open = ["--allow", &rule, "--open", "127.0.0.1"];
    assert!(sent("sha256=00", &open).stdout.starts_with("Status: 401"));
    let denied = sent(right, &[]);
    assert!(denied.stdout.starts_with("Status: 502"), "{denied:?}");
    denied.says("may not be opened");
    let passed_on = sent(right, &open);
    assert!(passed_on.stdout.starts_with("Status: 200"), "{passed_on:?}");
    passed_on.says("passed on, and answered with 200 OK");
}

fn the_policies_beside_the_examples_are_taken(shape: Shape) {
    let platform = platform(shape);
    let admin = platform.admin();
    for name in ["olin-fetch", "olin-gemini", "olin-webhook", "olin-websocket"] {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name).join("policy.json");
        let policy = policy.to_str().unwrap();
        admin.run(&["create", &module(name), "--name", name, "--policy", policy]).good();
        let shown = admin.run(&["policy", "show", name, "--json"]).good().json();
        let written: serde_json::Value = serde_json::from_slice(&std::fs::read(policy).unwrap()).unwrap();
        assert_eq!(shown["allow"], written["allow"], "{name}");
    }
}
