//! Services and their endpoints -> upstreams (routing §11).

mod near;

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use headgate_config::{Effect, Endpoints, StreamProtocol, Upstream, UpstreamId, Verdict};

use crate::{
    objects::{EndpointSlice, Key, Kind, Objects, Service, ServicePort, TargetPort},
    options::Options,
};
use near::Near;

/// What an upstream's Service gives it.
#[derive(Debug)]
pub struct Resolved {
    /// The upstream; empty where anything is wrong.
    pub upstream: Upstream,
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
    let lookup = Lookup { options, objects, id, key: &key, stream: None };
    let (endpoints, problem) = match lookup.endpoints(by_cluster_ip) {
        Ok(endpoints) => (endpoints, None),
        Err(problem) => (Endpoints::Addresses(Vec::new()), Some(problem)),
    };
    let no_service = problem.as_ref().is_some_and(|problem| problem.reason == NO_SERVICE);
    let verdict = problem.map(|Problem { reason, message }| {
        Box::new(Verdict {
            object: Kind::Service.reference(&key),
            effect: Effect::Warning,
            reason: reason.into(),
            message,
        })
    });
    let upstream = Upstream { no_service, ..Upstream::new(id.clone(), endpoints) };
    Resolved { upstream, verdict }
}

/// The endpoints of a port of a Service that streams are forwarded to. The port is the Service's own, by number or name
/// (operations §10).
///
/// # Errors
///
/// Why there is no such port.
pub fn resolve_stream(
    options: &Options,
    objects: &Objects,
    id: &UpstreamId,
    protocol: StreamProtocol,
) -> Result<Endpoints, String> {
    let key = Key::new(&id.namespace, &id.service);
    let lookup = Lookup { options, objects, id, key: &key, stream: Some(protocol) };
    lookup.endpoints(false).map_err(|problem| problem.message)
}

/// Why there is nobody who answers: the Service does not exist.
const NO_SERVICE: &str = "ServiceNotFound";

struct Problem {
    reason: &'static str,
    message: String,
}

struct Lookup<'a> {
    options: &'a Options,
    objects: &'a Objects,
    id: &'a UpstreamId,
    key: &'a Key,
    /// What is forwarded, if that is not HTTP.
    stream: Option<StreamProtocol>,
}

