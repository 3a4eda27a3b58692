//! Counting, by clocks that are given.

use std::thread;
use std::time::Duration;

use super::*;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// 2026-11-22, 12:34:30.5 UTC.
const NOON_MS: i64 = 1_795_350_870_500;

/// Two clocks that begin at some time and can be moved apart.
#[derive(Clone, Copy)]
struct Clock(Moment);

impl Clock {
    fn new() -> Clock {
        Clock(Moment { wall: Timestamp(NOON_MS), at: std::time::Instant::now() })
    }

    /// Time goes by.
    fn after(self, ms: i64) -> Clock {
        let at = self.0.at + Duration::from_millis(ms.unsigned_abs());
        Clock(Moment { wall: Timestamp(self.0.wall.0 + ms), at })
    }

    /// The wall clock is set.
    fn set(self, by_ms: i64) -> Clock {
        Clock(Moment { wall: Timestamp(self.0.wall.0 + by_ms), ..self.0 })
    }
}

fn plan(minute: Option<u64>, concurrent: Option<u64>, cpu_ms: Option<u64>) -> AccountQuota {
    AccountQuota {
        plan: "standard".to_owned(),
        invocations_per_minute_max: minute,
        concurrent_max: concurrent,
        cpu_ms_per_day_max: cpu_ms,
    }
}

/// Begins an invocation that ends at once.
fn run(quotas: &Arc<Quotas>, account: UserId, plan: &AccountQuota, clock: Clock) -> Result<(), InvokeError> {
    quotas.count(account, plan, clock.0).map_err(|spent| spent.error)?;
    drop(Begun { quotas: quotas.clone(), account, counted: None });
    Ok(())
}

fn charge(quotas: &Quotas, account: UserId, cpu_us: u64, clock: Clock) {
    quotas.accounts().of(account, clock.0).charge(account, cpu_us, clock.0);
}

/// What is said of a refusal, and when to try again.
fn refusal(refused: Result<(), InvokeError>) -> (String, u32) {
    match refused {
        Err(InvokeError::OverQuota { message, retry_after_s }) => (message, retry_after_s),
        other => panic!("{other:?}"),
    }
}

fn elsewhere(account: UserId, clock: Clock) -> AccountUse {
    AccountUse {
        account,
        day: clock.0.wall.0 / DAY_MS,
        invocations: 0,
        cpu_us: 0,
        minute: clock.0.wall.0 / MINUTE_MS,
        minute_invocations: 0,
        running: 0,
    }
}

/// Tells all that is due, and hears this of others.
fn hear(quotas: &Quotas, others: &[AccountUse], clock: Clock) -> Vec<AccountUse> {
    let mut told = Vec::new();
    for due in quotas.due(clock.0) {
        told.extend(due.used.clone());
        quotas.heard(due, others.to_vec(), clock.0);
    }
    told
}

#[test]
fn as_many_begin_in_a_minute_as_the_plan_says_and_the_next_minute_has_as_many() {
    let (quotas, account, plan, clock) =
        (Arc::new(Quotas::default()), UserId::new(), plan(Some(3), None, None), Clock::new());
    for _ in 0..3 {
        run(&quotas, account, &plan, clock).unwrap();
    }
    let (message, retry_after_s) = refusal(run(&quotas, account, &plan, clock));
    assert_eq!(
        message,
        "the quota `invocations_per_minute` of the plan `standard` is used up: 3 of 3; it resets at 12:35:00 UTC"
    );
    assert_eq!(retry_after_s, 30);
    run(&quotas, UserId::new(), &plan, clock).unwrap();
    assert_eq!(refusal(run(&quotas, account, &plan, clock.after(29_499))).1, 1);
    for _ in 0..3 {
        run(&quotas, account, &plan, clock.after(29_500)).unwrap();
    }
    refusal(run(&quotas, account, &plan, clock.after(29_500)));
}

#[test]
fn of_many_threads_that_want_the_last_places_exactly_as_many_get_them_as_there_are() {
    let (quotas, account, clock) = (Arc::new(Quotas::default()), UserId::new(), Clock::new());
    for (plan, max) in [(plan(Some(1_000), None, None), 1_000), (plan(None, Some(1_500), None), 1_500)] {
        let begun: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..500).filter(|_| quotas.count(account, &plan, clock.0).is_ok()).count())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // Those of the first round still run.
        assert_eq!(begun, if max == 1_000 { 1_000 } else { 500 });
    }
}

