//! What an installation grants: everything that is listed here with its reason in the manifests, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rendered::{Rendered, STANDALONE, TAKEOVER, both};

/// Scope, group, resource, name (or empty for any), verb.
type Right = [String; 5];

/// Granted everywhere, to both: scope, group, resource, names, verbs.
const COMMON: &[[&str; 5]] = &[
    ["cluster", "networking.k8s.io", "ingresses", "", "get list watch"],
    ["cluster", "networking.k8s.io", "ingresses/status", "", "update"],
    ["cluster", "networking.k8s.io", "ingressclasses", "", "list watch"],
    ["cluster", "", "services", "", "get list watch"],
    ["cluster", "discovery.k8s.io", "endpointslices", "", "list watch"],
    ["cluster", "", "secrets", "", "list watch"],
    ["cluster", "", "events", "", "create"],
    ["namespace", "coordination.k8s.io", "leases", "", "create"],
    ["namespace", "coordination.k8s.io", "leases", "headgate-leader", "get update"],
    ["namespace", "", "pods", "", "get list"],
    ["namespace", "", "configmaps", "tcp-services", "list watch"],
    ["namespace", "", "configmaps", "udp-services", "list watch"],
];
const ONLY_STANDALONE: &[[&str; 5]] = &[
    ["namespace", "", "configmaps", "headgate", "list watch"],
    ["namespace", "", "secrets", "", "create"],
    ["namespace", "", "secrets", "headgate-admission", "get update"],
    [
        "cluster",
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "headgate-admission",
        "get patch",
    ],
];
const ONLY_TAKEOVER: &[[&str; 5]] = &[
    ["namespace", "", "configmaps", "ingress-nginx-controller", "list watch"],
    ["namespace", "", "configmaps", "ingress-nginx-tcp", "list watch"],
    ["namespace", "", "configmaps", "ingress-nginx-udp", "list watch"],
];
/// How the ConfigMaps of TCP and UDP services are usually called: their flags are given by those who need them.
const STREAM_SERVICES: [&str; 4] =
    ["ingress-nginx-tcp", "ingress-nginx-udp", "tcp-services", "udp-services"];

#[test]
fn rights_are_these_and_no_others() {
    for (it, own) in [(&*STANDALONE, ONLY_STANDALONE), (&*TAKEOVER, ONLY_TAKEOVER)] {
        let listed = COMMON.iter().chain(own).flat_map(|[scope, group, resource, name, verbs]| {
            verbs
                .split(' ')
                .map(move |verb| [*scope, *group, *resource, *name, verb].map(str::to_owned))
        });
        assert_eq!(granted(it), listed.collect(), "{}", it.folder);
    }
}

#[test]
fn nothing_is_granted_by_wildcard() {
    for it in both() {
        for right in granted(it) {
            assert!(right.iter().all(|word| !word.contains('*')), "{right:?}");
        }
    }
}

#[test]
fn names_in_rights_are_those_in_arguments() {
    let names = |it: &Rendered, resource: &str| -> BTreeSet<String> {
        let rights = granted(it).into_iter().filter(|right| right[2] == resource);
        rights.map(|[_, _, _, name, _]| name).filter(|name| !name.is_empty()).collect()
    };
    for it in both() {
        let last = |flag: &str| it.argument(flag).rsplit('/').next().unwrap().to_owned();
        assert_eq!(names(it, "leases"), [last("--election-id")].into());
        let mut maps = names(it, "configmaps");
        maps.retain(|name| !STREAM_SERVICES.contains(&&**name));
        assert_eq!(maps, [last("--configmap")].into());
    }
    let it = &*STANDALONE;
    let secret = it.argument("--validating-webhook-secret");
    assert_eq!(names(it, "secrets"), [secret.rsplit('/').next().unwrap().to_owned()].into());
    let configuration = it.argument("--validating-webhook-configuration");
    assert_eq!(names(it, "validatingwebhookconfigurations"), [configuration].into());
}

/// All rights, and that every role is bound to the account of the pods, and to nobody else.
fn granted(it: &Rendered) -> BTreeSet<Right> {
    let account = it.pod()["spec"]["serviceAccountName"].as_str().unwrap();
    it.one("ServiceAccount", account);
    let mut rights = BTreeSet::new();
    for (kind, binding, scope) in
        [("Role", "RoleBinding", "namespace"), ("ClusterRole", "ClusterRoleBinding", "cluster")]
    {
        for role in it.all(kind) {
            let name = &role["metadata"]["name"];
            let bound = it.one(binding, name.as_str().unwrap());
            assert_eq!(
                (&bound["roleRef"]["kind"], &bound["roleRef"]["name"]),
                (&kind.into(), name)
            );
            let subjects = bound["subjects"].as_array().unwrap();
            assert_eq!(subjects.len(), 1, "{bound}");
            assert_eq!(subjects[0]["name"], account);
            assert_eq!(subjects[0]["namespace"], it.namespace);
            for rule in role["rules"].as_array().unwrap() {
                rights.extend(of_rule(scope, rule));
            }
        }
    }
    rights
}

fn of_rule<'a>(scope: &'a str, rule: &'a Value) -> impl Iterator<Item = Right> + 'a {
    let words = |key: &str| -> Vec<String> {
        rule.get(key).map_or_else(Vec::new, |list| serde_json::from_value(list.clone()).unwrap())
    };
    assert_eq!(rule.get("nonResourceURLs"), None);
    // None, or an empty list: all.
    let names = match words("resourceNames") {
        names if names.is_empty() => vec![String::new()],
        names => names,
    };
    let (groups, resources, verbs) = (words("apiGroups"), words("resources"), words("verbs"));
    let mut rights = Vec::new();
    for group in &groups {
        for resource in &resources {
            for name in &names {
                for verb in &verbs {
                    rights.push([scope, group, resource, name, verb].map(str::to_owned));
                }
            }
        }
    }
    rights.into_iter()
}
