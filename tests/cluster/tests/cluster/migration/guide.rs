//! The commands of the overlay's README, run as they stand there.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use headgate_cluster::Cluster;
use tokio::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const GUIDE: &str = "manifests/install/overlays/replace-ingress-nginx/README.md";
/// What separates the way there from the way back.
const UNDO: &str = "\nUndo";

/// The guide, and the cluster that it is followed in.
pub struct Guide<'a> {
    text: String,
    cluster: &'a Cluster,
}

impl<'a> Guide<'a> {
    pub fn read(cluster: &'a Cluster) -> Result<Self> {
        Ok(Self { text: fs::read_to_string(format!("{REPOSITORY}/{GUIDE}"))?, cluster })
    }

    /// Runs the commands of a step, in their order.
    pub async fn follow(&self, step: &str) -> Result<()> {
        let (there, _) = self.step(step)?;
        self.run(step, there).await
    }

    /// Runs the commands that undo a step.
    pub async fn undo(&self, step: &str) -> Result<()> {
        let (_, back) = self.step(step)?;
        self.run(&format!("undoing {step}"), back).await
    }

    /// The text of a step, and that of its undoing.
    fn step(&self, title: &str) -> Result<(&str, &str)> {
        let sections = self.text.split("\n## ");
        let section = sections.into_iter().find(|section| section.starts_with(title));
        let section = section.with_context(|| format!("the guide has no step {title:?}"))?;
        section.split_once(UNDO).with_context(|| format!("{title:?} cannot be undone"))
    }

    /// Runs what is set as code, in one shell, with a `kubectl` that knows this cluster.
    async fn run(&self, what: &str, text: &str) -> Result<()> {
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        ensure!(!lines.is_empty(), "{what}: there are no commands");
        // The program is kubectl under another name; for `xargs` it has to be one.
        let tools = tempfile::tempdir()?;
        let kubectl = tools.path().join("kubectl");
        fs::write(&kubectl, "#!/bin/sh\nexec \"$KUBE\" kubectl \"$@\"\n")?;
        fs::set_permissions(&kubectl, Permissions::from_mode(0o755))?;
        let path = env::var("PATH").unwrap_or_default();
        let script = lines.join("\n");
        let mut command = Command::new("bash");
        command.args(["-euc", &script]).current_dir(REPOSITORY).kill_on_drop(true);
        command.env("PATH", format!("{}:{path}", tools.path().display()));
        command.env("KUBE", &self.cluster.programs().apiserver);
        command.env("KUBECONFIG", self.cluster.kubeconfig());
        let output = command.stdin(Stdio::null()).output().await?;
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        eprintln!("{what}:\n{said}");
        ensure!(output.status.success(), "{what}: {script}\n{complaint}");
        Ok(())
    }
}