#[test]
fn what_did_not_begin_after_all_is_not_counted() {
    let (quotas, account, plan, clock) =
        (Arc::new(Quotas::default()), UserId::new(), plan(Some(1), Some(1), None), Clock::new());
    for _ in 0..3 {
        let counted = quotas.count(account, &plan, clock.0).unwrap();
        drop(Begun { quotas: quotas.clone(), account, counted: Some(counted) });
    }
    run(&quotas, account, &plan, clock).unwrap();
    refusal(run(&quotas, account, &plan, clock));
}

#[test]
fn to_look_counts_nothing_and_sees_minute_and_day_but_not_what_runs() {
    let (quotas, account, clock) = (Arc::new(Quotas::default()), UserId::new(), Clock::new());
    let mut deployment = crate::admission::tests::deployment(account);
    deployment.quota = plan(Some(1), Some(1), Some(1));
    for _ in 0..3 {
        quotas.look(&deployment, clock.0).unwrap();
    }
    let counted = quotas.count(account, &deployment.quota, clock.0).unwrap();
    let (looked, _) = refusal(quotas.look(&deployment, clock.0));
    assert_eq!(looked, refusal(run(&quotas, account, &deployment.quota, clock)).0);
    let next = clock.after(MINUTE_MS);
    quotas.look(&deployment, next.0).unwrap();
    drop(Begun { quotas: quotas.clone(), account, counted: Some(counted) });
    charge(&quotas, account, 1_000, next);
    let (looked, _) = refusal(quotas.look(&deployment, next.0));
    assert!(looked.contains("`cpu_ms_per_day`"), "{looked}");
    quotas.look(&deployment, next.after(DAY_MS / 2).0).unwrap();
}

#[test]
fn a_wall_clock_that_jumps_keeps_nobody_out_for_longer_than_the_window() {
    let (quotas, account, plan, clock) =
        (Arc::new(Quotas::default()), UserId::new(), plan(Some(1), None, Some(1)), Clock::new());
    run(&quotas, account, &plan, clock).unwrap();
    refusal(run(&quotas, account, &plan, clock));
    // To another minute, be it an earlier one, and back.
    run(&quotas, account, &plan, clock.set(-MINUTE_MS)).unwrap();
    run(&quotas, account, &plan, clock).unwrap();
    // Within the minute, again and again, while time goes by.
    refusal(run(&quotas, account, &plan, clock.after(40_000).set(-40_000)));
    run(&quotas, account, &plan, clock.after(61_000).set(-61_000)).unwrap();
    // And the day's.
    charge(&quotas, account, 1_000, clock);
    refusal(run(&quotas, account, &plan, clock.after(MINUTE_MS)));
    run(&quotas, account, &plan, clock.after(MINUTE_MS).set(-DAY_MS)).unwrap();
    charge(&quotas, account, 1_000, clock);
    refusal(run(&quotas, account, &plan, clock.after(DAY_MS - MINUTE_MS).set(MINUTE_MS - DAY_MS)));
    run(&quotas, account, &plan, clock.after(DAY_MS + 1_000).set(-DAY_MS)).unwrap();
}

#[test]
fn cpu_time_is_counted_for_a_day() {
    let (quotas, account, plan, clock) =
        (Arc::new(Quotas::default()), UserId::new(), plan(None, None, Some(1_500)), Clock::new());
    run(&quotas, account, &plan, clock).unwrap();
    charge(&quotas, account, 1_499_999, clock);
    run(&quotas, account, &plan, clock).unwrap();
    charge(&quotas, account, 1, clock);
    let (message, retry_after_s) = refusal(run(&quotas, account, &plan, clock));
    assert_eq!(
        message,
        "the quota `cpu_ms_per_day` of the plan `standard` is used up: 1500 ms of 1500 ms; it resets at 00:00:00 UTC on \
         2026-11-23"
    );
    assert_eq!(i64::from(retry_after_s), (DAY_MS - NOON_MS % DAY_MS + 999) / 1000);
    run(&quotas, account, &plan, clock.after(DAY_MS / 2)).unwrap();
}

