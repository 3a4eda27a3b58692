//! `wasmcloud run`: a program in production's environment, without a server.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use bytes::Bytes;
use wasmcloud_executor::local::{self, RunError};
use wasmcloud_wire::{HandlerName, Limits, LogLine, Outcome, Receipt, RequestHead, Scheme, UrlPolicy};

use super::request::{RequestArgs, StdinIs};
use super::{invoke, receipt};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::module_file;
use crate::session::Session;

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Standard output is the program's own, byte for byte; its log goes to standard error. Exits \
                        with the program's own status, or with 7 if it did not end by itself."
)]
pub struct Args {
    /// The program: .wasm, .wat, or `-` for standard input
    file: PathBuf,
    /// The program's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
    #[command(flatten)]
    request: RequestArgs,
    /// A variable of the program's environment; may be given several times
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The handler's name, as the program sees it
    #[arg(long, default_value = "local-run")]
    name: HandlerName,
    /// Let the request's Authorization field reach the program
    #[arg(long)]
    forward_authorization: bool,
    /// Print the receipt on standard error
    #[arg(long)]
    stats: bool,
    /// Weighted instructions that it may use
    #[arg(long, default_value_t = Limits::default().gas)]
    gas: u64,
    /// Wall time that it may use, in milliseconds
    #[arg(long, default_value_t = Limits::default().wall_ms)]
    wall_ms: u64,
    /// Linear memory that it may use, in bytes
    #[arg(long, default_value_t = Limits::default().memory_bytes)]
    memory_bytes: u64,
    /// Output that it may write, in bytes
    #[arg(long, default_value_t = Limits::default().response_bytes)]
    response_bytes: u64,
    /// Log text that it may write, in bytes
    #[arg(long, default_value_t = Limits::default().log_bytes)]
    log_bytes: u64,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a variable looks like NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the program to its end.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let module = Bytes::from(module_file::read(&args.file)?);
    let stdin_is = if args.file.as_os_str() == "-" { StdinIs::Taken } else { StdinIs::Free };
    let body = args.request.body(&session.output, stdin_is).await?.map(Bytes::from);
    let env: BTreeMap<String, String> = args.env.iter().cloned().collect();
    wasmcloud_cgi::check_env(&env)
        .map_err(|error| Failure::usage(error.to_string(), "see `wasmcloud run --help`"))?;
    let run = local::Run {
        module,
        name: args.name.clone(),
        args: args.args.clone(),
        request: request(&args, body.is_some()),
        body,
        env,
        forward_authorization: args.forward_authorization,
        limits: Limits {
            gas: args.gas,
            wall_ms: args.wall_ms,
            memory_bytes: args.memory_bytes.min(1 << 30),
            response_bytes: args.response_bytes,
            log_bytes: args.log_bytes,
            ..Limits::default()
        },
        urls: UrlPolicy::default(),
        egress: Default::default(),
    };
    let output = session.output.clone();
    let on_line = move |line: &LogLine| output.note(&invoke::format_line(&output, line));
    let receipt = local::run(run, &cache_dir(), Stdout, on_line).await.map_err(failure)?;
    if args.stats {
        match session.output.json {
            // Standard output is the program's own.
            true => session.output.note(&serde_json::to_string(&receipt).unwrap_or_default()),
            false => {
                receipt::lines(&session.output, &receipt).iter().for_each(|line| session.output.note(line))
            }
        }
    }
    end(&receipt)
}

/// Standard output without the buffering by lines that a terminal needs.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

fn request(args: &Args, has_body: bool) -> RequestHead {
    let method =
        args.request.method.clone().unwrap_or_else(|| if has_body { "POST" } else { "GET" }.to_owned());
    let mut headers = args.request.headers.clone();
    let host = format!("{}.localhost:3001", args.name);
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.insert(0, ("host".to_owned(), host));
    }
    RequestHead {
        method,
        scheme: Scheme::Http,
        protocol: "HTTP/1.1".to_owned(),
        server_name: format!("{}.localhost", args.name),
        server_port: 3001,
        script_name: String::new(),
        target: args.request.path.clone().unwrap_or_else(|| "/".to_owned()),
        headers,
        remote_addr: "127.0.0.1".to_owned(),
    }
}

/// Where compiled programs are kept between runs.
fn cache_dir() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("wasmcloud/compiled")
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Refused(refusal) => refusal.into(),
        RunError::BadRequest(message) => Failure::usage(message, "correct the request's flags"),
        RunError::Engine(message) => Failure::new(Exit::Failure, "engine", message, "report this as a bug"),
    }
}

/// Ends as the program did.
fn end(receipt: &Receipt) -> Result<(), Failure> {
    match &receipt.outcome {
        Outcome::Ok => Ok(()),
        // A reader that went away early has seen enough.
        Outcome::Cancelled => Ok(()),
        Outcome::Exit { status } => {
            Err(Failure::Shown(Exit::Program(u8::try_from(*status & 0xff).unwrap_or(1))))
        }
        _ => Err(Failure::Shown(Exit::Invocation)),
    }
}
