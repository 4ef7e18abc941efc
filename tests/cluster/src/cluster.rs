//! A running cluster, as tests use it.

mod install;
mod observe;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Command, sync::Mutex, task::JoinSet};

pub use self::{
    install::{Gateway, Installation},
    observe::wait,
};

use crate::{
    audit::Audit,
    control_plane::{API_PORT, ControlPlane, server},
    directory::Directory,
    dns, isolation,
    kubelet::{ContainerKey, Kubelet},
    network,
    pki::User,
    programs::{Programs, REPOSITORY},
    proxy,
    settings::Settings,
    storage,
};

const START_LIMIT: Duration = Duration::from_secs(120);

/// A whole cluster in the namespaces that this process is in: real etcd, API server and controllers; stand-ins for scheduler, kubelet,
/// kube-proxy, name server, load balancers and volume provisioner. It ends when it is dropped, and with the process.
pub struct Cluster {
    programs: Programs,
    folder: PathBuf,
    plane: Mutex<ControlPlane>,
    client: Client,
    kubelet: Arc<Kubelet>,
    tasks: JoinSet<()>,
}

/// One of the two API servers that there can be on one etcd. The first is started with the cluster; controllers, kubelet and kubectl
/// use it, and so do pods (through the Service `kubernetes`, which knows both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiServer {
    /// The cluster's own.
    First,
    /// A further one, for what happens while the first is away.
    Second,
}

impl Cluster {
    /// Starts a cluster and waits until pods can be created in the namespace `default`. The process must be inside (see
    /// [`crate::isolation`]), and there can be one cluster in it.
    pub async fn start(settings: &Settings) -> Result<Self> {
        ensure!(
            isolation::is_inside(),
            "a cluster needs namespaces of its own: start it with with_cluster"
        );
        // The choice may have been made before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let programs = Programs::find()?;
        let folder = PathBuf::from(isolation::ROOM);
        let logs = folder.join("logs");
        fs::create_dir_all(&logs)?;
        let plane = ControlPlane::start(&programs, &folder, &logs).await?;
        fs::write(
            folder.join("kubeconfig"),
            plane.pki.kubeconfig(&server(0), plane.pki.token(User::Admin)),
        )?;
        let client = plane.client(0, plane.pki.token(User::Admin)).await?;

        let stand_in = plane.client(0, plane.pki.token(User::StandIn)).await?;
        storage::create_class(&stand_in).await?;
        let (nodes, images) = (settings.nodes.clone(), settings.images(&programs));
        let kubelet =
            Kubelet::new(stand_in.clone(), nodes, images, folder.join("pods"), logs.join("pods"))
                .await?;
        let (directory, following, changed) = Directory::new(&stand_in);
        let mut tasks = JoinSet::new();
        tasks.spawn(following);
        tasks.spawn(proxy::run(stand_in.clone(), directory.clone(), changed));
        tasks.spawn(async {
            if let Err(error) = dns::run(directory).await {
                eprintln!("the name server ended: {error}")
            }
        });
        tasks.spawn(storage::run(stand_in));
        tasks.spawn(Arc::clone(&kubelet).run());
        let cluster = Self { programs, folder, plane: Mutex::new(plane), client, kubelet, tasks };
        let accounts = Api::<ServiceAccount>::namespaced(cluster.client(), "default");
        cluster
            .wait("the default ServiceAccount", START_LIMIT, async || {
                Ok(accounts.get_opt("default").await?.is_some())
            })
            .await?;
        Ok(cluster)
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client of one API server that has only a token, for example of [`Self::token`].
    pub async fn client_with_token(&self, server: ApiServer, token: &str) -> Result<Client> {
        self.plane.lock().await.client(server as usize, token).await
    }

    /// A client of one API server that may do everything.
    pub async fn client_of(&self, server: ApiServer) -> Result<Client> {
        let plane = self.plane.lock().await;
        plane.client(server as usize, plane.pki.token(User::Admin)).await
    }

    /// A kubeconfig with which one may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Writes a kubeconfig for whoever has the token, for programs that are not run as pods.
    pub async fn kubeconfig_with_token(&self, name: &str, token: &str) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.kubeconfig"));
        fs::write(&path, self.plane.lock().await.pki.kubeconfig(&server(0), token))?;
        Ok(path)
    }

    /// The text of a kubeconfig with which one may do everything, for an API server that is reached at `url`.
    pub async fn kubeconfig_for(&self, url: &str) -> String {
        let plane = self.plane.lock().await;
        plane.pki.kubeconfig(url, plane.pki.token(User::Admin))
    }

