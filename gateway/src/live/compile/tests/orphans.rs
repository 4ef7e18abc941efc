//! What the metrics say about Ingresses that lead nowhere.

use std::sync::Arc;

use headgate_config::{Action, Forward, Location, ObjectRef, Origin, PathMatch, WhenEmpty};

use super::*;
use crate::{live::orphans, route::sample};

/// A location of the Ingress of this name, to the upstream of this number.
fn of(ingress: &str, upstream: u16) -> Arc<Location> {
    let name = |kind: &str, name: &str| ObjectRef {
        kind: kind.into(),
        namespace: "ns".into(),
        name: name.into(),
    };
    let origin = Origin { object: Some(name("Ingress", ingress)), ..Origin::default() };
    let when_empty = WhenEmpty::Respond(503);
    let action = Action::Forward(Forward { upstream: id(upstream), when_empty });
    let matcher = PathMatch::Prefix(format!("/{ingress}/{upstream}/"));
    Arc::new(Location { origin: Arc::new(origin), action, ..sample::location(matcher) })
}

#[test]
fn ingresses_that_lead_nowhere_are_told() {
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let none = Upstream::new(id(1), Endpoints::Addresses(Vec::new()));
    let missing = Upstream { no_service: true, ..none.clone() };
    let upstreams = [Arc::new(missing), Arc::new(Upstream { id: id(2), ..none }), upstream(3, 1)];
    let locations = vec![of("a", 3), of("a", 1), of("b", 2), of("c", 1), of("c", 3)];
    let hosts = [Arc::new(Host { locations, ..Host::clone(&host("a.test")) })];
    let live = compiler.compile(snapshot(&hosts, &upstreams), 1);
    let metrics = Metrics::new(MetricsSettings::default());
    let live = Arc::new(live);
    metrics.add_source(move |text| orphans::write_metrics(&live, text));
    let text = metrics.scrape().collect::<Vec<_>>().concat();
    let text = String::from_utf8(text).expect("a text");
    let told: Vec<String> = text
        .lines()
        .filter(|line| line.contains("orphan_ingress{"))
        .map(|line| {
            let label = |name: &str| {
                let rest = line.split_once(&format!("{name}=\"")).expect("a label").1;
                rest.split('"').next().unwrap_or_default().to_owned()
            };
            format!("{} {} {}", label("ingress"), label("type"), &line[line.len() - 1..])
        })
        .collect();
    assert_eq!(
        told,
        [
            "a no-endpoint 0",
            "a no-service 1",
            "b no-endpoint 1",
            "b no-service 0",
            "c no-endpoint 0",
            "c no-service 0"
        ]
    );
}
