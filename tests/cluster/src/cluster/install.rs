//! headgate in a cluster, as `manifests/install` installs it: with the identity and the rights of its own ServiceAccount.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Service,
};
use kube::Api;

use super::Cluster;

const LIMIT: Duration = Duration::from_secs(180);
/// What installs headgate.
const MANIFESTS: &str = "manifests/install";
/// Name of headgate's namespace, and of the most important objects in it.
const HEADGATE: &str = "headgate";
/// Name of the webhook's configuration and Service.
const WEBHOOK: &str = "headgate-admission";

/// How headgate is installed.
#[derive(Debug, Clone)]
pub struct Installation {
    /// How many replicas. The autoscaler has no metrics here and wants two at least.
    pub replicas: u32,
    /// Arguments that take the place of those of the same flag in the manifests, such as `--election-ttl=10`; others are added.
    pub arguments: Vec<String>,
}

impl Default for Installation {
    fn default() -> Self {
        Self { replicas: 2, arguments: Vec::new() }
    }
}

/// Where an installed headgate is reached: its load balancer.
#[derive(Debug, Clone, Copy)]
pub struct Gateway {
    /// Plain HTTP.
    pub http: SocketAddr,
    /// HTTPS.
    pub https: SocketAddr,
}

impl Cluster {
    /// Installs headgate and waits until all replicas serve and the API server asks it about Ingresses.
    pub async fn install_headgate(&self, installation: &Installation) -> Result<Gateway> {
        if installation.arguments.is_empty() {
            self.kubectl(["apply", "-k", MANIFESTS]).await?;
        } else {
            let rendered = self.kubectl(["kustomize", MANIFESTS]).await?;
            let changed = with_arguments(&rendered, &installation.arguments)?;
            self.kubectl_with(["apply", "-f", "-"], &changed).await?;
        }
        // The autoscaler would say so, too, some fifteen seconds later.
        let replicas = format!("--replicas={}", installation.replicas);
        self.kubectl(["scale", "deployment/headgate", "-n", HEADGATE, &replicas]).await?;
        self.wait_deployments(HEADGATE, LIMIT).await?;
        for service in [HEADGATE, WEBHOOK] {
            let api = Api::<Service>::namespaced(self.client(), HEADGATE);
            let ports = api.get(service).await?.spec.and_then(|spec| spec.ports);
            let count = installation.replicas as usize * ports.unwrap_or_default().len();
            self.wait_endpoints(HEADGATE, service, count, LIMIT).await?;
        }
        self.wait_webhook().await?;
        let address = self.load_balancer(HEADGATE, HEADGATE).await?;
        Ok(Gateway {
            http: SocketAddr::new(address.ip(), 80),
            https: SocketAddr::new(address.ip(), 443),
        })
    }

    /// Waits until the configuration of headgate's webhook trusts its certificate.
    async fn wait_webhook(&self) -> Result<()> {
        let api = Api::<ValidatingWebhookConfiguration>::all(self.client());
        self.wait("the webhook's certificate", LIMIT, async || {
            let webhooks = api.get(WEBHOOK).await?.webhooks.unwrap_or_default();
            ensure!(!webhooks.is_empty(), "there is no webhook");
            Ok(webhooks.iter().all(|webhook| webhook.client_config.ca_bundle.is_some()))
        })
        .await
    }

    /// Waits for the address of a Service of type LoadBalancer; its first port is told with it.
    pub async fn load_balancer(&self, namespace: &str, name: &str) -> Result<SocketAddr> {
        let api = Api::<Service>::namespaced(self.client(), namespace);
        let mut found = None;
        self.wait(&format!("the load balancer of {namespace}/{name}"), LIMIT, async || {
            let service = api.get(name).await?;
            let balancer = service.status.and_then(|status| status.load_balancer);
            let given = balancer.and_then(|balancer| balancer.ingress).unwrap_or_default();
            let ip = given.into_iter().find_map(|ingress| ingress.ip).context("no address yet")?;
            let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
            let port = ports.first().context("no port")?.port as u16;
            found = Some(SocketAddr::new(ip.parse()?, port));
            Ok(true)
        })
        .await?;
        found.context("no address")
    }
}

/// The manifests with other arguments for the controller's container.
fn with_arguments(rendered: &str, arguments: &[String]) -> Result<String> {
    let mut lines: Vec<String> = rendered.lines().map(str::to_owned).collect();
    let flag_of = |argument: &str| argument.split('=').next().unwrap_or(argument).to_owned();
    for argument in arguments {
        let flag = flag_of(argument);
        let is_argument = |line: &str| line.trim_start().starts_with("- --");
        let same = |line: &str| {
            line.trim_start().strip_prefix("- ").is_some_and(|own| flag_of(own) == flag)
        };
        let first = lines.iter().position(|line| is_argument(line)).context("no arguments")?;
        let indent = lines[first].len() - lines[first].trim_start().len();
        let line = format!("{}- {argument}", " ".repeat(indent));
        match lines.iter().position(|line| is_argument(line) && same(line)) {
            Some(at) => lines[at] = line,
            None => lines.insert(first, line),
        }
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::with_arguments;

    #[test]
    fn an_argument_replaces_its_flag_or_is_added() {
        let rendered = "containers:\n  - args:\n    - --ttl=30\n    - --ttl-other=1\n    name: x";
        let changed = with_arguments(rendered, &["--ttl=10".into(), "--new".into()]).unwrap();
        let expected =
            "containers:\n  - args:\n    - --new\n    - --ttl=10\n    - --ttl-other=1\n    name: x";
        assert_eq!(changed, expected);
        assert!(with_arguments("nothing", &["--new".into()]).is_err());
    }
}
