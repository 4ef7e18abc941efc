//! Services and their endpoints -> upstreams (routing §11).

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use headgate_config::{Balance, Effect, Endpoints, Upstream, UpstreamId, Verdict};
use k8s_openapi::{
    api::{
        core::v1::{Service, ServicePort, ServiceSpec},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    objects::{Key, Kind, Objects},
    options::Options,
};

/// What an upstream's Service gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The upstream; empty where anything is wrong.
    pub upstream: Arc<Upstream>,
    /// What is wrong.
    pub verdict: Option<Box<Verdict>>,
}

/// Looks up the endpoints of an upstream. An empty port is the Service's first. `by_cluster_ip` sends everything to
/// the Service's own address (`service-upstream`).
pub fn resolve(
    options: &Options,
    objects: &Objects,
    id: &UpstreamId,
    by_cluster_ip: bool,
) -> Resolved {
    let key = Key::new(&id.namespace, &id.service);
    let lookup = Lookup { options, objects, id, key: &key };
    let (endpoints, problem) = match lookup.endpoints(by_cluster_ip) {
        Ok(endpoints) => (endpoints, None),
        Err(problem) => (Endpoints::Addresses(Vec::new()), Some(problem)),
    };
    let verdict = problem.map(|Problem { reason, message }| {
        Box::new(Verdict {
            object: Kind::Service.reference(&key),
            effect: Effect::Warning,
            reason: reason.into(),
            message,
        })
    });
    let upstream = Upstream { id: id.clone(), endpoints, balance: Balance::RoundRobin };
    Resolved { upstream: Arc::new(upstream), verdict }
}

struct Problem {
    reason: &'static str,
    message: String,
}

struct Lookup<'a> {
    options: &'a Options,
    objects: &'a Objects,
    id: &'a UpstreamId,
    key: &'a Key,
}

impl Lookup<'_> {
    fn endpoints(&self, by_cluster_ip: bool) -> Result<Endpoints, Problem> {
        let Some(service) = self.objects.service(self.key) else {
            return Err(Problem {
                reason: "ServiceNotFound",
                message: format!(
                    "an Ingress names the Service {}, which does not exist; its paths answer 503",
                    self.key
                ),
            });
        };
        let nothing = ServiceSpec::default();
        let spec = service.spec.as_ref().unwrap_or(&nothing);
        if spec.type_.as_deref() == Some("ExternalName") {
            return self.external(spec);
        }
        if by_cluster_ip && let Some(address) = self.cluster_ip(spec) {
            return Ok(Endpoints::Addresses(vec![address]));
        }
        let port = self.port(service)?;
        let mut slices = self.objects.slices_of(self.key).peekable();
        if slices.peek().is_none() && self.options.resolve_services_by_name {
            return Ok(Endpoints::Name {
                name: self.id.service.to_ascii_lowercase(),
                port: target_number(port).unwrap_or(port.port).try_into().unwrap_or(0),
            });
        }
        let (mut seen, mut addresses) = (HashSet::new(), Vec::new());
        for slice in slices {
            add_addresses(slice, port, &mut seen, &mut addresses);
        }
        addresses.shrink_to_fit();
        Ok(Endpoints::Addresses(addresses))
    }

    /// The port that the backend means: by number or name, then by target port. Where several match, one for TCP goes
    /// first. (The reference takes whichever comes first; routing §11.2.)
    fn port<'s>(&self, service: &'s Service) -> Result<&'s ServicePort, Problem> {
        let ports: Vec<_> = service
            .spec
            .iter()
            .flat_map(|spec| spec.ports.iter().flatten())
            .filter(|port| is_tcp(port.protocol.as_deref()))
            .collect();
        let wanted = self.id.port.as_str();
        let number: Option<i32> = wanted.parse().ok();
        let by_port = |port: &&&ServicePort| {
            wanted.is_empty() || Some(port.port) == number || port.name.as_deref() == Some(wanted)
        };
        let by_target = |port: &&&ServicePort| match &port.target_port {
            Some(IntOrString::Int(target)) => Some(*target) == number,
            Some(IntOrString::String(name)) => name == wanted,
            None => false,
        };
        let found = ports.iter().find(by_port).or_else(|| ports.iter().find(by_target));
        found.copied().ok_or_else(|| Problem {
            reason: "ServicePortNotFound",
            message: format!("the Service {} has no TCP port {wanted:?}, which an Ingress names; its paths answer 503", self.key),
        })
    }

    fn cluster_ip(&self, spec: &ServiceSpec) -> Option<SocketAddr> {
        let ip: IpAddr = spec.cluster_ip.as_deref()?.parse().ok()?;
        let wanted = self.id.port.as_str();
        let named = spec.ports.iter().flatten().find(|port| port.name.as_deref() == Some(wanted));
        let port =
            wanted.parse().ok().or_else(|| named.and_then(|port| port.port.try_into().ok()))?;
        Some(SocketAddr::new(ip, port))
    }

    /// Routing §11.6.
    fn external(&self, spec: &ServiceSpec) -> Result<Endpoints, Problem> {
        let refused = |message: String| Problem { reason: "ExternalNameRefused", message };
        if self.options.disable_svc_external_name {
            return Err(refused(format!(
                "the Service {} is of type ExternalName, which is switched off",
                self.key
            )));
        }
        let name = spec.external_name.as_deref().unwrap_or("").to_ascii_lowercase();
        if !is_external_host(&name) {
            return Err(refused(format!(
                "externalName {name:?} of the Service {} is no DNS name of another machine; give one that is neither an address nor localhost",
                self.key
            )));
        }
        let ports: Vec<_> = spec.ports.iter().flatten().collect();
        let wanted = self.id.port.as_str();
        let number: Option<i32> = wanted.parse().ok();
        let found = ports.iter().find(|port| {
            wanted.is_empty() || Some(port.port) == number || port.name.as_deref() == Some(wanted)
        });
        let port = match found {
            Some(port) => Some(target_number(port).unwrap_or(port.port)),
            None if ports.is_empty() => number,
            None => None,
        };
        match port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
            Some(port) => Ok(Endpoints::Name { name, port }),
            None => Err(Problem {
                reason: "ServicePortNotFound",
                message: format!(
                    "the Service {} has no port {wanted:?}, which an Ingress names; its paths answer 503",
                    self.key
                ),
            }),
        }
    }
}

