//! Documents that are none of the kinds that are read: most belong to whoever runs the application, and are counted. What was
//! meant to be one of ours, or routes requests for another program, is said.

use headgate_config::{Effect, ObjectRef};

use super::{Fault, Header, is_list_version};
use crate::{near, objects::Kind};

/// Kinds that say which request goes where, by the group that they belong to.
const ROUTING: &[(&str, &[&str])] = &[
    ("configuration.konghq.com", &["KongIngress", "TCPIngress", "UDPIngress"]),
    (
        "gateway.networking.k8s.io",
        &["GRPCRoute", "Gateway", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"],
    ),
    ("getambassador.io", &["Mapping", "TCPMapping"]),
    ("k8s.nginx.org", &["TransportServer", "VirtualServer", "VirtualServerRoute"]),
    ("networking.istio.io", &["Gateway", "VirtualService"]),
    ("projectcontour.io", &["HTTPProxy"]),
    ("route.openshift.io", &["Route"]),
    ("traefik.containo.us", &["IngressRoute", "IngressRouteTCP", "IngressRouteUDP"]),
    ("traefik.io", &["IngressRoute", "IngressRouteTCP", "IngressRouteUDP"]),
];

/// How a document is counted that is no object, or says strange things about what it is.
const NO_OBJECT: &str = "document without a kind";

/// What is wrong with a document if it was meant to be one of the kinds that are read.
pub fn misspelt(Header { api_version, kind }: &Header) -> Option<String> {
    let is_ours = is_list_version(api_version);
    if kind.is_empty() {
        return is_ours.then(|| {
            format!("kind is missing, of an object of apiVersion {api_version}; give it")
        });
    }
    let same = |(known, _): &(Kind, _)| known.name().eq_ignore_ascii_case(kind);
    let Some((known, version)) = Kind::ALL.into_iter().find(same) else {
        let names = Kind::ALL.iter().map(|(known, _)| known.name());
        let meant = near::nearest(names, kind).filter(|_| is_ours)?;
        return Some(format!("kind {kind:?} is unknown; write {meant}"));
    };
    let name = known.name();
    if api_version.is_empty() {
        return Some(format!("apiVersion is missing; that of kind {name} is {version}"));
    }
    if api_version == version {
        return (name != kind).then(|| format!("kind {kind:?} is unknown; write {name}"));
    }
    // Others have kinds of these names as well, in groups of theirs.
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let is_of_kubernetes = !group.contains('.') || group.ends_with(".k8s.io");
    let is_near = || near::distance(api_version, version, 2).is_some();
    (is_of_kubernetes || is_near())
        .then(|| format!("{name} of apiVersion {api_version} is not read; write it as {version}"))
}

/// What is to be said about an object that routes requests, but not here. Its name is looked for in `metadata`.
pub fn routing(
    Header { api_version, kind }: &Header,
    line: u64,
    name: impl FnOnce() -> Option<ObjectRef>,
) -> Option<Fault> {
    let reason = if api_version == "v1" && kind == "Endpoints" {
        "Endpoints are not read; write an EndpointSlice of discovery.k8s.io/v1 with the label kubernetes.io/service-name".to_owned()
    } else {
        let group = api_version.split_once('/')?.0;
        let (_, kinds) = ROUTING.iter().find(|(known, _)| *known == group)?;
        kinds.contains(&kind.as_str()).then(|| {
            format!("{kind} of {group} is not read, so that nothing is served for it; write an Ingress of networking.k8s.io/v1")
        })?
    };
    let (effect, word) = (Effect::Warning, "KindNotRead");
    Some(Fault { effect, word, line, object: name(), reason })
}

/// The name by which a document of a kind that is not read is counted.
pub fn counted_as(kind: &str) -> &str {
    let is_name = kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name && (1..=63).contains(&kind.len()) { kind } else { NO_OBJECT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(api_version: &str, kind: &str) -> Header {
        Header { api_version: api_version.into(), kind: kind.into() }
    }

    #[test]
    fn what_was_meant_to_be_ours_is_named() {
        for (api_version, kind, says) in [
            ("networking.k8s.io/v1", "Ingres", "kind \"Ingres\" is unknown; write Ingress"),
            ("v1", "Sevrice", "kind \"Sevrice\" is unknown; write Service"),
            (
                "v1",
                "Ingress",
                "Ingress of apiVersion v1 is not read; write it as networking.k8s.io/v1",
            ),
            (
                "networking.k8s.oi/v1",
                "Ingress",
                "Ingress of apiVersion networking.k8s.oi/v1 is not read; write it as networking.k8s.io/v1",
            ),
            ("apps/v1", "Service", "Service of apiVersion apps/v1 is not read; write it as v1"),
            (
                "discovery.k8s.io/v1beta1",
                "EndpointSlice",
                "EndpointSlice of apiVersion discovery.k8s.io/v1beta1 is not read; write it as discovery.k8s.io/v1",
            ),
            ("v1", "", "kind is missing, of an object of apiVersion v1; give it"),
            ("", "ingress", "apiVersion is missing; that of kind Ingress is networking.k8s.io/v1"),
        ] {
            assert_eq!(misspelt(&header(api_version, kind)).as_deref(), Some(says));
        }
    }

    #[test]
    fn what_is_others_is_not_taken_for_ours() {
        for (api_version, kind) in [
            ("v1", "ServiceAccount"),
            ("v1", "Endpoints"),
            ("v1", "PersistentVolumeClaim"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("serving.knative.dev/v1", "Service"),
            ("config.openshift.io/v1", "Ingress"),
            ("apps/v1", "Deployment"),
            ("", ""),
            ("apps/v1", ""),
        ] {
            assert_eq!(misspelt(&header(api_version, kind)), None, "{api_version} {kind}");
        }
    }

    #[test]
    fn what_routes_requests_elsewhere_is_named() {
        let said = |api_version, kind| {
            routing(&header(api_version, kind), 1, || None).map(|fault| fault.reason)
        };
        assert!(said("gateway.networking.k8s.io/v1", "HTTPRoute").unwrap().contains("an Ingress"));
        assert!(said("traefik.io/v1alpha1", "IngressRoute").is_some());
        assert!(said("v1", "Endpoints").unwrap().contains("EndpointSlice"));
        assert_eq!(said("traefik.io/v1alpha1", "Middleware"), None);
        assert_eq!(said("apps/v1", "Deployment"), None);
    }
}
