//! The script in a real server, against the buckets of this process.

use std::{net::Ipv6Addr, num::NonZeroU32, sync::atomic::AtomicI64, time::Duration};

use headgate_config::protection::{Rate, StoreLogin};
use proptest::{prelude::*, test_runner::TestRunner};
use redis::{Client, aio::MultiplexedConnection};

use super::*;
use crate::{
    filter::rate::Pace,
    limits::{Counters, clients},
};

#[path = "../../../tests/it/support/redis.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use server::Redis;

fn rate(requests: u32, burst: u32) -> Rate {
    Rate { requests: NonZeroU32::new(requests).expect("above zero"), burst }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn connect(server: &Redis) -> MultiplexedConnection {
    let client = Client::open(format!("redis://127.0.0.1:{}", server.port)).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("a connection")
}

/// Paces as they are configured, and as large as they can be.
fn paces() -> impl Strategy<Value = Paces> {
    let requests = prop_oneof![1_u32..200, Just(u32::MAX), any::<u32>().prop_map(|n| n.max(1))];
    let burst = prop_oneof![0_u32..20, Just(u32::MAX)];
    let one = (requests, burst).prop_map(|(requests, burst)| rate(requests, burst));
    let pair = (prop::option::of(one.clone()), prop::option::of(one));
    pair.prop_map(|(second, minute)| [second.map(Pace::per_second), minute.map(Pace::per_minute)])
}

/// Whose request comes, and how long after the one before; of two gateways one may ask first and be later.
fn steps() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let wait = prop_oneof![
        4 => -3_i64..30,
        2 => 0_i64..2_000,
        1 => 0_i64..200_000,
        1 => 0_i64..40_000_000_000,
    ];
    prop::collection::vec((0_u8..3, wait), 1..80)
}

#[test]
fn the_script_decides_as_the_buckets_of_this_process_do() {
    let server = Redis::start();
    let runtime = runtime();
    let connection = runtime.block_on(connect(&server));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let cases = AtomicI64::new(0);
    let result = runner.run(&(paces(), steps()), |(paces, steps)| {
        let created = cases.fetch_add(1, Relaxed);
        let id = LimitId { namespace: "ns".into(), name: "app".into(), created };
        let (key, counters) = (Key::new(&id), Counters::new());
        let mut now = 1_767_225_600_000_u64;
        let (mut passed, mut number) = (0, 0);
        for (client, wait) in steps {
            now = now.saturating_add_signed(wait);
            let client = IpAddr::from([192, 0, 2, client]);
            let mut connection = connection.clone();
            let name = key.of(client);
            let there = script::take(&mut connection, &name, &paces, Some(now));
            let there = runtime.block_on(there).expect("an answer");
            let here = counters.take(clients::Client::from(client), &paces, now);
            prop_assert_eq!(there, here, "request {} of {} at {}", number, client, now);
            passed += usize::from(here);
            number += 1;
        }
        prop_assert!(passed > 0);
        Ok(())
    });
    result.expect("the same verdicts");
}

#[test]
fn what_makes_no_difference_any_more_is_forgotten() {
    let server = Redis::start();
    let runtime = runtime();
    let mut connection = runtime.block_on(connect(&server));
    for (paces, milliseconds) in [
        // Two a minute: as soon as the next one would come in time.
        ([None, Some(Pace::per_minute(rate(2, 5)))], 30_304),
        ([Some(Pace::per_second(rate(100, 5))), Some(Pace::per_minute(rate(1, 5)))], 62_500),
    ] {
        assert!(server.say("FLUSHALL").starts_with("+OK"));
        let passes = script::take(&mut connection, "one", &paces, None);
        assert!(runtime.block_on(passes).expect("an answer"));
        let left: i64 = server.say("PTTL one").trim_start_matches(':').parse().expect("a time");
        assert!(left <= milliseconds && left > milliseconds - 20_000, "{left} of {milliseconds}");
    }
}

#[test]
fn by_the_clock_of_the_server_a_bucket_leaks_while_time_passes() {
    let server = Redis::start();
    let runtime = runtime();
    let mut connection = runtime.block_on(connect(&server));
    let paces = [Some(Pace::per_second(rate(20, 0))), None];
    let mut passes = || {
        let passes = script::take(&mut connection, "one", &paces, None);
        runtime.block_on(passes).expect("an answer")
    };
    assert!(passes());
    let begin = std::time::Instant::now();
    while !passes() {}
    assert!(begin.elapsed() > Duration::from_millis(30), "{:?}", begin.elapsed());
}

#[test]
fn a_key_names_the_ingress_and_the_client() {
    let id = LimitId { namespace: "ns".into(), name: "app".into(), created: 7 };
    let key = Key::new(&id);
    let of = |text: &str| key.of(text.parse().expect("an address"));
    assert_eq!(of("192.0.2.1"), "headgate:limit:{ns/app/7/192.0.2.1}");
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_eq!(key.of(Ipv6Addr::LOCALHOST.into()), "headgate:limit:{ns/app/7/::1}");
}

#[test]
fn a_password_is_not_shown() {
    let login = StoreLogin::new(Some("a secret name".into()), "much secret".into());
    let store = LimitStore {
        host: "localhost".into(),
        port: 6379,
        database: 0,
        tls: None,
        login: Some(login),
        timeout: Duration::from_millis(20),
        fallback: LimitFallback::Local,
    };
    let shown = format!("{store:?} {}", serde_json::to_string(&store).expect("JSON"));
    assert!(!shown.contains("secret"), "{shown}");
}
