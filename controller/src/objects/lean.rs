//! Cuts objects down to what is read, when they come in.
//!
//! Tens of thousands of them stay in memory; and an update that touches nothing that is read (a status, a managed
//! field, a pod that is not ready) compares equal and changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    ByteString,
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service, ServiceSpec},
        discovery::v1::{Endpoint, EndpointSlice},
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Body, Key, Object, SERVICE_LABEL};

/// Set by `kubectl apply`: a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl From<IngressClass> for Object {
    fn from(mut class: IngressClass) -> Self {
        class.metadata = named(class.metadata);
        if let Some(spec) = &mut class.spec {
            spec.parameters = None;
        }
        Self::new(key_of(&class.metadata), Body::IngressClass(Arc::new(class)))
    }
}

impl From<Ingress> for Object {
    fn from(mut ingress: Ingress) -> Self {
        let metadata = &mut ingress.metadata;
        let annotations = metadata.annotations.take().map(|mut annotations| {
            annotations.remove(LAST_APPLIED);
            annotations
        });
        ingress.metadata = ObjectMeta {
            annotations: annotations.filter(|annotations| !annotations.is_empty()),
            creation_timestamp: metadata.creation_timestamp.take(),
            uid: metadata.uid.take(),
            ..named(std::mem::take(metadata))
        };
        ingress.status = None;
        Self::new(key_of(&ingress.metadata), Body::Ingress(Arc::new(ingress)))
    }
}

impl From<Service> for Object {
    fn from(mut service: Service) -> Self {
        service.metadata = named(service.metadata);
        service.status = None;
        service.spec = service.spec.map(|spec| ServiceSpec {
            cluster_ip: spec.cluster_ip,
            external_name: spec.external_name,
            ports: spec.ports,
            type_: spec.type_,
            ..ServiceSpec::default()
        });
        for port in service.spec.iter_mut().flat_map(|spec| spec.ports.iter_mut().flatten()) {
            port.app_protocol = None;
            port.node_port = None;
        }
        Self::new(key_of(&service.metadata), Body::Service(Arc::new(service)))
    }
}

impl From<EndpointSlice> for Object {
    fn from(mut slice: EndpointSlice) -> Self {
        let service =
            slice.metadata.labels.as_mut().and_then(|labels| labels.remove(SERVICE_LABEL));
        slice.metadata = ObjectMeta {
            labels: service.map(|service| BTreeMap::from([(SERVICE_LABEL.to_owned(), service)])),
            ..named(slice.metadata)
        };
        slice.endpoints = ready(slice.endpoints);
        for port in slice.ports.iter_mut().flatten() {
            port.app_protocol = None;
        }
        Self::new(key_of(&slice.metadata), Body::EndpointSlice(Arc::new(slice)))
    }
}

/// One endpoint with the addresses of all that are ready: `ready` nil counts as ready, `serving` and `terminating` are
/// not looked at (routing §11.4).
fn ready(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let is_ready = |endpoint: &Endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    };
    let mut addresses: Vec<String> =
        endpoints.into_iter().filter(is_ready).flat_map(|endpoint| endpoint.addresses).collect();
    if addresses.is_empty() {
        return Vec::new();
    }
    addresses.shrink_to_fit();
    vec![Endpoint { addresses, ..Endpoint::default() }]
}

impl From<Secret> for Object {
    fn from(mut secret: Secret) -> Self {
        secret.metadata = named(secret.metadata);
        // The API server does this merge; files may still carry the write-only field.
        for (name, text) in secret.string_data.take().into_iter().flatten() {
            let data = secret.data.get_or_insert_default();
            data.insert(name, ByteString(text.into_bytes()));
        }
        Self::new(key_of(&secret.metadata), Body::Secret(Arc::new(secret)))
    }
}

impl From<ConfigMap> for Object {
    fn from(mut map: ConfigMap) -> Self {
        map.metadata = named(map.metadata);
        map.binary_data = None;
        Self::new(key_of(&map.metadata), Body::ConfigMap(Arc::new(map)))
    }
}

impl From<Namespace> for Object {
    fn from(namespace: Namespace) -> Self {
        let mut metadata = namespace.metadata;
        let labels = metadata.labels.take();
        let metadata = ObjectMeta { labels, ..named(metadata) };
        Self::new(
            key_of(&metadata),
            Body::Namespace(Arc::new(Namespace { metadata, ..Namespace::default() })),
        )
    }
}

fn key_of(metadata: &ObjectMeta) -> Key {
    Key::new(metadata.namespace.as_deref().unwrap_or(""), metadata.name.as_deref().unwrap_or(""))
}

fn named(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta { name: metadata.name, namespace: metadata.namespace, ..ObjectMeta::default() }
}
