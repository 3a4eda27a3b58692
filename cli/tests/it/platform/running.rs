//! The platform's processes: started, stopped, killed, and what they said.

use std::net::{Ipv4Addr, TcpStream};

use super::{Platform, Process, SERVICE_TOKEN, Shape, clock};

#[derive(Default)]
pub(super) struct Running {
    /// `serve`, or each `api`.
    apis: Vec<Option<Process>>,
    /// Each `executor`; none where `serve` is both.
    executors: Vec<Option<Process>>,
    /// Before a fleet.
    proxy: Option<Process>,
}

impl Platform {
    /// Starts whatever does not run.
    #[track_caller]
    pub fn start_again(&self) {
        self.start_proxy_if_any();
        self.start_executor();
        self.start_api();
        self.wait_for_executors();
    }

    /// Waits until the API has heard of the executors, where it can.
    fn wait_for_executors(&self) {
        if self.shape == Shape::Serve || self.executor_token != SERVICE_TOKEN {
            return;
        }
        super::eventually("the executors have reported", || {
            let done = self.operator.run(&["executors", "--json"]);
            if done.code != 0 {
                // Whoever is not logged in is not told.
                return Some(());
            }
            let list = done.json();
            let healthy = list.as_array().unwrap().iter().filter(|one| one["health"] == "healthy").count();
            (healthy >= self.executors.len()).then_some(())
        });
    }

    fn start_proxy_if_any(&self) {
        let mut running = self.running();
        if self.shape == Shape::Fleet && running.proxy.is_none() {
            running.proxy = Some(self.start_proxy());
        }
    }

    /// Starts `serve`, or every `api` that does not run.
    pub fn start_api(&self) {
        for number in 0..self.apis.len() {
            self.start_api_of(number);
        }
    }

    /// Starts one `api`, unless it runs.
    pub fn start_api_of(&self, number: usize) {
        let mut running = self.running();
        running.apis.resize_with(self.apis.len(), || None);
        if running.apis[number].is_some() {
            return;
        }
        let process = self.spawn(&self.api_args_of(number));
        process.stdout.wait_for("next: ");
        self.learn_password(&process);
        running.apis[number] = Some(process);
    }

    /// Starts every executor that does not run.
    pub fn start_executor(&self) {
        if self.shape != Shape::Serve {
            (0..self.executors.len()).for_each(|number| self.start_executor_of(number));
        }
    }

    /// Starts one executor, unless it runs.
    pub fn start_executor_of(&self, number: usize) {
        let mut running = self.running();
        running.executors.resize_with(self.executors.len(), || None);
        if running.executors[number].is_some() {
            return;
        }
        let process = self.spawn(&self.executor_args_of(number));
        process.stdout.wait_for("next: ");
        running.executors[number] = Some(process);
    }

    fn spawn(&self, args: &[String]) -> Process {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = self.operator.command(&args);
        if self.clock_jumps {
            clock::read_from(&self.file("clock"), &mut command);
        }
        Process::of(&mut command)
    }

    /// The memory that all processes of the platform have, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let running = self.running();
        running.apis.iter().chain(&running.executors).flatten().map(Process::resident_kib).sum()
    }

    /// The first start's password; logs the operator in where the start itself does not.
    fn learn_password(&self, process: &Process) {
        let lines = process.stdout.text();
        let Some((_, rest)) = lines.split_once("admin with the password ") else { return };
        let password = rest.split_whitespace().next().unwrap();
        self.password.set(password.to_owned()).expect("only the first start shows a password");
        if self.shape != Shape::Serve {
            let login = ["login", "admin", "--password-stdin", "--api-server", &self.api_url()];
            self.operator.run_with_input(&login, password).good();
        }
    }

    /// Stops everything by SIGTERM, the executors first: their records have to reach the API.
    #[track_caller]
    pub fn stop(&self) {
        self.stop_by("TERM");
    }

    /// Stops everything by this signal, and expects that each process exits with 0.
    #[track_caller]
    pub fn stop_by(&self, signal: &str) {
        self.stop_executor_by(signal);
        self.stop_api_by(signal);
    }

    #[track_caller]
    pub fn stop_api_by(&self, signal: &str) {
        let processes: Vec<Process> = self.running().apis.iter_mut().filter_map(Option::take).collect();
        end(processes, signal);
    }

    #[track_caller]
    pub fn stop_executor_by(&self, signal: &str) {
        let processes: Vec<Process> = self.running().executors.iter_mut().filter_map(Option::take).collect();
        end(processes, signal);
    }

    /// Stops one of several executors.
    #[track_caller]
    pub fn stop_executor_of(&self, number: usize, signal: &str) {
        let process = self.running().executors[number].take();
        end(process.into_iter().collect(), signal);
    }

    /// Stops one of several APIs.
    #[track_caller]
    pub fn stop_api_of(&self, number: usize, signal: &str) {
        let process = self.running().apis[number].take();
        end(process.into_iter().collect(), signal);
    }

    /// Waits for the end of `serve`, or of the executors, which were sent a signal, and stops the rest.
    #[track_caller]
    pub fn wait(&self) {
        let mut running = self.running();
        let Running { apis, executors, .. } = &mut *running;
        let edge = if executors.is_empty() { apis } else { executors };
        let processes: Vec<Process> = edge.iter_mut().filter_map(Option::take).collect();
        drop(running);
        assert!(!processes.is_empty(), "it ran");
        processes.into_iter().for_each(Process::ends_well);
        self.stop();
    }

    /// `kill -9` for every process of the platform.
    pub fn kill(&self) {
        self.kill_api();
        self.kill_executor();
    }

    pub fn kill_api(&self) {
        self.running().apis.clear();
    }

    pub fn kill_executor(&self) {
        self.running().executors.clear();
    }

    /// `kill -9` for one of several APIs.
    pub fn kill_api_of(&self, number: usize) {
        drop(self.running().apis[number].take());
    }

    /// `kill -9` for one of several executors.
    pub fn kill_executor_of(&self, number: usize) {
        drop(self.running().executors[number].take());
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        // A test that failed elsewhere is told by its own words.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What `serve` or each `api` wrote to standard output.
    pub fn said(&self) -> String {
        self.running().apis.iter().flatten().map(|process| process.stdout.text()).collect()
    }

    /// The log of `serve` or each `api`.
    pub fn api_log(&self) -> String {
        self.running().apis.iter().flatten().map(|process| process.stderr.text()).collect()
    }

    pub fn executor_log(&self) -> String {
        self.running().executors.iter().flatten().map(|process| process.stderr.text()).collect()
    }

    /// Sends a signal to `serve`, or to the executors.
    pub fn signal_edge(&self, signal: &str) {
        let running = self.running();
        let edge = if running.executors.is_empty() { &running.apis } else { &running.executors };
        edge.iter().flatten().for_each(|process| process.signal(signal));
    }

    /// Whether nobody is let in to handlers any more.
    pub fn edge_is_closed(&self) -> bool {
        let ports: Vec<u16> = match self.shape {
            Shape::Serve => vec![self.edge_port],
            Shape::Split | Shape::Fleet => self.executors.iter().map(|ports| ports.public).collect(),
        };
        ports.iter().all(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err())
    }
}

/// Sends the signal to all, then waits for each.
#[track_caller]
fn end(processes: Vec<Process>, signal: &str) {
    processes.iter().for_each(|process| process.signal(signal));
    processes.into_iter().for_each(Process::ends_well);
}
