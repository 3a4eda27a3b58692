//! The run path by itself, for measurements. No part of the interface: it changes with what is inside.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use wasmcloud_cgi::{Context, Variables};
use wasmcloud_egress::Egress;
use wasmcloud_wire::{Call, Digest, Limits, Outcome, Receipt, RequestHead, Scheme, UrlPolicy};

use crate::ending::{Ended, Ending};
use crate::guest::{Advice, Logs, Network, Outbound, RawOutput, Session, Watch};
use crate::program::Program;
use crate::programs::{Compiler, Programs};
use crate::{local, olin};

type Failed = Box<dyn Error + Send + Sync>;

/// A compiled program, and a request for it.
pub struct Prepared {
    program: Arc<Program>,
    call: Call,
    args: Vec<Vec<u8>>,
    variables: Variables,
    network: Arc<Network>,
    runtime: Runtime,
}

impl Prepared {
    /// Compiles and loads a module as a server does.
    ///
    /// # Errors
    ///
    /// The module is refused, or the machine lacks something.
    pub fn new(module: &[u8]) -> Result<Prepared, Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let artifacts = tempfile::tempdir()?;
        let run = local::Run {
            module: Bytes::copy_from_slice(module),
            name: "bench".parse()?,
            args: Vec::new(),
            request: request(),
            body: None,
            env: Default::default(),
            forward_authorization: false,
            limits: Limits::default(),
            count_gas: false,
            wasi_http_3: false,
            urls: UrlPolicy::default(),
            egress: Default::default(),
        };
        let network = Network::new(Egress::new(run.egress.clone())?, artifacts.path().join("gemini-hosts"));
        let programs = Programs::open(artifacts.path(), run.limits.clone(), Compiler::Here, false)?;
        let digest = Digest::of(&run.module);
        let program = runtime.block_on(programs.get_local(&digest, run.module.clone(), false))?;
        let (call, args) = local::call(run, digest, program.inspection().abi);
        let variables = variables(&call)?;
        Ok(Prepared { program, call, args, variables, network, runtime })
    }

    /// Makes an instance, runs it to its end, drops it; gives back the gas that it spent. The request's
    /// variables are at hand, its output goes nowhere, no receipt is written.
    ///
    /// # Errors
    ///
    /// The run did not end well.
    pub fn run_once(&self) -> Result<u64, Failed> {
        let (ended, _) = self.run(self.variables.clone())?;
        match ended.ending {
            Ending::Exit(0) => Ok(ended.gas),
            _ => Err("the program did not end well".into()),
        }
    }

    /// The same from the request to its receipt.
    ///
    /// # Errors
    ///
    /// The run did not end well.
    pub fn invoke_once(&self) -> Result<Receipt, Failed> {
        let began = Instant::now();
        let (ended, watch) = self.run(variables(&self.call)?)?;
        let receipt = local::finish(ended, &self.call, &watch, began);
        match receipt.outcome {
            Outcome::Ok => Ok(receipt),
            outcome => Err(format!("{outcome:?}").into()),
        }
    }

    fn run(&self, variables: Variables) -> Result<(Ended, Arc<Watch>), Failed> {
        let limits = &self.call.deployment.limits;
        let watch = Arc::new(Watch::new(Instant::now() + Duration::from_millis(limits.wall_ms)));
        let outbound = Outbound::new(
            self.network.clone(),
            self.call.deployment.urls.clone(),
            Advice::Run,
            watch.deadline(),
            &self.call.request.headers,
        );
        let session = Box::new(Session {
            variables,
            args: self.args.clone(),
            stdin: Bytes::new(),
            stdout: Box::new(RawOutput::new(std::io::sink(), limits.response_bytes)),
            logs: Logs::new(self.call.invocation, limits.log_bytes),
            watch: watch.clone(),
            runtime: self.runtime.handle().clone(),
            outbound,
            used: Default::default(),
            tape: None,
        });
        let Program::Olin(program) = &*self.program else {
            return Err("the program is none of Olin's".into());
        };
        let ended = olin::run(program, session, limits, limits.gas);
        Ok((ended.ok_or("the run's session was lost")?, watch))
    }
}

fn request() -> RequestHead {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RequestHead {
        method: "GET".to_owned(),
        scheme: Scheme::Http,
        protocol: "HTTP/1.1".to_owned(),
        server_name: "bench.localhost".to_owned(),
        server_port: 3001,
        script_name: String::new(),
        target: "/?name=world".to_owned(),
        headers: vec![field("host", "bench.localhost:3001"), field("accept", "*/*")],
        remote_addr: "127.0.0.1".to_owned(),
    }
}

fn variables(call: &Call) -> Result<Variables, Failed> {
    let context = Context {
        env: &call.deployment.env,
        forward_authorization: call.deployment.forward_authorization,
        run_id: call.invocation,
        worker_id: "bench",
    };
    Ok(Variables::new(&call.request, None, &context)?)
}
