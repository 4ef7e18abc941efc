//! What pods go through while requests come in, none of which may fail: roll-outs, their undoing, scaling, deletion, sudden death; the
//! gateway's own replicas, too.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headgate_cluster::{Cluster, Installation, Settings, with_cluster};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    load::Load,
    support::{SOON, apply_blog, pods, wait_status},
};

const HOST: &str = "posts.com";
const CLIENTS: usize = 8;
/// How long requests go on after each change, for what comes late.
const AFTER: Duration = Duration::from_millis(500);
/// The Deployment whose pods change.
const DEPLOYMENT: &str = "deployment/client-depl";

#[test]
fn no_request_fails_while_pods_come_and_go() {
    with_cluster(Settings::default(), async |cluster| {
        // The stand-in for kube-proxy hears of changes at once; the half minute of the manifests is for others.
        let arguments = vec!["--shutdown-grace-period=3".into()];
        let installation = Installation { arguments, ..Installation::default() };
        let gateway = cluster.install_headgate(&installation).await?.http;
        apply_blog(cluster).await?;
        cluster.kubectl(["scale", DEPLOYMENT, "--replicas=3"]).await?;
        settled(cluster, 3).await?;
        wait_status(cluster, gateway, HOST, "/", 200).await?;

        let mut load = Load::start(gateway, &[(HOST, "/"), (HOST, "/app.js")], CLIENTS);
        cluster.kubectl(["set", "env", DEPLOYMENT, "LOG=warn"]).await?;
        settled(cluster, 3).await?;
        load.check("rolling update of three replicas")?;

        cluster.kubectl(["rollout", "undo", DEPLOYMENT]).await?;
        settled(cluster, 3).await?;
        load.check("roll-back")?;

        for count in [1, 3] {
            cluster.kubectl(["scale", DEPLOYMENT, &format!("--replicas={count}")]).await?;
            settled(cluster, count).await?;
            load.check(&format!("scaling to {count}"))?;
        }

        for pod in pods(cluster, "default", "client-depl-") {
            cluster.kubectl(["delete", "pod", &pod, "--wait=false"]).await?;
            gone(cluster, &pod).await?;
            settled(cluster, 3).await?;
        }
        load.check("deleting three pods one by one")?;

        for pod in pods(cluster, "default", "client-depl-") {
            kill(cluster, &pod).await?;
            settled(cluster, 3).await?;
        }
        load.check("killing three processes one by one")?;

        cluster.kubectl(["rollout", "restart", "deployment/headgate", "-n", "headgate"]).await?;
        cluster.wait_deployments("headgate", SOON).await?;
        count_of(cluster, "headgate", "headgate-", 2).await?;
        sleep(AFTER).await;
        load.stop().await?;
        load.check("rolling update of the gateway")?;
        Ok(())
    });
}

/// Waits until this many pods are available and no other runs any more, and then some more time.
async fn settled(cluster: &Cluster, count: usize) -> Result<()> {
    cluster.wait_deployments("default", SOON).await?;
    count_of(cluster, "default", "client-depl-", count).await?;
    cluster.wait_endpoints("default", "client-srv", count, SOON).await?;
    sleep(AFTER).await;
    Ok(())
}

/// Waits until this many pods run.
async fn count_of(cluster: &Cluster, namespace: &str, prefix: &str, count: usize) -> Result<()> {
    cluster
        .wait(&format!("{count} pods"), SOON, async || {
            let found = pods(cluster, namespace, prefix);
            ensure!(found.len() == count, "{found:?}");
            Ok(true)
        })
        .await
}

async fn gone(cluster: &Cluster, pod: &str) -> Result<()> {
    let is_gone = async || Ok(!pods(cluster, "default", "client-depl-").contains(&pod.to_owned()));
    cluster.wait(&format!("the end of {pod}"), SOON, is_gone).await
}

/// Kills the process of a pod and waits until there is another one.
async fn kill(cluster: &Cluster, pod: &str) -> Result<()> {
    let process = || {
        let all = cluster.containers();
        all.into_iter().find(|((_, own, _), _)| own == pod).map(|(_, id)| id)
    };
    let before = process().context("it does not run")?;
    cluster.signal_pod("default", pod, Signal::KILL)?;
    cluster
        .wait(&format!("another process of {pod}"), SOON, async || {
            Ok(process().is_some_and(|now| now != before))
        })
        .await
}
