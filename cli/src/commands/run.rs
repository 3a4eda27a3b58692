//! `wasmcloud run`: a program in production's environment, without a server.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wasmcloud_executor::egress::{AddressRules, Settings};
use wasmcloud_executor::local::{self, RunError};
use wasmcloud_policy::Learner;
use wasmcloud_wire::limits::PAGE_BYTES;
use wasmcloud_wire::{
    HandlerName, Limits, LogLine, Outcome, Policy, PolicyMode, Receipt, RequestHead, Scheme, UrlPolicy,
};

use super::request::{RequestArgs, StdinIs};
use super::{invoke, policy, receipt};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::module_file;
use crate::platform::Range;
use crate::policy_file;
use crate::session::Session;
use crate::shipped_files;

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Standard output is the program's own, byte for byte; its log goes to standard error. Exits \
                        with the program's own status, or with 7 if it did not end by itself."
)]
pub struct Args {
    /// The program: .wasm, .wat, or `-` for standard input
    #[arg(value_name = "PROGRAM")]
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
    /// Count instructions, which of the WASI family are not counted otherwise; with a number, the most weighted
    /// instructions that it may use [default: the policy's, else 2000000000]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    gas: Option<Option<u64>>,
    /// CPU time that it may use where instructions are not counted, in milliseconds [default: the policy's, else
    /// 1000]
    #[arg(long)]
    cpu_ms: Option<u64>,
    /// Wall time that it may use, in milliseconds [default: the policy's, else 30000]
    #[arg(long)]
    wall_ms: Option<u64>,
    /// Linear memory that it may use, in bytes [default: the policy's, else 134217728]
    #[arg(long, value_parser = clap::value_parser!(u64).range(MEMORY_BYTES_MIN..=Limits::ceiling().memory_bytes))]
    memory_bytes: Option<u64>,
    /// Output that it may write, in bytes
    #[arg(long, default_value_t = Limits::default().response_bytes)]
    response_bytes: u64,
    /// Bytes that stream through a program of `wasi:http`, each way
    #[arg(long, default_value_t = Limits::default().stream_bytes)]
    stream_bytes: u64,
    /// Log text that it may write, in bytes
    #[arg(long, default_value_t = Limits::default().log_bytes)]
    log_bytes: u64,
    /// A folder whose files the program can read; what begins with a dot is left out
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Run components for WASI 0.3 too; upstream gives this part no security patches yet
    #[arg(long)]
    wasi_http_3: bool,
    /// What it may open and use: JSON, or a policy file of Olin; `-` for standard input [default: it opens no
    /// URL of the network]
    #[arg(long, value_name = "POLICY", help_heading = "Policy options")]
    policy: Option<PathBuf>,
    /// A rule for URLs that it may open, besides the policy's; may be given several times
    #[arg(long, value_name = "RULE", help_heading = "Policy options")]
    allow: Vec<String>,
    /// Let it open every URL, and print the smallest policy that would have allowed the run, or write it to
    /// a new file, or over a policy in JSON
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, help_heading = "Policy options")]
    learn: Option<Option<PathBuf>>,
    /// Addresses of this machine or its networks that it may reach, such as 127.0.0.1 or 10.0.0.0/8; may be
    /// given several times, or with commas between
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', help_heading = "Policy options")]
    open: Vec<Range>,
}

/// The least memory that `--memory-bytes` gives: one page.
const MEMORY_BYTES_MIN: u64 = PAGE_BYTES;

