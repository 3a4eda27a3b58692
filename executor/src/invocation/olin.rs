//! An invocation of a program of the Olin family, on a thread that may block.

use std::time::Duration;

use wasmcloud_cgi::Variables;

use super::Job;
use super::redirects::{Next, Runs};
use crate::admission::Place;
use crate::guest::{Kill, Outbound};
use crate::olin;
use crate::outcome::Over;
use crate::program::Program;
use crate::wasi::thread_cpu_ns;

impl Job {
    /// Runs the program, and ends it when its time is over or its client gone.
    pub(super) async fn run_olin(self, variables: Variables, outbound: Outbound, place: Place) {
        let (invocation, reader) = (self.call.invocation, self.reader.clone());
        let guest = tokio::task::spawn_blocking(move || self.run_blocking(variables, outbound));
        let mut guest = std::pin::pin!(async {
            if let Err(error) = guest.await {
                tracing::error!(%invocation, %error, "an invocation's thread failed");
            }
        });
        let why = tokio::select! {
            () = &mut guest => return drop(place),
            () = tokio::time::sleep_until(reader.watch.deadline().into()) => Kill::Wall,
            () = reader.parts.closed() => Kill::ClientGone,
            why = reader.watch.asked_to_end() => why,
        };
        reader.watch.kill(why, guest).await;
        drop(place);
    }

    fn run_blocking(self, variables: Variables, outbound: Outbound) {
        let began_ns = thread_cpu_ns();
        let over = self.run_to_its_end(variables, outbound);
        // All its runs, and what the host did for them, on this thread; gas knows only of the instructions.
        let cpu = Duration::from_nanos(thread_cpu_ns().saturating_sub(began_ns));
        match over {
            Some(over) => self.finish(Over { cpu, ..over }),
            None => {
                tracing::error!(invocation = %self.call.invocation, "an invocation's session was lost");
            }
        }
    }

    fn run_to_its_end(&self, variables: Variables, outbound: Outbound) -> Option<Over> {
        let Program::Olin(program) = &*self.program else { return None };
        let mut logs = self.logs();
        let stdout = self.answer(&self.call.request, &mut logs);
        let mut session = self.session(variables, outbound, logs, stdout);
        let mut runs = Runs::new(self);
        loop {
            let gas = runs.budget(self).gas;
            let ended = olin::run(program, session, &self.call.deployment.limits, gas)?;
            match runs.after(self, ended) {
                Next::Over(over) => return Some(*over),
                Next::Again(again) => session = again,
            }
        }
    }
}
