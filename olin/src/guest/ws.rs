//! A client for WebSockets.
//!
//! ```
//! # let _host = olin::testing::Host::new().web_socket("wss://echo.example/", |message| vec![message.to_vec()]);
//! let mut socket = olin::ws::connect("wss://echo.example/")?;
//! socket.send("tea?")?;
//! assert_eq!(socket.receive()?.as_deref(), Some(&b"tea?"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::net::{self, Error, failed, malformed};
use super::resource::Resource;

/// Bytes that one read asks for.
const PIECE_BYTES: usize = 16 << 10;
/// Longest message that is received, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// An open WebSocket. It is closed when it is dropped.
#[derive(Debug)]
pub struct WebSocket {
    resource: Resource,
    url: String,
}

/// Connects to a `ws://` or `wss://` URL. The handshake and TLS are the host's business.
///
/// # Errors
/// [`Error::Denied`] where the handler's policy does not allow the URL; [`Error::NotFound`] where there is no server of
/// that name; [`Error::Failed`] where the host could not connect.
pub fn connect(url: &str) -> Result<WebSocket, Error> {
    let resource = net::open(url, &["ws", "wss"])?;
    Ok(WebSocket { resource, url: url.to_owned() })
}

impl WebSocket {
    /// Sends one message.
    ///
    /// # Errors
    /// [`Error::Failed`] where the host could not.
    pub fn send(&mut self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        let message = message.as_ref();
        let sent = self.resource.write_some(message);
        let sent = sent.map_err(|error| failed(&self.url, "sending a message", error))?;
        if sent == message.len() {
            return Ok(());
        }
        // The rest would be a message of its own.
        Err(failed(&self.url, "sending a message whole", crate::Error::Unknown))
    }

    /// The next message, whole; `None` once the other side has closed.
    ///
    /// # Errors
    /// [`Error::Failed`] where the connection broke; [`Error::Malformed`] for a message beyond
    /// [`MESSAGE_BYTES_MAX`].
    pub fn receive(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut message = Vec::new();
        loop {
            let old = message.len();
            message.resize(old + PIECE_BYTES, 0);
            let piece = message.get_mut(old..).unwrap_or_default();
            let read = self.resource.read_some(piece);
            let read = read.map_err(|error| failed(&self.url, "receiving a message", error))?;
            message.truncate(old + read.unwrap_or(0));
            match read {
                None if old == 0 => return Ok(None),
                // A message goes on as long as reads are full.
                Some(PIECE_BYTES) if message.len() < MESSAGE_BYTES_MAX => {}
                Some(PIECE_BYTES) => {
                    let reason = format!("a message has more than {MESSAGE_BYTES_MAX} bytes");
                    return Err(malformed(&self.url, reason));
                }
                _ => return Ok(Some(message)),
            }
        }
    }

    /// As [`receive`](WebSocket::receive), for text.
    ///
    /// # Errors
    /// As `receive`; [`Error::Malformed`] for a message that is no UTF-8.
    pub fn receive_text(&mut self) -> Result<Option<String>, Error> {
        let Some(message) = self.receive()? else { return Ok(None) };
        String::from_utf8(message).map(Some).map_err(|_| malformed(&self.url, "a message is no text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn messages_arrive_one_by_one_whatever_their_length() {
        let lengths = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES];
        let host = Host::new().web_socket("ws://a.example/", move |_| {
            lengths.iter().map(|&length| vec![b'x'; length]).collect()
        });
        let mut socket = connect("ws://a.example/feed").unwrap();
        socket.send("all").unwrap();
        for length in lengths {
            assert_eq!(socket.receive().unwrap().map(|message| message.len()), Some(length));
        }
        assert_eq!(socket.receive().unwrap(), None);
        assert_eq!(host.written("ws://a.example/feed"), b"all");
        drop(socket);
        assert_eq!(host.open_resources(), 0);
    }

    #[test]
    fn text_is_checked() {
        let _host = Host::new().web_socket("ws://a.example/", |_| vec!["tea".into(), b"\xff".to_vec()]);
        let mut socket = connect("ws://a.example/").unwrap();
        socket.send([1, 2]).unwrap();
        assert_eq!(socket.receive_text().unwrap().as_deref(), Some("tea"));
        assert!(matches!(socket.receive_text(), Err(Error::Malformed { .. })));
    }

    #[test]
    fn what_cannot_be_connected_to_is_an_error() {
        let _host = Host::new().deny("wss://denied.example/");
        assert!(matches!(connect("https://a.example/"), Err(Error::Url { .. })));
        assert!(matches!(connect("wss://denied.example/"), Err(Error::Denied { .. })));
        assert!(matches!(connect("wss://nobody.example/"), Err(Error::Failed { .. })));
    }
}
