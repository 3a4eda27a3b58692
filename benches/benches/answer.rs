//! Whole answers over HTTP, from a fresh instance each: every kind of program, `wasmtime serve` with the same
//! component, and hyper alone, in interleaved rounds of one run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use wasmcloud_benches::answer::load::{Request, Round, round};
use wasmcloud_benches::answer::platform::DOMAIN;
use wasmcloud_benches::answer::servers::Server;
use wasmcloud_benches::answer::{hyper_server, platform};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// A round that does not count: caches fill.
const WARM_UP: Duration = Duration::from_millis(500);
/// Bytes of the body that is echoed.
const ECHO_BYTES: usize = 1 << 10;

/// A WASI 0.1 command that prints a greeting.
const WASI_HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\27\00\00\00")
    (data (i32.const 16) "Content-Type: text/plain\n\nHello, world!\n")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// What is measured: a server, and what it is asked.
struct Subject {
    name: &'static str,
    server: Server,
    request: Request,
    rounds: Vec<Round>,
    cpu: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve-hyper") => runtime()?.block_on(hyper_server::serve()),
        Some("serve-platform") => {
            let cache = arguments.get(2).context("no folder")?;
            let modules = modules()?;
            runtime()?.block_on(platform::serve(&modules, Path::new(cache)))
        }
        _ => measure(),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn guests() -> anyhow::Result<PathBuf> {
    let guests = std::env::var_os("WASMCLOUD_GUESTS")
        .context("WASMCLOUD_GUESTS is not set: use `cargo xtask bench`")?;
    Ok(PathBuf::from(guests))
}

/// The handlers of the platform, by name.
fn modules() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let guests = guests()?;
    let guest = |name: &str| {
        let path = guests.join(name).with_extension("wasm");
        std::fs::read(&path)
            .with_context(|| format!("cannot read {}: run `cargo xtask guests`", path.display()))
    };
    let olin = wat::parse_file(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hello.wat"))?;
    Ok(vec![
        ("olin-hello".to_owned(), olin),
        ("wasi-hello".to_owned(), wat::parse_str(WASI_HELLO)?),
        ("rust-cli".to_owned(), guest("rust-cli")?),
        ("rust-http".to_owned(), guest("rust-http")?),
        ("stream".to_owned(), guest("wasi-http-stream")?),
    ])
}

fn measure() -> anyhow::Result<()> {
    let cache = std::env::temp_dir().join(format!("wasmcloud-bench-{}", std::process::id()));
    std::fs::create_dir_all(&cache)?;
    let mut subjects = subjects(&cache)?;
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for subject in &subjects {
        client
            .block_on(round(subject.server.addr, &subject.request, CONNECTIONS, WARM_UP))
            .context(subject.name)?;
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            let before = subject.server.cpu()?;
            let round = client.block_on(round(subject.server.addr, &subject.request, CONNECTIONS, ROUND));
            subject.rounds.push(round.context(subject.name)?);
            subject.cpu += subject.server.cpu()?.saturating_sub(before);
        }
    }
    report(&subjects);
    drop(subjects);
    std::fs::remove_dir_all(&cache)?;
    Ok(())
}

fn subjects(cache: &Path) -> anyhow::Result<Vec<Subject>> {
    let cache = cache.to_str().context("the folder for temporary files has no name in UTF-8")?;
    let platform = || Server::of_this_program(&["serve-platform", cache]);
    let hyper = || Server::of_this_program(&["serve-hyper"]);
    let echo = vec![b'x'; ECHO_BYTES];
    let asked = |name: &'static str, server: Server, host: &str, body: &[u8]| Subject {
        name,
        server,
        request: Request { host: format!("{host}.{DOMAIN}"), body: body.to_vec() },
        rounds: Vec::new(),
        cpu: Duration::ZERO,
    };
    let mut subjects = vec![
        asked("hyper alone", hyper()?, "hello", b""),
        asked("wasmcloud, Olin", platform()?, "olin-hello", b""),
        asked("wasmcloud, WASI 0.1", platform()?, "wasi-hello", b""),
        asked("wasmcloud, wasi:cli", platform()?, "rust-cli", b""),
        asked("wasmcloud, wasi:http", platform()?, "rust-http", b""),
        asked("hyper alone, 1 KiB echo", hyper()?, "hello", &echo),
        asked("wasmcloud, wasi:http, 1 KiB echo", platform()?, "stream", &echo),
    ];
    if let Some(wasmtime) = std::env::var_os("WASMTIME") {
        let wasmtime = PathBuf::from(wasmtime);
        let serve = |guest: &str| Server::wasmtime(&wasmtime, &guests()?.join(guest).with_extension("wasm"));
        subjects.push(asked("wasmtime serve", serve("rust-http")?, "hello", b""));
        subjects.push(asked("wasmtime serve, 1 KiB echo", serve("wasi-http-stream")?, "hello", &echo));
    }
    Ok(subjects)
}

fn report(subjects: &[Subject]) {
    println!("| | answers/s | × hyper | CPU µs/answer | p50 µs | p99 µs |\n|---|---|---|---|---|---|");
    let rate = |subject: &Subject| median(subject.rounds.iter().map(Round::rate));
    for subject in subjects {
        let base = if subject.request.body.is_empty() { "hyper alone" } else { "hyper alone, 1 KiB echo" };
        let base = subjects.iter().find(|other| other.name == base).map_or(f64::NAN, rate);
        let answers: u64 = subject.rounds.iter().map(|round| round.answers).sum();
        let latency =
            |of_1000| median(subject.rounds.iter().map(|round| f64::from(round.latency_us(of_1000))));
        println!(
            "| {} | {:.0} | {:.2} | {:.1} | {:.0} | {:.0} |",
            subject.name,
            rate(subject),
            rate(subject) / base,
            subject.cpu.as_secs_f64() * 1e6 / answers as f64,
            latency(500),
            latency(990)
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
