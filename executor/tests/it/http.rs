//! `http://` and `https://`: a program's request goes out, and the answer comes in.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use wasmcloud_executor::egress::{Egress, OutboundLimits, Resolver, Roots, User};
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Deployment, LimitName, Outcome, UrlPolicy};

use crate::app::TestExecutor;
use crate::far::{
    Reply, Server, allowing, certificate, ok, open, printed, remote, resolving, script, strings,
};
use crate::local::{Ran, ran};
use crate::wasm::{fixture, wat};

const GET: &str = "wGET /x?y HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Mine: yes\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

pub fn line<'a>(ran: &'a Ran, part: &str) -> &'a str {
    let found: Vec<&str> =
        ran.lines.iter().map(|line| line.text.as_str()).filter(|text| text.contains(part)).collect();
    assert_eq!(found.len(), 1, "{part:?} in {:#?}", ran.lines);
    found[0]
}

#[tokio::test]
async fn a_request_is_sent_when_it_is_flushed_and_its_answer_read_to_the_end() {
    for request in [
        GET,
        "wGET /x?y HTTP/1.1\nHost: 127.0.0.1\nX-Mine: yes\n\n",
        "wGET /x?y HTTP/1.1\r\nX-Mine: yes\n\n\n",
    ] {
        let server = Server::start(|_| ok("hello")).await;
        let run = remote(&[&format!("o{}", server.url("/")), request, "f", "r4096", "r1", "r1", "f", "c"]);
        let ran = ran(run).await;
        let length = request.len() - 1;
        let expected = format!("o 2\nw {length}\nf 0\nr{ANSWER} {}\nr -5\nr -5\nf 0\nc 0\n", ANSWER.len());
        assert_eq!(printed(&ran.output), expected);
        let sent = server.requests().remove(0);
        assert!(sent.starts_with("GET /x?y HTTP/1.1\r\n"), "{sent}");
        for field in [format!("host: {}", server.addr), "x-mine: yes".into(), "wasmcloud-depth: 1".into()] {
            assert!(sent.to_lowercase().contains(&field), "{field} in {sent}");
        }
        assert_eq!(ran.receipt.outcome, Outcome::Ok);
        assert_eq!(ran.receipt.outbound.requests, 1);
        assert_eq!((ran.receipt.outbound.bytes_sent, ran.receipt.outbound.bytes_received), (0, 5));
        assert_eq!(ran.receipt.urls, [server.url("/"), server.url("/x?y")]);
    }
}

#[tokio::test]
async fn a_body_goes_with_the_request_and_is_framed_by_the_host() {
    let server = Server::start(|_| ok("")).await;
    let request = "wPOST /in HTTP/1.1\nContent-Length: 3\nTransfer-Encodin: x\nWasmcloud-Depth: 0\n\nabcdef";
    let ran = ran(remote(&[&format!("o{}", server.url("/")), request, "f"])).await;
    let sent = server.requests().remove(0).to_lowercase();
    assert!(sent.contains("content-length: 3\r\n") && sent.ends_with("\r\n\r\nabc"), "{sent}");
    assert!(sent.contains("wasmcloud-depth: 1\r\n") && !sent.contains("wasmcloud-depth: 0"), "{sent}");
    assert_eq!(ran.receipt.outbound.bytes_sent, 3);
}

#[tokio::test]
async fn what_came_in_chunks_is_read_as_one_body_without_a_length() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: 5\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n";
    let answer = format!("{head}Connection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let server = Server::start(move |_| Reply::Send(answer.clone().into_bytes())).await;
    let ran = ran(remote(&[&format!("o{}", server.url("/")), GET, "f", "a"])).await;
    let read = "aHTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nabcde -5\n";
    assert!(printed(&ran.output).ends_with(read), "{:?}", ran.output);
}

#[tokio::test]
async fn a_large_body_comes_whole_through_a_small_buffer() {
    let body: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let expected = body.clone();
    let server = Server::start(move |_| ok(&body)).await;
    let ran = ran(remote(&[&format!("o{}", server.url("/")), GET, "f", "a"])).await;
    let output = printed(&ran.output);
    assert!(output.ends_with(&format!("\r\n\r\n{expected} -5\n")), "{}", output.len());
    assert_eq!(ran.receipt.outbound.bytes_received, 300_000);
}

