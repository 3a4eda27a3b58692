//! What a recording weighs while it waits to be sent.

use wasmcloud_wire::{Header, Recording};

/// What a recording weighs besides its texts, in bytes.
const RECORDING_BYTES: usize = 1_024;
/// The same of a header field and of a clock's reading.
const HEADER_BYTES: usize = 10;
const READING_BYTES: usize = 20;

/// About what a recording takes in memory and in the database, in bytes.
pub(crate) fn weight(recording: &Recording) -> usize {
    let fields = |fields: &[Header]| -> usize {
        fields.iter().map(|(name, value)| HEADER_BYTES + name.len() + value.len()).sum()
    };
    let readings = recording.inputs.wall_ns.len() + recording.inputs.monotonic_ns.len();
    // The body is base64 in JSON.
    let body = recording.body.as_ref().map_or(0, |body| body.len() / 3 * 4);
    let gaps: usize = recording.gaps.iter().map(String::len).sum();
    let (request, answer) = (&recording.request, &recording.answer);
    RECORDING_BYTES
        + request.target.len()
        + fields(&request.headers)
        + fields(&answer.headers)
        + readings * READING_BYTES
        + body
        + gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_counts_for_what_it_takes_in_json() {
        let recording: Recording = serde_json::from_value(serde_json::json!({
            "invocation": "01890a5d-ac96-774b-bcce-b302099a8057",
            "handler": "01890a5d-ac96-774b-bcce-b302099a8058",
            "version": 1,
            "digest": "0".repeat(64),
            "abi": "olin",
            "at": 0,
            "request": {
                "method": "GET", "scheme": "http", "protocol": "HTTP/1.1", "server_name": "x", "server_port": 1,
                "script_name": "", "target": "/".repeat(1_000), "headers": [["a", "b".repeat(1_000)]],
                "remote_addr": "127.0.0.1",
            },
            "body": "AAAA".repeat(10_000),
            "inputs": { "seed": "0".repeat(64), "wall_ns": vec![u64::MAX; 1_000], "monotonic_ns": [] },
            "answer": {
                "status": 200, "headers": [["a", "b".repeat(1_000)]], "body_digest": "0".repeat(64), "body_bytes": 1,
                "outcome": "ok",
            },
            "gas": 1,
            "wall_us": 1,
            "gaps": ["c".repeat(1_000)],
        }))
        .unwrap();
        let bytes = serde_json::to_string(&recording).unwrap().len();
        let weight = weight(&recording);
        assert!((bytes * 95 / 100..bytes * 105 / 100).contains(&weight), "{weight} for {bytes}");
    }
}
