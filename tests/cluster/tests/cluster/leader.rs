//! Two replicas of which one leads, the ends of leaders, and the history of all statuses meanwhile.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headgate_cluster::{Cluster, Installation, NodeSettings, Settings, with_cluster};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use rustix::process::Signal;

use crate::{
    history::{History, published},
    support::{SOON, get, pod_address, pods},
};

const OURS: &str = "headgate";
/// What may come on top of a Lease's duration: others look at it every two seconds, and a debug build on a busy machine is slow.
const MORE: Duration = Duration::from_secs(15);
/// Between SIGTERM and the end of accepting.
const GRACE: Duration = Duration::from_secs(5);

#[test]
fn one_replica_leads_and_no_status_flaps_when_it_ends() {
    let nodes =
        ["1", "2"].map(|it| NodeSettings::new(&format!("node-{it}"), &format!("zone-{it}")));
    with_cluster(Settings { nodes: nodes.into(), ..Settings::default() }, async |cluster| {
        let arguments = vec![format!("--shutdown-grace-period={}", GRACE.as_secs())];
        let installation = Installation { arguments, ..Installation::default() };
        let gateway = cluster.install_headgate(&installation).await?.http;
        let mut history = History::follow(cluster);

        let (first, _) = lease(cluster).await?;
        assert_eq!(leaders(cluster).await?, std::slice::from_ref(&first));
        published(cluster, &history, "before").await?;

        let second = after_a_pause(cluster, &history, &first).await?;
        let third = after_a_kill(cluster, &history, &second).await?;
        let fourth = after_a_termination(cluster, &history, &third).await?;
        assert_eq!(leaders(cluster).await?, [fourth]);

        // Every status was written once, by three: the first leader is the third as well, or the fourth.
        let audit = cluster.audit().await?.service_account(OURS, OURS);
        let written: Vec<_> = audit
            .events
            .iter()
            .filter(|event| event.resource == "ingresses/status" && event.status == 200)
            .collect();
        let writers: BTreeSet<_> = written.iter().map(|event| &event.credential).collect();
        let ingresses: BTreeSet<_> = written.iter().map(|event| &event.name).collect();
        assert_eq!((writers.len(), written.len()), (3, ingresses.len()), "{written:#?}");
        history.check(cluster, &gateway.ip().to_string(), ingresses.len()).await
    });
}

/// The leader's process stands still until another one leads, and goes on then: it leads no more, and writes nothing. The next leader.
async fn after_a_pause(cluster: &Cluster, history: &History, leader: &str) -> Result<String> {
    let (_, duration) = lease(cluster).await?;
    cluster.signal_pod(OURS, leader, Signal::STOP)?;
    let stopped = Instant::now();
    published(cluster, history, "during-a-pause").await?;
    let took = stopped.elapsed();
    eprintln!("SIGSTOP of the leader: a status is written by the next one after {took:.1?}");
    ensure!(took <= duration + MORE, "it took {took:?}, the Lease has {duration:?}");
    cluster.signal_pod(OURS, leader, Signal::CONT)?;
    let (next, _) = lease(cluster).await?;
    ensure!(next != leader, "{leader} stood still and leads");
    let only = async || Ok(leaders(cluster).await? == [next.clone()]);
    cluster.wait("the former leader to know that it is one", SOON, only).await?;
    published(cluster, history, "after-a-pause").await?;
    cluster.wait_endpoints(OURS, "headgate-metrics", 2, SOON).await?;
    Ok(next)
}

/// The leader's process is killed and its pod is gone, as when a node fails: nobody gives the Lease back. The next leader.
async fn after_a_kill(cluster: &Cluster, history: &History, leader: &str) -> Result<String> {
    let (_, duration) = lease(cluster).await?;
    let started = Instant::now();
    cluster.kubectl(["delete", "pod", leader, "-n", OURS, "--force", "--grace-period=0"]).await?;
    // What remains is a process that has been told to end, and would in an orderly way.
    cluster.signal_pod(OURS, leader, Signal::KILL)?;
    ensure!(started.elapsed() < GRACE, "the leader had the time to give the Lease back");
    let killed = Instant::now();
    published(cluster, history, "after-a-kill").await?;
    let took = killed.elapsed();
    let (next, _) = lease(cluster).await?;
    eprintln!("SIGKILL of the leader: a status is written by the next one after {took:.1?}");
    ensure!(took <= duration + MORE, "it took {took:?}, the Lease has {duration:?}");
    ensure!(next != leader, "{leader} is gone and leads");
    cluster.wait_deployments(OURS, SOON).await?;
    cluster.wait_endpoints(OURS, "headgate-metrics", 2, SOON).await?;
    Ok(next)
}

/// The leader is told to end, and none comes in its place: the one that remains, in another zone, is the next leader.
async fn after_a_termination(cluster: &Cluster, history: &History, leader: &str) -> Result<String> {
    // The autoscaler would bring another one.
    cluster.kubectl(["delete", "hpa", OURS, "-n", OURS]).await?;
    let cheap = "controller.kubernetes.io/pod-deletion-cost=-1";
    cluster.kubectl(["annotate", "pod", leader, "-n", OURS, cheap]).await?;
    let zone = "jsonpath={.items[*].metadata.labels.topology\\.kubernetes\\.io/zone}";
    let zones = cluster.kubectl(["get", "pods", "-n", OURS, "-o", zone]).await?;
    let zones: BTreeSet<_> = zones.split(' ').collect();
    assert_eq!(zones.len(), 2, "{zones:?}");

    cluster.kubectl(["scale", "deployment/headgate", "-n", OURS, "--replicas=1"]).await?;
    let started = Instant::now();
    published(cluster, history, "while-it-ends").await?;
    let mut next = String::new();
    cluster
        .wait("another leader", SOON, async || {
            (next, _) = lease(cluster).await?;
            Ok(next != leader && !next.is_empty())
        })
        .await?;
    let took = started.elapsed();
    eprintln!(
        "SIGTERM of the leader: another one leads after {took:.1?}, of which {GRACE:?} are grace"
    );
    ensure!(took <= GRACE + MORE, "it took {took:?}");
    published(cluster, history, "after-a-termination").await?;
    let is_gone = async || Ok(pods(cluster, OURS, "headgate-") == [next.clone()]);
    cluster.wait("the end of the old leader", SOON, is_gone).await?;
    Ok(next)
}

/// Who holds the Lease, and for how long if it is not renewed.
async fn lease(cluster: &Cluster) -> Result<(String, Duration)> {
    let lease = Api::<Lease>::namespaced(cluster.client(), OURS).get("headgate-leader").await?;
    let spec = lease.spec.context("an empty Lease")?;
    let duration = spec.lease_duration_seconds.context("a Lease without duration")?;
    Ok((spec.holder_identity.unwrap_or_default(), Duration::from_secs(duration as u64)))
}

/// The replicas that say of themselves that they lead.
async fn leaders(cluster: &Cluster) -> Result<Vec<String>> {
    let mut leaders = Vec::new();
    for pod in pods(cluster, OURS, "headgate-") {
        let admin = pod_address(cluster, OURS, &pod, 10254).await?;
        let metrics = get(admin, "headgate", "/metrics").await?.text();
        let name = "nginx_ingress_controller_leader_election_status{";
        let line = metrics.lines().find(|line| line.starts_with(name)).context("no metric")?;
        if line.ends_with(" 1") {
            leaders.push(pod);
        }
    }
    Ok(leaders)
}
