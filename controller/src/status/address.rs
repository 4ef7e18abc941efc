//! Addresses in `status.loadBalancer`, and what the objects that say where the gateway is reached mean (operations §5).
//! No I/O.

use std::net::IpAddr;

use k8s_openapi::api::{
    core::v1::{LoadBalancerIngress, Node, Pod, Service},
    networking::v1::{Ingress, IngressLoadBalancerIngress, IngressLoadBalancerStatus},
};

/// An address in `status.loadBalancer.ingress`. Ordered as the reference sorts them: by hostname, then by IP.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, or empty.
    pub hostname: Box<str>,
    /// An IP, or empty.
    pub ip: Box<str>,
}

impl Address {
    /// The addresses in the status of an Ingress, sorted.
    pub fn published(ingress: &Ingress) -> Vec<Self> {
        let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let addresses = status.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
        let mut addresses: Vec<_> = addresses.map(Self::from).collect();
        addresses.sort();
        addresses
    }

    /// Puts addresses, and nothing else, into the status of an Ingress.
    pub fn publish(addresses: &[Self], ingress: &mut Ingress) {
        let addresses = addresses.iter().map(IngressLoadBalancerIngress::from).collect::<Vec<_>>();
        ingress.status.get_or_insert_default().load_balancer = Some(IngressLoadBalancerStatus {
            ingress: Some(addresses).filter(|addresses| !addresses.is_empty()),
        });
    }

    /// The addresses of a list with commas (`--publish-status-address`), sorted.
    pub fn list(text: &str) -> Vec<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        sorted(items.map(Self::of))
    }

    /// Where a Service is reached from outside, sorted (`--publish-service`).
    pub fn of_service(service: &Service) -> Vec<Self> {
        let spec = service.spec.as_ref();
        let kind = spec.and_then(|spec| spec.type_.as_deref());
        let external = spec.and_then(|spec| spec.external_ips.as_ref()).into_iter().flatten();
        let external = external.map(|ip| Self::ip(ip));
        // `None` is what Services without an address have.
        let own = spec.and_then(|spec| spec.cluster_ip.as_deref());
        let own = own.filter(|ip| !ip.is_empty() && *ip != "None").map(Self::ip);
        match kind {
            Some("LoadBalancer") => {
                let status = service.status.as_ref().and_then(|it| it.load_balancer.as_ref());
                let given = status.and_then(|status| status.ingress.as_ref()).into_iter().flatten();
                sorted(given.map(Self::from).chain(external))
            }
            Some("NodePort") => {
                let external = sorted(external);
                if external.is_empty() { sorted(own) } else { external }
            }
            Some("ExternalName") => {
                let name = spec.and_then(|spec| spec.external_name.as_deref());
                sorted(name.map(|name| Self { hostname: name.into(), ip: "".into() }))
            }
            _ => sorted(own),
        }
    }

    /// Where a node is reached: by its ExternalIP, or else by its InternalIP.
    pub fn of_node(node: &Node, only_internal: bool) -> Option<Self> {
        let addresses = node.status.as_ref().and_then(|status| status.addresses.as_ref());
        let of_type = |kind| {
            let mut addresses = addresses.into_iter().flatten();
            addresses.find(|it| it.type_ == kind && !it.address.is_empty()).map(|it| &*it.address)
        };
        let external = if only_internal { None } else { of_type("ExternalIP") };
        external.or_else(|| of_type("InternalIP")).map(Self::of)
    }

    fn of(text: &str) -> Self {
        if text.parse::<IpAddr>().is_ok() {
            Self::ip(text)
        } else {
            Self { hostname: text.into(), ip: "".into() }
        }
    }

    fn ip(text: &str) -> Self {
        Self { hostname: "".into(), ip: text.into() }
    }
}

impl From<&IngressLoadBalancerIngress> for Address {
    fn from(address: &IngressLoadBalancerIngress) -> Self {
        let text = |field: &Option<String>| field.as_deref().unwrap_or_default().into();
        Self { hostname: text(&address.hostname), ip: text(&address.ip) }
    }
}

impl From<&LoadBalancerIngress> for Address {
    fn from(address: &LoadBalancerIngress) -> Self {
        let text = |field: &Option<String>| field.as_deref().unwrap_or_default().into();
        Self { hostname: text(&address.hostname), ip: text(&address.ip) }
    }
}

impl From<&Address> for IngressLoadBalancerIngress {
    fn from(address: &Address) -> Self {
        let text = |field: &str| Some(field.to_owned()).filter(|text| !text.is_empty());
        Self { hostname: text(&address.hostname), ip: text(&address.ip), ports: None }
    }
}

