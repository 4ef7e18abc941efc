//! What several tests with headgate in a cluster need: requests, waiting for what they show, the blog, and pods.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headgate_cluster::Cluster;
use headgate_tests::client::{Answer, Connection};
use tokio::net::TcpStream;

/// Much more than anything takes: other work may keep the machine busy.
pub const SOON: Duration = Duration::from_secs(120);

/// One GET on a connection of its own.
pub async fn get(address: SocketAddr, host: &str, target: &str) -> Result<Answer> {
    Ok(Connection::open(address).await?.get(host, target).await?)
}

/// One POST of JSON on a connection of its own: the status, and the answer as it comes.
pub async fn post(
    address: SocketAddr,
    host: &str,
    target: &str,
    json: &str,
) -> Result<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = TcpStream::connect(address).await?;
    let length = json.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("not an HTTP answer")?, answer))
}

/// Waits until a GET is answered with this status; returns how long that took.
pub async fn wait_status(
    cluster: &Cluster,
    address: SocketAddr,
    host: &str,
    target: &str,
    status: u16,
) -> Result<Duration> {
    let started = Instant::now();
    cluster
        .wait(&format!("{status} for http://{host}{target}"), SOON, async || {
            let answer = get(address, host, target).await?;
            ensure!(answer.status == status, "it is {}: {}", answer.status, answer.text());
            Ok(true)
        })
        .await?;
    Ok(started.elapsed())
}

/// Applies the blog and waits until all of it is available.
pub async fn apply_blog(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(["apply", "-f", "manifests/app"]).await?;
    cluster.wait_deployments("default", SOON).await
}

/// Names of the pods of a namespace that run and begin with this.
pub fn pods(cluster: &Cluster, namespace: &str, prefix: &str) -> Vec<String> {
    let all = cluster.containers().into_keys();
    all.filter(|(own, pod, _)| own == namespace && pod.starts_with(prefix))
        .map(|(_, pod, _)| pod)
        .collect()
}

/// The address of a pod, with this port.
pub async fn pod_address(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<SocketAddr> {
    let path = "jsonpath={.status.podIP}";
    let address = cluster.kubectl(["get", "pod", pod, "-n", namespace, "-o", path]).await?;
    Ok(SocketAddr::new(address.parse()?, port))
}
