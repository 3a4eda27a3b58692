//! Replays of recorded invocations: what is asked, what is answered, and where two answers differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, HandlerName, InvocationId, REDACTED, Receipt, RecordedAnswer, Recording, VersionNumber};

/// Most recordings that one comparison replays.
pub const COMPARED_MAX: u32 = 100;
/// How many it replays unless it is told.
pub const COMPARED: u32 = 20;

/// `POST /api/v1/handlers/N/invocations/ID/replay`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayRequest {
    /// The version to run; the recorded one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// Whether it may do requests of its own, as the handler's policy says. Otherwise they are refused.
    pub outbound: bool,
}

/// A recording and whose it is: `GET /api/v1/recordings/ID`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The handler.
    pub handler: HandlerName,
    /// What was recorded.
    pub recording: Recording,
}

/// What a replay came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// The recorded invocation.
    pub recorded: InvocationId,
    /// The replay, which has a receipt and a log of its own where it ran on a server.
    pub replay: InvocationId,
    /// The version that was recorded.
    pub recorded_version: VersionNumber,
    /// The version that was run now; absent where it was a module of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// Whether both answers are the same.
    pub same: bool,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// Why they may differ whatever the program does.
    pub gaps: Vec<String>,
    /// What it was then.
    pub before: RunSummary,
    /// What it is now.
    pub now: RunSummary,
}

/// One run, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The answer's status; null when nothing was answered.
    pub status: Option<u16>,
    /// How the run ended, in a word.
    pub outcome: String,
    /// The size of the answer's body.
    pub body_bytes: u64,
    /// The sha256 of the answer's body.
    pub body_digest: Digest,
    /// Weighted instructions executed; 0 where they were not counted.
    pub gas: u64,
    /// Wall time, in microseconds.
    pub wall_us: u64,
}

/// One place where two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `status`, `outcome`, `body`, or `header NAME`.
    pub place: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub now: String,
}

/// `POST /api/v1/handlers/N/compare`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareRequest {
    /// The version that is compared with the live one.
    pub version: VersionNumber,
    /// How many recorded requests are replayed, the newest: 1 to [`COMPARED_MAX`]; [`COMPARED`] if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// Methods of requests that are replayed; `GET` and `HEAD` if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Whether the replays may do requests of their own, as the handler's policy says.
    #[serde(default)]
    pub outbound: bool,
}

/// What a comparison came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The live version.
    pub live: VersionNumber,
    /// The version that it was compared with.
    pub version: VersionNumber,
    /// Whether all that were compared are the same, and one at least was.
    pub same: bool,
    /// The requests, the newest first.
    pub pairs: Vec<Pair>,
    /// How many recorded requests were not compared, since time was over or a version could not be run.
    pub not_compared: u32,
    /// Why not, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One recorded request, answered by both versions with the same clocks and randomness.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// The recorded invocation.
    pub recorded: InvocationId,
    /// The request's method.
    pub method: String,
    /// The request's path and query, without what is redacted.
    pub target: String,
    /// Where the answers differ.
    pub differences: Vec<Difference>,
    /// Why they may differ whatever the programs do.
    pub gaps: Vec<String>,
    /// What the live version did.
    pub live: RunSummary,
    /// What the other version did.
    pub candidate: RunSummary,
}

impl RunSummary {
    /// An answer and what it took.
    pub fn new(answer: &RecordedAnswer, gas: u64, wall_us: u64) -> RunSummary {
        RunSummary {
            status: answer.status,
            outcome: answer.outcome.clone(),
            body_bytes: answer.body_bytes,
            body_digest: answer.body_digest,
            gas,
            wall_us,
        }
    }
}

impl Replay {
    /// A recording beside what a replay of it gave.
    pub fn new(
        recording: &Recording,
        answer: &RecordedAnswer,
        receipt: &Receipt,
        version: Option<VersionNumber>,
        hidden: &[String],
    ) -> Replay {
        let differences = differences(&recording.answer, answer, hidden);
        Replay {
            recorded: recording.invocation,
            replay: receipt.invocation,
            recorded_version: recording.version,
            version,
            same: differences.is_empty(),
            differences,
            gaps: recording.gaps.clone(),
            before: RunSummary::new(&recording.answer, recording.gas, recording.wall_us),
            now: RunSummary::new(answer, receipt.gas, receipt.wall_us),
        }
    }
}

/// Fields that say nothing about what a program does.
const PASSED_OVER: [&str; 2] = ["date", "wasmcloud-invocation"];
/// A field that also depends on whether an answer was whole before it was sent: bodies are compared themselves.
const CONTENT_LENGTH: &str = "content-length";
/// How much of a value is shown.
const SHOWN_CHARS_MAX: usize = 200;

