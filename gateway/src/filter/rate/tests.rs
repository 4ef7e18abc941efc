use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

mod nginx;

fn rate(requests: u32, burst: u32) -> Rate {
    Rate { requests: NonZeroU32::new(requests).unwrap(), burst }
}

/// What becomes of requests at these moments.
fn run(pace: &Pace, moments: &[u64]) -> Vec<bool> {
    let mut bucket = Bucket::default();
    moments.iter().map(|now| bucket.take(pace, *now)).collect()
}

fn passed(pace: &Pace, moments: &[u64]) -> usize {
    run(pace, moments).into_iter().filter(|passed| *passed).count()
}

#[test]
fn from_idle_the_burst_and_one_more_pass() {
    for burst in [0, 1, 5, 50] {
        let pace = Pace::per_second(rate(10, burst));
        assert_eq!(passed(&pace, &[7; 200]), burst as usize + 1);
    }
}

#[test]
fn what_has_leaked_may_come_again_and_not_before() {
    let pace = Pace::per_second(rate(10, 0));
    assert_eq!(run(&pace, &[1000, 1099, 1100, 1199, 1200]), [true, false, true, false, true]);
    // 1000/60 is 16 thousandths a second: a request a minute takes 62.5 s.
    let pace = Pace::per_minute(rate(1, 0));
    assert_eq!(run(&pace, &[1, 60_001, 62_500, 62_501]), [true, false, false, true]);
}

#[test]
fn a_refused_request_does_not_count() {
    let pace = Pace::per_second(rate(1, 0));
    let mut moments: Vec<u64> = (1000..2000).collect();
    moments.push(2000);
    assert_eq!(passed(&pace, &moments), 2);
}

#[test]
fn a_moment_before_the_last_one_leaks_nothing() {
    let pace = Pace::per_second(rate(10, 1));
    assert_eq!(run(&pace, &[1000, 990, 995, 1000, 1100]), [true, true, false, false, true]);
}

#[test]
fn extremes_do_not_overflow() {
    let pace = Pace::per_second(rate(u32::MAX, u32::MAX));
    assert_eq!(run(&pace, &[1, u64::MAX, u64::MAX]), [true; 3]);
    assert!(Bucket { excess: 0, last: 1 }.is_forgettable(&pace, u64::MAX));
}

/// The reference's own sequence of steps, in signed numbers and with its two phases.
struct Naive {
    known: bool,
    excess: i128,
    last: i128,
}

impl Naive {
    fn take(&mut self, leak: i128, burst: i128, now: i128) -> bool {
        if !std::mem::replace(&mut self.known, true) {
            (self.excess, self.last) = (0, now);
            return true;
        }
        let passed = (now - self.last).max(0);
        let excess = (self.excess - leak * passed / 1000 + 1000).max(0);
        if excess > burst {
            return false;
        }
        self.excess = excess;
        if passed > 0 {
            self.last = now;
        }
        true
    }
}

fn arrivals() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![3 => Just(0_u64), 3 => 0_u64..20, 2 => 0_u64..2000, 1 => 0_u64..200_000];
    prop::collection::vec(gap, 1..200).prop_map(|gaps| {
        let mut now = FIRST_MOMENT;
        gaps.into_iter()
            .map(|gap| {
                now += gap;
                now
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn it_is_the_reference_s_bucket(
        requests in 1_u32..200, burst in 0_u32..40, minutes: bool, moments in arrivals(),
    ) {
        let rate = rate(requests, burst);
        let pace = if minutes { Pace::per_minute(rate) } else { Pace::per_second(rate) };
        let leak = i128::from(requests) * 1000 / if minutes { 60 } else { 1 };
        let mut naive = Naive { known: false, excess: 0, last: 0 };
        let expected: Vec<bool> = moments
            .iter()
            .map(|now| naive.take(leak, i128::from(burst) * 1000, i128::from(*now)))
            .collect();
        prop_assert_eq!(run(&pace, &moments), expected);
    }

    #[test]
    fn to_forget_what_may_be_forgotten_changes_nothing(
        requests in 1_u32..200, burst in 0_u32..5, moments in arrivals(),
    ) {
        let pace = Pace::per_second(rate(requests, burst));
        let mut bucket = Bucket::default();
        let forgetful: Vec<bool> = moments
            .iter()
            .map(|now| {
                if bucket.is_forgettable(&pace, *now) {
                    bucket = Bucket::default();
                }
                bucket.take(&pace, *now)
            })
            .collect();
        prop_assert_eq!(forgetful, run(&pace, &moments));
    }

    #[test]
    fn no_more_pass_than_the_rate_and_the_burst_allow(
        requests in 1_u32..200, burst in 0_u32..40, moments in arrivals(),
    ) {
        let pace = Pace::per_second(rate(requests, burst));
        let time = moments[moments.len() - 1] - moments[0];
        let most = u64::from(burst) + 1 + u64::from(requests) * time / 1000;
        // Each time a part of a thousandth may be lost in the client's disfavour only.
        prop_assert!(passed(&pace, &moments) as u64 <= most + 1);
    }
}
