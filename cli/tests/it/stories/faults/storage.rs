use std::time::{Duration, Instant};

use wasmcloud_testkit::s3::Fault;

use super::answers_promptly;
use crate::platform::{Platform, Shape, eventually, saying};

larger_shapes![
    while_storage_fails_handlers_answer_and_uploads_are_503,
    bytes_with_a_wrong_digest_never_run,
    full_storage_is_507_and_what_is_there_goes_on,
];

/// How long an upload may try before it gives up.
const GIVES_UP: Duration = Duration::from_secs(60);

fn while_storage_fails_handlers_answer_and_uploads_are_503(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("one"));
    for fault in [Fault::Down, Fault::Silent, Fault::Errors { status: 503, requests: u32::MAX }] {
        let file = admin.file("next.wat", saying(&format!("after {fault:?}")));
        platform.storage().fail(fault);
        let began = Instant::now();
        let refused = admin.run(&["update", "steady", &file]).code(6);
        assert!(began.elapsed() < GIVES_UP, "{fault:?}: it took {:?}", began.elapsed());
        assert!(refused.stderr.contains("storage"), "{fault:?}: {refused:?}");
        answers_promptly(&handler, "one");
        // What needs no module goes on.
        admin.run(&["list"]).good();
        platform.storage().heal();
    }
    let file = admin.file("next.wat", saying("two"));
    eventually("an upload", || (admin.run(&["update", "steady", &file]).code == 0).then_some(()));
    handler.answers("two");
}

fn bytes_with_a_wrong_digest_never_run(shape: Shape) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("precious", &saying("whole"));
    handler.answers("whole");
    for fault in [Fault::WrongBytes, Fault::Truncated] {
        // Executors that have nothing of it, and can get only what is damaged.
        platform.stop_executor_by("TERM");
        platform.compiled().iter().for_each(|file| std::fs::remove_file(file).unwrap());
        platform.storage().fail(fault);
        platform.start_executor();
        eventually("a refusal", || {
            let reply = handler.get();
            assert_ne!(reply.status, 200, "{fault:?}: {}", reply.text());
            (reply.status == 503).then_some(())
        });
        platform.storage().heal();
        eventually("the handler", || (handler.get().status == 200).then_some(()));
        handler.answers("whole");
    }
}

fn full_storage_is_507_and_what_is_there_goes_on(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("one"));
    let file = admin.file("next.wat", saying("two"));
    platform.storage().fail(Fault::Errors { status: 507, requests: u32::MAX });
    let url = format!("{}/api/v1/handlers/steady/module", platform.api_url());
    let module = wat::parse_str(saying("two")).unwrap();
    let reply = platform.web().try_send(reqwest::Method::PUT, &url, &admin.token(), module).unwrap();
    assert_eq!(reply.status, 507, "{}", reply.text());
    answers_promptly(&handler, "one");
    platform.storage().heal();
    admin.run(&["update", "steady", &file]).good();
    handler.answers("two");
    platform.stop();
    platform.keeps_everything_whole();
}
