//! `manifests/install` and its overlay as `kubectl kustomize` renders them: what they grant, whether their parts fit together,
//! and whether the binary takes their arguments. What a cluster makes of them is tested with a cluster.

mod rendered;
mod rights;

use std::{collections::BTreeSet, os::unix::fs::symlink, process::Command};

use serde_json::{Value, json};

use self::rendered::{STANDALONE, TAKEOVER, both, takeover_guide};
use crate::support::{binary, run};

#[test]
fn the_binary_takes_the_arguments() {
    for it in both() {
        // The last thing that is looked at is where the cluster is, and there it ends.
        let nowhere = "--kubeconfig=/there/is/no/such/file";
        let free = ["--http-port=0", "--https-port=0", "--healthz-port=0", nowhere];
        let arguments = it.arguments().into_iter().map(|argument| {
            argument.replace("$(POD_NAMESPACE)", it.namespace).replace("=:8443", "=127.0.0.1:0")
        });
        let arguments: Vec<_> = arguments.chain(free.map(str::to_owned)).collect();
        let ended = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.code, Some(1), "{}: {}", it.folder, ended.err);
        assert!(ended.err.contains(nowhere), "{}: {}", it.folder, ended.err);
    }
}

#[test]
fn the_image_has_the_version_of_the_program() {
    for it in both() {
        let image = it.container()["image"].as_str().unwrap();
        assert_eq!(image, concat!("headgate/headgate:", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn everything_is_in_the_namespace_of_the_installation() {
    let clusterwide = [
        "ClusterRole",
        "ClusterRoleBinding",
        "IngressClass",
        "Namespace",
        "ValidatingWebhookConfiguration",
    ];
    for it in both() {
        for object in &it.objects {
            let expected = match object["kind"].as_str().unwrap() {
                kind if clusterwide.contains(&kind) => &Value::Null,
                _ => &json!(it.namespace),
            };
            assert_eq!(&object["metadata"]["namespace"], expected, "{object}");
        }
    }
}

#[test]
fn removing_the_overlay_removes_nothing_that_was_there_before() {
    let names: BTreeSet<_> = TAKEOVER
        .objects
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert!(names.iter().all(|name| name.starts_with("headgate")), "{names:?}");
    for kind in ["Namespace", "IngressClass", "ConfigMap", "ValidatingWebhookConfiguration"] {
        assert_eq!(TAKEOVER.all(kind).count(), 0, "{kind}");
    }
}

#[test]
fn selectors_find_the_pods() {
    for it in both() {
        let labels = &it.pod()["metadata"]["labels"];
        let deployment = it.one("Deployment", "headgate");
        let mut selectors = vec![&deployment["spec"]["selector"]["matchLabels"]];
        selectors.extend(it.all("Service").map(|object| &object["spec"]["selector"]));
        for kind in ["PodDisruptionBudget", "NetworkPolicy"] {
            let object = it.one(kind, "headgate");
            let key = if kind == "NetworkPolicy" { "podSelector" } else { "selector" };
            selectors.push(&object["spec"][key]["matchLabels"]);
        }
        let spread = it.pod()["spec"]["topologySpreadConstraints"].as_array().unwrap();
        selectors.extend(spread.iter().map(|one| &one["labelSelector"]["matchLabels"]));
        for selector in selectors {
            assert!(selects(selector, labels), "{selector} and {labels}");
        }
        let scaled = &it.one("HorizontalPodAutoscaler", "headgate")["spec"]["scaleTargetRef"];
        assert_eq!(scaled["name"], deployment["metadata"]["name"]);
        assert_eq!(deployment["spec"]["replicas"], Value::Null, "the autoscaler has the number");
    }
}

#[test]
fn old_pods_are_not_selected_before_they_are_meant_to_be() {
    let old = json!({
        "app.kubernetes.io/name": "ingress-nginx",
        "app.kubernetes.io/instance": "ingress-nginx",
        "app.kubernetes.io/component": "controller",
        "app.kubernetes.io/part-of": "ingress-nginx",
    });
    let ours = &TAKEOVER.pod()["metadata"]["labels"];
    for service in TAKEOVER.all("Service") {
        assert!(!selects(&service["spec"]["selector"], &old), "{service}");
    }
    // What the guide makes of the old Service: both, then headgate alone, and back to the old one.
    let selectors: Vec<Value> = takeover_guide()
        .patches
        .into_iter()
        .filter(|patch| patch[0]["path"] == "/spec/selector")
        .map(|patch| patch[0]["value"].clone())
        .collect();
    let found: Vec<(bool, bool)> =
        selectors.iter().map(|one| (selects(one, &old), selects(one, ours))).collect();
    let (both, headgate, back) = ((true, true), (false, true), (true, false));
    assert_eq!(found, [both, headgate, headgate, back, back]);
}

#[test]
fn commands_of_the_guide_are_complete() {
    let guide = takeover_guide();
    assert!(guide.commands.len() > 20, "{:?}", guide.commands);
    for command in &guide.commands {
        // The shell reads it, quotes and all, without running it.
        let read = Command::new("bash").args(["-n", "-c", command]).status().unwrap();
        assert!(read.success(), "{command}");
    }
}

#[test]
fn ports_of_probes_services_and_policies_exist() {
    for it in both() {
        let container = it.container();
        let ports = container["ports"].as_array().unwrap();
        let named = |name: &Value| ports.iter().any(|port| &port["name"] == name);
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(named(&container[probe]["httpGet"]["port"]), "{probe}");
        }
        for service in it.all("Service") {
            for port in service["spec"]["ports"].as_array().unwrap() {
                assert!(named(&port["targetPort"]), "{port}");
            }
        }
        let numbers = |ports: &[Value], key: &str| -> BTreeSet<u64> {
            ports.iter().map(|port| port[key].as_u64().unwrap()).collect()
        };
        let rules = it.one("NetworkPolicy", "headgate")["spec"]["ingress"].as_array().unwrap();
        let open: BTreeSet<u64> = rules
            .iter()
            .flat_map(|rule| numbers(rule["ports"].as_array().unwrap(), "port"))
            .collect();
        assert_eq!(open, numbers(ports, "containerPort"));
        assert_eq!(open, BTreeSet::from([80, 443, 8443, 10254]));
    }
}

#[test]
fn the_pod_may_do_nothing_but_listen() {
    for it in both() {
        let (pod, container) = (&it.pod()["spec"], &it.container()["securityContext"]);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["capabilities"], json!({"drop": ["ALL"]}));
    }
}

#[test]
fn a_replica_has_the_time_to_finish() {
    for it in both() {
        let grace: u64 = it.argument("--shutdown-grace-period").parse().unwrap();
        let drain = 240;
        let all = it.pod()["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace + drain + 5 <= all, "{grace} + {drain} and {all}");
        let probe = &it.container()["readinessProbe"];
        let noticed =
            probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
        assert!(noticed <= grace, "not serving any more, but still taken for it");
    }
}

#[test]
fn the_webhook_is_reached_at_the_port_that_it_listens_on() {
    for it in both() {
        let ports = it.container()["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == "webhook").unwrap();
        assert_eq!(it.argument("--validating-webhook"), format!(":{}", port["containerPort"]));
    }
    let name = STANDALONE.argument("--validating-webhook-configuration");
    let webhook = &STANDALONE.one("ValidatingWebhookConfiguration", &name)["webhooks"][0];
    let service = &webhook["clientConfig"]["service"];
    assert_eq!(service["namespace"], STANDALONE.namespace);
    assert_eq!(service["path"], "/networking/v1/ingresses");
    let named = format!("$(POD_NAMESPACE)/{}", service["name"].as_str().unwrap());
    assert_eq!(STANDALONE.argument("--validating-webhook-service"), named);
    let found = STANDALONE.one("Service", service["name"].as_str().unwrap());
    assert_eq!(
        found["spec"]["ports"][0],
        json!({
            "appProtocol": "https", "name": "https-webhook", "port": 443, "targetPort": "webhook",
        })
    );
}

#[test]
fn named_objects_are_the_installations_own_or_the_old_ones() {
    for (it, prefix) in [(&*STANDALONE, "headgate"), (&*TAKEOVER, "ingress-nginx-controller")] {
        let own = format!("$(POD_NAMESPACE)/{prefix}");
        assert_eq!(it.argument("--configmap"), own);
        assert_eq!(it.argument("--publish-service"), own);
    }
    STANDALONE.one("ConfigMap", "headgate");
    STANDALONE.one("Service", "headgate");
}

#[test]
fn as_wait_shutdown_the_binary_stops_nobody_outside_a_container() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wait-shutdown");
    symlink(binary(), &path).unwrap();
    let output = Command::new(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("not the controller"), "{said}");
}

/// Whether all labels of a selector are there.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
}
