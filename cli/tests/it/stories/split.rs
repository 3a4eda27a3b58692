use std::time::{Duration, Instant};

use crate::platform::{Platform, Process, Shape, saying};

larger_shapes![
    the_executor_answers_while_the_api_is_away_and_its_records_arrive_later,
    without_an_executor_nothing_is_deployed_and_nothing_is_lost,
    a_change_that_an_executor_missed_is_seen_when_it_is_back,
];

fn the_executor_answers_while_the_api_is_away_and_its_records_arrive_later(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create("rusty", &crate::platform::olin_echo());
    // Each executor knows it.
    (0..4).for_each(|_| drop(handler.get().has_status(200)));
    for away in [Away::Stopped, Away::Killed] {
        match away {
            Away::Stopped => platform.stop_api_by("TERM"),
            Away::Killed => platform.kill_api(),
        }
        let answered: Vec<String> = (0..5)
            .map(|_| {
                let began = Instant::now();
                let reply = handler.get().has_status(200);
                assert!(began.elapsed() < Duration::from_secs(2), "{away:?}: it took {:?}", began.elapsed());
                reply.invocation()
            })
            .collect();
        // Whom it does not know it cannot look up; that is told at once, and is not for good.
        let began = Instant::now();
        platform.web().get(&platform.url(&format!("unknown-{away:?}").to_lowercase())).has_status(503);
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        admin.run(&["list"]).code(6);

        platform.start_api();
        for invocation in answered {
            assert_eq!(handler.log_of(&invocation), ["GET / with 0 bytes"]);
        }
        // It hears of changes again.
        admin.create_of(&format!("later-{away:?}").to_lowercase(), &saying("later")).answers("later");
    }
}

#[derive(Clone, Copy, Debug)]
enum Away {
    Stopped,
    Killed,
}

fn without_an_executor_nothing_is_deployed_and_nothing_is_lost(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("one"));
    let modules = platform.modules();
    platform.stop_executor_by("TERM");
    let file = admin.file("next.wat", saying("two"));
    admin.run(&["update", "steady", &file]).code(6).says("no executor can do this right now");
    admin.run(&["create", &file, "--name", "fresh"]).code(6);
    admin.run(&["invoke", "steady"]).code(6);
    assert_eq!(admin.handlers(), ["steady"]);
    assert_eq!(platform.modules(), modules);
    // What needs no executor goes on.
    admin.run(&["promote", "steady", "1"]).good();

    platform.start_executor();
    handler.answers("one");
    admin.run(&["update", "steady", &file]).good();
    handler.answers("two");
}

fn a_change_that_an_executor_missed_is_seen_when_it_is_back(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("changing", &saying("one"));
    handler.update(&saying("two"));
    handler.answers("two");
    platform.kill_executor();
    admin.run(&["promote", "changing", "1"]).good();
    platform.start_executor();
    handler.answers("one");
}

#[test]
fn planes_with_different_tokens_say_so_and_refuse_at_once() {
    let platform = Platform::new(Shape::Split).with_another_token_at_the_executor().started();
    let admin = platform.admin();
    let file = admin.file("any.wat", saying("any"));
    let began = Instant::now();
    admin.run(&["create", &file, "--name", "refused"]).code(6).says("no executor can do this right now");
    platform.web().get(&platform.url("refused")).has_status(503);
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert_eq!(admin.handlers(), Vec::<String>::new());

    let (api, executor) = (platform.api_log(), platform.executor_log());
    assert!(api.contains("not one of this server's service tokens"), "{api}");
    assert!(executor.contains("use the token file that the API was started with"), "{executor}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_as_the_reason() {
    let platform = Platform::new(Shape::Split);
    // Another CA of the same name, which did not sign the certificates.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let other = platform.operator().file("other-ca.pem", other);
    let mut args = platform.executor_args();
    let ca = args.iter().position(|arg| arg == "--plane-ca").unwrap();
    args[ca + 1] = other;
    platform.start_api();
    let executor = Process::spawn(platform.operator(), &args);
    let told = executor.stderr.wait_for("cannot be followed");
    assert!(told.contains("certificate"), "{told}");
}
