//! What is forwarded below HTTP: the ConfigMaps of TCP and UDP services (operations §10), and hosts whose TLS connections
//! are passed through (annotations §3.4, operations §12).

mod entry;
mod passthrough;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{
    Effect, Host, HostPattern, StreamProtocol, StreamService, Streams, Upstream, UpstreamId,
    Verdict,
};

use super::{hosts::HostTable, upstream};
use crate::{
    objects::{Changes, Key, Kind, Objects},
    options::{NamespaceScope, NamespacedName, Options},
};

/// All of it, and what it was made from.
#[derive(Debug, Default)]
pub struct StreamTable {
    streams: Arc<Streams>,
    /// Findings about the ConfigMaps.
    verdicts: Vec<Verdict>,
    /// The Services that the ConfigMaps name.
    services: BTreeSet<Key>,
    /// The upstream of `/` of every host that is passed through.
    hosts: BTreeMap<String, UpstreamId>,
    /// Findings about hosts that are, or should be.
    remarks: BTreeMap<String, Vec<Verdict>>,
    is_read: bool,
}

/// What is other than before.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Ports or targets are.
    pub changed: bool,
    /// Findings are.
    pub verdicts: bool,
}

impl StreamTable {
    /// Everything as of the last refresh.
    pub fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// Findings about the ConfigMaps, and about hosts that are passed through.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().chain(self.remarks.values().flatten())
    }

    /// Looks at what changed; `names` are the hosts that were built anew.
    pub fn refresh(
        &mut self,
        options: &Options,
        objects: &Objects,
        hosts: &HostTable,
        names: &BTreeSet<String>,
        changes: &Changes,
    ) -> Refreshed {
        let mut streams = Streams::clone(&self.streams);
        let mut refreshed = Refreshed::default();
        if self.is_concerned(options, changes) {
            let (services, verdicts) = self.read(options, objects);
            streams.services = services;
            refreshed.verdicts = verdicts != self.verdicts;
            self.verdicts = verdicts;
        }
        if options.ssl_passthrough {
            refreshed.verdicts |= self.find_roots(hosts, names);
            self.pass_through(options, objects, names, changes, &mut streams);
        }
        if streams != *self.streams {
            self.streams = Arc::new(streams);
            refreshed.changed = true;
        }
        refreshed
    }

    /// Whether anything that the ConfigMaps depend on changed.
    fn is_concerned(&mut self, options: &Options, changes: &Changes) -> bool {
        let is_first = !std::mem::replace(&mut self.is_read, true);
        let names = || maps(options).map(|(_, _, name)| Key::from(name));
        names().next().is_some()
            && (is_first
                || names().any(|key| changes.config_maps.contains(&key))
                || changes.services.iter().any(|key| self.services.contains(key)))
    }

    fn read(
        &mut self,
        options: &Options,
        objects: &Objects,
    ) -> (Vec<Arc<StreamService>>, Vec<Verdict>) {
        let (mut services, mut verdicts) = (Vec::new(), Vec::new());
        self.services.clear();
        for (protocol, flag, name) in maps(options) {
            let key = Key::from(name);
            let origin = Arc::new(Kind::ConfigMap.reference(&key));
            let mut warn = |reason: &str, message: String| {
                verdicts.push(Verdict {
                    object: (*origin).clone(),
                    effect: Effect::Warning,
                    reason: reason.into(),
                    message,
                });
            };
            // The reference does not even see it (routing §1.1).
            let is_out_of_scope = matches!(&options.namespaces,
                NamespaceScope::One(only) if only != key.namespace());
            let map = objects.config_map(&key).filter(|_| !is_out_of_scope);
            let Some(map) = map else {
                if is_out_of_scope {
                    let message = format!(
                        "{flag} names it, but --watch-namespace is another one; no port of it is opened"
                    );
                    warn("ConfigMapNotFound", message);
                } else if options.is_only_controller {
                    let message = format!(
                        "{flag} names it, but it does not exist; create it or remove the flag"
                    );
                    warn("ConfigMapNotFound", message);
                }
                continue;
            };
            let mut ports = BTreeMap::new();
            for (port, value) in map.data.iter().flatten() {
                match entry::read(options, port, value) {
                    Ok(entry) => {
                        self.services.insert(Key::new(&entry.id.namespace, &entry.id.service));
                        match entry.service(options, objects, protocol, &origin) {
                            Ok(service) => drop(ports.insert(service.port, self.kept(service))),
                            Err(problem) => warn("InvalidStream", problem),
                        }
                    }
                    Err(problem) => warn("InvalidStream", problem),
                }
            }
            services.extend(ports.into_values());
        }
        (services, verdicts)
    }

    /// The service as it was before, if it is the same.
    fn kept(&self, service: StreamService) -> Arc<StreamService> {
        let before = self.streams.services.iter().find(|before| ***before == service);
        before.map_or_else(|| Arc::new(service), Arc::clone)
    }

    /// Finds the Services that hosts are passed through to. Says whether there is anything else to say about it than before.
    fn find_roots(&mut self, hosts: &HostTable, names: &BTreeSet<String>) -> bool {
        let mut differs = false;
        for name in names {
            let found = hosts.get(name).filter(|(_, ingresses)| {
                ingresses.iter().any(|ingress| ingress.annotations.ssl_passthrough)
            });
            let root = found.and_then(|(host, _)| root_of(host));
            let remarks = found
                .map(|(host, ingresses)| passthrough::remarks(host, ingresses, root.as_ref()))
                .filter(|remarks| !remarks.is_empty());
            differs |= self.remarks.get(name) != remarks.as_ref();
            match remarks {
                Some(remarks) => drop(self.remarks.insert(name.clone(), remarks)),
                None => drop(self.remarks.remove(name)),
            }
            match root {
                Some(id) => drop(self.hosts.insert(name.clone(), id)),
                None => drop(self.hosts.remove(name)),
            }
        }
        differs
    }

    /// Keeps the targets of the hosts that are passed through up to date.
    fn pass_through(
        &self,
        options: &Options,
        objects: &Objects,
        names: &BTreeSet<String>,
        changes: &Changes,
        streams: &mut Streams,
    ) {
        for name in names {
            streams.passthrough.remove(name);
        }
        for (name, id) in &self.hosts {
            let service = Key::new(&id.namespace, &id.service);
            if names.contains(name) || changes.services.contains(&service) {
                let mut target = upstream::resolve(options, objects, id, true).upstream;
                target.id = id.clone();
                let before = self.streams.passthrough.get(name);
                let target = match before.filter(|before| ***before == target) {
                    Some(before) => Arc::clone(before),
                    None => Arc::new(target),
                };
                streams.passthrough.insert(name.clone(), target);
            }
        }
    }
}

