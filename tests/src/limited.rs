//! The scene of the programs that look at limits: one host with one limited Ingress, an upstream, and the settings.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;

use crate::{
    echo::Echo,
    gateway::Program,
    manifests::{self, Folder, Ingress},
};

const NAMESPACE: &str = "limited";
/// The host that is asked.
pub const HOST: &str = "limited.example";
/// The status of a request too many, to be told from that of a store that cannot be asked.
pub const TOO_MANY: u16 = 429;

/// A folder of manifests with the upstream that they name.
pub struct Scene {
    folder: Folder,
    _upstream: Echo,
}

impl Scene {
    /// Makes it below `parent`, without a limit.
    pub async fn new(parent: &Path) -> Result<Self> {
        let folder = Folder::new(parent)?;
        let upstream = Echo::start("app", ([127, 0, 0, 1], 0).into()).await?;
        folder.write("class", &manifests::ingress_class())?;
        folder.write("service", &manifests::service(NAMESPACE, "app"))?;
        let (ip, port) = (upstream.address().ip().to_string(), upstream.address().port());
        let slice = manifests::endpoint_slice(NAMESPACE, "app", port, [ip.as_str()]);
        folder.write("slice", &slice)?;
        let scene = Self { folder, _upstream: upstream };
        scene.limit(&[])?;
        Ok(scene)
    }

    /// What the gateway is pointed at.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with the flag that it needs for the settings.
    pub fn program(program: &Program) -> Program {
        let args = format!("{} --configmap {NAMESPACE}/settings", program.headgate_args);
        Program { headgate_args: args, ..program.clone() }
    }

    /// Gives the Ingress these annotations, by their names behind the prefix, or by full ones.
    pub fn limit(&self, annotations: &[(&str, &str)]) -> Result<()> {
        let ingress = Ingress::new(NAMESPACE, "app").prefix(HOST, "/", "app");
        let annotate =
            |ingress: Ingress, (name, value): &(&str, &str)| ingress.annotation(name, value);
        self.folder.write("ingress", &annotations.iter().fold(ingress, annotate).text())
    }

    /// Sets these keys of the ConfigMap, and those that all need.
    pub fn configure(&self, keys: &[(&str, &str)]) -> Result<()> {
        let status = TOO_MANY.to_string();
        let common = [("keep-alive-requests", "1000000000"), ("limit-req-status-code", &status)];
        let mut text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: {NAMESPACE}\ndata:\n"
        );
        for (key, value) in common.iter().chain(keys) {
            let _ = writeln!(text, "  {key}: \"{value}\"");
        }
        self.folder.write("settings", &text)
    }
}