/// Where two answers differ. Values of `hidden` fields, in lower case, and of cookies are compared but not shown;
/// what a recording left out is not compared.
pub fn differences(before: &RecordedAnswer, now: &RecordedAnswer, hidden: &[String]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |place: &str, before: String, now: String| {
        if before != now {
            found.push(Difference { place: place.to_owned(), before, now });
        }
    };
    let status =
        |answer: &RecordedAnswer| answer.status.map_or("none".to_owned(), |status| status.to_string());
    differ("status", status(before), status(now));
    differ("outcome", before.outcome.clone(), now.outcome.clone());
    let body = |answer: &RecordedAnswer| {
        let digest: String = answer.body_digest.to_string().chars().take(12).collect();
        format!("{} bytes, sha256 {digest}…", answer.body_bytes)
    };
    if before.body_digest != now.body_digest {
        differ("body", body(before), body(now));
    }
    let (old, new) = (fields(before), fields(now));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (before, now) = (old.get(name), new.get(name));
        if is_same(name, before, now) {
            continue;
        }
        let is_hidden = name == "set-cookie" || hidden.contains(name);
        let shown = |values: Option<&Vec<&str>>| match values {
            None => "absent".to_owned(),
            Some(_) if is_hidden => REDACTED.to_owned(),
            Some(values) => values.join(", ").chars().take(SHOWN_CHARS_MAX).collect(),
        };
        let (before, now) = (shown(before), shown(now));
        found.push(Difference { place: format!("header {name}"), before, now });
    }
    found
}

fn fields(answer: &RecordedAnswer) -> BTreeMap<String, Vec<&str>> {
    let mut fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in &answer.headers {
        let name = name.to_ascii_lowercase();
        if !PASSED_OVER.contains(&name.as_str()) {
            fields.entry(name).or_default().push(value);
        }
    }
    fields
}

fn is_same(name: &str, before: Option<&Vec<&str>>, now: Option<&Vec<&str>>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => {
            before.len() == now.len()
                && before
                    .iter()
                    .zip(now)
                    .all(|(before, now)| before == now || before.contains(REDACTED) || now.contains(REDACTED))
        }
        (None, None) => true,
        _ => name == CONTENT_LENGTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> RecordedAnswer {
        RecordedAnswer {
            status: Some(status),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body_digest: Digest::of(body),
            body_bytes: body.len() as u64,
            outcome: "ok".to_owned(),
        }
    }

    fn places(before: &RecordedAnswer, now: &RecordedAnswer) -> Vec<String> {
        differences(before, now, &["x-token".to_owned()]).into_iter().map(|one| one.place).collect()
    }

    #[test]
    fn answers_differ_in_status_outcome_body_and_fields() {
        let one = answer(200, &[("content-type", "text/plain"), ("x-a", "1")], b"a");
        assert_eq!(places(&one, &one), [""; 0]);
        let other = answer(404, &[("Content-Type", "text/html"), ("x-b", "1")], b"b");
        assert_eq!(
            places(&one, &other),
            ["status", "body", "header content-type", "header x-a", "header x-b"]
        );
        let ended = RecordedAnswer { outcome: "trap".to_owned(), status: None, ..one.clone() };
        assert_eq!(places(&one, &ended), ["status", "outcome"]);
    }

    #[test]
    fn fields_that_say_nothing_and_what_is_redacted_make_no_difference() {
        let one = answer(200, &[("date", "1"), ("set-cookie", REDACTED), ("x-a", "k=[redacted]")], b"");
        let other = answer(
            200,
            &[("date", "2"), ("set-cookie", "a=b"), ("x-a", "k=v"), ("content-length", "0")],
            b"",
        );
        assert_eq!(places(&one, &other), [""; 0]);
        assert_eq!(places(&one, &answer(200, &[("x-a", "k=v")], b"")), ["header set-cookie"]);
        // Both have it, and it is not the same.
        let (three, four) =
            (answer(200, &[("content-length", "3")], b""), answer(200, &[("content-length", "4")], b""));
        assert_eq!(places(&three, &four), ["header content-length"]);
    }

    #[test]
    fn values_of_hidden_fields_are_compared_and_not_shown() {
        let (one, other) = (
            answer(200, &[("x-token", "1"), ("set-cookie", "s=1")], b""),
            answer(200, &[("x-token", "2"), ("set-cookie", "s=2")], b""),
        );
        let found = differences(&one, &other, &["x-token".to_owned()]);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|one| one.before == REDACTED && one.now == REDACTED), "{found:?}");
    }
}
