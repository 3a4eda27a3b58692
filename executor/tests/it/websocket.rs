//! `ws://` and `wss://`: what is written is a message, and so is what is read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use wasmcloud_executor::egress::{Egress, Roots};
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{LimitName, Outcome};

use crate::app::{TestExecutor, within};
use crate::far::{Server, allowing, certificate, ok, open, printed, remote, script};
use crate::local::ran;
use crate::wasm::fixture;

type Socket = WebSocketStream<tokio::net::TcpStream>;

/// A server that speaks WebSocket with the one who comes, and what it was asked for.
async fn server<F>(
    talk: impl FnOnce(Socket) -> F + Send + 'static,
) -> (SocketAddr, Arc<Mutex<String>>, oneshot::Receiver<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, head) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
    let (seen, (done, ended)) = (head.clone(), oneshot::channel());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[allow(clippy::result_large_err, reason = "the library's own type")]
        let look = |request: &Request, response: Response| {
            *seen.lock().unwrap() = format!("{} {:?}", request.uri(), request.headers());
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, look).await.unwrap();
        let _ = done.send(talk(socket).await);
    });
    (addr, head, ended)
}

/// Sends back what comes, until the other side takes leave; says whether it did.
async fn echo(mut socket: Socket) -> bool {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
            Message::Close(_) => {
                while let Some(Ok(_)) = socket.next().await {}
                return true;
            }
            _ => {}
        }
    }
    false
}

#[tokio::test]
async fn messages_go_out_and_come_in_whole() {
    let (addr, head, ended) = server(echo).await;
    let url = format!("ows://{addr}/feed?x");
    let steps = [url.as_str(), "wtea?", "r100", "wlonger", "r4", "r4", "wfour", "r4", "r4", "w", "r4", "c"];
    let ran = ran(remote(&steps)).await;
    let expected = "w 4\nrtea? 4\nw 6\nrlong 4\nrer 2\nw 4\nrfour 4\nr 0\nw 0\nr 0\nc 0\n";
    assert!(printed(&ran.output).ends_with(expected), "{}", ran.output);
    assert!(within("the other side takes leave", ended).await.unwrap());
    let head = head.lock().unwrap().clone();
    assert!(head.starts_with("/feed?x ") && head.contains("\"wasmcloud-depth\": \"1\""), "{head}");
    assert!(head.contains(&format!("\"host\": \"{addr}\"")), "{head}");
    assert_eq!(ran.receipt.outbound.requests, 1);
    assert!(ran.receipt.outbound.bytes_sent > 14 && ran.receipt.outbound.bytes_received > 14);
    assert_eq!(ran.receipt.urls, [format!("ws://{addr}/feed?x")]);
}

#[tokio::test]
async fn text_goes_out_as_text_and_anything_else_as_bytes() {
    let (addr, _, ended) = server(|mut socket: Socket| async move {
        let mut kinds = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(_) => kinds.push("text"),
                Message::Binary(_) => kinds.push("binary"),
                _ => {}
            }
        }
        kinds
    })
    .await;
    let mut run = remote(&[]);
    run.body = Some([format!("ows://{addr}/\0wt\u{e9}a\0w").as_bytes(), b"\xff\xfe\0c\0"].concat().into());
    ran(run).await;
    assert_eq!(within("it ends", ended).await.unwrap(), ["text", "binary"]);
}

#[tokio::test]
async fn pings_are_answered_and_a_close_is_the_end() {
    let (addr, _, ended) = server(|mut socket: Socket| async move {
        socket.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
        let pong = socket.next().await;
        socket.send(Message::text("bye")).await.unwrap();
        socket.close(None).await.unwrap();
        matches!(pong, Some(Ok(Message::Pong(_))))
    })
    .await;
    let ran = ran(remote(&[&format!("ows://{addr}/"), "r9", "r9", "r9", "wx"])).await;
    assert!(printed(&ran.output).ends_with("rbye 3\nr -5\nr -5\nw -1\n"), "{} {:?}", ran.output, ran.lines);
    assert!(within("it ends", ended).await.unwrap());
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_either_way() {
    let (addr, _, _) = server(|mut socket: Socket| async move {
        let _ = socket.send(Message::binary(vec![b'x'; (1 << 20) + 1])).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let ran =
        ran(remote(&[&format!("ows://{addr}/"), &format!("w{}", "x".repeat((1 << 20) + 1)), "r9", "r9"]))
            .await;
    assert!(printed(&ran.output).ends_with("w -2\nr -1\nr -1\n"), "{}", ran.output);
    assert!(ran.lines.iter().any(|line| line.text.contains("1048576")), "{:?}", ran.lines);
}

#[tokio::test]
async fn a_server_that_speaks_no_websocket_is_not_opened_and_a_rule_has_to_allow_it() {
    let far = Server::start(|_| ok("hello")).await;
    let steps = [&format!("ows://{}/", far.addr)];
    let refused = ran(remote(&steps.map(String::as_str))).await;
    assert_eq!(printed(&refused.output), "o -1\n");
    assert!(refused.lines[0].text.contains("says 200"), "{:?}", refused.lines);
    let denied = ran(Run { urls: allowing(&["^http:"]), ..remote(&steps.map(String::as_str)) }).await;
    assert_eq!(printed(&denied.output), "o -3\n");
    assert!(denied.lines[0].text.contains("--allow '^ws://"), "{:?}", denied.lines);
    assert_eq!(far.accepted(), 1);
}

#[tokio::test]
async fn wss_is_the_same_over_tls_with_a_certificate_that_is_trusted() {
    let (certificate, acceptor) = certificate("far.example");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() {
                        socket.send(message).await.unwrap();
                    }
                }
            });
        }
    });
    let url = format!("owss://{addr}/");
    let steps = [url.as_str(), "wtea?", "r9"];
    let unknown = ran(remote(&steps)).await;
    assert!(printed(&unknown.output).starts_with("o -1\n"), "{}", unknown.output);
    let mut egress = open();
    egress.roots = Roots { platform: false, extra: vec![certificate] };
    let known = ran(Run { egress, ..remote(&steps) }).await;
    assert!(printed(&known.output).ends_with("w 4\nrtea? 4\n"), "{} {:?}", known.output, known.lines);
}

#[tokio::test]
async fn waiting_for_a_message_ends_when_the_time_is_over() {
    let (addr, _, ended) = server(echo).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    app.deploy_with("hello", &fixture("remote"), |deployment| {
        deployment.urls = allowing(&[".*"]);
        deployment.limits.wall_ms = 500;
    })
    .await;
    let answer = app.post("hello", "/", &script(&[&format!("ows://{addr}/"), "r9"])).await;
    assert_eq!(answer.status, 504, "{}", answer.text());
    let outcome = app.recorded(&answer).await.receipt.outcome;
    assert!(matches!(outcome, Outcome::Limit { limit: LimitName::Wall, .. }), "{outcome:?}");
    assert!(!within("the connection is cut", ended).await.unwrap());
}
