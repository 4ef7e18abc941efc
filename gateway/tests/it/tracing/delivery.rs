//! How spans come to their collector, and what becomes of them if it does not take them.

use std::time::Duration;

use headgate_config::Collector as Spec;

use super::{plain_table, sending_to};
use crate::support::{
    Collector, TestGateway, Upstream,
    collector::{Reserved, spec},
    eventually,
};

/// A sample of the metrics.
fn counted(gateway: &TestGateway, sample: &str) -> u64 {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}: {text}")).parse().expect("a number")
}

const EXPORTED: &str = "headgate_spans_exported_total";
const FULL: &str = "headgate_spans_lost_total{reason=\"queue\"}";
const UNDELIVERED: &str = "headgate_spans_lost_total{reason=\"delivery\"}";
const REJECTED: &str = "headgate_spans_lost_total{reason=\"rejected\"}";

/// A time in which nothing is sent because of it.
const NEVER: Duration = Duration::from_secs(3600);

#[test]
fn spans_are_sent_in_batches_over_one_connection() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let spec = Spec { batch: 3, delay: NEVER, ..collector.spec() };
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec)));
    let mut client = gateway.client();
    for round in 1..=2 {
        (0..3).for_each(|_| drop(client.get("/")));
        collector.wait(3 * round);
    }
    assert_eq!((collector.batches(), collector.connections()), (vec![3, 3], 1));
    eventually("they are counted", || counted(&gateway, EXPORTED) == 6);
}

#[test]
fn the_last_spans_are_sent_before_the_gateway_ends() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let spec = Spec { batch: 2, queue: 100, delay: NEVER, ..collector.spec() };
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec)));
    gateway.get("/");
    gateway.get("/");
    gateway.get("/");
    gateway.stop();
    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn a_collector_that_comes_late_gets_what_has_waited() {
    let (app, place) = (Upstream::echo("app"), Reserved::new());
    let settings = sending_to(spec(place.address()));
    let gateway = TestGateway::start(plain_table(&app, settings));
    for _ in 0..3 {
        assert_eq!(gateway.get("/").text(), "app", "requests do not notice");
    }
    let collector = place.start();
    assert_eq!(collector.wait(3).len(), 3);
}

#[test]
fn what_a_collector_cannot_take_now_is_tried_again_and_what_it_never_takes_is_not() {
    let app = Upstream::echo("app");
    // Unavailable, then well, then an argument that it does not like.
    let collector = Collector::answering(|call| [14, 0, 3][call.min(2)]);
    let gateway = TestGateway::start(plain_table(&app, sending_to(collector.spec())));
    gateway.get("/");
    collector.wait(1);
    assert_eq!(collector.calls(), 2);
    gateway.get("/");
    eventually("it is refused", || counted(&gateway, REJECTED) == 1);
    assert_eq!((collector.calls(), counted(&gateway, EXPORTED)), (3, 1));
}

#[test]
fn only_so_many_wait_and_others_are_counted() {
    let app = Upstream::echo("app");
    let nobody = Upstream::refusing();
    let spec = Spec { queue: 2, ..spec(nobody) };
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec)));
    for _ in 0..5 {
        assert_eq!(gateway.get("/").text(), "app", "requests do not notice");
    }
    eventually("they are counted", || counted(&gateway, FULL) == 3);
    assert_eq!(counted(&gateway, "headgate_spans_waiting"), 2);
}

#[test]
fn a_change_of_the_collector_takes_effect_at_once() {
    let (app, nobody) = (Upstream::echo("app"), Upstream::refusing());
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec(nobody))));
    gateway.get("/");
    let first = Collector::start();
    gateway.live.publish(plain_table(&app, sending_to(first.spec())));
    // That which nobody was there for.
    assert_eq!(first.wait(1).len(), 1);
    let second = Collector::start();
    gateway.live.publish(plain_table(&app, sending_to(second.spec())));
    gateway.get("/");
    assert_eq!(second.wait(1).len(), 1);
    gateway.live.publish(plain_table(&app, headgate_config::SpanSettings::default()));
    gateway.get("/");
    let third = Collector::start();
    gateway.live.publish(plain_table(&app, sending_to(third.spec())));
    gateway.get("/");
    assert_eq!(third.wait(1).len(), 1);
    gateway.stop();
    assert_eq!([&first, &second, &third].map(|collector| collector.spans().len()), [1, 1, 1]);
}

#[test]
fn a_gateway_ends_in_time_although_its_collector_does_not_answer() {
    let app = Upstream::echo("app");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let spec = spec(silent.local_addr().expect("bound"));
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec)));
    gateway.get("/");
    let begin = std::time::Instant::now();
    gateway.stop();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn spans_that_nobody_took_before_the_end_are_counted() {
    let app = Upstream::echo("app");
    let spec = Spec { delay: NEVER, ..spec(Upstream::refusing()) };
    let gateway = TestGateway::start(plain_table(&app, sending_to(spec)));
    gateway.get("/");
    let metrics = std::sync::Arc::clone(&gateway.metrics);
    gateway.stop();
    let text: Vec<u8> = metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    assert!(text.contains(&format!("{UNDELIVERED} 1\n")), "{text}");
}
