//! Services and EndpointSlices as far as they are read.
//!
//! These two kinds are by far the most numerous; cut down to this they take a tenth of the memory.

use std::net::IpAddr;

use headgate_config::StreamProtocol;
use k8s_openapi::{
    api::{
        core::v1 as core,
        discovery::v1::{self as discovery, Endpoint},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::Key;

/// Label of an EndpointSlice that names its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// Annotation of a Service that switches zone hints on.
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// The name behind a Service of type ExternalName; of other types there is none.
    pub external_name: Option<Box<str>>,
    /// Its own address; headless Services have none.
    pub cluster_ip: Option<IpAddr>,
    /// Its ports in order.
    pub ports: Box<[ServicePort]>,
    /// Whether endpoints of the caller's zone are to be preferred.
    pub proximity: Proximity,
}

/// Which endpoints of a Service its owner wants for a caller (routing §11.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proximity {
    /// All alike.
    #[default]
    Any,
    /// Those that are hinted to the caller's zone, and no other: `service.kubernetes.io/topology-mode: Auto`.
    Zone,
    /// The same as long as there are such: `trafficDistribution: PreferClose`.
    ZoneIfAny,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Name; empty if there is none.
    pub name: Box<str>,
    /// Number.
    pub number: i32,
    /// Its protocol; `None` is another one.
    pub protocol: Option<StreamProtocol>,
    /// Port of the pods.
    pub target: TargetPort,
}

/// Port of the pods of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// The same for all; where it is left out, the Service's own.
    Number(i32),
    /// Each pod knows by this name.
    Name(Box<str>),
}

impl TargetPort {
    /// The number, if it is one.
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }
}

/// An EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    /// The Service that its label names.
    pub service: Option<Key>,
    /// Its TCP and UDP ports; `None` if it lists no ports of any protocol.
    pub ports: Option<Box<[SlicePort]>>,
    /// Addresses of the endpoints that are ready.
    pub addresses: Box<[IpAddr]>,
    /// The zones that each of these addresses is hinted to; empty unless every endpoint has such a hint.
    pub zones: Box<[Zones]>,
}

/// The zones that an endpoint is meant for.
pub type Zones = Box<[Box<str>]>;

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// Name; empty if there is none.
    pub name: Box<str>,
    /// Number, if it has one.
    pub number: Option<i32>,
    /// Its protocol.
    pub protocol: StreamProtocol,
}

impl From<core::Service> for Service {
    fn from(service: core::Service) -> Self {
        let spec = service.spec.unwrap_or_default();
        let mode = service.metadata.annotations.as_ref();
        let mode = mode.and_then(|annotations| annotations.get(TOPOLOGY_MODE));
        let proximity = if spec.traffic_distribution.as_deref() == Some("PreferClose") {
            Proximity::ZoneIfAny
        } else if mode.is_some_and(|mode| mode.eq_ignore_ascii_case("auto")) {
            Proximity::Zone
        } else {
            Proximity::Any
        };
        let is_external = spec.type_.as_deref() == Some("ExternalName");
        Self {
            external_name: is_external.then(|| spec.external_name.unwrap_or_default().into()),
            cluster_ip: spec.cluster_ip.and_then(|ip| ip.parse().ok()),
            ports: spec.ports.into_iter().flatten().map(Into::into).collect(),
            proximity,
        }
    }
}

impl From<core::ServicePort> for ServicePort {
    fn from(port: core::ServicePort) -> Self {
        Self {
            name: port.name.unwrap_or_default().into(),
            number: port.port,
            protocol: protocol(port.protocol.as_deref()),
            target: match port.target_port {
                None => TargetPort::Number(port.port),
                // 0 is how some programs leave it out.
                Some(IntOrString::Int(0)) => TargetPort::Number(port.port),
                Some(IntOrString::Int(number)) => TargetPort::Number(number),
                Some(IntOrString::String(name)) => TargetPort::Name(name.into()),
            },
        }
    }
}

impl From<discovery::EndpointSlice> for EndpointSlice {
    fn from(slice: discovery::EndpointSlice) -> Self {
        let metadata = slice.metadata;
        let service = metadata.labels.and_then(|mut labels| labels.remove(SERVICE_LABEL));
        let ports = slice.ports.filter(|ports| !ports.is_empty()).map(|ports| {
            let ports = ports.into_iter().filter_map(|port| {
                Some(SlicePort {
                    protocol: protocol(port.protocol.as_deref())?,
                    name: port.name.unwrap_or_default().into(),
                    number: port.port,
                })
            });
            ports.collect()
        });
        let is_hinted = slice.endpoints.iter().all(|endpoint| !zones_of(endpoint).is_empty());
        let (mut addresses, mut zones) = (Vec::new(), Vec::new());
        for endpoint in slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)) {
            // Anything but an address (addressType FQDN) is not resolved (routing §11.4).
            for address in endpoint.addresses.iter().filter_map(|address| address.parse().ok()) {
                addresses.push(address);
                if is_hinted {
                    zones.push(zones_of(endpoint));
                }
            }
        }
        Self {
            service: service
                .map(|name| Key::new(metadata.namespace.as_deref().unwrap_or(""), &name)),
            ports,
            addresses: addresses.into(),
            zones: zones.into(),
        }
    }
}

fn zones_of(endpoint: &Endpoint) -> Zones {
    let hints = endpoint.hints.as_ref().and_then(|hints| hints.for_zones.as_ref());
    hints.into_iter().flatten().map(|zone| zone.name.as_str().into()).collect()
}

fn protocol(protocol: Option<&str>) -> Option<StreamProtocol> {
    match protocol {
        None | Some("" | "TCP") => Some(StreamProtocol::Tcp),
        Some("UDP") => Some(StreamProtocol::Udp),
        Some(_) => None,
    }
}

/// `ready` nil counts as ready; `serving` and `terminating` are not looked at (routing §11.4).
fn is_ready(endpoint: &Endpoint) -> bool {
    let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
    ready != Some(false)
}
