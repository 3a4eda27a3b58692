//! `ws://` and `wss://`: what is written is a message, and so is what is read.

use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use olin::abi::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use wasmcloud_egress::{EgressError, Step, Target};

use super::network::{broken, target, told, wrong};
use crate::guest::Session;
use crate::olin::Failure;

/// Longest message, either way, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Bytes that are read ahead.
const READ_AHEAD_BYTES: usize = 16 << 10;
/// How long the other side may take to agree to speak WebSocket.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long the other side may take to take leave.
const CLOSE_TIME: Duration = Duration::from_secs(1);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// An open `ws://` or `wss://`.
pub(crate) struct WebSocketResource {
    opened: Target,
    /// `None` once it is closed.
    socket: Option<Box<WebSocketStream<Box<dyn Io>>>>,
    /// What is left of the message that is being read.
    kept: Bytes,
    /// The message was as long as what was read of it: the next read says that it is over.
    ends: bool,
    /// Why there is nothing more.
    over: Error,
}

impl WebSocketResource {
    /// Connects.
    pub(crate) fn open(session: &mut Session, url: &str) -> Result<WebSocketResource, Failure> {
        let opened = target(session, url)?;
        let way = session.way_out().map_err(|error| told(session, &error))?;
        let stamps = session.outbound.stamps();
        let connected = session.wait(async {
            let stream: Box<dyn Io> = match opened.is_encrypted() {
                true => Box::new(way.connect_tls(&opened, None).await?),
                false => Box::new(way.connect(&opened).await?),
            };
            shake_hands(&opened, stream, stamps).await
        })?;
        session.note_urls();
        let socket = Some(Box::new(connected.map_err(|error| told(session, &error))?));
        Ok(WebSocketResource { opened, socket, kept: Bytes::new(), ends: false, over: Error::EndOfFile })
    }

    /// Sends one message: text if it is UTF-8, else bytes.
    pub(crate) fn write(&mut self, session: &mut Session, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(wrong(
                session,
                &format!("a WebSocket message has at most {MESSAGE_BYTES_MAX} bytes"),
            ));
        }
        let Some(socket) = &mut self.socket else { return Err(Error::Unknown.into()) };
        let message = match std::str::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(Bytes::copy_from_slice(bytes)),
        };
        match session.wait(socket.send(message))? {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(session, error, Error::Unknown)),
        }
    }

    /// Reads of the next message, never of two. One that is longer than the buffer goes on with the next
    /// read; where it ends with the buffer, the next read says so by reading nothing.
    pub(crate) fn read(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<usize, Failure> {
        if buffer.is_empty() || std::mem::take(&mut self.ends) {
            return Ok(0);
        }
        if self.kept.is_empty() {
            self.kept = self.next(session)?;
        }
        let bytes = buffer.len().min(self.kept.len());
        if let Some(target) = buffer.get_mut(..bytes) {
            self.kept.copy_to_slice(target);
        }
        self.ends = self.kept.is_empty() && bytes == buffer.len();
        Ok(bytes)
    }

    /// The next message. Pings are answered on the way.
    fn next(&mut self, session: &mut Session) -> Result<Bytes, Failure> {
        loop {
            let Some(socket) = &mut self.socket else { return Err(self.over.into()) };
            match session.wait(socket.next())? {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(_))) => {
                    self.close(session)?;
                    return Err(Error::EndOfFile.into());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.failed(session, error, Error::EndOfFile)),
                None => {
                    self.socket = None;
                    return Err(Error::EndOfFile.into());
                }
            }
        }
    }

    /// Takes leave of the other side, which has a moment to do so too. The connection is gone after it.
    pub(crate) fn close(&mut self, session: &mut Session) -> Result<(), Failure> {
        let Some(mut socket) = self.socket.take() else { return Ok(()) };
        let leave = async {
            // It may have gone already; there is nobody to tell.
            if socket.close().await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        };
        // Whether in time or not, that is all.
        let _ = session.wait(timeout(CLOSE_TIME, leave))?;
        Ok(())
    }

    /// Drops the connection. `closed` is what the program is told where the other side had closed it.
    fn failed(&mut self, session: &mut Session, error: tungstenite::Error, closed: Error) -> Failure {
        use tungstenite::Error as Fault;
        self.socket = None;
        let failure = match error {
            Fault::ConnectionClosed | Fault::AlreadyClosed => return closed.into(),
            Fault::Io(error) => told(session, &broken(&self.opened, &error)),
            other => told(session, &protocol(&self.opened, other.to_string())),
        };
        if let Failure::Error(error) = failure {
            self.over = error;
        }
        failure
    }
}

async fn shake_hands(
    opened: &Target,
    stream: Box<dyn Io>,
    stamps: http::HeaderMap,
) -> Result<WebSocketStream<Box<dyn Io>>, EgressError> {
    let malformed = |reason: String| EgressError::Request(format!("{opened}: {reason}"));
    let host = opened.origin().split_once("://").map_or("", |(_, host)| host);
    let mut request = http::Request::get(opened.url().as_str())
        .header(HOST, host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, generate_key())
        .header(USER_AGENT, HeaderValue::from_static("wasmcloud"))
        .body(())
        .map_err(|error| malformed(error.to_string()))?;
    request.headers_mut().extend(stamps);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_AHEAD_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let shaken = timeout(HANDSHAKE_TIME, client_async_with_config(request, stream, Some(config)));
    match shaken.await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(answer))) => {
            Err(protocol(opened, format!("it does not speak WebSocket there, but says {}", answer.status())))
        }
        Ok(Err(tungstenite::Error::Io(error))) => Err(broken(opened, &error)),
        Ok(Err(error)) => Err(protocol(opened, error.to_string())),
        Err(_) => Err(EgressError::Timeout { what: Step::Connect, limit: HANDSHAKE_TIME }),
    }
}

fn protocol(opened: &Target, reason: String) -> EgressError {
    EgressError::Protocol { host: super::network::authority(opened), reason }
}