    /// Where an API server listens.
    pub fn api_address(&self, server: ApiServer) -> SocketAddr {
        SocketAddr::new(network::api_server(server as usize).into(), API_PORT)
    }

    /// Runs kubectl in the root of the repository and returns what it prints; its complaint if it fails.
    pub async fn kubectl<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String> {
        self.kubectl_with(arguments, "").await
    }

    /// [`Self::kubectl`] with text for its standard input (`apply -f -`).
    pub async fn kubectl_with<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<String> {
        let arguments: Vec<S> = arguments.into_iter().collect();
        let output = self.kubectl_output(&arguments, input).await?;
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        ensure!(
            output.status.success(),
            "kubectl {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Everything that a person sees who runs kubectl, warnings and refusals included.
    pub async fn kubectl_output<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<Output> {
        use tokio::io::AsyncWriteExt;

        let mut command = Command::new(&self.programs.apiserver);
        command.arg("kubectl").arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command.arg("--cache-dir").arg(self.folder.join("kubectl-cache"));
        command.current_dir(REPOSITORY).env_clear().env("HOME", &self.folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run kubectl")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        Ok(child.wait_with_output().await?)
    }

    /// A real token of a ServiceAccount, good for an hour.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let token = self.kubectl(["create", "token", account, "-n", namespace]).await?;
        Ok(token.trim().to_owned())
    }

    /// SIGKILL for an API server. All connections to it break, and new ones are refused.
    pub async fn kill_api_server(&self, server: ApiServer) {
        self.plane.lock().await.kill_api_server(server as usize);
    }

    /// Starts an API server that does not run, and waits until it is ready.
    pub async fn start_api_server(&self, server: ApiServer) -> Result<()> {
        let mut plane = self.plane.lock().await;
        plane.start_api_server(server as usize)?;
        plane.wait_ready(server as usize).await
    }

    /// Throws away the history of all objects up to now; watches that would go on from before then are told 410 by an API server that
    /// has been started since. Returns the revision up to which history is gone.
    pub async fn compact(&self) -> Result<i64> {
        self.plane.lock().await.compact().await
    }

    /// The audit log of both API servers, without what the cluster's own parts do.
    pub async fn audit(&self) -> Result<Audit> {
        let plane = self.plane.lock().await;
        let mut audit = Audit::default();
        for index in 0..2 {
            audit.read(&plane.audit_log(index))?;
        }
        Ok(audit)
    }

    /// Ids of the control plane's processes: etcd first, then API servers and controllers.
    pub async fn control_plane_processes(&self) -> Vec<u32> {
        self.plane.lock().await.processes()
    }

    /// Processes of containers, by namespace, pod and container.
    pub fn containers(&self) -> BTreeMap<ContainerKey, u32> {
        self.kubelet.processes()
    }

    /// Sends a signal to the process of a pod's only or first container, past everything that Kubernetes would do first.
    pub fn signal_pod(&self, namespace: &str, pod: &str, signal: Signal) -> Result<()> {
        let containers = self.containers();
        let found = containers
            .iter()
            .find(|((in_namespace, of_pod, _), _)| in_namespace == namespace && of_pod == pod);
        let (_, id) = found.with_context(|| format!("no container of {namespace}/{pod} runs"))?;
        let id = Pid::from_raw(*id as i32).context("not a process id")?;
        Ok(kill_process(id, signal)?)
    }

    /// What a pod's containers have written so far, also if the pod is gone.
    pub fn pod_log(&self, namespace: &str, pod: &str, container: &str) -> Result<String> {
        let path = self.kubelet.log(&(namespace.into(), pod.into(), container.into()));
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Folder with everything that was logged: control plane, audit, pods.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The programs of this cluster.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Copies all logs to a folder outside.
    pub fn save_logs(&self, target: &Path) -> Result<()> {
        save_logs(target).map(drop)
    }

    /// Whether one of the stand-ins has ended, which none of them should.
    pub fn is_whole(&mut self) -> bool {
        self.tasks.try_join_next().is_none()
    }
}

/// Copies what a cluster in this process's namespaces has logged; false if there is nothing.
pub(crate) fn save_logs(target: &Path) -> Result<bool> {
    fn copy(from: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy(&entry.path(), &target)?;
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    }
    let logs = Path::new(isolation::ROOM).join("logs");
    if !logs.exists() {
        return Ok(false);
    }
    copy(&logs, target)?;
    Ok(true)
}