/// Sorted, each once.
pub fn sorted(addresses: impl IntoIterator<Item = Address>) -> Vec<Address> {
    let mut addresses: Vec<_> = addresses.into_iter().collect();
    addresses.retain(|address| *address != Address::default());
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Labels that differ between generations of the same pods, and those that API servers from 1.35 copy from the node.
const PASSING_LABELS: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// A selector of the pods that are labelled like this one, of every generation and in every zone; `None` if it has no labels.
///
/// The reference asks for those of its own generation where it collects addresses, so that the nodes of the old pods
/// vanish from every status while a roll-out is under way.
pub fn selector_of_peers(pod: &Pod) -> Option<String> {
    let labels = pod.metadata.labels.iter().flatten();
    let labels = labels.filter(|(name, _)| !PASSING_LABELS.contains(&name.as_str()));
    let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    (!labels.is_empty()).then(|| labels.join(","))
}

/// The node of a pod that is running and ready.
pub fn node_of(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?;
    let is_running = status.phase.as_deref() == Some("Running");
    let mut conditions = status.conditions.iter().flatten();
    let is_ready = conditions.any(|it| it.type_ == "Ready" && it.status == "True");
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    (is_running && is_ready).then_some(node)
}

/// Whether a pod will never run again.
pub fn is_finished(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn texts(addresses: &[Address]) -> Vec<String> {
        addresses.iter().map(|address| format!("{}{}", address.hostname, address.ip)).collect()
    }

    #[test]
    fn listed_addresses_are_ips_or_names() {
        let addresses = Address::list("localhost, 192.0.2.7,2001:db8::1,192.0.2.7, ,a.test");
        assert_eq!(texts(&addresses), ["192.0.2.7", "2001:db8::1", "a.test", "localhost"]);
        assert_eq!((&*addresses[0].ip, &*addresses[0].hostname), ("192.0.2.7", ""));
        assert_eq!((&*addresses[2].ip, &*addresses[2].hostname), ("", "a.test"));
    }

    /// The table of operations §5.
    #[test]
    fn a_service_is_reached_by_its_type() {
        let balancer = json!({"loadBalancer": {"ingress": [
            {"hostname": "b.test", "ports": [{"port": 80, "protocol": "TCP"}]},
            {"ip": "192.0.2.9"}, {"ip": "192.0.2.1", "hostname": "a.test"}]}});
        for (name, spec, status, expected) in [
            (
                "all of a balancer, and external IPs that it does not name",
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1",
                    "externalIPs": ["192.0.2.9", "192.0.2.5"]}),
                balancer.clone(),
                vec!["192.0.2.5", "192.0.2.9", "a.test192.0.2.1", "b.test"],
            ),
            (
                "a balancer without an address",
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                Value::Null,
                vec![],
            ),
            (
                "external IPs before the cluster's",
                json!({"type": "NodePort", "clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.5"]}),
                balancer.clone(),
                vec!["192.0.2.5"],
            ),
            (
                "the cluster's where there is no other",
                json!({"type": "NodePort", "clusterIP": "10.0.0.1"}),
                Value::Null,
                vec!["10.0.0.1"],
            ),
            (
                "the cluster's only",
                json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.5"]}),
                balancer,
                vec!["10.0.0.1"],
            ),
            ("no type", json!({"clusterIP": "10.0.0.1"}), Value::Null, vec!["10.0.0.1"]),
            ("headless", json!({"clusterIP": "None"}), Value::Null, vec![]),
            (
                "a name",
                json!({"type": "ExternalName", "externalName": "c.test"}),
                Value::Null,
                vec!["c.test"],
            ),
        ] {
            let service = from_value(json!({"spec": spec, "status": status})).unwrap();
            assert_eq!(texts(&Address::of_service(&service)), expected, "{name}");
        }
    }

    #[test]
    fn a_node_is_reached_from_outside_if_it_can_be() {
        let node = |addresses: &[(&str, &str)]| -> Node {
            let addresses = addresses.iter().map(|(kind, it)| json!({"type": kind, "address": it}));
            from_value(json!({"status": {"addresses": addresses.collect::<Vec<_>>()}})).unwrap()
        };
        let both = node(&[
            ("Hostname", "n"),
            ("InternalIP", "10.0.0.1"),
            ("ExternalIP", "192.0.2.1"),
            ("ExternalIP", "192.0.2.2"),
        ]);
        let text = |node, only_internal| {
            Address::of_node(node, only_internal).map(|address| address.ip.to_string())
        };
        assert_eq!(text(&both, false).as_deref(), Some("192.0.2.1"));
        assert_eq!(text(&both, true).as_deref(), Some("10.0.0.1"));
        let inside = node(&[("ExternalIP", ""), ("InternalIP", "10.0.0.1")]);
        assert_eq!(text(&inside, false).as_deref(), Some("10.0.0.1"));
        assert_eq!(text(&node(&[("Hostname", "n")]), false), None);
    }

    #[test]
    fn peers_are_pods_of_every_generation() {
        let labels = json!({"app": "gateway", "pod-template-hash": "abc", "tier": "edge"});
        let pod: Pod = from_value(json!({"metadata": {"labels": labels}})).unwrap();
        assert_eq!(selector_of_peers(&pod).as_deref(), Some("app=gateway,tier=edge"));
    }

    /// An API server copies these from the node, and the replicas in another zone are peers all the same.
    #[test]
    fn peers_are_pods_in_every_zone() {
        let labels = json!({"app": "gateway", "tier": "edge",
            "topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "z"});
        let pod: Pod = from_value(json!({"metadata": {"labels": labels}})).unwrap();
        assert_eq!(selector_of_peers(&pod).as_deref(), Some("app=gateway,tier=edge"));
        assert_eq!(selector_of_peers(&Pod::default()), None);
    }

    #[test]
    fn only_ready_pods_count() {
        let pod = |phase: &str, ready: &str| -> Pod {
            from_value(
                json!({"spec": {"nodeName": "n", "containers": []}, "status": {"phase": phase,
                "conditions": [{"type": "Ready", "status": ready}]}}),
            )
            .unwrap()
        };
        assert_eq!(node_of(&pod("Running", "True")), Some("n"));
        assert_eq!(node_of(&pod("Running", "False")), None);
        assert_eq!(node_of(&pod("Pending", "True")), None);
        assert!(is_finished(&pod("Failed", "False")) && !is_finished(&pod("Pending", "False")));
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut ingress = Ingress::default();
        let addresses = Address::list("192.0.2.1,a.test");
        Address::publish(&addresses, &mut ingress);
        assert_eq!(Address::published(&ingress), addresses);
        Address::publish(&[], &mut ingress);
        assert_eq!(Address::published(&ingress), []);
    }
}
