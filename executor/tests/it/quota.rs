//! Quotas: what all handlers of an account together may run, on one executor and on several.

use futures::future::join_all;
use tempfile::TempDir;
use wasmcloud_wire::{
    AccountUse, Change, Deployment, InvokeError, Invoker, Level, Source, Timestamp, UserId,
};

use crate::app::{TestExecutor, call, within};
use crate::client::{Answer, Client};
use crate::control::{ANYWHEN, Control};
use crate::wasm::{fixture, prints, prints_then, program, sleeps};

fn minute() -> i64 {
    Timestamp::now().0 / 60_000
}

/// What is asked within one minute, with an account that nobody used before.
async fn within_a_minute<T>(mut ask: impl AsyncFnMut(UserId) -> T) -> T {
    for _ in 0..3 {
        let (began, answer) = (minute(), ask(UserId::new()).await);
        if minute() == began {
            return answer;
        }
    }
    panic!("nothing comes to its end within a minute")
}

/// Deploys a handler of an account with a plan.
async fn deploy(
    app: &TestExecutor,
    name: &str,
    module: &[u8],
    owner: UserId,
    adjust: impl FnOnce(&mut Deployment),
) -> Deployment {
    let adjusted = |deployment: &mut Deployment| {
        deployment.owner = owner;
        deployment.quota.plan = "standard".to_owned();
        adjust(deployment);
    };
    app.deploy_with(name, module, adjusted).await
}

/// What a visitor reads names neither the plan nor its quotas: `executor/src/quota/tests.rs` sees that the owner does.
fn refused(answer: &Answer) {
    let error = answer.error();
    assert_eq!((answer.status, error.code.as_str()), (429, "over_quota"), "{error:?}");
    assert!(
        error
            .message
            .starts_with("this address has had all the requests for now that its owner's plan allows"),
        "{error:?}"
    );
}

/// Asks a handler for something that does not end.
async fn begin(app: &TestExecutor, handler: &str) -> Client {
    let before = app.control.see(|state| state.lines("begun"));
    let mut client = app.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nhost: {handler}.localhost\r\n\r\n")).await;
    app.control.logged("begun", before + 1).await;
    client
}

