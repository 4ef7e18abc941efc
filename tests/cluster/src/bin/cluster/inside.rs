//! The half of the program that is inside: the cluster, what is installed in it, and what the person is told.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result};
use headgate_cluster::{ApiServer, Cluster, Installation, NodeSettings, Settings};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client, api::ListParams};
use tokio::task::JoinSet;

use crate::{Cli, doors, socket};

const LIMIT: Duration = Duration::from_secs(300);

/// Starts everything and serves until the outer half lets go, which ends the process.
pub(crate) async fn run(cli: &Cli, folder: &Path) -> Result<()> {
    eprintln!("starting etcd, the API server and the controllers");
    let nodes = (1..=cli.nodes)
        .map(|number| NodeSettings::new(&format!("node-{number}"), &format!("zone-{number}")));
    let settings = Settings { nodes: nodes.collect(), ..Settings::default() };
    let cluster = Cluster::start(&settings).await?;
    let url = format!("https://127.0.0.1:{}", cli.api_port);
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, cluster.kubeconfig_for(&url).await)?;

    let mut doors = JoinSet::new();
    let api_server = cluster.api_address(ApiServer::First);
    doors.spawn(doors::inner(socket(folder, "api"), async move || Ok(api_server)));
    for (name, port) in [("http", 80), ("https", 443), ("admin", 10254)] {
        let client = cluster.client();
        let find = async move || gateway(&client, port).await;
        doors.spawn(doors::inner(socket(folder, name), find));
    }
    if !cli.empty {
        install(&cluster).await?;
    }
    tell(cli, &cluster, &kubeconfig);
    while let Some(door) = doors.join_next().await {
        door??;
    }
    Ok(())
}

/// Installs headgate and applies the blog.
async fn install(cluster: &Cluster) -> Result<()> {
    eprintln!("installing headgate");
    cluster.install_headgate(&Installation::default()).await?;
    eprintln!("starting the blog");
    cluster.kubectl(["apply", "-f", "manifests/app"]).await?;
    cluster.wait_deployments("default", LIMIT).await
}

/// The first Service with this port that has a load balancer's address, or none but its own: the gateway, in a cluster of
/// which nothing else is known.
async fn gateway(client: &Client, port: i32) -> Result<SocketAddr> {
    let services = Api::<Service>::all(client.clone()).list(&ListParams::default()).await?;
    let address = services.iter().find_map(|service| {
        let spec = service.spec.as_ref()?;
        spec.ports.as_ref()?.iter().find(|each| each.port == port)?;
        if spec.type_.as_deref() != Some("LoadBalancer") {
            return spec.cluster_ip.clone().filter(|_| port == 10254);
        }
        let status = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
        status.first()?.ip.clone()
    });
    let address = address.with_context(|| format!("no Service of the gateway has port {port}"))?;
    Ok(SocketAddr::new(address.parse()?, port as u16))
}

#[expect(clippy::print_stdout, reason = "this is what the person asked for")]
fn tell(cli: &Cli, cluster: &Cluster, kubeconfig: &Path) {
    println!("\nThe cluster is up. In another terminal:\n");
    println!("  export KUBECONFIG={}", kubeconfig.display());
    println!("  alias kubectl='{} kubectl'\n", cluster.programs().apiserver.display());
    println!("  kubectl get pods,services,ingresses -A");
    if cli.empty {
        println!("\nheadgate is not installed in it.");
    } else {
        println!("  curl -H 'Host: posts.com' http://127.0.0.1:{}/", cli.http_port);
        println!("  curl -kH 'Host: posts.com' https://127.0.0.1:{}/", cli.https_port);
        println!("  kubectl apply -f manifests/examples/");
        println!("  http://posts.localhost:{}/ in a browser", cli.http_port);
        println!(
            "  http://127.0.0.1:{}/api/routes and /metrics: one of the replicas",
            cli.admin_port
        );
    }
    println!("\nCtrl-C ends it; nothing is left behind.");
}
