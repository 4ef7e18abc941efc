use std::net::Ipv6Addr;

use futures_util::FutureExt;
use headgate_config::protection::Rate;
use proptest::prelude::*;

use super::*;
use crate::filter::rate::Bucket;

fn id(name: &str, created: i64) -> LimitId {
    LimitId { namespace: "ns".into(), name: name.into(), created }
}

fn spec() -> RequestLimits {
    RequestLimits {
        id: id("app", 0),
        per_second: None,
        per_minute: None,
        shared: false,
        connections: None,
        exempt: Vec::new(),
        rate_status: 503,
        connection_status: 429,
    }
}

fn rate(requests: u32, burst: u32) -> Option<Rate> {
    NonZeroU32::new(requests).map(|requests| Rate { requests, burst })
}

fn limits(spec: RequestLimits) -> Limits {
    Limits::new(&Arc::new(spec), &Registry::default())
}

/// Asks limits that need nobody to wait.
fn admit(limits: &Limits, client: IpAddr, now: u64) -> Result<Option<Permit>, u16> {
    limits.admit(client, now).now_or_never().expect("an answer at once")
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// How many of so many requests pass at this moment.
fn passed(limits: &Limits, client: &str, now: u64, count: usize) -> usize {
    (0..count).filter(|_| admit(limits, address(client), now).is_ok()).count()
}

#[test]
fn each_client_has_its_own_rate() {
    let limits = limits(RequestLimits { per_second: rate(1, 2), ..spec() });
    assert_eq!(passed(&limits, "192.0.2.1", 5, 10), 3);
    assert_eq!(passed(&limits, "192.0.2.2", 5, 10), 3);
    assert_eq!(passed(&limits, "::ffff:192.0.2.1", 5, 10), 0, "the same client");
    assert_eq!(passed(&limits, "192.0.2.1", 1005, 10), 1);
    assert_eq!(admit(&limits, address("192.0.2.1"), 1005).err(), Some(503));
}

#[test]
fn both_rates_have_to_be_kept_and_a_refusal_by_one_takes_nothing_from_the_other() {
    let limits =
        limits(RequestLimits { per_second: rate(2, 3), per_minute: rate(60, 1), ..spec() });
    assert_eq!(passed(&limits, "192.0.2.1", 1, 100), 2, "one ahead of a minute's rate");
    // Had the refused ones counted for the second's rate, nothing would be left of it.
    assert_eq!(passed(&limits, "192.0.2.1", 1001, 100), 1);
    assert_eq!(passed(&limits, "192.0.2.1", 2001, 100), 1);
}

#[test]
fn who_is_exempt_is_not_counted() {
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    let limits = limits(RequestLimits {
        per_second: rate(1, 0),
        connections: NonZeroU32::new(1),
        exempt,
        ..spec()
    });
    let permits: Vec<_> = (0..10).map(|_| admit(&limits, address("192.0.2.1"), 1)).collect();
    assert!(permits.iter().all(|permit| matches!(permit, Ok(None))));
}

#[test]
fn connections_are_counted_until_their_permits_are_gone() {
    let limits = limits(RequestLimits { connections: NonZeroU32::new(2), ..spec() });
    let client = address("192.0.2.1");
    let first = admit(&limits, client, 1).unwrap_or_default();
    let second = admit(&limits, client, 1).unwrap_or_default();
    assert!(first.is_some() && second.is_some());
    assert_eq!(admit(&limits, client, 1).err(), Some(429));
    assert!(admit(&limits, address("192.0.2.2"), 1).is_ok());
    drop(first);
    assert!(admit(&limits, client, 1).is_ok());
    drop(second);
    let open: usize = limits.counters.open.iter().map(|shard| shard.lock().len()).sum();
    assert_eq!(open, 0, "nothing is left of them");
}

#[test]
fn counters_outlive_tables_and_are_forgotten_when_nobody_has_used_them_for_a_while() {
    let registry = Registry::default();
    let spec = |created| {
        Arc::new(RequestLimits { id: id("app", created), per_second: rate(1, 0), ..spec() })
    };
    let passes = |created| passed(&Limits::new(&spec(created), &registry), "192.0.2.1", 5, 10);
    assert_eq!(passes(1), 1);
    assert_eq!(passes(1), 0, "a new table, the same counters");
    assert_eq!(passes(2), 1, "another Ingress of that name");
    let now = Instant::now();
    registry.forget_unused(now);
    registry.forget_unused(now + KEPT_UNUSED / 2);
    assert_eq!(passes(1), 0);
    registry.forget_unused(now + KEPT_UNUSED);
    assert_eq!(passes(1), 0, "it was used in between");
    assert_eq!(registry.entries.lock().len(), 1, "the other was not");
    let held = Limits::new(&spec(1), &registry);
    for _ in 0..3 {
        registry.forget_unused(now + 10 * KEPT_UNUSED);
    }
    assert_eq!(passed(&held, "192.0.2.1", 5, 1), 0);
    assert_eq!(registry.entries.lock().len(), 1, "a location uses it");
}

fn stranger(number: u32) -> IpAddr {
    let number = u128::from(number);
    IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + number * 0x1_0000_0001))
}

