//! API servers that go away: what is served goes on, changes are heard of soon after, and a start meanwhile waits.

use std::{
    collections::BTreeSet,
    env,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use headgate_cluster::{ApiServer, Cluster, Installation, Settings, with_cluster};
use k8s_openapi::{api::networking::v1::Ingress, jiff::Timestamp};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    load::Load,
    support::{SOON, apply_blog, get, pod_address, pods, wait_status},
};

const HOST: &str = "posts.com";
/// What is asked for all the time, of each Service something. The other host of the blog is for changes.
const TARGETS: &[(&str, &str)] = &[(HOST, "/"), (HOST, "/posts"), (HOST, "/posts/abc/comments")];
const CLIENTS: usize = 8;
/// Within this time of the API server's return a change is served.
const CHANGE_LIMIT: Duration = Duration::from_secs(5);

/// How long the API server is away; `HEADGATE_OUTAGE_SECONDS` says otherwise.
fn outage() -> Duration {
    let seconds = env::var("HEADGATE_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

#[test]
fn an_api_server_that_goes_away_is_not_noticed_by_clients() {
    let limit = Duration::from_secs(600) + outage();
    with_cluster(Settings { limit, ..Settings::default() }, async |cluster| {
        let gateway = cluster.install_headgate(&Installation::default()).await?.http;
        apply_blog(cluster).await?;
        for (host, path) in TARGETS {
            wait_status(cluster, gateway, host, path, 200).await?;
        }
        let names = pods(cluster, "headgate", "headgate-");
        let [first, second] = names.as_slice() else { anyhow::bail!("{names:?}") };
        let first = Replica::new(cluster, first).await?;
        let second = Replica::new(cluster, second).await?;
        under_load(cluster, gateway, &[&first, &second]).await?;
        with_lost_history(cluster, &first, &second).await
    });
}

/// A pod of headgate.
struct Replica {
    pod: String,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Replica {
    async fn new(cluster: &Cluster, pod: &str) -> Result<Self> {
        let http = pod_address(cluster, "headgate", pod, 80).await?;
        let admin = SocketAddr::new(http.ip(), 10254);
        Ok(Self { pod: pod.into(), http, admin })
    }

    /// Waits until its readiness is this and gives this reason.
    async fn wait_readiness(&self, cluster: &Cluster, status: u16, reason: &str) -> Result<()> {
        cluster
            .wait(&format!("{}: {status} {reason}", self.pod), SOON, async || {
                let answer = get(self.admin, "headgate", "/readyz").await?;
                let text = answer.text();
                ensure!(answer.status == status && text.contains(reason), "{answer:?}: {text}");
                Ok(true)
            })
            .await
    }
}

/// The API server is killed and stays away; all requests are answered. Then changes get through soon.
async fn under_load(cluster: &Cluster, gateway: SocketAddr, replicas: &[&Replica]) -> Result<()> {
    let mut load = Load::start(gateway, TARGETS, CLIENTS);
    cluster.kill_api_server(ApiServer::First).await;
    let killed = Instant::now();
    for replica in replicas {
        replica.wait_readiness(cluster, 200, "the API server cannot be followed").await?;
    }
    sleep(outage().saturating_sub(killed.elapsed())).await;
    load.check(&format!("{:.0} s without an API server", killed.elapsed().as_secs_f64()))?;

    cluster.start_api_server(ApiServer::First).await?;
    let back = Instant::now();
    let client = cluster.client();
    cluster
        .wait("a change to be taken", SOON, async || {
            rename(client.clone(), "after.example").await.map(|()| true)
        })
        .await?;
    for replica in replicas {
        wait_status(cluster, replica.http, "after.example", "/", 200).await?;
    }
    let took = back.elapsed();
    eprintln!("a change was served by both replicas {:.2} s after the return", took.as_secs_f64());
    ensure!(took <= CHANGE_LIMIT, "a change took {took:?}");
    load.stop().await?;
    load.check("the return of the API server")?;
    for replica in replicas {
        replica.wait_readiness(cluster, 200, "ok").await?;
    }
    Ok(())
}

/// The second host of the blog gets another name.
async fn rename(client: kube::Client, host: &str) -> Result<()> {
    let patch = json!([{"op": "replace", "path": "/spec/rules/1/host", "value": host}]);
    let patch = Patch::<()>::Json(serde_json::from_value(patch)?);
    let api = Api::<Ingress>::namespaced(client, "default");
    api.patch("ingress-srv", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The API server is away while one replica starts again, objects change and their history is thrown away. The replica that starts waits
/// and says so; the other one serves what it knows, and is told 410 afterwards.
async fn with_lost_history(cluster: &Cluster, starting: &Replica, serving: &Replica) -> Result<()> {
    let mut load = Load::start(serving.http, TARGETS, CLIENTS);
    cluster.kill_api_server(ApiServer::First).await;
    cluster.signal_pod("headgate", &starting.pod, Signal::KILL)?;
    starting.wait_readiness(cluster, 503, "the API server does not answer").await?;
    ensure!(get(starting.admin, "headgate", "/livez").await?.status == 200);

    cluster.start_api_server(ApiServer::Second).await?;
    let second = cluster.client_of(ApiServer::Second).await?;
    for host in ["one.example", "two.example"] {
        let client = second.clone();
        cluster
            .wait("a change through the second API server", SOON, async || {
                rename(client.clone(), host).await.map(|()| true)
            })
            .await?;
    }
    cluster.compact().await?;
    cluster.kill_api_server(ApiServer::Second).await;
    starting.wait_readiness(cluster, 503, "the API server does not answer").await?;

    let back = Timestamp::now();
    cluster.start_api_server(ApiServer::First).await?;
    for replica in [serving, starting] {
        wait_status(cluster, replica.http, "two.example", "/", 200).await?;
        replica.wait_readiness(cluster, 200, "ok").await?;
        for (host, path) in TARGETS {
            ensure!(get(replica.http, host, path).await?.status == 200, "{host}{path}");
        }
    }
    load.stop().await?;
    load.check("history lost and read again")?;

    // Both have read all Ingresses anew: the one because it started, the other one because its version was gone.
    let audit = cluster.audit().await?.since(back).service_account("headgate", "headgate");
    let readers: BTreeSet<_> = audit
        .events
        .iter()
        .filter(|event| event.resource == "ingresses" && event.status == 200)
        .filter(|event| event.verb == "list" || event.target.contains("sendInitialEvents=true"))
        .map(|event| event.credential.clone())
        .collect();
    ensure!(readers.len() == 2, "{readers:?} of {audit:#?}");
    Ok(())
}
