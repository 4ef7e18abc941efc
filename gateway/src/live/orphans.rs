//! Which Ingresses lead nowhere (`orphan_ingress`, operations §3.3). Found out when it is asked for.

use std::collections::BTreeMap;

use headgate_config::{Action, Endpoints, ObjectRef};

use super::LiveConfig;
use crate::observe::metrics::{Exposition, Kind};

const NAME: &str = "nginx_ingress_controller_orphan_ingress";

/// What an Ingress lacks, by the last of its locations.
#[derive(Default)]
struct Lack {
    service: bool,
    /// Not known where there is no Service.
    endpoints: Option<bool>,
}

/// Appends for every Ingress whether its Service is missing and whether that has no endpoint.
pub fn write_metrics(config: &LiveConfig, text: &mut Exposition) {
    let mut ingresses: BTreeMap<&ObjectRef, Lack> = BTreeMap::new();
    let snapshot = &config.snapshot;
    let locations = snapshot.hosts.iter().flat_map(|host| &host.locations);
    for location in locations {
        let (Some(ingress), Action::Forward(forward)) = (&location.origin.object, &location.action)
        else {
            continue;
        };
        let Some(upstream) = snapshot.upstreams.get(&forward.upstream) else { continue };
        let lack = ingresses.entry(ingress).or_default();
        lack.service = upstream.no_service;
        if !upstream.no_service {
            let is_empty =
                matches!(&upstream.endpoints, Endpoints::Addresses(all) if all.is_empty());
            lack.endpoints = Some(is_empty);
        }
    }
    if ingresses.is_empty() {
        return;
    }
    text.family(
        NAME,
        Kind::Gauge,
        "Whether an Ingress leads to a Service that does not exist or that has no endpoint",
    );
    for (ingress, Lack { service, endpoints }) in ingresses {
        let mut sample = |kind, lacks: bool| {
            let labels =
                [("ingress", &*ingress.name), ("namespace", &*ingress.namespace), ("type", kind)];
            text.instance_sample(NAME, &labels, u8::from(lacks));
        };
        if let Some(endpoints) = endpoints {
            sample("no-endpoint", endpoints);
        }
        sample("no-service", service);
    }
}
