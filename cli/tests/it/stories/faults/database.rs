use std::time::Instant;

use super::{PROMPT, answers_promptly};
use crate::platform::{Platform, Shape, eventually, saying};

larger_shapes![
    while_the_database_is_down_handlers_answer_and_nothing_is_lost,
    a_database_that_stands_still_holds_nobody_up_for_long,
];

fn while_the_database_is_down_handlers_answer_and_nothing_is_lost(shape: Shape) {
    let platform = Platform::start_with_own_database(shape);
    is_away(&platform, || platform.cluster().stop_now(), || platform.cluster().start_again());
}

fn a_database_that_stands_still_holds_nobody_up_for_long(shape: Shape) {
    let platform = Platform::start_with_own_database(shape);
    is_away(&platform, || platform.cluster().freeze(), || platform.cluster().thaw());
}

fn is_away(platform: &Platform, go_away: impl FnOnce(), come_back: impl FnOnce()) {
    let admin = platform.admin();
    let handler = admin.create("rusty", &crate::platform::olin_echo());
    let words = "GET / with 0 bytes";
    // Each executor knows it.
    let text = handler.get().has_status(200).text();
    for _ in 0..10 {
        handler.get().has_status(200);
    }
    go_away();
    let answered: Vec<String> = (0..10).map(|_| answers_promptly(&handler, &text)).collect();
    let began = Instant::now();
    admin.run(&["list"]).code(6);
    assert!(began.elapsed() < PROMPT, "it took {:?}", began.elapsed());
    come_back();

    eventually("the API", || (admin.run(&["list"]).code == 0).then_some(()));
    for invocation in answered {
        assert_eq!(handler.log_of(&invocation), [words]);
    }
    // Executors hear of changes again.
    admin.create_of("later", &saying("later")).answers("later");
    let next = admin.handler("later");
    next.update(&saying("much later"));
    next.answers("much later");
}
