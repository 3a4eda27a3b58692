//! Recorded invocations: kept with their records, as many as the handler says, and gone when it says no more.

use wasmcloud_api::store::Store;
use wasmcloud_wire::{
    Abi, Digest, HandlerId, Inputs, InvocationId, Record, RecordedAnswer, Recording, RecordingPolicy,
    RequestHead, RouteKey, Scheme, VersionNumber,
};

use super::{People, created, later, new_handler};

pub fn recording(handler: HandlerId, method: &str, second: i64) -> Recording {
    Recording {
        invocation: InvocationId::new(),
        handler,
        version: VersionNumber(1),
        digest: Digest::of(b"first"),
        abi: Abi::Olin,
        at: later(second * 1000),
        request: RequestHead {
            method: method.to_owned(),
            scheme: Scheme::Http,
            protocol: "HTTP/1.1".to_owned(),
            server_name: "taped.localhost".to_owned(),
            server_port: 3001,
            script_name: String::new(),
            target: "/käse?a=\u{0}".to_owned(),
            headers: vec![("x-a".to_owned(), "b".to_owned())],
            remote_addr: "127.0.0.1".to_owned(),
        },
        body: Some(bytes::Bytes::from_static(&[0, 255, b'\n'])),
        inputs: Inputs { seed: "00".repeat(32), wall_ns: vec![u64::MAX], ..Inputs::default() },
        answer: RecordedAnswer {
            status: Some(200),
            headers: Vec::new(),
            body_digest: Digest::of(b"answer"),
            body_bytes: 6,
            outcome: "ok".to_owned(),
        },
        gas: u64::MAX,
        wall_us: 5,
        gaps: vec!["a gap".to_owned()],
    }
}

pub fn record(recording: &Recording) -> Record {
    Record {
        handler: recording.handler,
        invocation: recording.invocation,
        lines: Vec::new(),
        receipt: None,
        recording: Some(Box::new(recording.clone())),
    }
}

pub async fn are_kept_and_forgotten(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let name = "taped".parse().unwrap();
    let handler = created(store.create_handler(new_handler(ada, "taped"), later(0)).await.unwrap()).id;
    let all = ["GET", "POST"].map(str::to_owned);
    let kept = async || store.recorded(handler, &all, 100).await.unwrap();

    // Nothing is kept of a handler that records nothing, whatever an executor sends.
    store.record(&[record(&recording(handler, "GET", 0))]).await.unwrap();
    assert_eq!(kept().await, []);
    assert_eq!(store.recording_policy(ada, &name).await.unwrap(), None);

    let policy = RecordingPolicy { keep: 2, ..RecordingPolicy::default() };
    assert!(!store.set_recording(bob, &name, Some(&policy)).await.unwrap());
    assert!(store.set_recording(ada, &name, Some(&policy)).await.unwrap());
    assert_eq!(store.recording_policy(ada, &name).await.unwrap(), Some(policy.clone()));
    assert_eq!(store.recording_policy(bob, &name).await.unwrap(), None);
    let key = RouteKey { handler: name.clone(), version: None };
    assert_eq!(store.deployment(&key).await.unwrap().unwrap().recording, Some(policy));

    // Three come in one batch, one of them twice, and once more afterwards: the newest two stay, each once.
    let three = [("GET", 1), ("POST", 2), ("GET", 3)].map(|(method, at)| recording(handler, method, at));
    let batch: Vec<Record> = three.iter().chain(&three[2..]).map(record).collect();
    store.record(&batch).await.unwrap();
    store.record(&[record(&three[2])]).await.unwrap();
    let [first, second, third] = three;
    assert_eq!(kept().await, [third.invocation, second.invocation], "the newest first");
    assert_eq!(store.recorded(handler, &all[..1], 100).await.unwrap(), [third.invocation]);
    assert_eq!(store.recorded(handler, &all, 1).await.unwrap(), [third.invocation]);

    let found = store.recording(ada, second.invocation).await.unwrap();
    assert_eq!(found, Some((name.clone(), second.clone())), "it survives the database");
    assert_eq!(store.recording(ada, first.invocation).await.unwrap(), None);
    assert_eq!(store.recording(bob, second.invocation).await.unwrap(), None, "it is nobody else's");

    // They go by age, like all records.
    assert_eq!(store.prune(later(2001), 100_000).await.unwrap(), 1);
    assert_eq!(kept().await, [third.invocation]);
    // And by number: a hundred times fewer than receipts.
    let fourth = recording(handler, "GET", 4);
    store.record(&[record(&fourth)]).await.unwrap();
    assert_eq!(store.prune(later(0), 100).await.unwrap(), 1);
    assert_eq!(kept().await, [fourth.invocation]);
    assert!(store.set_recording(ada, &name, None).await.unwrap());
    assert_eq!(kept().await, []);
    store.record(&[record(&recording(handler, "GET", 4))]).await.unwrap();
    assert_eq!(kept().await, [], "none comes late");

    // And with their handler.
    assert!(store.set_recording(ada, &name, Some(&RecordingPolicy::default())).await.unwrap());
    store.record(&[record(&recording(handler, "GET", 5))]).await.unwrap();
    assert_eq!(kept().await.len(), 1);
    assert!(store.delete_handler(ada, &name, later(6)).await.unwrap());
    assert_eq!(kept().await, []);
    assert!(!store.set_recording(ada, &name, None).await.unwrap());
}
