//! Waiting for a cluster to be as expected, and finding addresses in it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, ResourceExt, api::ListParams};
use tokio::time::sleep;

use super::Cluster;

const POLL: Duration = Duration::from_millis(50);

impl Cluster {
    /// Waits until `condition` holds; errors count as not yet. The error says what did not happen, and the last reason.
    pub async fn wait(
        &self,
        what: &str,
        limit: Duration,
        condition: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        wait(what, limit, condition).await
    }

    /// Waits until every Deployment of a namespace (of all of them if it is empty) has all its replicas available and none of an
    /// older template.
    pub async fn wait_deployments(&self, namespace: &str, limit: Duration) -> Result<()> {
        let api = match namespace {
            "" => Api::<Deployment>::all(self.client()),
            _ => Api::namespaced(self.client(), namespace),
        };
        self.wait(&format!("deployments of {namespace}"), limit, async || {
            let all = api.list(&ListParams::default()).await?;
            let waiting: Vec<String> =
                all.iter().filter(|each| !complete(each)).map(ResourceExt::name_any).collect();
            ensure!(waiting.is_empty(), "not available: {}", waiting.join(", "));
            Ok(true)
        })
        .await
    }

    /// The ready endpoints of a Service, all ports, sorted.
    pub async fn ready_endpoints(&self, namespace: &str, service: &str) -> Result<Vec<SocketAddr>> {
        let api = Api::<EndpointSlice>::namespaced(self.client(), namespace);
        let slices = api
            .list(&ListParams::default().labels(&format!("kubernetes.io/service-name={service}")))
            .await?;
        let mut found = Vec::new();
        for slice in slices {
            for endpoint in &slice.endpoints {
                if endpoint.conditions.as_ref().and_then(|conditions| conditions.ready)
                    == Some(false)
                {
                    continue;
                }
                for (address, port) in endpoint.addresses.iter().flat_map(|address| {
                    slice.ports.iter().flatten().map(move |port| (address, port))
                }) {
                    found.push(SocketAddr::new(
                        address.parse()?,
                        port.port.unwrap_or_default() as u16,
                    ));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Waits until a Service has this many ready endpoints.
    pub async fn wait_endpoints(
        &self,
        namespace: &str,
        service: &str,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>> {
        let mut found = Vec::new();
        self.wait(&format!("{count} endpoints of {namespace}/{service}"), limit, async || {
            found = self.ready_endpoints(namespace, service).await?;
            ensure!(found.len() == count, "there are {}", found.len());
            Ok(true)
        })
        .await?;
        Ok(found)
    }

    /// The address of a Service within the cluster, with its first port.
    pub async fn service_address(&self, namespace: &str, name: &str) -> Result<SocketAddr> {
        let service = Api::<Service>::namespaced(self.client(), namespace).get(name).await?;
        let spec = service.spec.context("a Service without spec")?;
        let address: Ipv4Addr = spec.cluster_ip.context("no ClusterIP")?.parse()?;
        let port = spec.ports.iter().flatten().next().context("no port")?.port;
        Ok(SocketAddr::new(address.into(), port as u16))
    }
}

/// [`Cluster::wait`] without a cluster.
pub async fn wait(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let reason = match condition().await {
            Ok(true) => return Ok(()),
            Ok(false) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        if Instant::now() > deadline {
            bail!("waited {limit:?} for {what}{reason}");
        }
        sleep(POLL).await;
    }
}

fn complete(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    status.observed_generation == deployment.metadata.generation
        && [status.updated_replicas, status.replicas, status.available_replicas]
            .iter()
            .all(|count| count.unwrap_or(0) == wanted)
}
