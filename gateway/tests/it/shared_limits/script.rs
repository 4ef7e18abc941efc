//! The script that counts, in a real server, against the formula of the contract (annotations §3.9).

use std::{cell::Cell, time::Instant};

use proptest::{prelude::*, test_runner::TestRunner};
use redis::{Client, Script, aio::MultiplexedConnection};
use tokio::runtime::{Builder, Runtime};

use crate::support::Redis;

/// What leaks in a second and what may come ahead of time, in thousandths of a request.
type Pace = (u64, u64);
/// Per second, and per minute.
type Paces = [Option<Pace>; 2];

/// A connection to a server, with the script.
struct Counting {
    server: Redis,
    runtime: Runtime,
    connection: MultiplexedConnection,
    script: Script,
}

impl Counting {
    fn start() -> Self {
        let (server, runtime) =
            (Redis::start(), Builder::new_current_thread().enable_all().build());
        let runtime = runtime.expect("a runtime");
        let client = Client::open(format!("redis://127.0.0.1:{}", server.port)).expect("a URL");
        let connection = runtime.block_on(client.get_multiplexed_async_connection());
        let script = Script::new(include_str!("../../../src/limits/shared/take.lua"));
        Self { server, runtime, connection: connection.expect("a connection"), script }
    }

    /// Whether a request passes, at this moment or else by the clock of the server.
    fn take(&self, key: &str, paces: &Paces, now: Option<i64>) -> bool {
        let mut call = self.script.key(key);
        for (leak, burst) in paces.map(Option::unwrap_or_default) {
            call.arg(leak).arg(burst);
        }
        if let Some(now) = now {
            call.arg(now);
        }
        let mut connection = self.connection.clone();
        let passes = self.runtime.block_on(call.invoke_async::<u8>(&mut connection));
        passes.expect("an answer") == 1
    }
}

fn per_second(requests: u32, burst: u32) -> Option<Pace> {
    Some((u64::from(requests) * 1000, u64::from(burst) * 1000))
}

fn per_minute(requests: u32, burst: u32) -> Option<Pace> {
    Some((u64::from(requests) * 1000 / 60, u64::from(burst) * 1000))
}

/// What came ahead of time, in thousandths of a request, and the moment of the last request that passed.
type Bucket = Option<(i128, i64)>;

/// One bucket by the contract: `excess = max(0, excess - rate * time + 1)`, too much if it is above the burst. A clock that
/// was set back by up to a minute stands still; by more it begins anew.
fn after(bucket: Bucket, (leak, burst): Pace, now: i64) -> Option<(i128, i64)> {
    let Some((excess, last)) = bucket else { return Some((0, now)) };
    let (passed, last) = match now - last {
        ..-60_000 => (1, now),
        -60_000..0 => (0, last),
        passed => (passed, now),
    };
    let leaked = i128::from(leak) * i128::from(passed) / 1000;
    let excess = (excess + 1000 - leaked).max(0);
    (excess <= i128::from(burst)).then_some((excess, last))
}

/// Both buckets take a request, or neither does.
fn expected(buckets: &mut [Bucket; 2], paces: &Paces, now: i64) -> bool {
    let mut both = *buckets;
    for (bucket, pace) in both.iter_mut().zip(paces) {
        let Some(pace) = pace else { continue };
        *bucket = after(*bucket, *pace, now);
        if bucket.is_none() {
            return false;
        }
    }
    *buckets = both;
    true
}

/// Paces as they are configured, and as large as they can be.
fn paces() -> impl Strategy<Value = Paces> {
    let requests = prop_oneof![1_u32..200, Just(u32::MAX), any::<u32>().prop_map(|n| n.max(1))];
    let burst = prop_oneof![0_u32..20, Just(u32::MAX)];
    let one = prop::option::of((requests, burst));
    (one.clone(), one).prop_map(|(second, minute)| {
        let (second, minute) =
            (second.map(|(n, b)| per_second(n, b)), minute.map(|(n, b)| per_minute(n, b)));
        // Less than one in a thousand seconds is no pace.
        [second.flatten(), minute.flatten().filter(|(leak, _)| *leak > 0)]
    })
}

/// Whose request comes, and how long after the one before; of two gateways one may ask first and be later.
fn steps() -> impl Strategy<Value = Vec<(usize, i64)>> {
    let wait = prop_oneof![
        4 => -3_i64..30,
        2 => 0_i64..2_000,
        1 => 0_i64..200_000,
        1 => -100_000_i64..0,
        1 => 0_i64..40_000_000_000,
    ];
    prop::collection::vec((0_usize..3, wait), 1..80)
}

#[test]
fn it_decides_as_the_contract_says() {
    let (counting, cases) = (Counting::start(), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    });
    let result = runner.run(&(paces(), steps()), |(paces, steps)| {
        let case = cases.replace(cases.get() + 1);
        let (mut clients, mut now) = ([[None; 2]; 3], 1_767_225_600_000_i64);
        for (number, (client, wait)) in steps.into_iter().enumerate() {
            now += wait;
            let there = counting.take(&format!("{case}/{client}"), &paces, Some(now));
            let here = expected(&mut clients[client], &paces, now);
            prop_assert_eq!(there, here, "request {} of {} at {}", number, client, now);
        }
        Ok(())
    });
    result.expect("the same verdicts");
}

#[test]
fn what_makes_no_difference_any_more_is_forgotten() {
    let counting = Counting::start();
    for (paces, milliseconds) in [
        // Two a minute: as soon as the next one would come in time.
        ([None, per_minute(2, 5)], 30_304),
        ([per_second(100, 5), per_minute(1, 5)], 62_500),
    ] {
        assert!(counting.server.say("FLUSHALL").starts_with("+OK"));
        assert!(counting.take("one", &paces, None));
        let left = counting.server.say("PTTL one");
        let left: i64 = left.trim_start_matches(':').parse().expect("a time");
        assert!(left <= milliseconds && left > milliseconds - 20_000, "{left} of {milliseconds}");
    }
}

#[test]
fn by_the_clock_of_the_server_a_bucket_leaks_while_time_passes() {
    let counting = Counting::start();
    let paces = [per_second(20, 0), None];
    assert!(counting.take("one", &paces, None));
    let begin = Instant::now();
    while !counting.take("one", &paces, None) {}
    assert!(begin.elapsed().as_millis() > 30, "{:?}", begin.elapsed());
}
