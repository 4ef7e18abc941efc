//! The blog behind headgate, both from their manifests: what it does in the demo, and how edits, scaling, deletion and re-creation of
//! Ingress, Service and Deployment show in traffic.

use std::{net::SocketAddr, time::Instant};

use anyhow::{Context, Result, ensure};
use headgate_cluster::{Cluster, Installation, Settings, with_cluster};
use serde_json::Value;

use crate::support::{SOON, apply_blog, get, pods, post, wait_status};

const HOST: &str = "posts.com";

#[test]
fn the_blog_is_served_and_every_change_is_seen_in_traffic() {
    with_cluster(Settings::default(), async |cluster| {
        let gateway = cluster.install_headgate(&Installation::default()).await?.http;
        let started = Instant::now();
        apply_blog(cluster).await?;
        let deployments = cluster.kubectl(["get", "deployments", "-o", "name"]).await?;
        assert_eq!(deployments.lines().count(), 6, "{deployments}");
        eprintln!("six Deployments after {:.1} s", started.elapsed().as_secs_f64());

        the_demo(cluster, gateway).await?;
        the_ingress_changes(cluster, gateway).await?;
        the_service_changes(cluster, gateway).await?;
        the_deployment_changes(cluster, gateway).await
    });
}

/// What the demo shows: a post, two comments, their verdicts, each service on its path.
async fn the_demo(cluster: &Cluster, gateway: SocketAddr) -> Result<()> {
    for target in ["/", "/posts"] {
        wait_status(cluster, gateway, HOST, target, 200).await?;
    }
    let (status, answer) = post(gateway, HOST, "/posts/create", "{}").await?;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = post(gateway, HOST, "/posts/create", r#"{"title":"Hello"}"#).await?;
    assert_eq!(status, 201, "{answer}");
    let body = answer.split_once("\r\n\r\n").context("no body")?.1;
    let created: Value = serde_json::from_str(body)?;
    let id = created["id"].as_str().context("no id")?;
    for content in ["I like it", "An orange day"] {
        let comment = format!(r#"{{"content":"{content}"}}"#);
        let (status, answer) =
            post(gateway, HOST, &format!("/posts/{id}/comments"), &comment).await?;
        assert_eq!(status, 201, "{answer}");
    }
    cluster
        .wait("one comment to be approved and one rejected", SOON, async || {
            let posts: Value = serde_json::from_slice(&get(gateway, HOST, "/posts").await?.body)?;
            let comments = &posts[id]["comments"];
            ensure!(comments[0]["status"] == "approved", "{posts}");
            Ok(comments[1]["status"] == "rejected")
        })
        .await?;
    // Only the comments service answers an unknown post with an empty list.
    let unknown = get(gateway, HOST, "/posts/abc/comments").await?;
    assert_eq!((unknown.status, unknown.text().as_str()), (200, "[]"));
    for host in [HOST, "posts.localhost"] {
        let page = get(gateway, host, "/").await?;
        assert_eq!((page.status, page.text().contains("<!doctype html>")), (200, true), "{host}");
    }
    assert_eq!(get(gateway, "elsewhere.example", "/posts").await?.status, 404);
    Ok(())
}

/// Runs kubectl, waits for this status, and says how long both took.
async fn change(
    cluster: &Cluster,
    gateway: SocketAddr,
    what: &str,
    arguments: &[&str],
    expected: (&str, &str, u16),
) -> Result<()> {
    let (host, target, status) = expected;
    cluster.kubectl(arguments).await?;
    let took = wait_status(cluster, gateway, host, target, status).await?;
    eprintln!("{what}: {status} for {host}{target} {} ms after kubectl", took.as_millis());
    Ok(())
}

async fn the_ingress_changes(cluster: &Cluster, gateway: SocketAddr) -> Result<()> {
    let rename = r#"[{"op":"replace","path":"/spec/rules/0/host","value":"edited.example"}]"#;
    let edit = ["patch", "ingress", "ingress-srv", "--type=json", "-p", rename];
    change(cluster, gateway, "Ingress edited", &edit, ("edited.example", "/", 200)).await?;
    wait_status(cluster, gateway, HOST, "/", 404).await?;
    let apply = ["apply", "-f", "manifests/app/ingress.yaml"];
    change(cluster, gateway, "Ingress edited back", &apply, (HOST, "/", 200)).await?;
    wait_status(cluster, gateway, "edited.example", "/", 404).await?;
    let delete = ["delete", "ingress", "ingress-srv"];
    change(cluster, gateway, "Ingress deleted", &delete, (HOST, "/", 404)).await?;
    change(cluster, gateway, "Ingress created again", &apply, (HOST, "/", 200)).await
}

async fn the_service_changes(cluster: &Cluster, gateway: SocketAddr) -> Result<()> {
    // A port is found by its targetPort, too (routing §11.2), which is therefore a name here.
    let ports = |port: u16, target: &str| {
        format!(
            r#"[{{"op":"replace","path":"/spec/ports/0/port","value":{port}}},
                {{"op":"replace","path":"/spec/ports/0/targetPort","value":{target}}}]"#
        )
    };
    let selector =
        |app: &str| format!(r#"[{{"op":"replace","path":"/spec/selector/app","value":"{app}"}}]"#);
    let no_page = (HOST, "/", 503);
    let page = (HOST, "/", 200);
    for (what, edit, expected) in [
        ("Service with another port", ports(3001, "\"http\""), no_page),
        ("Service with its port", ports(3000, "3000"), page),
        ("Service of no pods", selector("nobody"), no_page),
        ("Service of its pods", selector("client"), page),
    ] {
        let arguments = ["patch", "service", "client-srv", "--type=json", "-p", &edit];
        change(cluster, gateway, what, &arguments, expected).await?;
    }
    let delete = ["delete", "service", "client-srv"];
    change(cluster, gateway, "Service deleted", &delete, no_page).await?;
    let apply = ["apply", "-f", "manifests/app/client.yaml"];
    change(cluster, gateway, "Service created again", &apply, page).await
}

async fn the_deployment_changes(cluster: &Cluster, gateway: SocketAddr) -> Result<()> {
    let scale = |count: &'static str| ["scale", "deployment/client-depl", count];
    change(cluster, gateway, "scaled to none", &scale("--replicas=0"), (HOST, "/", 503)).await?;
    change(cluster, gateway, "scaled to two", &scale("--replicas=2"), (HOST, "/", 200)).await?;
    cluster.wait_endpoints("default", "client-srv", 2, SOON).await?;

    let words = ["set", "env", "deployment/moderation-depl", "BANNED_WORDS=purple"];
    cluster.kubectl(words).await?;
    cluster.wait_deployments("default", SOON).await?;
    // A pod that terminates is no longer counted, and still judges what comes on open connections.
    cluster
        .wait("the old moderation pod to be gone", SOON, async || {
            Ok(pods(cluster, "default", "moderation-depl-").len() == 1)
        })
        .await?;
    let (_, answer) = post(gateway, HOST, "/posts/create", r#"{"title":"Edited"}"#).await?;
    let body = answer.split_once("\r\n\r\n").context("no body")?.1;
    let created: Value = serde_json::from_str(body)?;
    let id = created["id"].as_str().context("no id")?;
    let comment = r#"{"content":"A purple day"}"#;
    post(gateway, HOST, &format!("/posts/{id}/comments"), comment).await?;
    cluster
        .wait("a comment to be rejected by the edited Deployment", SOON, async || {
            let posts: Value = serde_json::from_slice(&get(gateway, HOST, "/posts").await?.body)?;
            Ok(posts[id]["comments"][0]["status"] == "rejected")
        })
        .await?;

    let delete = ["delete", "deployment", "client-depl"];
    change(cluster, gateway, "Deployment deleted", &delete, (HOST, "/", 503)).await?;
    let apply = ["apply", "-f", "manifests/app/client.yaml"];
    change(cluster, gateway, "Deployment created again", &apply, (HOST, "/", 200)).await
}
