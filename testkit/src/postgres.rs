//! A private PostgreSQL cluster in a temporary folder: made from the installed programs, reached by
//! a Unix socket, stopped and removed when the last test that uses it is over, also after a panic.
//!
//! [`Cluster::shared`] is for tests that want a database; a test that stops or freezes the server has one of
//! its own, by [`Cluster::start`].

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// How long the server may take until it accepts connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A server with its data.
pub struct Cluster {
    /// Nothing while it is stopped.
    server: Mutex<Option<Child>>,
    programs: PathBuf,
    /// Who the server runs as, where that is somebody else than who runs the tests.
    user: Option<(u32, u32)>,
    folder: TempDir,
}

impl Cluster {
    /// The cluster that all tests which run at this moment share.
    pub fn shared() -> Arc<Cluster> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Cluster::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// The URL of a new, empty database.
    pub async fn create_database(&self) -> String {
        let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://wasmcloud@localhost/{database}?host={}", self.folder.path().display())
    }

    /// A cluster that nobody else uses.
    pub fn start() -> Cluster {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().unwrap();
        let user = unprivileged_user(folder.path());
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"), user)
            .args(["--username=wasmcloud", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let cluster = Cluster { server: Mutex::new(None), programs, user, folder };
        cluster.start_again();
        cluster
    }

    /// Starts the server, unless it runs; it accepts connections when this returns.
    pub fn start_again(&self) {
        let mut running = self.server();
        if running.is_some() {
            return;
        }
        let settings = ["listen_addresses=", "fsync=off", "lc_messages=C", "max_connections=200"];
        let mut server = command(&self.programs.join("postgres"), self.user)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .arg("-k")
            .arg(self.folder.path())
            .arg("-D")
            .arg(self.data())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = lines_of(&mut server);
        *running = Some(server);
        wait_until_ready(&lines);
    }

    /// Ends the server at once, and all of its connections.
    pub fn stop_now(&self) {
        let Some(mut server) = self.server().take() else { return };
        let stopped = command(&self.programs.join("pg_ctl"), self.user)
            .args(["stop", "-m", "immediate", "-D"])
            .arg(self.data())
            .output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            let _ = server.kill();
        }
        let _ = server.wait();
    }

    /// Stops every process of the server where it is: connections stay, and nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.server().as_ref().expect("the server runs").id();
        // First the server, so that it makes no more of them; then the processes that it made, each of which is in a
        // session of its own. One that has ended in the meantime is no matter.
        let kill =
            |ids: Vec<String>| Command::new("kill").arg(format!("-{name}")).args(ids).output().unwrap();
        assert!(kill(vec![id.to_string()]).status.success());
        kill(children(id));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server().is_some() {
            self.thaw();
        }
        self.stop_now();
    }
}

/// The processes whose parent is this one.
fn children(parent: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    ids.filter(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // `id (name) state parent …`, and a name may have anything in it.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(parent.to_string().as_str())
    })
    .collect()
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    // The folder that the tests run in may be closed to the user of the server.
    command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// What the server writes, read to its end so that it never waits for us.
fn lines_of(server: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let stderr = BufReader::new(server.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            // Nobody listens any more once it is ready.
            let _ = sender.send(line);
        }
    });
    lines
}

fn wait_until_ready(lines: &Receiver<String>) {
    let mut seen = String::new();
    loop {
        let Ok(line) = lines.recv_timeout(START_TIMEOUT) else { panic!("PostgreSQL did not start:\n{seen}") };
        if line.contains("ready to accept connections") {
            return;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
}

/// The folder of the newest PostgreSQL that is installed.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let newest_first = versions.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest_first
        .chain(std::env::split_paths(&path))
        .find(|folder| ["initdb", "postgres", "pg_ctl"].iter().all(|program| folder.join(program).exists()))
        .expect(
            "these tests start a PostgreSQL of their own, and it is not installed: \
             install the package `postgresql` (Debian, Ubuntu) or `postgresql-server` (Fedora)",
        )
}

/// PostgreSQL refuses to run as root, so root runs it as somebody else.
fn unprivileged_user(own: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata(own).unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    Some(found.expect("root cannot run PostgreSQL: add a user `postgres`"))
}
