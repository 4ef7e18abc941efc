//! Error backends and mirrors are among the upstreams, and follow the ConfigMap.

use headgate_config::{ErrorPages, Location};

use super::*;

/// The first location of `a.test`.
fn first(plane: &Plane) -> &Location {
    let host = plane.last.hosts.iter().find(|host| host.name == "a.test").expect("it is there");
    &host.locations[0]
}

fn pages(plane: &Plane) -> Option<&ErrorPages> {
    first(plane).error_pages.as_deref()
}

#[test]
fn every_location_has_the_list_of_the_config_map() {
    let options = Options {
        configmap: "sys/conf".parse().ok(),
        default_backend_service: "sys/pages".parse().ok(),
        ..Options::default()
    };
    let mut plane = Plane::new(options);
    plane.apply(&ingress("a.test", &[]));
    assert_eq!(pages(&plane), None);
    let list = |list: &str| {
        typed::<ConfigMap>(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "sys", "name": "conf" }, "data": { "custom-http-errors": list },
        }))
    };
    plane.apply(&list("404,503"));
    let mut all = plane.last.hosts.iter().flat_map(|host| &host.locations);
    let is_forwarded = |location: &&std::sync::Arc<Location>| {
        matches!(location.action, Action::Forward(_) | Action::Respond(_))
    };
    assert!(all.by_ref().filter(is_forwarded).all(|location| location.error_pages.is_some()));
    let found = pages(&plane).expect("there are");
    assert_eq!((&*found.statuses, found.for_all), (&[404, 503][..], true));
    assert!(plane.last.upstreams.contains(&found.backends[0]));
    plane.apply(&list(""));
    assert_eq!(pages(&plane), None);
}

#[test]
fn the_services_of_an_ingress_are_among_the_upstreams() {
    let options = Options { resolve_services_by_name: true, ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&ingress(
        "a.test",
        &[
            ("custom-http-errors", "404"),
            ("default-backend", "pages"),
            ("mirror-target", "http://shadow.sec.svc:81$request_uri"),
        ],
    ));
    let found = pages(&plane).expect("there are").backends.clone();
    let mirrored = first(&plane).mirror.as_ref().and_then(|mirror| mirror.upstream.clone());
    let names: Vec<_> = found.iter().chain(&mirrored).map(ToString::to_string).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].contains("-pages-") && names[1] == "sec-shadow-81", "{names:?}");
    assert!(found.iter().chain(&mirrored).all(|id| plane.last.upstreams.contains(id)));
    let messages = plane.last.verdicts.iter().map(|verdict| &verdict.message);
    assert_eq!(messages.filter(|message| message.contains("mirror-target")).count(), 1);
}