#[tokio::test]
async fn redirects_are_followed_and_each_is_checked() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/old" => Reply::Send(b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n".to_vec()),
        "/out" => Reply::Send(
            b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        "/banned" => {
            Reply::Send(b"HTTP/1.1 302 Found\r\nLocation: /admin\r\nContent-Length: 0\r\n\r\n".to_vec())
        }
        _ => ok("hello"),
    })
    .await;
    let open = format!("o{}", server.url("/"));
    let steps = |path: &str| [open.clone(), format!("wGET {path} HTTP/1.1\n\n"), "f".into(), "r9000".into()];
    let run = |path: &str| {
        let steps = steps(path);
        remote(&steps.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let followed = ran(run("/old")).await;
    assert!(followed.output.contains(ANSWER), "{}", followed.output);
    assert_eq!(followed.receipt.urls, [server.url("/"), server.url("/old"), server.url("/new")]);
    assert_eq!(followed.receipt.outbound.requests, 2);
    let astray = ran(run("/out")).await;
    assert!(printed(&astray.output).contains("f -3\nr -3\n"), "{}", astray.output);
    assert!(line(&astray, "redirects to http://10.0.0.1/").contains("--open 10.0.0.1"));
    let urls = UrlPolicy { disallow: strings(&["/admin"]), ..allowing(&[".*"]) };
    let banned = ran(Run { urls, ..run("/banned") }).await;
    assert!(printed(&banned.output).contains("f -3\n"), "{}", banned.output);
    assert!(line(&banned, "redirects").contains("/admin"));
    assert_eq!(banned.receipt.outbound.denied, [server.url("/admin")]);
    assert!(!server.requests().iter().any(|request| request.contains("/admin")));
}

#[tokio::test]
async fn what_makes_no_sense_is_an_invalid_argument_and_the_log_says_why() {
    let server = Server::start(|_| ok("hello")).await;
    let open = format!("o{}", server.url("/"));
    for (steps, said, why) in [
        (vec!["r10"], "r -2\n", "before its request was sent"),
        (vec!["f"], "f -2\n", "is not complete"),
        (vec!["wGET / HTTP/1.1\n", "f"], "f -2\n", "is not complete"),
        (vec!["wnonsense\n\n", "f"], "f -2\n", "is malformed"),
        (vec!["wGET http://other.example/ HTTP/1.1\n\n", "f"], "f -2\n", "which was opened"),
        (vec!["wGET / HTTP/1.1\n\n", "f", "wGET / HTTP/1.1\n\n"], "w -2\n", "open another"),
        (vec!["ohttp://user@127.0.0.1/"], "o -2\n", "Authorization header"),
        (vec!["ohttp://:80/"], "o -2\n", "is not a URL"),
    ] {
        let ran = ran(remote(&[vec![open.as_str()], steps.clone()].concat())).await;
        assert!(printed(&ran.output).ends_with(said), "{steps:?}: {}", ran.output);
        line(&ran, why);
        assert_eq!(ran.receipt.outcome, Outcome::Ok);
    }
}

#[tokio::test]
async fn a_request_that_was_flushed_too_early_can_be_completed() {
    let server = Server::start(|_| ok("hello")).await;
    let url = format!("o{}", server.url("/"));
    let run = remote(&[&url, "wGET / HT", "f", "wTP/1.1\n\n", "f", "r9000"]);
    assert!(ran(run).await.output.contains(ANSWER));
}

#[tokio::test]
async fn the_url_decides_where_a_request_goes_whatever_its_host_field_says() {
    let server = Server::start(|_| ok("hello")).await;
    let run = remote(&[&format!("o{}", server.url("/")), "wGET / HTTP/1.1\nHost: evil.example\n\n", "f"]);
    let ran = ran(run).await;
    assert!(server.requests()[0].to_lowercase().contains(&format!("host: {}\r\n", server.addr)));
    assert!(line(&ran, "evil.example").contains("is sent to"));
}

#[tokio::test]
async fn addresses_ports_and_names_that_cannot_be_had_have_their_numbers_and_their_lines() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, number, why) in [
        (
            "http://10.0.0.1/".to_owned(),
            -3,
            "which programs may not reach; open it: wasmcloud run --open 10.0.0.1",
        ),
        ("http://[::ffff:169.254.169.254]/".to_owned(), -3, "cloud metadata"),
        ("http://0x0a000001/".to_owned(), -3, "private"),
        ("http://127.0.0.1:25/".to_owned(), -3, "port 25 of 127.0.0.1"),
        ("http://name.invalid/".to_owned(), -4, "was not found"),
        (format!("http://{unused}/"), -1, "no connection to"),
        (format!("https://{unused}/"), -1, "no connection to"),
    ] {
        let ran = ran(remote(&[&format!("o{url}"), "wGET / HTTP/1.1\n\n", "f"])).await;
        assert!(printed(&ran.output).ends_with(&format!("f {number}\n")), "{url}: {}", ran.output);
        line(&ran, why);
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_by_the_address_that_is_used() {
    let server = Server::start(|_| ok("hello")).await;
    let app = TestExecutor::start_reaching(resolving(|_, before| {
        vec![match before {
            0 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1)),
        }]
    }))
    .await;
    app.deploy_with("hello", &fixture("remote"), |deployment| deployment.urls = allowing(&[".*"])).await;
    let url = format!("ohttp://turncoat.example:{}/", server.port());
    let steps = script(&[&url, "wGET / HTTP/1.1\n\n", "f"]);
    assert!(app.post("hello", "/", &steps).await.text().ends_with("f 0\n"));
    let answer = app.post("hello", "/", &steps).await;
    assert!(answer.text().ends_with("f -3\n"), "{}", answer.text());
    let recorded = app.recorded(&answer).await;
    assert!(recorded.line("192.168.0.1").text.contains("[egress]"));
    assert_eq!(server.accepted(), 1);
}