impl Lookup<'_> {
    fn endpoints(&self, by_cluster_ip: bool) -> Result<Endpoints, Problem> {
        let Some(service) = self.objects.service(self.key) else {
            return Err(Problem {
                reason: NO_SERVICE,
                message: format!(
                    "the Service {} is named as a backend and does not exist; create it or correct the name",
                    self.key
                ),
            });
        };
        if let Some(name) = &service.external_name {
            return self.external(service, &name.to_ascii_lowercase());
        }
        if by_cluster_ip && let Some(address) = self.cluster_ip(service) {
            return Ok(Endpoints::Addresses(vec![address]));
        }
        let port = self.port(service)?;
        let mut slices = self.objects.slices_of(self.key).peekable();
        if slices.peek().is_none() && self.options.resolve_services_by_name {
            let number = port.target.number().unwrap_or(port.number);
            return Ok(Endpoints::Name {
                name: self.id.service.to_ascii_lowercase(),
                port: u16::try_from(number).map_err(|_| self.no_port())?,
                remote_only: false,
            });
        }
        let (mut seen, mut addresses) = (HashSet::new(), Vec::new());
        let zone = self.options.zone.as_deref();
        for slice in slices {
            let near = Near::of(slice, service.proximity, zone);
            let fresh = addresses_of(slice, port, near);
            let fresh = fresh.filter(|address| seen.insert(*address));
            addresses.extend(fresh);
        }
        addresses.shrink_to_fit();
        Ok(Endpoints::Addresses(addresses))
    }

    /// The port that the backend means: by number or name, then by target port. (The reference takes the first that
    /// matches either way; routing §11.2.)
    fn port<'s>(&self, service: &'s Service) -> Result<&'s ServicePort, Problem> {
        let wanted = self.id.port.as_str();
        let number: Option<i32> = wanted.parse().ok();
        let by_target = |port: &&ServicePort| match &port.target {
            TargetPort::Number(target) => Some(*target) == number,
            TargetPort::Name(name) => **name == *wanted,
        };
        let protocol = self.protocol();
        let mut ports = service.ports.iter().filter(|port| port.protocol == Some(protocol));
        let found = ports.clone().find(|port| self.is_wanted(port));
        let found = found.or_else(|| ports.find(by_target).filter(|_| self.stream.is_none()));
        found.ok_or_else(|| self.no_port())
    }

    fn is_wanted(&self, port: &ServicePort) -> bool {
        let wanted = self.id.port.as_str();
        wanted.is_empty() || wanted.parse() == Ok(port.number) || *port.name == *wanted
    }

    fn protocol(&self) -> StreamProtocol {
        self.stream.unwrap_or(StreamProtocol::Tcp)
    }

    fn no_port(&self) -> Problem {
        Problem {
            reason: "ServicePortNotFound",
            message: format!(
                "the Service {} has no {} port {:?}, which a backend names; correct one of them",
                self.key,
                self.protocol().word().to_ascii_uppercase(),
                self.id.port
            ),
        }
    }

    fn cluster_ip(&self, service: &Service) -> Option<SocketAddr> {
        let named = || service.ports.iter().find(|port| *port.name == *self.id.port);
        let number = self.id.port.parse().ok();
        let number = number.or_else(|| named().and_then(|port| port.number.try_into().ok()));
        Some(SocketAddr::new(service.cluster_ip?, number?))
    }

    /// Routing §11.6.
    fn external(&self, service: &Service, name: &str) -> Result<Endpoints, Problem> {
        let refused = |message: String| Problem { reason: "ExternalNameRefused", message };
        if self.options.disable_svc_external_name {
            return Err(refused(format!(
                "the Service {} is of type ExternalName, which --disable-svc-external-name switches off; give it another type, or remove the flag",
                self.key
            )));
        }
        if !is_external_host(name) {
            return Err(refused(format!(
                "externalName {name:?} of the Service {} is no DNS name of another machine; give one that is neither an address nor localhost",
                self.key
            )));
        }
        let number = match service.ports.iter().find(|port| self.is_wanted(port)) {
            Some(port) => Some(port.target.number().unwrap_or(port.number)),
            None if service.ports.is_empty() => self.id.port.parse().ok(),
            None => None,
        };
        let port = number.and_then(|number| u16::try_from(number).ok());
        Ok(Endpoints::Name {
            name: name.to_owned(),
            port: port.filter(|port| *port > 0).ok_or_else(|| self.no_port())?,
            // Whoever writes manifests is at home on this machine; whoever writes Services in a cluster is not.
            remote_only: !self.options.resolve_services_by_name,
        })
    }
}

/// The addresses of one slice. Its port is found by name, because a named target port may have another number in each
/// slice; where no name fits, a numeric target port is as good (routing §11.2).
fn addresses_of<'a>(
    slice: &'a EndpointSlice,
    port: &ServicePort,
    near: Near<'a>,
) -> impl Iterator<Item = SocketAddr> + use<'a> {
    let mut numbers: Vec<_> = match slice.ports.as_deref() {
        None => port.target.number().into_iter().collect(),
        Some([]) => Vec::new(),
        Some(ports) => {
            let ports = ports.iter().filter(|other| Some(other.protocol) == port.protocol);
            let named = ports.filter(|other| port.name.is_empty() || other.name == port.name);
            let numbers: Vec<_> = named.filter_map(|port| port.number).collect();
            if numbers.is_empty() { port.target.number().into_iter().collect() } else { numbers }
        }
    };
    numbers.dedup();
    let numbers = numbers.into_iter().filter_map(|number| u16::try_from(number).ok());
    numbers.flat_map(move |number| {
        let addresses = slice.addresses.iter().enumerate();
        let addresses = addresses.filter(move |(at, _)| near.has(*at));
        addresses.map(move |(_, ip)| SocketAddr::new(*ip, number))
    })
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