/// A variable of a program's environment.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a variable looks like NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the program to its end.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let policy = policy_of(&args)?;
    policy::warn_of_missing_schemes(session, &args.allow);
    if let Some(Some(file)) = &args.learn {
        policy_file::check_replaceable(file, &args.file)?;
    }
    check_gas(&args)?;
    let module = shipped_files::with_files(module_file::read(&args.file)?, args.files.as_deref())?;
    let module = Bytes::from(module);
    let stdin = Path::new("-");
    let taken = args.file == stdin || args.policy.as_deref() == Some(stdin);
    let stdin_is = if taken { StdinIs::Taken } else { StdinIs::Free };
    let body = args.request.body(&session.output, stdin_is).await?.map(Bytes::from);
    let env: BTreeMap<String, String> = args.env.iter().cloned().collect();
    wasmcloud_cgi::check_env(&env)
        .map_err(|error| Failure::usage(error.to_string(), "see `wasmcloud run --help`"))?;
    let run = local::Run {
        module: module.clone(),
        name: args.name.clone(),
        args: args.args.clone(),
        request: request(&args, body.is_some()),
        body,
        env,
        forward_authorization: args.forward_authorization,
        limits: limits(&args, &policy),
        count_gas: args.gas.is_some(),
        wasi_http_3: args.wasi_http_3,
        urls: UrlPolicy {
            mode: if args.learn.is_some() { PolicyMode::Observe } else { policy.mode },
            ..policy.urls()
        },
        egress: Settings {
            addresses: AddressRules {
                opened: args.open.iter().map(|range| range.0).collect(),
                ..AddressRules::default()
            },
            ..Settings::default()
        },
    };
    let output = session.output.clone();
    let on_line = move |line: &LogLine| output.note(&invoke::format_line(&output, line));
    let receipt = local::run(run, &cache_dir(), Stdout, on_line).await;
    let receipt = receipt.map_err(|error| failure(error, &module))?;
    if args.stats {
        match session.output.json {
            // Standard output is the program's own.
            true => session.output.note(&serde_json::to_string(&receipt).unwrap_or_default()),
            false => {
                receipt::lines(&session.output, &receipt).iter().for_each(|line| session.output.note(line))
            }
        }
    }
    if let Some(file) = &args.learn {
        learned(session, &policy, &receipt, file.as_deref())?;
    }
    end(&receipt)
}

/// `--gas 5 PROGRAM` would take the number for the program.
fn check_gas(args: &Args) -> Result<(), Failure> {
    let number = args.file.to_str().filter(|file| file.bytes().all(|byte| byte.is_ascii_digit()));
    match (args.gas, number) {
        (Some(None), Some(number)) if !args.file.exists() => {
            Err(Failure::usage(format!("there is no program `{number}`"), format!("write --gas={number}")))
        }
        _ => Ok(()),
    }
}

/// What the run may open and use, as its flags say.
fn policy_of(args: &Args) -> Result<Policy, Failure> {
    let mut policy = policy_file::beside(args.policy.as_deref(), &args.file)?.unwrap_or_default();
    policy.allow.extend(args.allow.iter().cloned());
    policy_file::check_rules(&policy)?;
    Ok(policy)
}

/// Flags come before the policy, and that before production's defaults.
fn limits(args: &Args, policy: &Policy) -> Limits {
    let usual = Limits::default();
    let memory_bytes = args.memory_bytes.or(policy.memory_bytes).unwrap_or(usual.memory_bytes);
    Limits {
        gas: args.gas.flatten().or(policy.gas).unwrap_or(usual.gas),
        cpu_ms: args.cpu_ms.or(policy.cpu_ms).unwrap_or(usual.cpu_ms),
        wall_ms: args.wall_ms.or(policy.wall_ms).unwrap_or(usual.wall_ms),
        memory_bytes: memory_bytes.min(Limits::ceiling().memory_bytes),
        response_bytes: args.response_bytes,
        stream_bytes: args.stream_bytes,
        log_bytes: args.log_bytes,
        ..usual
    }
}

/// Tells what policy the run calls for.
fn learned(
    session: &Session,
    policy: &Policy,
    receipt: &Receipt,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let mut learner = Learner::new(policy);
    learner.see(receipt);
    let learned = learner.policy(&Limits::ceiling()).map_err(|error| {
        Failure::new(
            Exit::Failure,
            "nothing_learned",
            error.to_string(),
            "write a policy of wider rules by hand",
        )
    })?;
    let text = match session.output.json {
        true => serde_json::to_string(&learned).unwrap_or_default(),
        false => policy::pretty(&learned),
    };
    let Some(file) = file else {
        session.output.note(&text);
        return Ok(());
    };
    std::fs::write(file, text + "\n").map_err(|error| {
        Failure::new(
            Exit::Failure,
            "file",
            format!("cannot write {}: {error}", file.display()),
            "name another file",
        )
    })?;
    session.output.tell(&format!("the policy that this run calls for is in {}", file.display()));
    Ok(())
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
pub fn cache_dir() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("wasmcloud/compiled")
}

fn failure(error: RunError, module: &[u8]) -> Failure {
    match error {
        RunError::Refused(mut refusal) if refusal.code == "over_limit" => {
            // What fits only where there is the most memory begins with too much of it for this run.
            if let Ok(inspection) = wasmcloud_inspect::inspect(module, &Limits::ceiling()) {
                let bytes =
                    Limits::memory_bytes_for(inspection.memory_bytes_min, Limits::ceiling().memory_bytes);
                refusal.hint = format!("{}; or give it more: --memory-bytes {bytes}", refusal.hint);
            }
            refusal.into()
        }
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
