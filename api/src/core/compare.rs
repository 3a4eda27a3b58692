//! Comparing a version with the live one: recorded requests replayed against both, with the same clocks and
//! randomness.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;
use wasmcloud_wire::{
    COMPARED, COMPARED_MAX, CompareRequest, Comparison, Deployment, HandlerName, InvocationId, Invoker, Pair,
    Recorded, Recording, RunSummary, UserId, differences,
};

use super::Core;
use super::recordings::{answer_of, hidden, replay_call};
use crate::ApiError;

/// Recorded requests that are replayed at once, each against one version after the other.
const AT_ONCE: usize = 2;
/// How long one comparison may take; what was not replayed by then is not compared.
const TIME_MAX: Duration = Duration::from_secs(45);
/// Most methods that may be asked for.
const METHODS_MAX: usize = 16;
/// Most reasons that are told.
const PROBLEMS_MAX: usize = 5;

/// Both versions, and how they are run.
struct Both {
    invoker: Arc<dyn Invoker>,
    live: Deployment,
    candidate: Deployment,
    hidden: Vec<String>,
    outbound: bool,
    depth: u32,
}

impl Core {
    /// Replays a handler's newest recorded requests against its live version and another.
    pub(crate) async fn compare(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: &HandlerName,
        asked: CompareRequest,
        depth: u32,
    ) -> Result<Comparison, ApiError> {
        let until = Instant::now() + TIME_MAX;
        let row = self.store.handler(owner, name).await?;
        let row = row.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
        let (methods, last) = checked(&asked)?;
        let live = self.own_deployment(owner, name, row.live).await?;
        let candidate = self.own_deployment(owner, name, asked.version).await?;
        let recorded = self.store.recorded(row.id, &methods, last).await?;
        if recorded.is_empty() {
            return Err(nothing_recorded(name, &methods));
        }
        // So that neither is compiled within the time that is compared.
        for deployment in [&live, &candidate] {
            invoker.prepare(&deployment.digest).await.map_err(ApiError::from)?;
        }
        let (hidden, invoker) = (hidden(&live), invoker.clone());
        let versions = (row.live, asked.version);
        let both = Both { invoker, live, candidate, hidden, outbound: asked.outbound, depth };
        let wanted = recorded.len();
        let (pairs, problems) = self.pairs(owner, recorded, &both, until).await;
        Ok(Comparison {
            live: versions.0,
            version: versions.1,
            same: !pairs.is_empty() && pairs.iter().all(|pair| pair.differences.is_empty()),
            not_compared: u32::try_from(wanted - pairs.len()).unwrap_or(u32::MAX),
            pairs,
            problems,
        })
    }

    async fn pairs(
        &self,
        owner: UserId,
        recorded: Vec<InvocationId>,
        both: &Both,
        until: Instant,
    ) -> (Vec<Pair>, Vec<String>) {
        let mut pairs = Vec::new();
        let mut problems: Vec<String> = Vec::new();
        let mut results = stream::iter(recorded)
            .map(|id| async move {
                match self.recording(owner, None, id).await {
                    Ok(Recorded { recording, .. }) => both.pair(&recording).await,
                    Err(error) => Err(error.message.clone()),
                }
            })
            .buffered(AT_ONCE);
        loop {
            match tokio::time::timeout_at(until, results.next()).await {
                Ok(Some(Ok(pair))) => pairs.push(pair),
                Ok(Some(Err(problem))) => {
                    if problems.len() < PROBLEMS_MAX && !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
                Ok(None) => return (pairs, problems),
                Err(_) => {
                    problems.push(format!("comparing took longer than {} s", TIME_MAX.as_secs()));
                    return (pairs, problems);
                }
            }
        }
    }
}

impl Both {
    async fn pair(&self, recording: &Recording) -> Result<Pair, String> {
        let run = async |deployment: &Deployment| {
            let call = replay_call(recording, deployment.clone(), self.outbound, self.depth);
            answer_of(&*self.invoker, call).await.map_err(|error| error.to_string())
        };
        let (live, live_receipt) = run(&self.live).await?;
        let (candidate, receipt) = run(&self.candidate).await?;
        Ok(Pair {
            recorded: recording.invocation,
            method: recording.request.method.clone(),
            target: recording.request.target.clone(),
            differences: differences(&live, &candidate, &self.hidden),
            gaps: recording.gaps.clone(),
            live: RunSummary::new(&live, live_receipt.gas, live_receipt.wall_us),
            candidate: RunSummary::new(&candidate, receipt.gas, receipt.wall_us),
        })
    }
}

/// Which requests are meant.
fn checked(asked: &CompareRequest) -> Result<(Vec<String>, u32), ApiError> {
    let last = asked.last.unwrap_or(COMPARED);
    if last == 0 || last > COMPARED_MAX {
        return Err(ApiError::invalid(
            format!("`last` is a number from 1 to {COMPARED_MAX}, not {last}"),
            "ask for fewer at a time",
        ));
    }
    if asked.methods.len() > METHODS_MAX {
        return Err(ApiError::invalid(format!("`methods` has at most {METHODS_MAX} names"), "name fewer"));
    }
    let methods = match asked.methods.is_empty() {
        true => vec!["GET".to_owned(), "HEAD".to_owned()],
        false => asked.methods.iter().map(|method| method.to_ascii_uppercase()).collect(),
    };
    Ok((methods, last))
}

fn nothing_recorded(name: &HandlerName, methods: &[String]) -> ApiError {
    let methods = methods.join(",");
    ApiError::new(
        404,
        "nothing_recorded",
        format!("no {methods} request of `{name}` is recorded, so there is nothing to compare with"),
        format!(
            "turn recording on: wasmcloud set {name} --record {methods}; then send it requests, and compare again"
        ),
    )
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::VersionNumber;

    use super::*;

    #[test]
    fn safe_methods_are_compared_unless_others_are_named_and_numbers_have_bounds() {
        let asked = |last, methods: &[&str]| {
            let methods = methods.iter().map(|method| (*method).to_owned()).collect();
            checked(&CompareRequest { version: VersionNumber(2), last, methods, outbound: false })
        };
        assert_eq!(asked(None, &[]).unwrap(), (vec!["GET".to_owned(), "HEAD".to_owned()], COMPARED));
        assert_eq!(asked(Some(100), &["post"]).unwrap(), (vec!["POST".to_owned()], 100));
        for (last, methods) in [(Some(0), &[][..]), (Some(101), &[]), (None, &["GET"; METHODS_MAX + 1])] {
            assert_eq!(asked(last, methods).unwrap_err().status, 422);
        }
    }
}
