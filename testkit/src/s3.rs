//! An S3 server on loopback that a test can make fail.
//!
//! ```no_run
//! use wasmcloud_testkit::s3::{Fault, S3Server};
//!
//! let s3 = S3Server::start();
//! let flags = ["--storage", &s3.url("modules"), "--storage-endpoint", s3.endpoint()];
//! // WASMCLOUD_STORAGE_KEY_ID=s3.access_key(), WASMCLOUD_STORAGE_KEY_SECRET=s3.secret_key()
//! s3.fail(Fault::Down);
//! s3.heal();
//! assert_eq!(s3.objects(), Vec::<String>::new());
//! ```
//!
//! It checks signatures, as a real store does, and runs on a thread of its own, so that tests that block can use it
//! as well. It ends when it is dropped.

mod faults;
mod serve;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub use self::faults::Fault;
use self::faults::Faults;
use self::serve::{Command, Port};
use self::store::Uploads;

const BUCKET: &str = "wasmcloud-test";
const REGION: &str = "test-1";
const ACCESS_KEY: &str = "test-key-id";
const SECRET_KEY: &str = "test-key-secret";

/// A running S3 server with one bucket.
pub struct S3Server {
    endpoint: String,
    /// The certificate that it is to be trusted by (PEM), if it speaks HTTPS.
    ca_pem: Option<String>,
    faults: Arc<Faults>,
    uploads: Uploads,
    commands: UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl S3Server {
    /// Starts one that speaks HTTP; it answers when this returns.
    pub fn start() -> S3Server {
        S3Server::start_with(false)
    }

    /// Starts one that speaks HTTPS, with a certificate that nobody trusts without [`S3Server::ca_pem`].
    pub fn start_https() -> S3Server {
        S3Server::start_with(true)
    }

    fn start_with(https: bool) -> S3Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let (faults, uploads) = (Arc::new(Faults::default()), Uploads::default());
        let (commands, receiver) = unbounded_channel();
        let (started, address) = mpsc::channel::<SocketAddr>();
        let tls = https.then(serve::certificate);
        let (ca_pem, acceptor) = tls.map_or((None, None), |(pem, acceptor)| (Some(pem), Some(acceptor)));
        let thread = {
            let (faults, service) = (Arc::clone(&faults), store::service(folder.path(), &uploads));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let port = Port::reserve();
                    let listener = port.listen();
                    started.send(port.address()).unwrap();
                    serve::run(&port, listener, acceptor, service, faults, receiver).await;
                });
            })
        };
        let address = address.recv().unwrap();
        let endpoint = format!("{}://localhost:{}", if https { "https" } else { "http" }, address.port());
        S3Server { endpoint, ca_pem, faults, uploads, commands, thread: Some(thread), folder }
    }

    /// The endpoint's URL. It takes path style only.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The one bucket that is there.
    pub fn bucket(&self) -> &str {
        BUCKET
    }

    /// `s3://bucket/prefix`, as `--storage` takes it.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// The region; the server does not care.
    pub fn region(&self) -> &str {
        REGION
    }

    /// The id of the one key that the server takes.
    pub fn access_key(&self) -> &str {
        ACCESS_KEY
    }

    /// The secret of that key.
    pub fn secret_key(&self) -> &str {
        SECRET_KEY
    }

    /// The certificate (PEM) of one that was started by [`S3Server::start_https`].
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// From now on it fails so, until [`S3Server::heal`] or another fault. Connections that are open are cut.
    pub fn fail(&self, fault: Fault) {
        self.tell(Some(fault));
    }

    /// It works again.
    pub fn heal(&self) {
        self.tell(None);
    }

    fn tell(&self, fault: Option<Fault>) {
        let (done, wait) = mpsc::channel();
        self.commands.send(Command { fault, done }).unwrap();
        wait.recv().unwrap();
    }

    /// How many requests it has got, those that were refused by a fault among them.
    pub fn requests(&self) -> usize {
        self.faults.requests()
    }

    /// The keys of all objects, sorted.
    pub fn objects(&self) -> Vec<String> {
        let root = self.objects_folder();
        let mut keys = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// Where the objects are, each a file by its key: to look at, to damage, to make.
    pub fn objects_folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// Makes an object look as if it had been put earlier.
    pub fn age(&self, key: &str, age: Duration) {
        set_age(&self.objects_folder().join(key), age);
    }

    /// The keys of multipart uploads that were neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        self.uploads.keys()
    }

    /// Makes all unfinished uploads look as if they had begun earlier.
    pub fn age_unfinished_uploads(&self, age: Duration) {
        self.uploads.age(age);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Without its commands the thread ends.
        self.commands = unbounded_channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn set_age(path: &Path, age: Duration) {
    std::fs::File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
