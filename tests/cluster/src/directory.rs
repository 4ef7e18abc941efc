//! Services and their endpoints as the API tells them: what the stand-ins for kube-proxy and the name server go by. An API server
//! that is away changes nothing.

use std::{
    fmt::Debug,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint, EndpointSlice},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, time::sleep};

const RETRY: Duration = Duration::from_millis(300);

/// Services and EndpointSlices, kept up to date by the work that comes with it.
#[derive(Clone)]
pub(crate) struct Directory {
    services: Store<Service>,
    slices: Store<EndpointSlice>,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServicePort {
    /// Namespace and name of the Service.
    pub(crate) service: (String, String),
    /// The port's name, empty for a Service's only port.
    pub(crate) name: String,
}

impl Directory {
    /// An empty directory, and the work that keeps it full: to be polled for as long as the directory is used. The receiver tells of
    /// changes.
    pub(crate) fn new(
        client: &Client,
    ) -> (Self, impl Future<Output = ()> + use<>, watch::Receiver<()>) {
        let (services, mut services_writer) = reflector::store();
        let (slices, mut slices_writer) = reflector::store();
        let (sender, changed) = watch::channel(());
        let (services_api, slices_api) =
            (Api::<Service>::all(client.clone()), Api::<EndpointSlice>::all(client.clone()));
        let work = async move {
            let services = follow(services_api, |event| {
                services_writer.apply_watcher_event(&event);
                sender.send_replace(());
            });
            let slices = follow(slices_api, |event| slices_writer.apply_watcher_event(&event));
            tokio::join!(services, slices);
        };
        (Self { services, slices }, work, changed)
    }

    /// All Services.
    pub(crate) fn services(&self) -> Vec<Arc<Service>> {
        self.services.state()
    }

    /// One Service.
    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.services.get(&ObjectRef::new(name).within(namespace))
    }

    /// Where new connections to a Service's port may go: its ready endpoints, or if there are none those that still serve.
    pub(crate) fn endpoints(&self, port: &ServicePort) -> Vec<SocketAddr> {
        let ready = self.select(port, |endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
        });
        if !ready.is_empty() {
            return ready;
        }
        self.select(port, |endpoint| {
            endpoint.conditions.as_ref().is_some_and(|conditions| conditions.serving == Some(true))
        })
    }

    /// Addresses of a Service's ready endpoints.
    pub(crate) fn addresses(&self, namespace: &str, name: &str) -> Vec<Ipv4Addr> {
        let ready = |endpoint: &&Endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
        };
        let slices = self.slices.state_filter(|slice| belongs(slice, namespace, name));
        let endpoints = slices.iter().flat_map(|slice| &slice.endpoints).filter(ready);
        endpoints
            .flat_map(|endpoint| &endpoint.addresses)
            .filter_map(|address| address.parse().ok())
            .collect()
    }

    fn select(&self, port: &ServicePort, wanted: impl Fn(&Endpoint) -> bool) -> Vec<SocketAddr> {
        let (namespace, name) = &port.service;
        let mut found = Vec::new();
        for slice in self.slices.state_filter(|slice| belongs(slice, namespace, name)) {
            let number = slice
                .ports
                .iter()
                .flatten()
                .find(|each| each.name.as_deref().unwrap_or_default() == port.name);
            let Some(number) = number.and_then(|each| each.port) else { continue };
            for endpoint in slice.endpoints.iter().filter(|endpoint| wanted(endpoint)) {
                let addresses =
                    endpoint.addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
                found.extend(addresses.map(|address| SocketAddr::new(address, number as u16)));
            }
        }
        found
    }
}

fn belongs(slice: &EndpointSlice, namespace: &str, service: &str) -> bool {
    slice.namespace().as_deref() == Some(namespace)
        && slice.labels().get("kubernetes.io/service-name").is_some_and(|name| name == service)
}

/// Hands every event of a watch to `handle`, for ever. Errors are tried again: they mean that the API server is away.
pub(crate) async fn follow<K>(api: Api<K>, mut handle: impl FnMut(Event<K>))
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default + Clone + Eq + Hash,
{
    let mut events = pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => handle(event),
            Err(_) => sleep(RETRY).await,
        }
    }
}
