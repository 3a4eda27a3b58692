//! An executor tells what it runs for accounts, and hears what others run for them: every few seconds.

use std::sync::Weak;
use std::time::Duration;

use wasmcloud_wire::{ControlPlaneError, REPORT_EVERY_S};

use crate::Executor;
use crate::quota::Moment;

/// How long one batch may take; what it was to tell, the next round tells.
const BATCH_MAX: Duration = Duration::from_secs(5);

impl Executor {
    /// Tells what has changed since it was last told, and keeps what others have run. What does not arrive changes
    /// nothing: it is told again, and what was heard before grows old.
    pub(crate) async fn tell_usage(&self) -> Result<(), ControlPlaneError> {
        for mut due in self.quotas.due(Moment::now()) {
            let used = std::mem::take(&mut due.used);
            let told = self.control.usage(self.id(), used);
            let others = tokio::time::timeout(BATCH_MAX, told).await.unwrap_or_else(|_| {
                Err(ControlPlaneError::Unavailable(format!("it did not answer within {BATCH_MAX:?}")))
            })?;
            self.quotas.heard(due, others, Moment::now());
        }
        Ok(())
    }
}

/// Tells for as long as the executor lives.
pub(crate) async fn tell_on(executor: Weak<Executor>) {
    let mut fails = false;
    loop {
        let Some(this) = executor.upgrade() else { return };
        let told = this.tell_usage().await;
        drop(this);
        // One line when it begins, and one when it is over.
        match &told {
            Ok(()) if fails => tracing::info!("the control plane hears again of what accounts use"),
            Err(error) if !fails => {
                tracing::warn!(%error, "the control plane does not hear of what accounts use; trying again");
            }
            Ok(()) | Err(_) => {}
        }
        fails = told.is_err();
        tokio::time::sleep(Duration::from_secs(REPORT_EVERY_S)).await;
    }
}
