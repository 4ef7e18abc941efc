//! What a snapshot shares with the one before.

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};

use super::*;

const NAMES: usize = 300;

fn service(name: &str) -> Object {
    typed::<Service>(json!({
        "metadata": { "name": name, "namespace": "ns" }, "spec": { "ports": [{ "port": 80 }] },
    }))
}

fn slice(service: &str, address: &str) -> Object {
    typed::<EndpointSlice>(json!({
        "metadata": { "name": service, "namespace": "ns",
            "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4", "ports": [{ "port": 80 }], "endpoints": [{ "addresses": [address] }],
    }))
}

#[test]
fn a_change_of_endpoints_shares_all_but_its_neighbours_with_the_snapshot_before() {
    let mut plane = Plane::new(Options::default());
    for number in 0..NAMES {
        let (name, host) = (format!("s{number}"), format!("h{number}.test"));
        let backend = json!({ "service": { "name": name, "port": { "number": 80 } } });
        let rules = json!([{ "host": host, "http": { "paths": [
            { "path": "/", "pathType": "Prefix", "backend": backend }] } }]);
        let ingress = ingress_named(&name, "nginx", &host, &[], json!({ "rules": rules }));
        for object in [service(&name), slice(&name, "10.0.0.1"), ingress] {
            plane.objects.apply(&object);
        }
    }
    plane.translate();
    let before = plane.last.clone();
    assert_eq!((before.hosts.len(), before.upstreams.sorted().len()), (NAMES + 1, NAMES));

    let after = plane.apply(&slice("s7", "10.0.0.2")).clone();
    assert!(Arc::ptr_eq(&before.hosts, &after.hosts));
    assert!(Arc::ptr_eq(&before.verdicts, &after.verdicts));
    let unshared: Vec<_> = after.upstreams.unshared(&before.upstreams).collect();
    let [(old, new)] = &unshared[..] else { panic!("{} parts are copied", unshared.len()) };
    let differing = old.iter().zip(*new).filter(|(old, new)| !Arc::ptr_eq(old, new));
    let differing: Vec<_> = differing.map(|(_, new)| new.id.service.as_str()).collect();
    assert_eq!(differing, ["s7"]);

    plane.apply(&slice("s7", "10.0.0.2"));
    assert_eq!(plane.last.upstreams.unshared(&after.upstreams).count(), 0);
}
