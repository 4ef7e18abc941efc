//! Finding the API server, and waiting until it answers.

use std::{path::PathBuf, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{Node, Pod},
        networking::v1::IngressClass,
    },
    apimachinery::pkg::version::Info,
};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::{
    options::NamespacedName,
    request::{Failure, answer},
};

/// Label of a Node.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Between two tries to reach the API server at the start, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// What no reading may take longer than, watches aside.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(15);
/// How often a refusal to list IngressClasses is asked about again: a server that has just started refuses what it
/// allows a moment later.
const CLASS_TRIES: u32 = 4;
/// And how often after that, spread out so that replicas do not come at once.
const CLASSES_AGAIN: Duration = Duration::from_secs(45);

/// How the API server is found. Without anything set: in-cluster, or else the user's kubeconfig.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--apiserver-host`, a URL.
    pub host: Option<String>,
    /// `--certificate-authority`, PEM; counts with a host only.
    pub authority: Option<PathBuf>,
    /// The pod that this process runs in, from POD_NAMESPACE and POD_NAME.
    pub pod: Option<NamespacedName>,
    /// Whether the zone of its node is asked for (`--enable-topology-aware-routing`).
    pub wants_zone: bool,
}

/// Why no API server can be asked, whether it is there or not.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Neither in a cluster nor told where one is.
    #[error(
        "no cluster to serve: {reason}. Run in a pod with a ServiceAccount, name a kubeconfig with --kubeconfig FILE, serve files with --manifests DIR, or try `headgate demo`"
    )]
    Nowhere {
        /// What was tried.
        reason: String,
    },
    /// A flag names something unusable.
    #[error("{flag}={value}: {reason}")]
    Flag {
        /// The flag's name.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread or its runtime cannot start.
    #[error("the cluster source cannot start: {0}")]
    Thread(#[from] std::io::Error),
}

impl Access {
    /// A client for the API server; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If a flag is unusable, or there is nothing that says where the API server is.
    pub async fn client(&self) -> Result<Client, ClusterError> {
        let mut config = self.config().await?;
        let agent = format!(
            "headgate/{} ({}/{})",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        if let Ok(agent) = agent.parse() {
            config.headers.push((http::header::USER_AGENT, agent));
        }
        Client::try_from(config)
            .map_err(|error| ClusterError::Nowhere { reason: error.to_string() })
    }

    async fn config(&self) -> Result<Config, ClusterError> {
        let url = self.host.as_deref().map(|host| {
            host.parse::<http::Uri>().map_err(|error| ClusterError::Flag {
                flag: "--apiserver-host",
                value: host.into(),
                reason: error.to_string(),
            })
        });
        let mut config = match (&self.kubeconfig, url.transpose()?) {
            (Some(path), url) => {
                let unusable = |reason: String| ClusterError::Flag {
                    flag: "--kubeconfig",
                    value: path.display().to_string(),
                    reason,
                };
                let file =
                    Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
                let options = KubeConfigOptions::default();
                let mut config = Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|error| unusable(error.to_string()))?;
                if let Some(url) = url {
                    config.cluster_url = url;
                }
                config
            }
            (None, Some(url)) => Config::new(url),
            (None, None) => match Config::incluster() {
                Ok(config) => config,
                Err(inside) => {
                    Config::from_kubeconfig(&KubeConfigOptions::default()).await.map_err(
                        |outside| ClusterError::Nowhere { reason: format!("{inside}; {outside}") },
                    )?
                }
            },
        };
        if let (Some(path), Some(_)) = (&self.authority, &self.host) {
            config.root_cert = Some(self.authorities(path)?);
            config.root_cert_file = None;
        }
        Ok(config)
    }

    fn authorities(&self, path: &PathBuf) -> Result<Vec<Vec<u8>>, ClusterError> {
        use rustls_pki_types::{CertificateDer, pem::PemObject};
        let unusable = |reason: String| ClusterError::Flag {
            flag: "--certificate-authority",
            value: path.display().to_string(),
            reason,
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
            .map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("holds no certificate".into()));
        }
        Ok(certificates.iter().map(|certificate| certificate.to_vec()).collect())
    }
}

