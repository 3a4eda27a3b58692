//! An invocation of a program of the WASI family, which gives its thread up whenever it waits.

use wasmcloud_cgi::Variables;

use super::redirects::{Next, Runs};
use super::{Input, Job};
use crate::admission::Place;
use crate::guest::{Nowhere, Outbound};
use crate::outcome::{self, Over};
use crate::program::Program;
use crate::wasi::{self, Budget, Incoming};

impl Job {
    /// Runs the program to its end.
    pub(super) async fn run_wasi(self, input: Input, outbound: Outbound, place: Place) {
        let invocation = self.call.invocation;
        let over = match input {
            Input::Cgi(variables) => self.run_command(variables, outbound).await,
            Input::Http(incoming) => self.run_http(*incoming, outbound).await,
        };
        // What the program wrote last may still wait for its reader; the program does not.
        drop(place);
        let Some(mut over) = over else {
            tracing::error!(%invocation, "an invocation's session was lost");
            return;
        };
        let all_taken = tokio::select! {
            taken = self.reader.caught_up() => taken.is_ok(),
            () = tokio::time::sleep_until(self.reader.watch.deadline().into()) => false,
            _ = self.reader.watch.asked_to_end() => false,
        };
        if !all_taken {
            over.cut_off();
        }
        self.finish(over);
    }

    async fn run_command(&self, variables: Variables, outbound: Outbound) -> Option<Over> {
        let Program::Wasi(program) = &*self.program else { return None };
        let mut logs = self.logs();
        let stdout = self.answer(&self.call.request, &mut logs);
        let mut session = self.session(variables, outbound, logs, stdout);
        let mut runs = Runs::new(self);
        loop {
            let (settings, reader) = (self.settings(), Some(self.reader.clone()));
            let limits = &self.call.deployment.limits;
            let ended = wasi::run(program, session, settings, reader, limits, runs.budget(self)).await?;
            match runs.after(self, ended) {
                Next::Over(over) => return Some(*over),
                Next::Again(again) => session = again,
            }
        }
    }

    async fn run_http(&self, incoming: Incoming, outbound: Outbound) -> Option<Over> {
        let Program::Wasi(program) = &*self.program else { return None };
        let limits = &self.call.deployment.limits;
        let session = self.session(Variables::default(), outbound, self.logs(), Box::new(Nowhere));
        let budget = Budget::of(limits);
        let (settings, reader) = (self.settings(), self.reader.clone());
        let (ended, sent) =
            wasi::run_http(program, session, settings, reader, incoming, limits, budget).await?;
        Some(outcome::of_http(ended, sent, &self.call, &self.ceiling, &self.reader.watch))
    }

    /// The handler's own settings.
    fn settings(&self) -> Vec<(String, String)> {
        let env = &self.call.deployment.env;
        env.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