#[test]
fn gas_is_cpu_time_as_far_as_a_quota_is_concerned() {
    let counted = |abi, gas, measured_us| {
        let json = serde_json::json!({
            "invocation": InvocationId::new(), "handler": null, "version": 1,
            "digest": wasmcloud_wire::Digest::of(b""), "abi": abi, "executor": "", "trigger": "edge",
            "method": "GET", "path": "/", "started_at": 0, "wall_us": 0, "cpu_us": 0, "gas": gas,
            "memory_peak_bytes": 0, "host_calls": {}, "urls": [], "bytes_in": 0, "bytes_out": 0, "log_lines": 0,
            "log_lines_dropped": 0, "status": 200, "outcome": {"kind": "ok"},
        });
        cpu_us(&serde_json::from_value::<Receipt>(json).unwrap(), Duration::from_micros(measured_us))
    };
    // What the default limits give: a second of either.
    assert_eq!(counted(wasmcloud_wire::Abi::Olin, 2_000_000_000_u64, 0), 1_000_000);
    assert_eq!(counted(wasmcloud_wire::Abi::H, 2_000, 0), 1);
    // Whichever is more: the host works for the program too.
    assert_eq!(counted(wasmcloud_wire::Abi::Olin, 2_000_000_000, 999_999), 1_000_000);
    assert_eq!(counted(wasmcloud_wire::Abi::Olin, 2_000_000, 8_000_000), 8_000_000);
    assert_eq!(counted(wasmcloud_wire::Abi::Wasi, 2_000_000_000, 700), 700);
}

#[test]
fn what_others_run_counts_and_grows_old() {
    let (quotas, account, clock) = (Arc::new(Quotas::default()), UserId::new(), Clock::new());
    let none = plan(None, None, None);
    let others =
        AccountUse { minute_invocations: 9, cpu_us: 999_000, running: 4, ..elsewhere(account, clock) };
    run(&quotas, account, &none, clock).unwrap();
    hear(&quotas, &[others], clock);
    let ten = plan(Some(10), None, None);
    let (message, _) = refusal(run(&quotas, account, &ten, clock.after(9_000)));
    assert!(message.contains("10 of 10"), "{message}");
    run(&quotas, account, &ten, clock.after(29_500)).unwrap();
    let four = plan(None, Some(4), None);
    assert_eq!(refusal(run(&quotas, account, &four, clock.after(9_999))).1, 1);
    // Nobody said for long that they still run.
    run(&quotas, account, &four, clock.after(10_000)).unwrap();
    let second = plan(None, None, Some(1_000));
    run(&quotas, account, &second, clock.after(20_000)).unwrap();
    charge(&quotas, account, 1_000, clock);
    refusal(run(&quotas, account, &second, clock.after(DAY_MS / 4)));
    run(&quotas, account, &second, clock.after(DAY_MS / 2)).unwrap();
}

#[test]
fn of_others_the_last_answer_counts_and_no_answer_changes_nothing() {
    let (quotas, account, clock) = (Arc::new(Quotas::default()), UserId::new(), Clock::new());
    let five = plan(Some(5), None, None);
    run(&quotas, account, &five, clock).unwrap();
    hear(&quotas, &[AccountUse { minute_invocations: 4, ..elsewhere(account, clock) }], clock);
    refusal(run(&quotas, account, &five, clock));
    // Asked, and not answered.
    assert_eq!(quotas.due(clock.0).len(), 1);
    refusal(run(&quotas, account, &five, clock));
    // Others do not have it any more.
    hear(&quotas, &[], clock);
    run(&quotas, account, &five, clock).unwrap();
}

#[test]
fn what_has_changed_is_told_until_it_has_arrived_and_what_has_not_is_not() {
    let (quotas, clock) = (Arc::new(Quotas::default()), Clock::new());
    let (one, other, none) = (UserId::new(), UserId::new(), plan(None, None, None));
    run(&quotas, one, &none, clock).unwrap();
    run(&quotas, other, &none, clock).unwrap();
    assert_eq!(quotas.due(clock.0)[0].used.len(), 2);
    assert_eq!(hear(&quotas, &[], clock).len(), 2);
    assert!(quotas.due(clock.0).is_empty());
    charge(&quotas, one, 7, clock);
    let due = quotas.due(clock.0).pop().unwrap();
    let expected = AccountUse { invocations: 1, cpu_us: 7, minute_invocations: 1, ..elsewhere(one, clock) };
    assert_eq!(due.used, [expected]);
    // What comes while it is told is told next.
    charge(&quotas, one, 1, clock);
    quotas.heard(due, Vec::new(), clock.0);
    assert_eq!(hear(&quotas, &[], clock)[0].cpu_us, 8);
    // What runs is told again and again: its end could come from elsewhere.
    quotas.count(one, &none, clock.0).unwrap();
    for _ in 0..3 {
        assert_eq!(hear(&quotas, &[], clock)[0].running, 1);
    }
}