/// The numeric target port; `None` if it has a name or is left out.
fn target_number(port: &ServicePort) -> Option<i32> {
    match &port.target_port {
        Some(IntOrString::Int(number)) if *number > 0 => Some(*number),
        _ => None,
    }
}

fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("" | "TCP"))
}

/// Adds the addresses of one slice, without repeats. The slice's port is found by name, because a named target port may
/// have another number in each slice (routing §11.2).
fn add_addresses(
    slice: &EndpointSlice,
    port: &ServicePort,
    seen: &mut HashSet<SocketAddr>,
    addresses: &mut Vec<SocketAddr>,
) {
    let slice_ports: Vec<_> = slice.ports.iter().flatten().collect();
    let numeric = match &port.target_port {
        None => Some(port.port),
        Some(_) => target_number(port),
    };
    let name = port.name.as_deref().unwrap_or("");
    let tcp = slice_ports.iter().filter(|port| is_tcp(port.protocol.as_deref()));
    let named = tcp.filter(|port| name.is_empty() || port.name.as_deref().unwrap_or("") == name);
    let mut numbers: Vec<_> = named.filter_map(|port| port.port).collect();
    let has_tcp =
        slice_ports.is_empty() || slice_ports.iter().any(|port| is_tcp(port.protocol.as_deref()));
    if numbers.is_empty() && has_tcp {
        numbers.extend(numeric);
    }
    for number in numbers {
        let Ok(number) = u16::try_from(number) else { continue };
        for address in slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses) {
            // Anything but an address (addressType FQDN) is not resolved.
            if let Ok(ip) = address.parse::<IpAddr>() {
                addresses.extend(
                    Some(SocketAddr::new(ip, number)).filter(|address| seen.insert(*address)),
                );
            }
        }
    }
}

/// Whether a name is a DNS name that may be resolved for others: not this machine, and no address.
fn is_external_host(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let fine = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.len() <= 63
            && bytes.first().is_some_and(fine)
            && bytes.last().is_some_and(fine)
            && bytes.iter().all(|byte| fine(byte) || *byte == b'-')
    };
    let is_local = name == "localhost" || name.ends_with(".localhost");
    name.len() <= 253
        && name.split('.').all(is_label)
        && !is_local
        && name.parse::<IpAddr>().is_err()
}
