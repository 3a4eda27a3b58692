//! Logging in by a browser: on this machine, which the browser is sent back to (RFC 8252), or on any other, by a code
//! (RFC 8628). Either way the token is given to whoever has the verifier, which never leaves this process (RFC 7636).

use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wasmcloud_wire::body::{FinishLogin, LoginBegun, NewLogin, TokenGrant};
use wasmcloud_wire::{Digest, Timestamp};

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Randomness of a verifier, in bytes.
const VERIFIER_BYTES: usize = 32;
/// By how much a server that asks for patience is asked less often, in seconds (RFC 8628, 3.5).
const SLOWER_BY_S: u32 = 5;
/// Connections of the browser at once; it may open some before it has anything to ask.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection may take to say what it wants.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Largest request that is read.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Programs that open an address in the user's browser.
const OPENERS: [&str; 2] = ["xdg-open", "open"];
/// Where a machine's name is.
const HOSTNAME_FILE: &str = "/etc/hostname";

/// Logs in with a browser on this machine.
pub async fn here(session: &Session, client: &Client) -> Result<TokenGrant, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot_listen)?;
    let port = listener.local_addr().map_err(cannot_listen)?.port();
    let (verifier, begun) = begin(client, Some(port)).await?;
    session.output.note(&format!("opening {}", begun.url_with_code));
    session.output.note(&format!(
        "if no browser opens, open that address on this machine; the page shows the code {}",
        begun.user_code
    ));
    open(&begun.url_with_code);
    let code = tokio::time::timeout(left(&begun), came_back(&listener, &begun.id.to_string()))
        .await
        .map_err(|_| expired())??;
    client.finish_login(begun.id, &FinishLogin { code_verifier: verifier, code: Some(code) }).await
}

/// Logs in with a browser on any machine.
pub async fn elsewhere(session: &Session, client: &Client) -> Result<TokenGrant, Failure> {
    let (verifier, begun) = begin(client, None).await?;
    session
        .output
        .note(&format!("open {} in a browser, and type in the code {}", begun.url, begun.user_code));
    let finish = FinishLogin { code_verifier: verifier, code: None };
    let (end, mut interval_s) = (Instant::now() + left(&begun), begun.interval_s.max(1));
    loop {
        tokio::time::sleep(Duration::from_secs(interval_s.into())).await;
        match client.finish_login(begun.id, &finish).await {
            Err(failure) if failure.code() == "login_pending" => {}
            Err(failure) if failure.code() == "slow_down" => interval_s += SLOWER_BY_S,
            // A server that is started again, a line that fails for a moment: the code is still good.
            Err(failure) if failure.exit() == Exit::Unreachable => {}
            other => return other,
        }
        if Instant::now() >= end {
            return Err(expired());
        }
    }
}

async fn begin(client: &Client, redirect_port: Option<u16>) -> Result<(String, LoginBegun), Failure> {
    let mut random = [0; VERIFIER_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(Exit::Failure, "system", format!("no randomness: {error}"), ""))?;
    let verifier = URL_SAFE_NO_PAD.encode(random);
    let code_challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes());
    let login = NewLogin { code_challenge, label: label(), redirect_port };
    Ok((verifier, client.begin_login(&login).await?))
}

/// What the token is called.
fn label() -> String {
    let name = std::fs::read_to_string(HOSTNAME_FILE).unwrap_or_default();
    let name: String = name.trim().chars().filter(|sign| !sign.is_control()).take(60).collect();
    if name.is_empty() { "wasmcloud login".to_owned() } else { format!("wasmcloud login on {name}") }
}

/// How long the login is good, by this machine's clock if it is right, and never longer than an hour.
fn left(begun: &LoginBegun) -> Duration {
    let ms = begun.expires_at.0.saturating_sub(Timestamp::now().0);
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
        .clamp(Duration::from_secs(60), Duration::from_secs(3_600))
}

fn open(url: &str) {
    for program in OPENERS {
        let mut command = Command::new(program);
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It ends by itself, or stays with the browser that it started.
        if command.spawn().is_ok() {
            return;
        }
    }
}

/// The code that the browser brings. What comes without the right state is nothing that was asked for.
async fn came_back(listener: &TcpListener, state: &str) -> Result<String, Failure> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let (stream, _) = accepted.map_err(cannot_listen)?;
                let state = state.to_owned();
                connections.spawn(async move {
                    tokio::time::timeout(REQUEST_MAX, answer(stream, &state)).await.ok().flatten()
                });
            }
            Some(answered) = connections.join_next() => match answered.ok().flatten() {
                Some(Back::Code(code)) => return Ok(code),
                Some(Back::Denied) => return Err(Failure::new(
                    Exit::Refused,
                    "login_denied",
                    "the login was refused in the browser",
                    "begin another one if that was a mistake: `wasmcloud login --browser`",
                )),
                None => {}
            },
        }
    }
}

/// What the browser brings back.
#[derive(Debug, PartialEq, Eq)]
enum Back {
    Code(String),
    Denied,
}

/// Reads a request and answers it; what it brings, if that is for this login.
async fn answer(mut stream: TcpStream, state: &str) -> Option<Back> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&request);
    let back = line.lines().next().and_then(|line| brought(line, state));
    let (status, text) = match &back {
        Some(Back::Code(_)) => {
            ("200 OK", "You are logged in. You can close this page and go back to the terminal.")
        }
        Some(Back::Denied) => ("200 OK", "The login was refused. You can close this page."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(response.as_bytes()).await.ok()?;
    // What is in the socket goes out before the process ends.
    stream.shutdown().await.ok()?;
    back
}

/// What the first line of a request brings, if it has the state.
fn brought(line: &str, state: &str) -> Option<Back> {
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    let query = target.strip_prefix("/?")?;
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|pair| pair.split_once('='));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value)
    };
    if field("state")? != state {
        return None;
    }
    match (field("code"), field("error")) {
        (Some(code), _) => Some(Back::Code(code.to_owned())),
        (None, Some(_)) => Some(Back::Denied),
        (None, None) => None,
    }
}

fn cannot_listen(error: std::io::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        "listen",
        format!("cannot listen on 127.0.0.1 for the browser to come back: {error}"),
        "log in with a code instead: `wasmcloud login --device`",
    )
}

fn expired() -> Failure {
    Failure::new(Exit::NotFound, "login_expired", "nobody approved the login in time", "begin another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_state_is_for_this_login() {
        let back = |line: &str| brought(line, "s1");
        assert_eq!(back("GET /?code=abc&state=s1 HTTP/1.1"), Some(Back::Code("abc".to_owned())));
        assert_eq!(back("GET /?error=access_denied&state=s1 HTTP/1.1"), Some(Back::Denied));
        for line in [
            "GET /?code=abc&state=s2 HTTP/1.1",
            "GET /?code=abc HTTP/1.1",
            "GET /favicon.ico HTTP/1.1",
            "GET /?state=s1 HTTP/1.1",
            "POST /?code=abc&state=s1 HTTP/1.1",
            "",
        ] {
            assert_eq!(back(line), None, "{line}");
        }
    }
}
