//! Recording and replay: of every kind of program, what is kept and what is left out of it.

mod programs;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wasmcloud_executor::egress::Egress;
use wasmcloud_wire::{
    Call, Deployment, Event, InvocationId, Invoker as _, RECORDED_BODY_BYTES_MAX, Recording, RecordingPolicy,
    Trigger, VersionNumber,
};

use crate::app::{TestExecutor, WORKER_ID, call};
use crate::client::Answer;
use crate::far::{Server, allowing, ok, open, script};
use crate::invoker::events;
use crate::kinds::{KINDS, Kind};
use crate::wasi::languages::guest;
use crate::wasm::{fixture, sleeps};
use programs::programs;

/// What was recorded of an invocation; waits for its receipt.
async fn recording(app: &TestExecutor, invocation: InvocationId) -> Option<Recording> {
    app.control.recorded(invocation).await;
    app.control.see(|state| {
        let mut of = state.records.iter().filter(|record| record.invocation == invocation);
        of.find_map(|record| record.recording.as_deref().cloned())
    })
}

async fn recording_of(app: &TestExecutor, answer: &Answer) -> Recording {
    recording(app, answer.invocation()).await.expect("it is recorded")
}

fn records_all(deployment: &mut Deployment) {
    let methods = ["GET", "HEAD", "POST"].map(str::to_owned).to_vec();
    deployment.recording = Some(RecordingPolicy { methods, ..RecordingPolicy::default() });
}

fn replay_of(recording: &Recording, deployment: &Deployment) -> Call {
    Call {
        trigger: Trigger::Replay,
        request: recording.request.clone(),
        body: recording.body.clone(),
        inputs: Some(Box::new(recording.inputs.clone())),
        ..call(deployment, "/")
    }
}

/// The answer's body, and the log's lines.
async fn ran(app: &TestExecutor, call: Call) -> (Vec<u8>, Vec<String>) {
    let (mut body, mut lines) = (Vec::new(), Vec::new());
    for event in events(app, call).await {
        match event {
            Event::Body { bytes } => body.extend_from_slice(&bytes),
            Event::Log { line } if line.text.starts_with("given: ") => lines.push(line.text),
            _ => {}
        }
    }
    (body, lines)
}

#[tokio::test]
async fn a_replay_of_every_kind_of_program_sees_the_same_clocks_and_the_same_randomness() {
    let app = TestExecutor::start().await;
    for program in programs() {
        let deployment = app.deploy_with(program.name, &program.module, records_all).await;
        let asked = call(&deployment, "/");
        let invocation = asked.invocation;
        let first = ran(&app, asked).await;
        let recording = recording(&app, invocation).await.expect("it is recorded");
        assert_eq!(first.1.len(), usize::from(program.logs), "{}: {first:?}", program.name);
        assert_eq!(first.0.is_empty(), program.logs, "{}", program.name);
        for _ in 0..2 {
            let again = ran(&app, replay_of(&recording, &deployment)).await;
            assert!(again == first, "{}: {recording:?}", program.name);
        }
        // Whoever is not given it sees something else; of whole seconds that would take a second.
        if program.name != "olin-time" {
            let fresh = ran(&app, call(&deployment, "/")).await;
            assert!(fresh != first, "{}", program.name);
        } else {
            let mut later = recording.clone();
            later.inputs.wall_ns = vec![1_000_000_000_000_000_000];
            assert_eq!(ran(&app, replay_of(&later, &deployment)).await.0, b"1000000000\n");
        }
    }
}

#[tokio::test]
async fn a_recording_has_the_request_the_answer_and_what_it_took() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let deployment = app.deploy_with(kind.name(), &kind.echoes(), records_all).await;
        let answer = app.post(kind.name(), "/some/path?q=1", b"hello").await;
        let recording = recording_of(&app, &answer).await;
        assert_eq!(recording.invocation, answer.invocation());
        assert_eq!((recording.handler, recording.version), (deployment.handler, VersionNumber(1)));
        assert_eq!((recording.digest, recording.abi), (deployment.digest, deployment.abi));
        let request = &recording.request;
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/some/path?q=1"));
        assert_eq!(recording.body.as_deref(), Some(&b"hello"[..]));
        let digest = wasmcloud_wire::Digest::from(<[u8; 32]>::from(Sha256::digest(b"hello")));
        let answered = &recording.answer;
        assert_eq!((answered.status, answered.body_digest, answered.body_bytes), (Some(200), digest, 5));
        assert_eq!((answered.outcome.as_str(), recording.gaps.len()), ("ok", 0), "{:?}", recording.gaps);
        let receipt = app.recorded(&answer).await.receipt;
        assert_eq!((recording.gas, recording.wall_us), (receipt.gas, receipt.wall_us));
        assert_eq!(recording.inputs.seed.len(), 64);
    }
}

