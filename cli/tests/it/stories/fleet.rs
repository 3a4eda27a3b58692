//! Many executors: they register, follow deploys, take a new service token, and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::platform::{Person, Platform, Process, SERVICE_TOKEN, Shape, eventually, saying};

#[test]
fn executors_register_drain_and_go_silent() {
    let platform = Platform::start(Shape::Fleet);
    let admin = platform.admin();
    eventually("both are healthy", || (health(&admin) == count(&[("healthy", 2)])).then_some(()));
    let list = admin.run(&["executors", "--json"]).good().json();
    for executor in list.as_array().unwrap() {
        assert_eq!(executor["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!((&executor["running_max"], &executor["draining"]), (&256.into(), &false.into()));
        assert!(executor["internal_url"].as_str().unwrap().starts_with("https://localhost:"), "{executor}");
    }
    let table = admin.run(&["executors"]).good().stdout;
    assert!(table.contains("ADDRESS") && table.contains("healthy") && table.contains("0/256"), "{table}");
    platform.user("somebody").run(&["executors"]).code(3).says("only whoever operates this server");

    platform.stop_executor_of(0, "TERM");
    // It said so before it went; nobody waits for its silence to know.
    assert_eq!(health(&admin), count(&[("draining", 1), ("healthy", 1)]));
    platform.kill_executor_of(1);
    let gone = count(&[("silent", 1), ("stopped", 1)]);
    eventually("their silence is noticed", || (health(&admin) == gone).then_some(()));
    platform.start_executor();
    // Each start is another executor.
    let back = count(&[("healthy", 2), ("silent", 1), ("stopped", 1)]);
    eventually("both are back", || (health(&admin) == back).then_some(()));
}

#[test]
fn the_executor_of_one_process_is_listed_too() {
    let platform = Platform::start(Shape::Serve);
    let list = platform.admin().run(&["executors", "--json"]).good().json();
    let [executor] = list.as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((&executor["health"], &executor["internal_url"]), (&"healthy".into(), &Value::Null));
    let table = platform.admin().run(&["executors"]).good().stdout;
    assert!(table.contains("within the API"), "{table}");
}

#[test]
fn an_executor_says_once_that_it_cannot_follow_the_changes_and_once_that_it_does_again() {
    let platform = Platform::new(Shape::Split);
    let executor = Process::spawn(platform.operator(), &platform.executor_args());
    executor.stderr.wait_for("does not hear of this executor");
    executor.stderr.wait_for("cannot be followed");
    platform.start_api();
    executor.stderr.wait_for("the control plane's changes are followed again");
    assert_eq!(executor.stderr.text().matches("cannot be followed").count(), 1);
}

#[test]
fn an_executor_that_the_api_does_not_trust_is_unreachable_and_the_list_says_why() {
    let platform = Platform::new(Shape::Split);
    platform.start_api();
    let admin = platform.admin();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut args = platform.executor_args();
    for (flag, text) in
        [("--internal-tls-cert", own.cert.pem()), ("--internal-tls-key", own.signing_key.serialize_pem())]
    {
        let at = args.iter().position(|arg| arg == flag).unwrap();
        args[at + 1] = platform.operator().file(&format!("own{flag}.pem"), text);
    }
    let executor = Process::spawn(platform.operator(), &args);
    executor.stdout.wait_for("next: ");
    let file = admin.file("any.wat", saying("any"));
    admin.run(&["create", &file, "--name", "any"]).code(6);

    let list = admin.run(&["executors"]).good().says("the API cannot call").says("certificate");
    assert!(list.stdout.contains("unreachable"), "{list:?}");
    // The log's line has the address; the library's own, without one, is silent.
    let log = platform.api_log();
    assert!(log.contains("an executor cannot prepare a module"), "{log}");
    assert!(!log.contains("failed to verify TLS certificate"), "{log}");
}

#[test]
fn a_deploy_is_visible_on_every_executor_within_a_second() {
    let platform = Platform::start(Shape::Fleet);
    let handler = platform.admin().create_of("moving", &saying("version 1"));
    for executor in 0..2 {
        platform.web().get(&platform.url_at(executor, "moving")).has_status(200);
    }
    let mut slowest_of_each = Vec::new();
    for number in 2..=6 {
        let words = format!("version {number}");
        handler.update(&saying(&words));
        let answered = Instant::now();
        for executor in 0..2 {
            let url = platform.url_at(executor, "moving");
            eventually("the new version", || (platform.web().get(&url).text() == words).then_some(()));
        }
        slowest_of_each.push(answered.elapsed());
    }
    println!("after a deploy was answered, both executors had answered with it within {slowest_of_each:?}");
    // The machine may have been busy with something else, but not every time.
    assert!(slowest_of_each.iter().min().unwrap() < &Duration::from_secs(1), "{slowest_of_each:?}");
}

#[test]
fn the_service_token_is_changed_under_load_and_no_request_fails() {
    let platform = Platform::start(Shape::Fleet);
    let admin = platform.admin();
    admin.create_of("steady", &saying("steady")).answers("steady");
    eventually("both are healthy", || (health(&admin) == count(&[("healthy", 2)])).then_some(()));
    let failures = |log: &str| {
        ["a request between the planes is refused", "cannot", "does not hear"]
            .map(|words| log.matches(words).count())
    };
    let before = [failures(&platform.api_log()), failures(&platform.executor_log())];
    let (old, new) = (SERVICE_TOKEN, "a0".repeat(32));
    let (done, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // The API signs for an executor, and the executor for the API.
                admin.run(&["invoke", "steady"]).good();
                let unknown = format!("nobody-{}", calls.fetch_add(1, Ordering::Relaxed));
                platform.web().get(&platform.url(&unknown)).has_status(404);
            }
        });
        let end = Done(&done);
        for (step, tokens) in [vec![old, &new], vec![&new, old], vec![new.as_str()]].iter().enumerate() {
            platform.change_service_tokens(tokens);
            let (changed, calls_before) = ("service tokens have changed", calls.load(Ordering::Relaxed));
            eventually("all four have read the file again", || {
                let log = platform.api_log() + &platform.executor_log();
                (log.matches(changed).count() == 4 * (step + 1)).then_some(())
            });
            eventually("calls go on", || (calls.load(Ordering::Relaxed) > calls_before + 3).then_some(()));
        }
        drop(end);
    });
    let after = [failures(&platform.api_log()), failures(&platform.executor_log())];
    assert_eq!(after, before, "{}{}", platform.api_log(), platform.executor_log());
    assert_eq!(health(&admin), count(&[("healthy", 2)]));
}

/// Ends the load, whatever becomes of the test.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many executors are how.
fn health(admin: &Person<'_>) -> BTreeMap<String, usize> {
    let list: Value = admin.run(&["executors", "--json"]).good().json();
    let mut counts = BTreeMap::new();
    for executor in list.as_array().unwrap() {
        *counts.entry(executor["health"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    counts
}

fn count(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|&(health, count)| (health.to_owned(), count)).collect()
}
