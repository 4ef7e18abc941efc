//! What becomes of shared limits while one table takes the place of another.

use headgate_config::{
    Location, Protection,
    protection::{LimitCounting, LimitFallback, LimitId, Rate, RequestLimits},
};

use super::*;
use crate::route::sample;

/// One request at once for each client, and nothing more for a minute.
fn limited() -> Arc<Host> {
    let limits = RequestLimits {
        id: LimitId { namespace: "ns".into(), name: "app".into(), created: 1 },
        per_second: None,
        per_minute: Some(Rate { requests: 1.try_into().unwrap(), burst: 0 }),
        shared: true,
        connections: None,
        exempt: Vec::new(),
        rate_status: 429,
        connection_status: 503,
    };
    let protection = Protection { limits: Some(Arc::new(limits)), ..Protection::default() };
    let location = sample::location(PathMatch::Prefix("/".into()));
    let location = Location { protection: Some(Arc::new(protection)), ..location };
    Arc::new(sample::host(PathMode::Literal, vec![Arc::new(location)]))
}

#[test]
fn what_decides_without_the_store_does_so_until_the_table_that_names_it_is_gone() {
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let hosts = [limited()];
    let with = |limit_store| {
        let settings = Arc::new(Settings { limit_store, ..Settings::default() });
        Snapshot { settings, ..snapshot(&hosts, &[]) }
    };
    let closed = LimitCounting::Unusable(LimitFallback::Closed);
    let before = compiler.compile(with(Some(closed)), 1);
    let host = before.hosts.find(b"a.test").unwrap();
    let limits = host.locations[0].protection.as_ref().unwrap().limits.as_ref().unwrap();
    let ask = || {
        let client = "192.0.2.1".parse().unwrap();
        runtime.block_on(limits.admit(client, 1)).map(drop)
    };
    assert_eq!(ask(), Err(503));
    compiler.compile(with(None), 2);
    assert_eq!(ask(), Err(503), "the table before still serves");
    compiler.forget_store();
    assert_eq!((ask(), ask()), (Ok(()), Err(429)), "each counts for itself");
}
