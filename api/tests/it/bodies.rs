//! Bodies that come slowly: whoever holds many of them holds up nobody else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::app::{PASSWORD, TestApp, module};

/// Shorter than anything waits for a place.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Begins a request whose body never comes, and gives the first line of what the server says to it.
async fn begin(app: &TestApp, from: [u8; 4], head: &str) -> (TcpStream, String) {
    let addr: SocketAddr = app.base.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    // The server says `100 Continue` when it begins to read the body.
    stream
        .write_all(format!("{head}host: localhost\r\nexpect: 100-continue\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n") {
        said.push(tokio::time::timeout(AT_ONCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    (stream, String::from_utf8(said).unwrap())
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n";
const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

#[tokio::test]
async fn slow_bodies_of_many_users_leave_places_for_others() {
    let app = TestApp::start().await;
    let mut slow = Vec::new();
    for number in 0..6 {
        let user = app.user(&format!("user-{number}")).await;
        let token = user.token.clone().unwrap();
        user.has_handler(&format!("handler-{number}")).await;
        for target in ["inspect".to_owned(), format!("handlers/handler-{number}/invoke")] {
            let head = format!(
                "POST /api/v1/{target} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-length: 1000000\r\n"
            );
            let (stream, said) = begin(&app, LOCALHOST, &head).await;
            assert_eq!(said, CONTINUE, "{target}");
            slow.push(stream);
        }
    }
    let newcomer = app.user("newcomer").await;
    let started = Instant::now();
    newcomer.has_handler("hello").await;
    assert!(started.elapsed() < AT_ONCE, "it waited");
    let large = newcomer.update("hello", vec![0; 4 << 20].into()).await;
    large.error(400, "not_wasm");
    drop(slow);
}

#[tokio::test]
async fn slow_logins_hold_up_nobody_but_their_own_address() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let head = "POST /api/v1/login HTTP/1.1\r\ntransfer-encoding: chunked\r\n";
    let slow = join_all((0..32).map(|_| begin(&app, [127, 0, 0, 2], head))).await;
    assert!(slow.iter().all(|(_, said)| said == CONTINUE));
    let (_, said) = begin(&app, [127, 0, 0, 2], head).await;
    assert_eq!(said, "HTTP/1.1 429 Too Many Requests\r\n");
    // From elsewhere, and of a user who is known, everything goes on.
    let login = serde_json::json!({"username": "alice", "password": PASSWORD});
    assert_eq!(app.anonymous().post("/api/v1/login", login).await.status, 200);
    assert_eq!(alice.create("hello", module("hello")).await.status, 201);
    drop(slow);
    // Their places are free again.
    let again = async { while begin(&app, [127, 0, 0, 2], head).await.1 != CONTINUE {} };
    tokio::time::timeout(AT_ONCE, again).await.expect("a place");
}

#[tokio::test]
async fn a_login_is_small_and_only_known_users_send_more() {
    let app = TestApp::start().await;
    for target in ["login", "register"] {
        let body = vec![b' '; (16 << 10) + 1];
        let answer = app.anonymous().send("POST", &format!("/api/v1/{target}"), body).await;
        answer.error(413, "body_too_large");
    }
    for target in ["/api/v1/tokens", "/api/v1/handlers/hello/promote", "/nowhere"] {
        let head = format!("POST {target} HTTP/1.1\r\ntransfer-encoding: chunked\r\n");
        assert_eq!(begin(&app, LOCALHOST, &head).await.1, "HTTP/1.1 401 Unauthorized\r\n", "{target}");
    }
}
