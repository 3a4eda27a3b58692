//! Whether a new version fails more than the one before it: a pure decision about two counts.

use wasmcloud_wire::VersionNumber;

use crate::store::Tally;

/// How many requests a new version has answered, and failed, before it is judged.
const REQUESTS_MIN: u64 = 20;
const FAILED_MIN: u64 = 5;
/// How many standard deviations wide the intervals are, to each side. A new version is looked at some hundred
/// times: the 1.96 of a single look would take good versions back by chance.
const DEVIATIONS: f64 = 3.0;

/// Whether a new version has answered, and failed, enough requests to be judged at all.
pub(super) fn enough_to_judge(new: Tally) -> bool {
    new.requests >= REQUESTS_MIN && new.failed >= FAILED_MIN
}

/// Whether a version clearly fails more than another: it has answered enough requests to tell, and even the lowest
/// rate of failures that they leave likely is above the highest that is likely of the other. The bounds are those
/// of Wilson's score interval. A version without requests is never exceeded: its interval is everything.
pub(super) fn is_clearly_worse(new: Tally, old: Tally) -> bool {
    enough_to_judge(new) && wilson(new).0 > wilson(old).1
}

/// Between which rates a version's true rate of failures likely is.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn wilson(tally: Tally) -> (f64, f64) {
    if tally.requests == 0 {
        return (0.0, 1.0);
    }
    let (n, square) = (tally.requests as f64, DEVIATIONS * DEVIATIONS);
    let rate = tally.failed as f64 / n;
    let middle = rate + square / (2.0 * n);
    let reach = DEVIATIONS * (rate * (1.0 - rate) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    ((middle - reach) / scale, (middle + reach) / scale)
}

/// What a version failed, in words: `version 2 failed 12 of 31 requests (38 %)`.
pub(super) fn in_words(version: VersionNumber, tally: Tally) -> String {
    let Tally { requests, failed } = tally;
    let percent = (failed * 100).checked_div(requests).unwrap_or(0);
    format!("version {version} failed {failed} of {requests} requests ({percent} %)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(failed: u64, requests: u64) -> Tally {
        Tally { requests, failed }
    }

    #[test]
    fn a_version_is_taken_back_only_if_it_clearly_fails_more_than_the_one_before() {
        for (new, old, is_worse, case) in [
            (tally(20, 20), tally(0, 1_000), true, "everything fails, and nothing did"),
            (tally(20, 20), tally(0, 5), true, "everything fails, and a few did not"),
            (tally(10, 100), tally(0, 1_000), true, "a tenth fails, and nothing did"),
            (tally(500, 1_000), tally(100, 1_000), true, "half fails, where a tenth did"),
            (tally(19, 19), tally(0, 1_000), false, "too few requests to tell"),
            (tally(4, 1_000), tally(0, 10_000), false, "too few failures to tell"),
            (tally(20, 20), tally(20, 20), false, "both fail"),
            (tally(20, 20), tally(0, 0), false, "nothing is known of the one before"),
            (tally(20, 20), tally(0, 1), false, "next to nothing is known of it"),
            (tally(6, 30), tally(10, 100), false, "a fifth of few may be a tenth"),
            (tally(100, 1_000), tally(90, 1_000), false, "about the same"),
            (tally(100, 1_000), tally(500, 1_000), false, "it is better"),
            (tally(0, 10_000), tally(0, 10_000), false, "both are well"),
        ] {
            assert_eq!(
                is_clearly_worse(new, old),
                is_worse,
                "{case}: {:?} and {:?}",
                wilson(new),
                wilson(old)
            );
        }
    }

    #[test]
    fn an_interval_holds_its_rate_and_is_narrower_the_more_is_known() {
        for (failed, requests) in [(0, 1), (1, 1), (3, 20), (300, 2_000), (2_000, 2_000)] {
            let (low, high) = wilson(tally(failed, requests));
            let rate = failed as f64 / requests as f64;
            let rounding = 1e-9;
            assert!(-rounding <= low && low <= rate + rounding, "{failed} of {requests}: {low}");
            assert!(rate - rounding <= high && high <= 1.0 + rounding, "{failed} of {requests}: {high}");
        }
        let width =
            |requests| wilson(tally(requests / 10, requests)).1 - wilson(tally(requests / 10, requests)).0;
        assert!(width(1_000) < width(100) && width(100) < width(10));
    }

    #[test]
    fn a_rate_is_said_in_words() {
        let version = VersionNumber(2);
        assert_eq!(in_words(version, tally(12, 31)), "version 2 failed 12 of 31 requests (38 %)");
        assert_eq!(in_words(version, tally(0, 0)), "version 2 failed 0 of 0 requests (0 %)");
    }
}
