//! The real control plane: one etcd, up to two API servers on it, the controllers. Started, killed and started again by tests.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::{net::TcpStream, time::sleep};

use crate::{
    http, network,
    pki::{Pki, User},
    process::Process,
    programs::Programs,
};

/// Port of every API server.
pub(crate) const API_PORT: u16 = 6443;
const ETCD: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2379);
/// On a machine where others work, starting may take long; it takes three seconds on an idle one.
const START_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// Everything is logged but what the cluster's own parts do, and reading events.
const AUDIT_POLICY: &str = r#"{
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["stand-in", "system:kube-controller-manager", "system:apiserver"]},
        {"level": "Metadata"}
    ]
}"#;

/// Processes and files of a control plane. Everything ends when it is dropped.
pub(crate) struct ControlPlane {
    program: PathBuf,
    logs: PathBuf,
    /// The cluster's secrets.
    pub(crate) pki: Pki,
    folder: PathBuf,
    etcd: Process,
    api_servers: [Option<Process>; 2],
    controllers: Option<Process>,
}

impl ControlPlane {
    /// Starts etcd, one API server and the controllers, with their files below `folder`. Returns as soon as the API server is ready.
    pub(crate) async fn start(programs: &Programs, folder: &Path, logs: &Path) -> Result<Self> {
        let pki = Pki::new(&folder.join("pki"))?;
        fs::write(folder.join("audit-policy.json"), AUDIT_POLICY)?;
        let data = folder.join("etcd");
        let mut command = Command::new(&programs.apiserver);
        command.arg("etcd").arg("--data-dir").arg(&data);
        let mut etcd = Process::start("etcd", &mut command, logs)?;
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(ETCD).await.is_err() {
            etcd.check()?;
            ensure!(Instant::now() < deadline, "etcd does not listen");
            sleep(POLL).await;
        }
        let mut plane = Self {
            program: programs.apiserver.clone(),
            logs: logs.to_owned(),
            pki,
            folder: folder.to_owned(),
            etcd,
            api_servers: [None, None],
            controllers: None,
        };
        plane.start_api_server(0)?;
        plane.wait_ready(0).await?;
        plane.start_controllers()?;
        Ok(plane)
    }

    /// Starts an API server; [`Self::wait_ready`] tells when it serves.
    pub(crate) fn start_api_server(&mut self, index: usize) -> Result<()> {
        ensure!(self.api_servers[index].is_none(), "API server {index} runs already");
        let address = network::api_server(index);
        let file = |name: &str| self.pki.file(name);
        let log = self.audit_log(index);
        let mut command = Command::new(&self.program);
        command.arg("kube-apiserver").args([
            format!("--etcd-servers=http://{ETCD}"),
            format!("--bind-address={address}"),
            format!("--advertise-address={address}"),
            format!("--secure-port={API_PORT}"),
            format!("--service-cluster-ip-range={}", network::SERVICE_RANGE),
            format!("--cert-dir={}", self.folder.join(format!("api-{index}")).display()),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=Node,RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            format!("--service-account-key-file={}", file("service-account.pub")),
            format!("--service-account-signing-key-file={}", file("service-account.key")),
            format!("--audit-policy-file={}", self.folder.join("audit-policy.json").display()),
            format!("--audit-log-path={}", log.display()),
            "--profiling=false".into(),
            // The stand-in for the kubelet serves logs with a certificate that nobody signed.
            "--kubelet-preferred-address-types=InternalIP".into(),
            // Compaction is for tests to ask for.
            "--etcd-compaction-interval=0".into(),
        ]);
        self.api_servers[index] =
            Some(Process::start(&format!("kube-apiserver-{index}"), &mut command, &self.logs)?);
        Ok(())
    }

    /// Waits until the API server says that it is ready.
    pub(crate) async fn wait_ready(&mut self, index: usize) -> Result<()> {
        let client = self.client(index, self.pki.token(User::Admin)).await?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let process =
                self.api_servers[index].as_mut().context("the API server was not started")?;
            process.check()?;
            let request = http_get("/readyz")?;
            let Err(error) = client.request_text(request).await else { return Ok(()) };
            if Instant::now() > deadline {
                bail!("API server {index} is not ready: {error}");
            }
            sleep(POLL).await;
        }
    }

    /// Kills an API server; connections to it break. Nothing happens if it does not run.
    pub(crate) fn kill_api_server(&mut self, index: usize) {
        self.api_servers[index] = None;
    }

    fn start_controllers(&mut self) -> Result<()> {
        let kubeconfig = self.folder.join("controllers.kubeconfig");
        fs::write(&kubeconfig, self.pki.kubeconfig(&server(0), self.pki.token(User::Controllers)))?;
        let mut command = Command::new(&self.program);
        command.arg("kube-controller-manager").args([
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=*,-nodeipam,-nodelifecycle".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            format!("--root-ca-file={}", self.pki.file("ca.crt")),
            format!("--service-account-private-key-file={}", self.pki.file("service-account.key")),
            // Large sets are made quickly.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
        ]);
        self.controllers =
            Some(Process::start("kube-controller-manager", &mut command, &self.logs)?);
        Ok(())
    }

    /// Throws away the history of all objects up to now, and returns the revision up to which it is gone.
    pub(crate) async fn compact(&self) -> Result<i64> {
        let now = etcd("/v3/kv/range", r#"{"key": "AA=="}"#).await?;
        let revision = now
            .pointer("/header/revision")
            .and_then(Value::as_str)
            .context("etcd tells no revision")?;
        etcd("/v3/kv/compaction", &format!(r#"{{"revision": "{revision}", "physical": true}}"#))
            .await?;
        Ok(revision.parse()?)
    }

    /// A client of one API server.
    pub(crate) async fn client(&self, index: usize, token: &str) -> Result<Client> {
        let kubeconfig = Kubeconfig::from_yaml(&self.pki.kubeconfig(&server(index), token))?;
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    /// Where an API server writes the audit log.
    pub(crate) fn audit_log(&self, index: usize) -> PathBuf {
        self.logs.join(format!("audit-{index}.log"))
    }

    /// Ids of the processes that run: etcd, API servers, controllers.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let others = self.api_servers.iter().chain([&self.controllers]).flatten();
        [&self.etcd].into_iter().chain(others).map(Process::id).collect()
    }
}

/// The URL of an API server.
pub(crate) fn server(index: usize) -> String {
    format!("https://{}:{API_PORT}", network::api_server(index))
}

/// A GET for [`Client::request_text`].
pub(crate) fn http_get(path: &str) -> Result<::http::Request<Vec<u8>>> {
    Ok(::http::Request::get(path).body(Vec::new())?)
}

async fn etcd(path: &str, body: &str) -> Result<Value> {
    let (status, answer) =
        http::request(ETCD, &format!("POST {path}"), &format!("Host: {ETCD}\r\n"), body).await?;
    ensure!(status == 200, "etcd answers {status} to {path}: {answer}");
    Ok(serde_json::from_str(&answer)?)
}
