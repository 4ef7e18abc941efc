//! What is forwarded below HTTP, ready to be executed: its ports are bound, its upstreams known.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use headgate_config::{
    Effect, Entrances, StreamProtocol, StreamService, Streams, Upstream, UpstreamId, Verdict,
};

use crate::{
    listen::ports::{Bound, PortKey, Ports},
    upstream::{Registry, SharedUpstream, resolve::Resolver},
};

/// All of it.
#[derive(Default)]
pub(crate) struct LiveStreams {
    /// Those whose ports could be bound.
    pub services: Box<[Arc<LiveService>]>,
    /// Where connections to these server names are passed through to.
    pub passthrough: HashMap<Box<[u8]>, Arc<SharedUpstream>>,
}

/// A TCP or UDP service.
pub(crate) struct LiveService {
    /// As configured.
    pub spec: Arc<StreamService>,
    /// Its name in logs.
    pub name: Box<str>,
    /// Where it is forwarded to.
    pub upstream: Arc<SharedUpstream>,
    /// Its port.
    pub bound: Arc<Bound>,
}

/// Compiles what is forwarded, one version after the other.
pub(super) struct StreamCompiler {
    tcp: Upstreams,
    udp: Upstreams,
    passthrough: Upstreams,
    ports: Ports,
    /// Where they are bound.
    entrances: Entrances,
    spec: Arc<Streams>,
    live: Arc<LiveStreams>,
    found: Vec<Verdict>,
    /// Whether the ports are to be looked at again, although nothing was configured anew.
    is_stale: bool,
}

impl StreamCompiler {
    pub(super) fn new(resolver: &Resolver) -> Self {
        Self {
            tcp: Upstreams::new(resolver),
            udp: Upstreams::new(resolver),
            passthrough: Upstreams::new(resolver),
            ports: Ports::default(),
            entrances: Entrances::default(),
            spec: Arc::default(),
            live: Arc::default(),
            found: Vec::new(),
            is_stale: false,
        }
    }

    /// Says where ports are bound, and for how many workers. They are with the next version.
    pub(super) fn set_place(&mut self, address: IpAddr, workers: usize) {
        self.ports.set_place(address, workers);
        self.is_stale = true;
    }

    /// Whether ports could not be bound, and are tried again with the next version.
    pub(super) fn has_failed(&mut self) -> bool {
        self.is_stale |= !self.found.is_empty();
        self.is_stale
    }

    /// What is wrong with the last version.
    pub(super) fn found(&self) -> &[Verdict] {
        &self.found
    }

    /// Compiles a version; the same object as before if it is the same one.
    pub(super) fn compile(
        &mut self,
        spec: &Arc<Streams>,
        entrances: &Entrances,
    ) -> Arc<LiveStreams> {
        if self.entrances != *entrances {
            self.entrances.clone_from(entrances);
            self.is_stale = true;
        }
        if Arc::ptr_eq(&self.spec, spec) && !std::mem::take(&mut self.is_stale) {
            return Arc::clone(&self.live);
        }
        self.spec = Arc::clone(spec);
        self.found.clear();
        let places = self.ports.places(entrances);
        let keys: Vec<(&Arc<StreamService>, PortKey)> = spec
            .services
            .iter()
            .flat_map(|service| places.iter().map(move |place| (service, place)))
            .map(|(service, place)| (service, (service.protocol, service.port, *place)))
            .collect();
        self.ports.retain(|wanted| keys.iter().any(|(_, key)| key == wanted));
        let services = keys.into_iter().filter_map(|(service, key)| {
            let upstreams = match service.protocol {
                StreamProtocol::Tcp => &mut self.tcp,
                StreamProtocol::Udp => &mut self.udp,
            };
            let upstream = upstreams.upsert(&service.upstream);
            let bound = match self.ports.open(key) {
                Ok(bound) => bound?,
                Err(error) => {
                    self.found.push(unbound(service, &error));
                    return None;
                }
            };
            let name = service.name().into();
            Some(Arc::new(LiveService { spec: Arc::clone(service), name, upstream, bound }))
        });
        let services = services.collect();
        let passthrough = spec
            .passthrough
            .iter()
            .map(|(name, upstream)| (name.as_bytes().into(), self.passthrough.upsert(upstream)));
        let passthrough = passthrough.collect();
        for upstreams in [&mut self.tcp, &mut self.udp, &mut self.passthrough] {
            upstreams.forget_others();
        }
        self.live = Arc::new(LiveStreams { services, passthrough });
        Arc::clone(&self.live)
    }
}

/// The upstreams of one kind of stream. They are others than those of HTTP, also where the Service is the same.
struct Upstreams {
    registry: Registry,
    known: BTreeSet<UpstreamId>,
    /// Those of the version at hand.
    current: BTreeSet<UpstreamId>,
}

impl Upstreams {
    fn new(resolver: &Resolver) -> Self {
        let registry = Registry::new(resolver.clone());
        Self { registry, known: BTreeSet::new(), current: BTreeSet::new() }
    }

    fn upsert(&mut self, upstream: &Arc<Upstream>) -> Arc<SharedUpstream> {
        self.current.insert(upstream.id.clone());
        self.registry.upsert(upstream)
    }

    fn forget_others(&mut self) {
        let current = std::mem::take(&mut self.current);
        for gone in self.known.difference(&current) {
            self.registry.forget(gone);
        }
        self.known = current;
    }
}

fn unbound(service: &StreamService, error: &str) -> Verdict {
    let port = service.port;
    Verdict {
        object: (*service.origin).clone(),
        effect: Effect::Warning,
        reason: "PortNotBound".into(),
        message: format!(
            "port {port}: {error}; the entry is not served until the port is free, or allowed"
        ),
    }
}