#[tokio::test]
async fn a_replay_runs_under_the_id_and_on_the_executor_that_were_recorded() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let deployment = app.deploy_with(kind.name(), &kind.shows_environment(), records_all).await;
        let answer = app.get(kind.name(), "/").await;
        let mut recording = recording_of(&app, &answer).await;
        assert_eq!(recording.inputs.run_id, Some(answer.invocation()));
        assert_eq!(recording.inputs.worker_id, WORKER_ID);
        assert_eq!(ran(&app, replay_of(&recording, &deployment)).await.0, answer.body, "{kind:?}");
        recording.inputs.worker_id = "another".to_owned();
        let elsewhere = ran(&app, replay_of(&recording, &deployment)).await.0;
        assert!(String::from_utf8_lossy(&elsewhere).contains("WORKER_ID=another"), "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_recorded_unless_the_handler_says_so_and_then_only_its_methods() {
    let app = TestExecutor::start().await;
    app.deploy("off", &Kind::Olin.prints("A: b\n\n")).await;
    let gets = |deployment: &mut Deployment| {
        let methods = vec!["GET".to_owned()];
        deployment.recording = Some(RecordingPolicy { methods, ..RecordingPolicy::default() });
    };
    let deployment = app.deploy_with("gets", &Kind::Olin.prints("A: b\n\n"), gets).await;
    let answer = app.get("off", "/").await;
    assert_eq!(recording(&app, answer.invocation()).await, None);
    let answer = app.post("gets", "/", b"").await;
    assert_eq!(recording(&app, answer.invocation()).await, None);
    let answer = app.get("gets", "/").await;
    let recorded = recording_of(&app, &answer).await;
    // Nor is a replay.
    let replay = replay_of(&recorded, &deployment);
    let invocation = replay.invocation;
    ran(&app, replay).await;
    assert_eq!(recording(&app, invocation).await, None);
}

#[tokio::test]
async fn a_body_above_the_bound_is_a_gap_whether_it_streams_or_not() {
    let app = TestExecutor::start().await;
    app.deploy_with("cgi", &Kind::Olin.prints("A: b\n\n"), records_all).await;
    app.deploy_with("http", &guest("echo"), records_all).await;
    for name in ["cgi", "http"] {
        for (bytes, kept) in [(RECORDED_BODY_BYTES_MAX, true), (RECORDED_BODY_BYTES_MAX + 1, false)] {
            let body = vec![b'x'; bytes];
            let answer = app.post(name, "/", &body).await;
            assert_eq!(answer.status, 200, "{name}");
            let recording = recording_of(&app, &answer).await;
            let expected = kept.then(|| Bytes::from(body));
            assert!(recording.body == expected, "{name}: {bytes}: {:?}", recording.gaps);
            let gap = recording.gaps.iter().any(|gap| gap.contains(&format!("had {bytes} bytes")));
            assert_eq!(gap, !kept, "{name}: {:?}", recording.gaps);
        }
    }
}

#[tokio::test]
async fn a_streamed_answer_is_recorded_as_what_the_client_got() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy_with("http", &guest("echo"), records_all).await;
    let answer = app.post("http", "/?x=1", b"hello").await;
    let recording = recording_of(&app, &answer).await;
    assert_eq!(recording.answer.body_digest, wasmcloud_wire::Digest::of(&answer.body));
    assert_eq!(recording.answer.body_bytes, answer.body.len() as u64);
    assert_eq!(recording.body.as_deref(), Some(&b"hello"[..]));
    assert_eq!(ran(&app, replay_of(&recording, &deployment)).await.0, answer.body);
}