/// Finds nothing, and notes for whom it was asked.
#[derive(Default)]
struct ForWhom(Mutex<Vec<User>>);

#[async_trait]
impl Resolver for ForWhom {
    async fn resolve(&self, _: &str, user: User) -> std::io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().push(user);
        Err(std::io::Error::other("no such name"))
    }
}

#[tokio::test]
async fn a_name_is_looked_up_for_the_owner_of_the_handler() {
    let asked = Arc::new(ForWhom::default());
    let app = TestExecutor::start_reaching(Egress::with_resolver(open(), asked.clone()).unwrap()).await;
    let allow = |deployment: &mut Deployment| deployment.urls = allowing(&[".*"]);
    let one = app.deploy_with("one", &fixture("remote"), allow).await;
    let two = app.deploy_with("two", &fixture("remote"), allow).await;
    let mut expected = Vec::new();
    for (handler, url) in
        [(&one, "http://a.example/"), (&two, "https://a.example/"), (&one, "ws://a.example/")]
    {
        let steps = script(&[&format!("o{url}"), "wGET / HTTP/1.1\n\n", "f"]);
        app.post(handler.name.as_str(), "/", &steps).await;
        expected.push(User(handler.owner.0.as_u128()));
    }
    assert_eq!(*asked.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_certificate_of_an_https_server_has_to_be_trusted() {
    let (certificate, acceptor) = certificate("far.example");
    let server = Server::start_tls(acceptor, |_| ok("hello")).await;
    let url = format!("ohttps://{}/", server.addr);
    let steps = [url.as_str(), "wGET / HTTP/1.1\n\n", "f", "r9000"];
    let unknown = ran(remote(&steps)).await;
    assert!(printed(&unknown.output).contains("f -1\n"), "{}", unknown.output);
    line(&unknown, "no TLS connection");
    let mut egress = open();
    egress.roots = Roots { platform: false, extra: vec![certificate] };
    let known = ran(Run { egress, ..remote(&steps) }).await;
    assert!(known.output.contains(ANSWER), "{} {:?}", known.output, known.lines);
}

#[tokio::test]
async fn an_invocation_has_so_many_requests_and_so_much_of_each_answer() {
    let server = Server::start(|request| match request.contains("/endless") {
        true => Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        false => ok("hello"),
    })
    .await;
    let limits = OutboundLimits { requests_max: 2, response_bytes_max: 10_000, ..OutboundLimits::default() };
    let open_it = format!("o{}", server.url("/"));
    let mut steps = Vec::new();
    for path in ["/", "/endless", "/"] {
        steps.extend([open_it.clone(), format!("wGET {path} HTTP/1.1\n\n"), "f".to_owned(), "a".to_owned()]);
    }
    let mut run = remote(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    run.egress.limits = limits;
    let ran = ran(run).await;
    let output = printed(&ran.output);
    assert!(output.contains(&format!("{} -1\n", "x".repeat(10_000))), "{}", output.len());
    line(&ran, "larger than 10000 bytes");
    assert!(output.ends_with("f -1\na -1\n"), "{}", &output[output.len() - 40..]);
    line(&ran, "has made 2 outbound requests");
    assert_eq!(ran.receipt.outbound.requests, 2);
    assert_eq!(ran.receipt.outbound.bytes_received, 10_005);
}

#[tokio::test]
async fn a_connection_is_given_back_when_its_answer_was_read_or_its_resource_closed() {
    let server = Server::start(|_| ok("hello")).await;
    let mut steps = Vec::new();
    for done in ["a", "c"] {
        for step in [&format!("o{}", server.url("/")), "wGET / HTTP/1.1\n\n", "f", done] {
            steps.push(step.to_owned());
        }
    }
    let last = format!("o{}", server.url("/"));
    let mut steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    steps.extend([last.as_str(), "wGET / HTTP/1.1\n\n", "f", "r9000"]);
    let mut run = remote(&steps);
    run.egress.limits.at_once_max = 1;
    assert!(ran(run).await.output.ends_with(&format!("r{ANSWER} {}\n", ANSWER.len())));
}

#[tokio::test]
async fn one_connection_too_many_at_once_is_refused_at_once() {
    let server =
        Server::start(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec())).await;
    let url = format!("o{}", server.url("/"));
    let once = [url.as_str(), "wGET / HTTP/1.1\n\n", "f"];
    let mut run = remote(&[once, once].concat());
    run.egress.limits.at_once_max = 1;
    run.egress.limits.connect = Duration::from_secs(600);
    let ran = ran(run).await;
    assert!(ran.output.ends_with("f -1\n"), "{}", ran.output);
    line(&ran, "has 1 outbound connections open");
}

#[tokio::test]
async fn what_a_program_writes_and_does_not_send_is_bounded() {
    let server = Server::start(|_| ok("hello")).await;
    let run = crate::local::a_run(&wat(&format!(
        r#"(module
            (import "cwa" "resource_open" (func $open (param i32 i32) (result i32)))
            (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
            (import "cwa" "runtime_exit" (func $exit (param i32)))
            (memory (export "memory") 66)
            (data (i32.const 0) "{url}")
            (func (export "_start") (local $id i32) (local $i i32)
              (loop $next
                (local.set $id (call $open (i32.const 0) (i32.const {length})))
                (if (i32.lt_s (call $write (local.get $id) (i32.const 0) (i32.const 4194304)) (i32.const 0))
                  (then (call $exit (local.get $i))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next))))"#,
        url = server.url("/"),
        length = server.url("/").len()
    )));
    let ran = ran(Run { urls: allowing(&[".*"]), egress: open(), ..run }).await;
    // Three times 4 MiB are 12 MiB; the fourth is too much, in whichever resource.
    assert_eq!(ran.receipt.outcome, Outcome::Exit { status: 3 });
}

#[tokio::test]
async fn a_read_that_waits_ends_when_the_time_is_over() {
    let server =
        Server::start(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    app.deploy_with("hello", &fixture("remote"), |deployment| {
        deployment.urls = allowing(&[".*"]);
        deployment.limits.wall_ms = 500;
    })
    .await;
    let steps = script(&[&format!("o{}", server.url("/")), "wGET / HTTP/1.1\n\n", "f", "a"]);
    let answer = app.post("hello", "/", &steps).await;
    assert_eq!(answer.status, 504, "{}", answer.text());
    let recorded = app.recorded(&answer).await;
    assert!(matches!(recorded.receipt.outcome, Outcome::Limit { limit: LimitName::Wall, .. }));
    assert!(recorded.receipt.wall_us < 5_000_000, "{}", recorded.receipt.wall_us);
    server.left_alone().await;
    assert_eq!(app.executor.running(), 0);
}

#[tokio::test]
async fn a_read_that_waits_ends_when_the_client_goes() {
    let server = Server::start(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec())).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    app.deploy_with("hello", &fixture("remote"), |deployment| deployment.urls = allowing(&[".*"])).await;
    let steps = script(&[&format!("o{}", server.url("/")), "wGET / HTTP/1.1\n\n", "f", "a"]);
    let mut client = app.connect().await;
    let head = format!("POST / HTTP/1.1\r\nhost: hello.localhost\r\ncontent-length: {}\r\n\r\n", steps.len());
    client.send([head.as_bytes(), &steps].concat()).await;
    server.asked().await;
    drop(client);
    server.left_alone().await;
    let outcome = app
        .control
        .until("the receipt is recorded", |state| {
            state
                .records
                .iter()
                .find_map(|record| record.receipt.as_ref().map(|receipt| receipt.outcome.clone()))
        })
        .await;
    assert_eq!(outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_handler_that_calls_itself_is_508_at_depth_five() {
    let app = TestExecutor::start_reaching(resolving(|_, _| vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])).await;
    let port = app.addr.port();
    // Whatever it is asked, it asks itself, and answers what it was answered.
    let url = format!("http://hello.localhost:{port}/");
    let module = wat(&format!(
        r#"(module
            (import "cwa" "io_get_stdout" (func $stdout (result i32)))
            (import "cwa" "resource_open" (func $open (param i32 i32) (result i32)))
            (import "cwa" "resource_read" (func $read (param i32 i32 i32) (result i32)))
            (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
            (import "cwa" "resource_flush" (func $flush (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "{url}")
            (data (i32.const 100) "GET / HTTP/1.1\nWasmcloud-Depth: 0\n\n")
            (data (i32.const 200) "Content-Type: text/plain\n\n")
            (func (export "_start") (local $id i32) (local $out i32)
              (local.set $id (call $open (i32.const 0) (i32.const {length})))
              (drop (call $write (local.get $id) (i32.const 100) (i32.const 35)))
              (drop (call $flush (local.get $id)))
              (local.set $out (call $stdout))
              (drop (call $write (local.get $out) (i32.const 200) (i32.const 26)))
              (drop (call $write (local.get $out) (i32.const 1000)
                (call $read (local.get $id) (i32.const 1000) (i32.const 9000))))))"#,
        length = url.len()
    ));
    app.deploy_with("hello", &module, |deployment| deployment.urls = allowing(&[".*"])).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().contains("508 Loop Detected") && answer.text().contains("call_depth"),
        "{}",
        answer.text()
    );
    let runs = app.control.until("all are recorded", |state| {
        let receipts = state.records.iter().filter(|record| record.receipt.is_some()).count();
        (receipts >= 5).then_some(receipts)
    });
    assert_eq!(runs.await, 5);
    // A client that claims to be deep is refused; what is no number, too.
    for depth in ["5", "99", "x"] {
        let request = format!("GET / HTTP/1.1\r\nhost: hello.localhost\r\nwasmcloud-depth: {depth}\r\n\r\n");
        let answer = app.raw(request).await;
        assert_eq!((answer.status, answer.error().code.as_str()), (508, "call_depth"), "{depth}");
    }
}

#[tokio::test]
async fn a_dagger_program_fetches_like_an_olin_program() {
    let server = Server::start(|_| ok("hello")).await;
    let url = server.url("/");
    let module = wat(&format!(
        r#"(module
            (import "dagger" "open" (func $open (param i64 i64) (result i64)))
            (import "dagger" "read" (func $read (param i64 i64 i64) (result i64)))
            (import "dagger" "write" (func $write (param i64 i64 i64) (result i64)))
            (import "dagger" "sync" (func $sync (param i64) (result i64)))
            (import "dagger" "close" (func $close (param i64) (result i64)))
            (memory 1)
            (data (i32.const 0) "{url}\00") (data (i32.const 100) "GET / HTTP/1.1\n\n") (data (i32.const 200) "fd://1\00")
            (func (export "main") (result i64) (local $n i64)
              (drop (call $open (i64.const 0) (i64.const 77)))
              (drop (call $open (i64.const 200) (i64.const 0)))
              (drop (call $write (i64.const 0) (i64.const 100) (i64.const 16)))
              (drop (call $sync (i64.const 0)))
              (loop $more
                (local.set $n (call $read (i64.const 0) (i64.const 1000) (i64.const 7)))
                (if (i64.gt_s (local.get $n) (i64.const 0))
                  (then (drop (call $write (i64.const 1) (i64.const 1000) (local.get $n))) (br $more))))
              (drop (call $close (i64.const 0)))
              (i64.ne (local.get $n) (i64.const -1))
              (i64.extend_i32_u)))"#
    ));
    let run = |rules: &[&str]| Run { urls: allowing(rules), egress: open(), ..crate::local::a_run(&module) };
    let fetched = ran(run(&[".*"])).await;
    assert_eq!((fetched.output.as_str(), &fetched.receipt.outcome), (ANSWER, &Outcome::Ok));
    let denied = ran(run(&[])).await;
    assert_ne!(denied.output, ANSWER);
    line(&denied, "wasmcloud run --allow");
}
