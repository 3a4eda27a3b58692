//! The platform's processes: started, stopped, killed, and what they said.

use super::{Platform, Process, Shape};

#[derive(Default)]
pub(super) struct Running {
    /// `serve`, or `api`.
    pub(super) api: Option<Process>,
    /// `executor`; nothing where `serve` is both.
    executor: Option<Process>,
}

impl Platform {
    /// Starts whatever does not run.
    #[track_caller]
    pub fn start_again(&self) {
        if self.shape == Shape::Split {
            self.start_executor();
        }
        self.start_api();
    }

    /// Starts `serve` or `api`, unless it runs.
    pub fn start_api(&self) {
        let mut running = self.running();
        if running.api.is_some() {
            return;
        }
        let process = Process::spawn(&self.operator, &self.api_args());
        process.stdout.wait_for("next: ");
        self.learn_password(&process);
        running.api = Some(process);
    }

    pub fn start_executor(&self) {
        let mut running = self.running();
        if running.executor.is_some() {
            return;
        }
        let process = Process::spawn(&self.operator, &self.executor_args());
        process.stdout.wait_for("next: ");
        running.executor = Some(process);
    }

    /// The first start's password; logs the operator in where the start itself does not.
    fn learn_password(&self, process: &Process) {
        let lines = process.stdout.text();
        let Some((_, rest)) = lines.split_once("admin with the password ") else { return };
        let password = rest.split_whitespace().next().unwrap();
        self.password.set(password.to_owned()).expect("only the first start shows a password");
        if self.shape == Shape::Split {
            let login = ["login", "admin", "--password-stdin", "--api-server", &self.api_url()];
            self.operator.run_with_input(&login, password).good();
        }
    }

    /// Stops everything by SIGTERM, the executor first: its records have to reach the API.
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
        if let Some(process) = self.running().api.take() {
            process.ends_well_by(signal);
        }
    }

    #[track_caller]
    pub fn stop_executor_by(&self, signal: &str) {
        if let Some(process) = self.running().executor.take() {
            process.ends_well_by(signal);
        }
    }

    /// Waits for the end of `serve`, or of the executor, which was sent a signal, and stops the rest.
    #[track_caller]
    pub fn wait(&self) {
        let mut running = self.running();
        let process = running.executor.take().or_else(|| running.api.take());
        drop(running);
        process.expect("it ran").ends_well();
        self.stop();
    }

    /// `kill -9` for every process.
    pub fn kill(&self) {
        self.kill_api();
        self.kill_executor();
    }

    pub fn kill_api(&self) {
        drop(self.running().api.take());
    }

    pub fn kill_executor(&self) {
        drop(self.running().executor.take());
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        // A test that failed elsewhere is told by its own words.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What `serve` or `api` wrote to standard output.
    pub fn said(&self) -> String {
        self.running().api.as_ref().expect("it runs").stdout.text()
    }

    /// The log of `serve` or `api`.
    pub fn api_log(&self) -> String {
        self.running().api.as_ref().expect("it runs").stderr.text()
    }

    pub fn executor_log(&self) -> String {
        self.running().executor.as_ref().expect("it runs").stderr.text()
    }

    /// Sends a signal to `serve`, or to the executor.
    pub fn signal_edge(&self, signal: &str) {
        let running = self.running();
        running.executor.as_ref().or(running.api.as_ref()).expect("it runs").signal(signal);
    }
}
