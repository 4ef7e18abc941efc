//! Cuts objects down to what is read, when they come in.
//!
//! Tens of thousands of them stay in memory; and an update that touches nothing that is read (a status, a managed
//! field, a pod that is not ready) compares equal and changes nothing.

use std::sync::Arc;

use k8s_openapi::{
    ByteString,
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Body, Key, Object};

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
    fn from(ingress: Ingress) -> Self {
        let key = key_of(&ingress.metadata);
        Self::new(key, Body::Ingress(Arc::new(ingress.into())))
    }
}

impl From<Service> for Object {
    fn from(service: Service) -> Self {
        let key = key_of(&service.metadata);
        Self::new(key, Body::Service(Arc::new(service.into())))
    }
}

impl From<EndpointSlice> for Object {
    fn from(slice: EndpointSlice) -> Self {
        let key = key_of(&slice.metadata);
        Self::new(key, Body::EndpointSlice(Arc::new(slice.into())))
    }
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
