//! Recording: what of an invocation is kept so that it can be run again, and what is left out of that.
//!
//! Off by default. Where it is off, the rest of the executor finds `None`, and nothing is done.

mod inputs;
mod redact;
mod tap;
mod weight;

use std::sync::Arc;

use wasmcloud_wire::{
    Call, Inputs, Outcome, RECORDED_READINGS_MAX, Receipt, RecordedAnswer, Recording, Trigger,
};

pub(crate) use inputs::{Random, Tape, fill};
pub(crate) use tap::Tap;
pub(crate) use weight::weight;

use redact::Redaction;

/// What clocks and randomness give this invocation; `None` if the machine's own do.
///
/// # Errors
///
/// What was recorded cannot be read, as a text for whoever asked for the replay.
pub(crate) fn tape(call: &Call) -> Result<Option<Arc<Tape>>, String> {
    match &call.inputs {
        Some(inputs) => Tape::replay(inputs).map(|tape| Some(Arc::new(tape))),
        None if is_recorded(call) => Ok(Tape::record().map(Arc::new)),
        None => Ok(None),
    }
}

/// What watches a request and its answer as they pass; `None` if nothing is recorded.
pub(crate) fn tap(call: &Call, streamed: bool) -> Option<Arc<Tap>> {
    (call.inputs.is_none() && is_recorded(call)).then(|| {
        let streams = call.deployment.abi.is_http() && (streamed || call.body.is_some());
        Arc::new(Tap::new(streams))
    })
}

fn is_recorded(call: &Call) -> bool {
    call.deployment.recording.as_ref().is_some_and(|policy| {
        matches!(call.trigger, Trigger::Edge | Trigger::Chosen | Trigger::Invoke)
            && policy.methods.contains(&call.request.method)
    })
}

/// The recording of an invocation that is over, without what is redacted.
pub(crate) fn make(call: &Call, tape: &Tape, tap: &Tap, receipt: &Receipt) -> Recording {
    let flowed = tap.take();
    let mut gaps = flowed.gaps;
    let mut redaction = Redaction::new(call);
    let mut request = call.request.clone();
    request.target = redaction.text(&request.target, "the request's address");
    request.headers = redaction.request_fields(request.headers, call.deployment.forward_authorization);
    let body = match flowed.request {
        Some(body) => body,
        None => tap::bounded(call.body.clone(), &mut gaps),
    };
    let body = body.map(|body| redaction.bytes(body, "the request's body"));
    let headers = redaction.answer_fields(flowed.headers);
    gaps.extend(redaction.into_gaps());
    let (mut inputs, readings) = tape.inputs();
    inputs.run_id = Some(call.invocation);
    inputs.worker_id.clone_from(&receipt.executor);
    if readings > RECORDED_READINGS_MAX as u64 {
        gaps.push(format!(
            "a clock was read {readings} times; the first {RECORDED_READINGS_MAX} readings are recorded"
        ));
    }
    match receipt.outbound.requests {
        0 => {}
        1 => gaps.push("1 outbound request was made; its answer is not recorded".to_owned()),
        requests => {
            gaps.push(format!("{requests} outbound requests were made; their answers are not recorded"))
        }
    }
    if receipt.outcome == Outcome::Cancelled {
        gaps.push("the client went away before the answer was whole".to_owned());
    }
    if receipt.outcome == Outcome::Suspended {
        gaps.push("the handler's owner was suspended before the answer was whole".to_owned());
    }
    Recording {
        invocation: call.invocation,
        handler: call.deployment.handler,
        version: call.deployment.version,
        digest: call.deployment.digest,
        abi: call.deployment.abi,
        at: receipt.started_at,
        request,
        body,
        inputs,
        answer: RecordedAnswer {
            status: flowed.status,
            headers,
            body_digest: flowed.body_digest,
            body_bytes: flowed.body_bytes,
            outcome: receipt.outcome.kind().to_owned(),
        },
        gas: receipt.gas,
        wall_us: receipt.wall_us,
        gaps,
    }
}

/// Under which id and on which executor a program believes to run: a replay sees what was recorded.
pub(crate) fn identity<'a>(
    inputs: Option<&'a Inputs>,
    call: &Call,
    worker_id: &'a str,
) -> (wasmcloud_wire::InvocationId, &'a str) {
    let recorded = inputs.and_then(|inputs| Some((inputs.run_id?, inputs.worker_id.as_str())));
    recorded.unwrap_or((call.invocation, worker_id))
}
