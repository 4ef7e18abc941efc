//! The API server's own opinion of `manifests/install` and of its overlay, before anything is changed.

use anyhow::{Result, ensure};
use headgate_cluster::{Cluster, Settings, with_cluster};

/// With it the API server complains of Deployments whose pods the strictest policy would not let in.
const RESTRICTED: &str = "pod-security.kubernetes.io/warn=restricted";

#[test]
fn an_api_server_takes_the_installation_and_its_overlay() {
    with_cluster(Settings::default(), async |cluster| {
        let overlay = "manifests/install/overlays/replace-ingress-nginx";
        for (folder, namespace) in [("manifests/install", "headgate"), (overlay, "ingress-nginx")] {
            // A dry run creates no namespace, and without one nothing can be in it.
            cluster.kubectl(["create", "namespace", namespace]).await?;
            cluster.kubectl(["label", "namespace", namespace, RESTRICTED]).await?;
            let rendered = cluster.kubectl(["kustomize", folder]).await?;
            let count = rendered.lines().filter(|line| line.starts_with("kind: ")).count();
            for validation in ["--validate=strict", "--server-side"] {
                let taken = dry_run(cluster, folder, validation).await?;
                ensure!(taken == count, "{folder}: {taken} of {count} objects");
            }
            eprintln!("{folder}: {count} objects are taken");
        }
        let left =
            cluster.kubectl(["get", "deployments,ingressclasses", "-A", "-o", "name"]).await?;
        ensure!(left.is_empty(), "a dry run has made {left}");
        Ok(())
    });
}

/// How many objects the API server takes without a complaint.
async fn dry_run(cluster: &Cluster, folder: &str, option: &str) -> Result<usize> {
    let apply = ["apply", "-k", folder, "--dry-run=server", option];
    let output = cluster.kubectl_output(apply, "").await?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    // It is about the annotation that `apply` has not yet left on the namespace, and it is not there to stay.
    let is_expected =
        |line: &str| line.contains("kubectl.kubernetes.io/last-applied-configuration");
    let complaints: Vec<_> = complaints.lines().filter(|line| !is_expected(line)).collect();
    ensure!(output.status.success() && complaints.is_empty(), "{folder}: {complaints:?}");
    let taken = String::from_utf8(output.stdout)?;
    Ok(taken.lines().filter(|line| line.ends_with("(server dry run)")).count())
}
