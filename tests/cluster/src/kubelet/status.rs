//! A pod's status, from what its containers do.

use std::{collections::BTreeMap, net::Ipv4Addr};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use serde_json::{Value, json};

/// Builds statuses of one pod. Conditions keep the time of their last change.
pub(crate) struct StatusWriter {
    host: Ipv4Addr,
    since: BTreeMap<&'static str, (bool, String)>,
    started: String,
}

impl StatusWriter {
    /// For a pod that starts now on the node with this address.
    pub(crate) fn new(host: Ipv4Addr) -> Self {
        Self { host, since: BTreeMap::new(), started: now() }
    }

    /// The patch that sets the status. It only fits the pod with the same uid.
    pub(crate) fn patch(
        &mut self,
        pod: &Pod,
        address: Option<Ipv4Addr>,
        containers: &[ContainerStatus],
        problem: &str,
    ) -> Value {
        let phase = phase(pod, containers);
        let ended = matches!(phase, "Succeeded" | "Failed");
        let containers_ready =
            !ended && !containers.is_empty() && containers.iter().all(|container| container.ready);
        let ready = containers_ready && gates_open(pod);
        let reason = if ended { "PodCompleted" } else { "ContainersNotReady" };
        let conditions = [
            self.condition("PodScheduled", true, ""),
            self.condition("PodReadyToStartContainers", address.is_some(), ""),
            self.condition("Initialized", true, ""),
            self.condition("ContainersReady", containers_ready, reason),
            self.condition(
                "Ready",
                ready,
                if containers_ready { "ReadinessGatesNotReady" } else { reason },
            ),
        ];
        let ips: Vec<Value> = address.iter().map(|address| json!({"ip": address})).collect();
        json!({
            "metadata": {"uid": pod.uid()},
            "status": {
                "phase": phase,
                "message": if problem.is_empty() { None } else { Some(problem) },
                "conditions": conditions,
                "containerStatuses": containers,
                "hostIP": self.host,
                "hostIPs": [{"ip": self.host}],
                "podIP": address,
                "podIPs": ips,
                "startTime": self.started,
                "observedGeneration": pod.metadata.generation,
            },
        })
    }

    fn condition(&mut self, kind: &'static str, status: bool, reason: &str) -> Value {
        let (former, since) = self.since.entry(kind).or_insert_with(|| (status, now()));
        if *former != status {
            (*former, *since) = (status, now());
        }
        json!({
            "type": kind,
            "status": if status { "True" } else { "False" },
            "lastTransitionTime": since,
            "reason": if status || reason.is_empty() { None } else { Some(reason) },
        })
    }
}

/// Where the pod is in its life.
fn phase(pod: &Pod, containers: &[ContainerStatus]) -> &'static str {
    let policy =
        pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let ended = |container: &ContainerStatus| {
        container.state.as_ref().and_then(|state| state.terminated.clone())
    };
    let codes: Option<Vec<i32>> =
        containers.iter().map(|container| ended(container).map(|ended| ended.exit_code)).collect();
    let stays_away = pod.metadata.deletion_timestamp.is_some() || policy != "Always";
    match codes {
        Some(codes) if stays_away && !codes.is_empty() => {
            let failed = codes.iter().any(|code| *code != 0);
            match policy {
                "OnFailure" if failed && pod.metadata.deletion_timestamp.is_none() => "Running",
                _ if failed => "Failed",
                _ => "Succeeded",
            }
        }
        _ => {
            let ran = |container: &ContainerStatus| {
                let state = container.state.as_ref();
                container.restart_count > 0
                    || state
                        .is_some_and(|state| state.running.is_some() || state.terminated.is_some())
            };
            if !containers.is_empty() && containers.iter().all(ran) { "Running" } else { "Pending" }
        }
    }
}

/// Whether every readiness gate's condition, which others set, is true.
fn gates_open(pod: &Pod) -> bool {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let conditions = || pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    gates
        .map(|gate| &gate.condition_type)
        .all(|kind| conditions().any(|each| each.type_ == *kind && each.status == "True"))
}

/// The present time to the second, as the API has it.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
