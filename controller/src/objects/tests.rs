use k8s_openapi::{
    api::{
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
        networking::v1::Ingress,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::*;

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), namespace: Some("ns".into()), ..ObjectMeta::default() }
}

fn slice(name: &str, service: &str, endpoints: &[(&str, Option<bool>)]) -> Object {
    let endpoint = |(address, ready): &(&str, Option<bool>)| Endpoint {
        addresses: vec![(*address).into()],
        conditions: Some(EndpointConditions { ready: *ready, ..EndpointConditions::default() }),
        node_name: Some("node".into()),
        ..Endpoint::default()
    };
    EndpointSlice {
        metadata: ObjectMeta {
            labels: Some([("kubernetes.io/service-name".to_owned(), service.to_owned())].into()),
            ..metadata(name)
        },
        address_type: "IPv4".into(),
        endpoints: endpoints.iter().map(endpoint).collect(),
        // The port tells slices apart.
        ports: Some(vec![EndpointPort {
            port: Some(name.bytes().map(i32::from).sum()),
            ..EndpointPort::default()
        }]),
    }
    .into()
}

fn ports_of(objects: &Objects, service: &str) -> Vec<i32> {
    let slices = objects.slices_of(&Key::new("ns", service));
    slices.filter_map(|slice| slice.ports.as_ref()?.first()?.number).collect()
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let mut objects = Objects::default();
    let ingress = |status: bool| {
        Object::from(Ingress {
            metadata: ObjectMeta { resource_version: Some(status.to_string()), ..metadata("a") },
            spec: None,
            status: status.then(Default::default),
        })
    };
    assert!(objects.apply(&ingress(false)));
    assert!(!objects.apply(&ingress(true)));
    assert_eq!(objects.take_changes().ingresses.len(), 1);
    assert!(objects.take_changes().is_empty());
    assert!(objects.remove(Kind::Ingress, &Key::new("ns", "a")));
    assert!(!objects.remove(Kind::Ingress, &Key::new("ns", "a")));
}

#[test]
fn a_pod_that_is_not_ready_is_no_change() {
    let mut objects = Objects::default();
    assert!(objects.apply(&slice("s", "web", &[("10.0.0.1", None)])));
    objects.take_changes();
    assert!(!objects.apply(&slice(
        "s",
        "web",
        &[("10.0.0.1", Some(true)), ("10.0.0.2", Some(false))]
    )));
    assert!(objects.apply(&slice("s", "web", &[("10.0.0.1", None), ("10.0.0.2", None)])));
    assert_eq!(objects.take_changes().services, [Key::new("ns", "web")].into());
}

#[test]
fn slices_follow_their_label() {
    let mut objects = Objects::default();
    objects.apply(&slice("b", "web", &[]));
    objects.apply(&slice("a", "web", &[]));
    assert_eq!(ports_of(&objects, "web"), [97, 98]);
    objects.take_changes();

    objects.apply(&slice("a", "other", &[]));
    assert_eq!(ports_of(&objects, "web"), [98]);
    assert_eq!(ports_of(&objects, "other"), [97]);
    let services = [Key::new("ns", "web"), Key::new("ns", "other")].into();
    assert_eq!(objects.take_changes().services, services);

    objects.remove(Kind::EndpointSlice, &Key::new("ns", "b"));
    assert!(ports_of(&objects, "web").is_empty());
}

#[test]
fn the_text_of_a_secret_is_its_data() {
    let object = Object::from(Secret {
        metadata: metadata("s"),
        string_data: Some([("a".to_owned(), "b".to_owned())].into()),
        ..Secret::default()
    });
    let Body::Secret(secret) = object.body() else { panic!("not a Secret") };
    let data = secret.data.as_ref().and_then(|data| data.get("a"));
    assert_eq!(data.map(|bytes| bytes.0.as_slice()), Some(&b"b"[..]));
    assert_eq!(secret.string_data, None);
}

#[test]
fn keys_are_ordered_as_their_texts() {
    assert!(Key::new("a-b", "c") < Key::new("a", "c"), "'-' sorts before '/'");
    let key = Key::new("", "nginx");
    assert_eq!((key.namespace(), key.name(), key.to_string().as_str()), ("", "nginx", "nginx"));
}
