//! Servers as child processes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);

/// A server; dropping it ends it.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// Tells whoever started this process where it listens.
pub fn ready(addr: SocketAddr) {
    println!("{addr}");
    // Whoever is to read it is gone if it fails, and this process with it.
    let _ = std::io::stdout().flush();
}

impl Server {
    /// This very program as a server, with these arguments.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends.
    pub fn of_this_program(arguments: &[&str]) -> anyhow::Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim().parse().with_context(|| format!("the server {arguments:?} did not start"))?;
        Ok(Server { child, addr })
    }

    /// `wasmtime serve` of a component.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not listen in time.
    pub fn wasmtime(program: &Path, component: &Path) -> anyhow::Result<Server> {
        // A port that was free a moment ago.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut child = Command::new(program)
            .args(["serve", "-Scli", "--addr"])
            .arg(addr.to_string())
            .arg(component)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let until = Instant::now() + START_MAX;
        while TcpStream::connect(addr).is_err() {
            ensure!(child.try_wait()?.is_none(), "wasmtime serve ended");
            if Instant::now() > until {
                bail!("wasmtime serve does not listen");
            }
            std::thread::yield_now();
        }
        Ok(Server { child, addr })
    }

    /// CPU time that the process has used so far.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in parentheses, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("an unknown format of /proc")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|ticks| ticks.parse::<u64>().ok()).context("no times");
        // Linux shows these times in hundredths of a second on every machine.
        Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