#[test]
fn the_end_of_a_day_is_told_with_the_next_one() {
    let (quotas, account, clock) = (Arc::new(Quotas::default()), UserId::new(), Clock::new());
    run(&quotas, account, &plan(None, None, None), clock).unwrap();
    hear(&quotas, &[], clock);
    charge(&quotas, account, 5, clock);
    let tomorrow = clock.after(DAY_MS / 2);
    let used = hear(&quotas, &[elsewhere(account, clock)], tomorrow);
    let days: Vec<_> = used.iter().map(|used| (used.day, used.cpu_us, used.minute / 1440)).collect();
    let today = NOON_MS / DAY_MS;
    assert_eq!(days, [(today, 5, today), (today + 1, 0, today + 1)]);
    assert!(hear(&quotas, &[], tomorrow).is_empty());
}

#[test]
fn what_is_told_at_once_is_bounded() {
    let (quotas, clock) = (Arc::new(Quotas::default()), Clock::new());
    for _ in 0..2 * USAGE_ACCOUNTS_MAX {
        run(&quotas, UserId::new(), &plan(None, None, None), clock).unwrap();
    }
    let due = quotas.due(clock.0);
    assert!(due.iter().all(|due| due.used.len() <= USAGE_ACCOUNTS_MAX && !due.used.is_empty()));
    assert_eq!(due.iter().map(|due| due.used.len()).sum::<usize>(), 2 * USAGE_ACCOUNTS_MAX);
}

#[test]
fn accounts_are_forgotten_when_their_day_is_over_and_those_that_run_something_never() {
    let (quotas, clock) = (Arc::new(Quotas::default()), Clock::new());
    let (idle, runs, none) = (UserId::new(), UserId::new(), plan(None, None, None));
    run(&quotas, idle, &none, clock).unwrap();
    quotas.count(runs, &none, clock.0).unwrap();
    hear(&quotas, &[], clock);
    hear(&quotas, &[], clock.after(DAY_MS));
    let known: Vec<UserId> = quotas.accounts().known.keys().copied().collect();
    assert_eq!(known, [runs]);
}

#[test]
fn however_many_accounts_there_are_their_number_is_bounded_and_what_runs_is_counted() {
    let (quotas, clock) = (Arc::new(Quotas::default()), Clock::new());
    let (runs, none) = (UserId::new(), plan(None, Some(1), None));
    quotas.count(runs, &none, clock.0).unwrap();
    for _ in 0..ACCOUNTS_MAX + 10 {
        run(&quotas, UserId::new(), &none, clock).unwrap();
        assert!(quotas.accounts().known.len() <= ACCOUNTS_MAX);
    }
    refusal(run(&quotas, runs, &none, clock));
}

#[tokio::test]
async fn whoever_finds_too_many_running_waits_and_gets_the_place_of_the_first_that_ends() {
    let (quotas, until) = (Arc::new(Quotas::default()), Instant::now() + Duration::from_secs(60));
    let mut deployment = crate::admission::tests::deployment(UserId::new());
    deployment.quota = plan(None, Some(2), None);
    let first = quotas.begin(&deployment, until).await.ok().unwrap();
    let _second = quotas.begin(&deployment, until).await.ok().unwrap();
    let late = quotas.begin(&deployment, Instant::now()).await.err().unwrap();
    assert_eq!(
        late.to_string(),
        "the quota `concurrent` of the plan `standard` is used up: 2 of 2 are running; there is room when one of them ends"
    );
    let (mut waiting, mut also) =
        (Box::pin(quotas.begin(&deployment, until)), Box::pin(quotas.begin(&deployment, until)));
    assert!(futures::poll!(&mut waiting).is_pending() && futures::poll!(&mut also).is_pending());
    drop(first);
    let third = waiting.await.ok().unwrap();
    assert!(futures::poll!(&mut also).is_pending());
    drop(third);
    assert!(also.await.is_ok());
}
