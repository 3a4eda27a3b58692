//! Requests about recorded invocations.

use std::time::Duration;

use bytes::Bytes;
use wasmcloud_wire::{
    CompareRequest, Comparison, HandlerName, InvocationId, Recorded, RecordingPolicy, Replay, ReplayRequest,
    VersionNumber,
};

use super::Client;
use crate::failure::Failure;

/// How long a replay may take: longer than the longest invocation may run.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(330);

impl Client {
    /// What of a handler's invocations is recorded.
    pub async fn recording_policy(&self, name: &HandlerName) -> Result<Option<RecordingPolicy>, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}/recording"))).await
    }

    /// A recorded invocation, whichever of the user's handlers it is of.
    pub async fn recording(&self, id: InvocationId) -> Result<Recorded, Failure> {
        self.fetch(self.get(&format!("/recordings/{id}"))).await
    }

    /// Runs a recorded invocation again.
    pub async fn replay(
        &self,
        name: &HandlerName,
        id: InvocationId,
        request: &ReplayRequest,
    ) -> Result<Replay, Failure> {
        let path = format!("/handlers/{name}/invocations/{id}/replay");
        self.fetch_within(self.post(&path).json(request), REPLAY_TIMEOUT).await
    }

    /// Compares a version with the live one.
    pub async fn compare(&self, name: &HandlerName, request: &CompareRequest) -> Result<Comparison, Failure> {
        self.fetch(self.post(&format!("/handlers/{name}/compare")).json(request)).await
    }

    /// A version's module.
    pub async fn module(&self, name: &HandlerName, version: VersionNumber) -> Result<Bytes, Failure> {
        self.bytes(self.get(&format!("/handlers/{name}/versions/{version}/module"))).await
    }
}