#[tokio::test]
async fn of_a_burst_at_the_end_of_a_minutes_quota_exactly_as_many_begin_as_there_are_places() {
    let app = TestExecutor::start().await;
    let answers = within_a_minute(async |owner| {
        for name in ["one", "two"] {
            deploy(&app, name, &prints("A: b\n\n"), owner, |deployment| {
                deployment.quota.invocations_per_minute_max = Some(7);
            })
            .await;
        }
        join_all((0..40).map(|number| app.get(if number % 2 == 0 { "one" } else { "two" }, "/"))).await
    })
    .await;
    let (begun, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((begun.len(), others.len()), (7, 33));
    for answer in others {
        refused(answer);
        let message = answer.error().message;
        assert!(!message.contains("standard") && message.ends_with(":00 UTC"), "{message}");
        let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    // Another account is not concerned.
    app.deploy("other", &prints("A: b\n\nunhurt")).await;
    assert_eq!(app.get("other", "/").await.text(), "unhurt");
}

#[tokio::test]
async fn a_large_body_to_an_account_over_its_quota_is_refused_before_it_is_read() {
    let app = TestExecutor::start().await;
    let answer = within_a_minute(async |owner| {
        deploy(&app, "hello", &prints("A: b\n\n"), owner, |deployment| {
            deployment.quota.invocations_per_minute_max = Some(1);
        })
        .await;
        assert_eq!(app.post("hello", "/", b"the first").await.status, 200);
        // The body never comes.
        app.raw("POST / HTTP/1.1\r\nhost: hello.localhost\r\ncontent-length: 10000000\r\n\r\n").await
    })
    .await;
    refused(&answer);
}

#[tokio::test]
async fn the_owner_of_a_handler_is_told_once_of_many_refusals_and_there_is_no_receipt() {
    let app = TestExecutor::start().await;
    let ids = within_a_minute(async |owner| {
        deploy(&app, "hello", &prints("A: b\n\n"), owner, |deployment| {
            deployment.quota.invocations_per_minute_max = Some(0);
        })
        .await;
        app.control.update(|state| state.records.clear());
        let answers = join_all((0..20).map(|_| app.get("hello", "/"))).await;
        answers.iter().map(Answer::invocation).collect::<Vec<_>>()
    })
    .await;
    let control = app.control.clone();
    // Whatever is to be recorded is, then.
    app.stop().await;
    let records = control.see(|state| state.records.clone());
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert!(ids.contains(&record.invocation) && record.receipt.is_none());
    let [line] = record.lines.as_slice() else { panic!("{record:?}") };
    assert_eq!((line.level, line.source), (Level::WARNING, Source::Platform));
    assert!(
        line.text.starts_with("turned away: the quota `invocations_per_minute` of the plan `standard`"),
        "{line:?}"
    );
}

#[tokio::test]
async fn the_cpu_time_of_a_day_is_counted_as_runs_end_for_programs_of_both_families() {
    let app = TestExecutor::start().await;
    for (name, module) in [
        ("olin", fixture("infinite_loop")),
        ("wasi", crate::kinds::Kind::Wasi.prints_then("A: b\n\n", "(loop $more (br $more))")),
    ] {
        let deployment = deploy(&app, name, &module, UserId::new(), |deployment| {
            deployment.limits.gas = 100_000_000;
            deployment.limits.cpu_ms = 50;
            deployment.quota.cpu_ms_per_day_max = Some(50);
        })
        .await;
        let first = app.get(name, "/").await;
        assert_ne!(first.status, 429, "{name}");
        app.recorded(&first).await;
        let second = app.get(name, "/").await;
        refused(&second);
        assert!(second.error().message.ends_with("try again at 00:00:00 UTC"), "{name}");
        match app.executor.invoke(call(&deployment, "/")).await.err() {
            Some(InvokeError::OverQuota { message, retry_after_s }) => {
                assert!(message.contains("cpu_ms_per_day") && retry_after_s <= 86_400, "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_host_works_for_an_olin_program_counts_for_the_day_and_its_sleep_does_not() {
    let app = TestExecutor::start().await;
    // 64 MiB of random bytes for next to no gas.
    let works = program(
        "A: b\n\nrandom://",
        "(drop (call $write (call $stdout) (i32.const 1024) (i32.const 6)))
         (local.set $out (call $open (i32.const 1030) (i32.const 9)))
         (loop $more
           (drop (call $read (local.get $out) (i32.const 0) (i32.const 65536)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 1024))))",
    );
    let waits = prints_then("A: b\n\n", "(call $sleep (i32.const 600))");
    for (name, module, max_ms, status_after) in [("works", works, 5, 429), ("waits", waits, 500, 200)] {
        deploy(&app, name, &module, UserId::new(), |deployment| {
            deployment.quota.cpu_ms_per_day_max = Some(max_ms);
        })
        .await;
        let first = app.get(name, "/").await;
        assert_eq!(first.status, 200, "{name}: {}", first.text());
        let receipt = app.recorded(&first).await.receipt;
        assert!(receipt.gas < 2_000_000, "{name}: {receipt:?}");
        assert_eq!(app.get(name, "/").await.status, status_after, "{name}: {receipt:?}");
    }
}

#[tokio::test]
async fn as_many_run_at_once_as_the_plan_says_and_the_next_one_waits_for_the_first_that_ends() {
    let app = TestExecutor::start().await;
    let owner = UserId::new();
    for (name, module) in [("sleeps", sleeps()), ("answers", prints("A: b\n\nat last"))] {
        deploy(&app, name, &module, owner, |deployment| deployment.quota.concurrent_max = Some(2)).await;
    }
    let (first, _second) = (begin(&app, "sleeps").await, begin(&app, "sleeps").await);
    let answer = app.get("answers", "/").await;
    refused(&answer);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let mut waiting = app.connect().await;
    waiting.send("GET / HTTP/1.1\r\nhost: answers.localhost\r\n\r\n").await;
    drop(first);
    assert_eq!(waiting.answer(false).await.text(), "at last");
}

#[tokio::test]
async fn what_finds_no_place_is_not_counted() {
    let app = TestExecutor::start().await;
    let full = within_a_minute(async |owner| {
        deploy(&app, "full", &sleeps(), owner, |deployment| {
            deployment.quota.invocations_per_minute_max = Some(33);
        })
        .await;
        deploy(&app, "answers", &prints("A: b\n\nhello"), owner, |deployment| {
            deployment.quota.invocations_per_minute_max = Some(33);
        })
        .await;
        let before = app.control.see(|state| state.lines("begun"));
        let mut clients = Vec::new();
        for _ in 0..32 {
            let mut client = app.connect().await;
            client.send("GET / HTTP/1.1\r\nhost: full.localhost\r\n\r\n").await;
            clients.push(client);
        }
        app.control.logged("begun", before + 32).await;
        let busy = app.get("full", "/").await.error().code;
        (busy, app.get("answers", "/").await.status, app.get("answers", "/").await.status)
    })
    .await;
    assert_eq!(full, ("busy".to_owned(), 200, 429));
}

/// Two executors of one installation, which tell it what they run.
async fn two() -> (TempDir, TempDir, TestExecutor, TestExecutor) {
    let (cache, other_cache, control) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), Control::default());
    let one = TestExecutor::start_in(cache.path(), control.clone()).await;
    let other = TestExecutor::start_in(other_cache.path(), control).await;
    for app in [&one, &other] {
        app.executor.start_reporting(None).await;
    }
    (cache, other_cache, one, other)
}

#[tokio::test]
async fn two_executors_share_a_quota_and_what_ends_at_one_makes_room_at_the_other() {
    let (_cache, _other_cache, one, other) = two().await;
    let owner = UserId::new();
    for (name, module) in [("sleeps", sleeps()), ("answers", prints("A: b\n\n"))] {
        deploy(&one, name, &module, owner, |deployment| deployment.quota.concurrent_max = Some(2)).await;
        other.announce(name).await;
    }
    let (first, _second) = (begin(&one, "sleeps").await, begin(&one, "sleeps").await);
    let full = async { while other.get("answers", "/").await.status == 200 {} };
    within("the other executor hears of them", full).await;
    let answer = other.get("answers", "/").await;
    refused(&answer);
    drop(first);
    let free = async { while other.get("answers", "/").await.status != 200 {} };
    within("the other executor hears of the end", free).await;
}

#[tokio::test]
async fn what_was_run_elsewhere_counts_for_minute_and_day() {
    let app = TestExecutor::start().await;
    app.executor.start_reporting(None).await;
    let (by_minute, by_day) = (UserId::new(), UserId::new());
    deploy(&app, "minute", &prints("A: b\n\n"), by_minute, |deployment| {
        deployment.quota.invocations_per_minute_max = Some(1_000_000);
    })
    .await;
    deploy(&app, "day", &prints("A: b\n\n"), by_day, |deployment| {
        deployment.quota.cpu_ms_per_day_max = Some(3_600_000);
    })
    .await;
    for account in [by_minute, by_day] {
        let elsewhere = AccountUse {
            account,
            day: ANYWHEN,
            invocations: 1_000_000,
            cpu_us: 3_600_000_000,
            minute: ANYWHEN,
            minute_invocations: 1_000_000,
            running: 0,
        };
        app.control.update(|state| state.elsewhere.insert(account, elsewhere));
    }
    for name in ["minute", "day"] {
        let full = async {
            loop {
                let answer = app.get(name, "/").await;
                if answer.status != 200 {
                    return answer;
                }
            }
        };
        refused(&within("the executor hears of it", full).await);
    }
}

#[tokio::test]
async fn a_control_plane_that_does_not_answer_changes_nothing() {
    let app = TestExecutor::start().await;
    app.executor.start_reporting(None).await;
    let statuses = within_a_minute(async |owner| {
        app.control.update(|state| state.is_down = false);
        deploy(&app, "hello", &prints("A: b\n\n"), owner, |deployment| {
            deployment.quota.invocations_per_minute_max = Some(3);
        })
        .await;
        assert_eq!(app.get("hello", "/").await.status, 200);
        app.control.update(|state| state.is_down = true);
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(app.get("hello", "/").await.status);
        }
        statuses
    })
    .await;
    assert_eq!(statuses, [200, 200, 429, 429]);
}

#[tokio::test]
async fn a_larger_plan_counts_as_soon_as_its_change_is_told() {
    let app = TestExecutor::start().await;
    let statuses = within_a_minute(async |owner| {
        let mut statuses = Vec::new();
        for max in [1, 3] {
            app.store("hello", &prints("A: b\n\n"), |deployment| {
                deployment.owner = owner;
                deployment.quota.invocations_per_minute_max = Some(max);
            });
            app.control.tell(Change::Handler { name: "hello".parse().unwrap() }).await;
            for _ in 0..3 {
                statuses.push(app.get("hello", "/").await.status);
            }
        }
        statuses
    })
    .await;
    assert_eq!(statuses, [200, 429, 429, 200, 200, 429]);
}