#[tokio::test]
async fn credentials_named_fields_and_secret_settings_never_leave_the_executor() {
    const SECRET: &str = "t0p/s3cret key";
    let app = TestExecutor::start().await;
    let module = Kind::Olin.prints("X-Leak: t0p/s3cret key!\nSet-Cookie: a=canary-4\n\nok");
    app.deploy_with("hello", &module, |deployment| {
        records_all(deployment);
        deployment.recording.as_mut().unwrap().redact = vec!["x-api-key".to_owned()];
        deployment.env = [("KEY", SECRET), ("PLAIN", "plain value"), ("SHORT", "abc")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        deployment.secrets = ["KEY", "SHORT"].map(str::to_owned).into();
    })
    .await;
    let body = "key=t0p%2Fs3cret+key&raw=t0p/s3cret key&plain=plain value&short=abc";
    let request = format!(
        "POST /t0p%2fs3cret%20key?k=t0p%2Fs3cret+key HTTP/1.1\r\nhost: hello.localhost\r\n\
         authorization: Bearer canary-1\r\ncookie: canary-2\r\nx-api-key: canary-3\r\nx-other: has t0p/s3cret key\r\n\
         proxy-authorization: canary-5\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = app.raw(request).await;
    assert_eq!(answer.header("x-leak"), Some("t0p/s3cret key!"));
    let recording = recording_of(&app, &answer).await;
    assert_eq!(recording.request.target, "/[redacted]?k=[redacted]");
    assert_eq!(
        recording.body.as_deref(),
        Some(&b"key=[redacted]&raw=[redacted]&plain=plain value&short=abc"[..])
    );
    let text = format!("{}{:?}", serde_json::to_string(&recording).unwrap(), recording.body);
    for secret in ["canary", "t0p", "s3cret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let gaps = recording.gaps.join("\n");
    for said in ["field cookie", "field x-api-key", "the request's address had 2", "the request's body had 2"]
    {
        assert!(gaps.contains(said), "{said}: {gaps}");
    }
    // The program never sees these, so nothing is missing.
    assert!(!gaps.contains("authorization"), "{gaps}");
}

#[tokio::test]
async fn outbound_requests_of_a_recorded_invocation_are_a_gap() {
    let server = Server::start(|_| ok("hello")).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    let deployment = app
        .deploy_with("hello", &fixture("remote"), |deployment| {
            records_all(deployment);
            deployment.urls = allowing(&[".*"]);
        })
        .await;
    let steps = [&format!("o{}", server.url("/a")), "wGET /a HTTP/1.1\n\n", "f", "r10"];
    let answer = app.post("hello", "/", &script(&steps)).await;
    let recording = recording_of(&app, &answer).await;
    assert_eq!(recording.gaps, ["1 outbound request was made; its answer is not recorded"]);
    // A replay that may not ask gets the same refusal as a program without a rule.
    let mut refused = replay_of(&recording, &deployment);
    refused.deployment.urls = allowing(&[]);
    let (body, _) = ran(&app, refused).await;
    assert!(body.starts_with(b"o -3\n"), "{}", String::from_utf8_lossy(&body));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn the_rest_of_an_answer_whose_client_went_away_is_a_gap() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy_with("hello", &sleeps(), records_all).await;
    let asked = call(&deployment, "/");
    let invocation = asked.invocation;
    drop(app.executor.invoke(asked).await.unwrap());
    let recording = recording(&app, invocation).await.expect("it is recorded");
    assert_eq!((recording.answer.outcome.as_str(), recording.answer.status), ("cancelled", None));
    assert!(recording.gaps[0].contains("the client went away"), "{:?}", recording.gaps);
}

#[tokio::test]
async fn a_secret_in_a_streamed_body_is_left_out_too() {
    let app = TestExecutor::start().await;
    app.deploy_with("http", &guest("echo"), |deployment| {
        records_all(deployment);
        deployment.env = [("KEY".to_owned(), "a \"quoted\" secret".to_owned())].into();
        deployment.secrets = ["KEY".to_owned()].into();
    })
    .await;
    let answer = app.post("http", "/", br#"{"key": "a \"quoted\" secret"}"#).await;
    let recording = recording_of(&app, &answer).await;
    assert_eq!(recording.body.as_deref(), Some(&br#"{"key": "[redacted]"}"#[..]));
}

#[tokio::test]
async fn a_recording_that_cannot_be_read_is_refused() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &Kind::Olin.prints("A: b\n\n")).await;
    let mut call = call(&deployment, "/");
    call.inputs = Some(Box::default());
    let refused = app.executor.invoke(call).await.err();
    assert!(
        matches!(&refused, Some(wasmcloud_wire::InvokeError::BadRequest(text)) if text.contains("seed")),
        "{refused:?}"
    );
}