#[test]
fn a_flood_of_clients_is_remembered_in_bounded_memory() {
    let limits = limits(RequestLimits { per_second: rate(1, 0), per_minute: rate(1, 0), ..spec() });
    for number in 0..1_000_000 {
        assert!(admit(&limits, stranger(number), 1 + u64::from(number) / 1000).is_ok());
    }
    let shards = limits.counters.rates.iter().map(|shard| shard.lock());
    let (clients, bytes) = shards
        .fold((0, 0), |(clients, bytes), shard| (clients + shard.len(), bytes + shard.bytes()));
    eprintln!("{clients} clients in {bytes} bytes");
    assert_eq!(clients, MOST_CLIENTS);
    assert!(bytes <= 5 << 20, "{bytes}");
}

/// The machine may be busy with something else: each step counts as long as the shortest of several runs.
#[test]
fn none_of_a_flood_of_clients_takes_long() {
    const RUNS: usize = 4;
    const CLIENTS: u32 = 100_000;
    let random = RandomState::default();
    let paces = [rate(1, 0).map(Pace::per_second), rate(1, 0).map(Pace::per_minute)];
    let mut shortest = vec![Duration::MAX; CLIENTS as usize];
    for _ in 0..RUNS {
        let counters = Counters { random: random.clone(), ..Counters::new() };
        for number in 0..CLIENTS {
            let begin = Instant::now();
            counters.take(Client::from(stranger(number)), &paces, 1 + u64::from(number) / 1000);
            let took = &mut shortest[number as usize];
            *took = begin.elapsed().min(*took);
        }
    }
    let longest = shortest.into_iter().max().unwrap();
    eprintln!("at most {longest:?}");
    assert!(longest < Duration::from_millis(5), "{longest:?}");
}

#[test]
fn whoever_came_last_is_remembered_longest() {
    let random = RandomState::default();
    let mut clients = Clients::new(3);
    let pace = Pace::per_second(rate(1, 0).unwrap());
    let client = |number: u8| Client::from(IpAddr::from([192, 0, 2, number]));
    let mut takes = |number| {
        let client = client(number);
        clients.buckets(client, random.hash_one(client), &random, |_| false)[0].take(&pace, 5)
    };
    assert!(takes(1) && takes(2) && takes(3));
    assert!(!takes(1), "and is the newest now");
    assert!(takes(4), "in the place of 2");
    assert!(!takes(1) && !takes(3));
    assert!(takes(2));
    assert!(takes(4), "forgotten, because 1 and 3 came after it");
    assert_eq!(clients.len(), 3);
}

proptest! {
    /// Against a list that is searched from one end to the other.
    #[test]
    fn clients_are_those_of_a_naive_list(
        most in 1_usize..6, visits in prop::collection::vec((0_u8..12, any::<bool>()), 1..200),
    ) {
        let random = RandomState::default();
        let mut clients = Clients::new(most);
        let mut naive: Vec<(u8, Buckets)> = Vec::new();
        let pace = Pace::per_second(rate(1, 1000).unwrap());
        for (now, (number, forget)) in visits.into_iter().enumerate() {
            let now = now as u64 + 1;
            let forgettable = |buckets: &Buckets| forget && buckets[0] != Bucket::default();
            let mut buckets = match naive.iter().position(|(known, _)| *known == number) {
                Some(at) => naive.remove(at).1,
                None => {
                    for _ in 0..2 {
                        if naive.first().is_some_and(|(_, buckets)| forgettable(buckets)) {
                            naive.remove(0);
                        }
                    }
                    if naive.len() == most {
                        naive.remove(0);
                    }
                    Buckets::default()
                }
            };
            let client = Client::from(IpAddr::from([10, 0, 0, number]));
            let seen = clients.buckets(client, random.hash_one(client), &random, forgettable);
            prop_assert_eq!(&*seen, &buckets);
            seen[0].take(&pace, now);
            buckets[0].take(&pace, now);
            naive.push((number, buckets));
            prop_assert_eq!(clients.len(), naive.len());
        }
    }
}