/// The ConfigMaps with the flags that name them.
fn maps(
    options: &Options,
) -> impl Iterator<Item = (StreamProtocol, &'static str, &NamespacedName)> {
    let tcp = options.tcp_services_configmap.iter();
    let udp = options.udp_services_configmap.iter();
    tcp.map(|name| (StreamProtocol::Tcp, "--tcp-services-configmap", name))
        .chain(udp.map(|name| (StreamProtocol::Udp, "--udp-services-configmap", name)))
}

/// The Service behind the path `/` of a host that can be passed through: its name is compared as it is, so that one with a
/// wildcard never is (annotations §3.4).
pub fn root_of(host: &Host) -> Option<UpstreamId> {
    let HostPattern::Exact(_) = &host.pattern else { return None };
    let root = host.locations.iter().find(|location| location.origin.path == "/")?;
    let object = root.origin.object.as_ref()?;
    (!root.origin.service.is_empty()).then(|| UpstreamId {
        namespace: object.namespace.clone(),
        service: root.origin.service.clone(),
        port: root.origin.port.clone(),
    })
}

/// An upstream of a Service's port for streams.
fn upstream_of(id: UpstreamId, endpoints: headgate_config::Endpoints) -> Arc<Upstream> {
    Arc::new(Upstream::new(id, endpoints))
}