/// An API server that has answered.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: Client,
    /// Whether the server can send the initial list as a watch, object by object.
    pub streams_lists: bool,
    /// Whether this account may list IngressClasses. As long as it may not, `spec.ingressClassName` means nothing (routing
    /// §1.2).
    pub knows_classes: bool,
    /// The zone of the node that this process runs on, if that was asked for and is known.
    pub zone: Option<String>,
}

impl Connection {
    /// Asks until the API server answers; `say` is told why it does not, each time that reason is another.
    pub async fn open(client: Client, access: &Access, say: impl Fn(String)) -> Self {
        let mut said = String::new();
        let mut pause = Duration::from_millis(200);
        let version = loop {
            match answer(READ_WITHIN, client.apiserver_version()).await {
                Ok(version) => break version,
                Err(failure) => {
                    let reason = failure.to_string();
                    if said != reason {
                        say(format!("the API server does not answer: {reason}"));
                        said = reason;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        };
        let knows_classes = may_list_classes(&client).await;
        tracing::info!(server = version.git_version, "the API server answers");
        if !knows_classes {
            tracing::warn!(
                "listing IngressClasses is forbidden: spec.ingressClassName is ignored, only the annotation kubernetes.io/ingress.class counts; grant get, list and watch on ingressclasses.networking.k8s.io, which is noticed within a minute"
            );
        }
        let zone = if access.wants_zone { zone(&client, access.pod.as_ref()).await } else { None };
        Self { streams_lists: streams_lists(&version), knows_classes, zone, client }
    }
}

/// Streaming lists are on by default from 1.34. Servers that do not know them ignore the request for one, and would
/// never say that the list is complete.
fn streams_lists(version: &Info) -> bool {
    let number = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse::<u32>()
            .unwrap_or(0)
    };
    (number(&version.major), number(&version.minor)) >= (1, 34)
}

/// The zone of the node that a pod runs on.
async fn zone(client: &Client, pod: Option<&NamespacedName>) -> Option<String> {
    let unreadable = |failure: Failure| failure.to_string();
    let found = async {
        let name = pod.ok_or("POD_NAME and POD_NAMESPACE are not set")?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), &name.namespace);
        let pod = answer(READ_WITHIN, pods.get(&name.name)).await.map_err(unreadable)?;
        let node = pod.spec.and_then(|spec| spec.node_name).ok_or("the pod has no node")?;
        let nodes: Api<Node> = Api::all(client.clone());
        let node = answer(READ_WITHIN, nodes.get(&node)).await.map_err(unreadable)?;
        let zone = node.metadata.labels.and_then(|mut labels| labels.remove(ZONE_LABEL));
        zone.ok_or_else(|| format!("the node has no label {ZONE_LABEL}"))
    };
    found
        .await
        .inspect_err(|reason| {
            tracing::warn!(
                "--enable-topology-aware-routing has no effect: the zone is not known: {reason}"
            );
        })
        .ok()
}

async fn may_list_classes(client: &Client) -> bool {
    for _ in 0..CLASS_TRIES {
        match list_one_class(client).await {
            Err(failure) if failure.is_forbidden() => {}
            // Anything else is for the watch to try again.
            _ => return true,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    false
}

/// Returns when IngressClasses may be listed. Asks rarely: that rights are given later is the exception.
pub(super) async fn classes_allowed(client: &Client) {
    loop {
        tokio::time::sleep(CLASSES_AGAIN.mul_f32(0.75 + fastrand::f32() / 2.0)).await;
        if list_one_class(client).await.is_ok() {
            return;
        }
    }
}

async fn list_one_class(client: &Client) -> Result<(), Failure> {
    let classes: Api<IngressClass> = Api::all(client.clone());
    answer(READ_WITHIN, classes.list(&ListParams::default().limit(1))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_streamed_from_1_34_on() {
        for (major, minor, expected) in [
            ("1", "33", false),
            ("1", "34", true),
            ("1", "36+", true),
            ("2", "0", true),
            ("", "", false),
        ] {
            let version = Info { major: major.into(), minor: minor.into(), ..Info::default() };
            assert_eq!(streams_lists(&version), expected, "{major}.{minor}");
        }
    }
}
