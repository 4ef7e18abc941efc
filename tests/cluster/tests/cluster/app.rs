//! The blog in a cluster, without headgate.

use anyhow::{Result, ensure};
use headgate_cluster::{Cluster, Settings, with_cluster};

use crate::support::{SOON, apply_blog, get, post};

const HOST: &str = "posts.com";

#[test]
fn the_blog_runs_and_heals_itself() {
    with_cluster(Settings::default(), async |cluster| {
        apply_blog(cluster).await?;
        let deployments = cluster.kubectl(["get", "deployments", "-o", "name"]).await?;
        assert_eq!(deployments.lines().count(), 6, "{deployments}");

        let client = cluster.service_address("default", "client-srv").await?;
        let page = get(client, HOST, "/").await?;
        assert_eq!((page.status, page.text().contains("<html")), (200, true), "{}", page.text());

        cluster.kubectl(["scale", "deployment/query-depl", "--replicas=3"]).await?;
        let endpoints = cluster.wait_endpoints("default", "query-srv", 3, SOON).await?;
        let query = cluster.service_address("default", "query-srv").await?;
        assert_eq!(get(query, HOST, "/posts").await?.status, 200);

        let (_, victim, _) = pod_of(cluster, "query-depl-")?;
        cluster.kubectl(["delete", "pod", &victim]).await?;
        let healed = cluster.wait_endpoints("default", "query-srv", 3, SOON).await?;
        assert_ne!(healed, endpoints);
        cluster.wait_deployments("default", SOON).await
    });
}

/// Namespace, pod and container of some pod with this prefix.
fn pod_of(cluster: &Cluster, prefix: &str) -> Result<(String, String, String)> {
    let found = cluster.containers().into_keys().find(|(_, pod, _)| pod.starts_with(prefix));
    found.ok_or_else(|| anyhow::anyhow!("no pod of {prefix} runs"))
}

#[test]
fn services_of_the_blog_reach_each_other_by_name() {
    with_cluster(Settings::default(), async |cluster| {
        apply_blog(cluster).await?;
        let posts = cluster.service_address("default", "posts-srv").await?;
        let query = cluster.service_address("default", "query-srv").await?;
        let (status, answer) = post(posts, HOST, "/posts/create", r#"{"title":"by name"}"#).await?;
        ensure!(status == 201, "{answer}");
        cluster
            .wait("the post in the query service", SOON, async || {
                Ok(get(query, HOST, "/posts").await?.text().contains("by name"))
            })
            .await
    });
}

#[test]
fn a_pod_that_is_deleted_is_an_endpoint_that_terminates_and_still_serves() {
    with_cluster(Settings::default(), async |cluster| {
        apply_blog(cluster).await?;
        let (_, pod, _) = pod_of(cluster, "client-depl-")?;
        cluster.kubectl(["delete", "pod", &pod, "--wait=false"]).await?;
        // The bundled services go on for three seconds after SIGTERM.
        cluster
            .wait("a terminating endpoint", SOON, async || {
                let slices = cluster
                    .kubectl([
                        "get",
                        "endpointslices",
                        "-l",
                        "kubernetes.io/service-name=client-srv",
                        "-o",
                        "json",
                    ])
                    .await?;
                let slices: serde_json::Value = serde_json::from_str(&slices)?;
                let endpoints =
                    slices["items"][0]["endpoints"].as_array().cloned().unwrap_or_default();
                Ok(endpoints.iter().any(|endpoint| {
                    endpoint["targetRef"]["name"] == pod.as_str()
                        && endpoint["conditions"]["terminating"] == true
                        && endpoint["conditions"]["ready"] == false
                        && endpoint["conditions"]["serving"] == true
                }))
            })
            .await?;
        cluster.kubectl(["wait", "--for=delete", "--timeout=120s", &format!("pod/{pod}")]).await?;
        ensure!(
            !cluster.containers().keys().any(|(_, each, _)| *each == pod),
            "its process still runs"
        );
        cluster.wait_endpoints("default", "client-srv", 1, SOON).await?;
        Ok(())
    });
}
