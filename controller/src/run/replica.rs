//! A replica for tests: what it writes back, and what the API server knows of it.

use std::time::Duration;

use serde_json::json;

use super::WriteBack;
use crate::{
    leader::{Election, Terms},
    options::NamespacedName,
    request::mock::Server,
    status::{Address, AddressSource, StatusSettings},
};

/// The Lease that replicas of these settings take.
pub const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/ingress/leases/the-leader";
/// The Ingress that they serve.
pub const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/a/ingresses/i";

/// Everything, by the replica in this pod.
pub fn write_back(pod: &str) -> WriteBack {
    WriteBack {
        pod: Some(NamespacedName { namespace: "ingress".into(), name: pod.into() }),
        election: Some(Election {
            id: "the-leader".into(),
            terms: Terms::new(Duration::from_secs(30)),
        }),
        status: StatusSettings {
            update: true,
            clean_on_shutdown: true,
            source: AddressSource::Fixed(Address::list("192.0.2.1")),
            interval: Duration::from_secs(60),
        },
        standby: false,
        events: true,
    }
}

/// Makes the Ingress, without a status.
pub fn put_ingress(server: &Server) {
    server.put(INGRESS, json!({"metadata": {"name": "i", "namespace": "a"}, "spec": {}}));
}

/// Makes the pod of a replica.
pub fn put_pod(server: &Server, name: &str) {
    let metadata = json!({"name": name, "labels": {"app": "gateway"}});
    let path = format!("/api/v1/namespaces/ingress/pods/{name}");
    server.put(&path, json!({"metadata": metadata, "spec": {"containers": []}}));
}
