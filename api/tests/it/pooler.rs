//! What stands before a PostgreSQL and, like a pooler that pools transactions, lets no notification through.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What PostgreSQL's socket is called in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
/// The type of a message that brings a notification (the protocol's NotificationResponse).
const NOTIFICATION: u8 = b'A';

pub struct Pooler {
    url: String,
    hidden: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

impl Pooler {
    /// Stands before the database with this URL.
    pub async fn before(url: &str) -> Pooler {
        let (database, server) = url.split_once("?host=").unwrap();
        let server = Path::new(server).join(SOCKET);
        let folder = tempfile::Builder::new().prefix("pooler-").tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let hidden = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn({
            let hidden = Arc::clone(&hidden);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = UnixStream::connect(&server).await.unwrap().into_split();
                    tokio::spawn(forward(from_client, to_server));
                    tokio::spawn(filter(from_server, to_client, Arc::clone(&hidden)));
                }
            }
        });
        let url = format!("{database}?host={}&sslmode=disable", folder.path().display());
        Pooler { url, hidden, accepting, _folder: folder }
    }

    /// The database's URL for those who come through here.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// How many notifications did not get through.
    pub fn hidden(&self) -> usize {
        self.hidden.load(Ordering::Relaxed)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Its end closes the other direction; the client is gone then.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Every message is a byte for its type, and its length with the length's own four bytes.
async fn filter(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, hidden: Arc<AtomicUsize>) {
    while let (Ok(kind), Ok(length)) = (from.read_u8().await, from.read_u32().await) {
        let mut body = vec![0; length as usize - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        if kind == NOTIFICATION {
            hidden.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let mut message = vec![kind];
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&body);
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}
