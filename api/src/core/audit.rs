//! The audit log: who changed what.

use super::Core;

impl Core {
    /// Notes what came of a change. What cannot be noted stays without a status: the change itself is done.
    pub(crate) async fn finish_audit(&self, position: i64, status: u16) {
        if let Err(error) = self.store.finish_audit(position, status).await {
            tracing::warn!(%error, position, status, "cannot note in the audit log what came of a change");
        }
    }
}
