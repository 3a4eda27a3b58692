use super::under_load;
use crate::platform::{Platform, Shape, eventually, saying};

/// Clients at once.
const CLIENTS: usize = 4;
/// Requests that a test goes on for.
const ENOUGH: usize = 20;

#[test]
fn when_an_executor_is_killed_the_other_takes_over_and_it_comes_back_with_its_cache() {
    let platform = Platform::start(Shape::Fleet);
    let handler = platform.admin().create_of("busy", &saying("busy"));
    for executor in [0, 1] {
        let url = platform.url_at(executor, "busy");
        eventually("both executors", || (platform.web().get(&url).status == 200).then_some(()));
    }
    let compiled = platform.compiled();
    let met = under_load(&platform, &handler, "busy", CLIENTS, || {
        (0..ENOUGH).for_each(|_| drop(platform.web().try_get(&handler.url)));
        platform.kill_executor_of(0);
        (0..ENOUGH).for_each(|_| drop(handler.answers("busy")));
    });
    // What was on its way through the killed one may be lost, once for each client; nothing after that.
    assert!(met.bad.len() <= CLIENTS, "{met:?}");
    assert!(met.good >= ENOUGH, "{met:?}");

    platform.start_executor_of(0);
    assert_eq!(platform.web().get(&platform.url_at(0, "busy")).has_status(200).text(), "busy");
    assert_eq!(platform.compiled(), compiled, "nothing had to be compiled again");
}

#[test]
fn rolling_restarts_under_load_fail_no_request() {
    let platform = Platform::start(Shape::Fleet);
    let admin = platform.admin();
    let handler = admin.create_of("busy", &saying("busy"));
    let met = under_load(&platform, &handler, "busy", CLIENTS, || {
        for number in [0, 1] {
            platform.stop_executor_of(number, "TERM");
            (0..ENOUGH).for_each(|_| drop(platform.web().try_get(&handler.url)));
            platform.start_executor_of(number);
            let url = platform.url_at(number, "busy");
            eventually("it is back", || {
                platform.web().try_get(&url).ok().filter(|reply| reply.status == 200)
            });
        }
        for number in [0, 1] {
            platform.stop_api_of(number, "TERM");
            admin.run(&["list"]).good();
            platform.start_api_of(number);
        }
    });
    assert_eq!(met.bad, Vec::<String>::new(), "{} were good", met.good);
    assert!(met.good >= ENOUGH, "{met:?}");
    admin.create_of("later", &saying("later")).answers("later");
}

#[test]
fn an_api_that_is_killed_leaves_the_work_to_the_other() {
    let platform = Platform::start(Shape::Fleet);
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("one"));
    for number in [0, 1] {
        platform.kill_api_of(number);
        let words = format!("without {number}");
        handler.update(&saying(&words));
        // Each executor, whichever API it followed.
        for executor in [0, 1] {
            let url = platform.url_at(executor, "steady");
            eventually("the change", || (platform.web().get(&url).text() == words).then_some(()));
        }
        let invocation = handler.answers(&words).invocation();
        let shown = || Some(admin.run(&["invocations", "steady", &invocation])).filter(|done| done.code == 0);
        eventually("the record", shown);
        platform.start_api_of(number);
    }
}
