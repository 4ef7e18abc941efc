//! Where the programs under test and the Kubernetes control plane are found.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

/// Root of the repository: where `manifests` is.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The programs that a cluster runs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// etcd, kube-apiserver, kube-controller-manager and kubectl in one.
    pub apiserver: PathBuf,
    /// The `headgate` binary, for images of that name.
    pub headgate: PathBuf,
    /// The `backends` binary, for images of that name.
    pub backends: PathBuf,
}

impl Programs {
    /// The programs named in `HEADGATE_APISERVER`, `HEADGATE_BIN` and `BACKENDS_BIN`; without them what `scripts/apiserver` built, and
    /// what lies beside the running program in cargo's target folder. Says what to run if one is missing.
    pub fn find() -> Result<Self> {
        let apiserver = match env::var_os("HEADGATE_APISERVER") {
            Some(path) => path.into(),
            None => built_apiserver()?,
        };
        ensure!(apiserver.exists(), "there is no {}: run scripts/apiserver", apiserver.display());
        Ok(Self {
            apiserver,
            headgate: find("headgate", "HEADGATE_BIN")?,
            backends: find("backends", "BACKENDS_BIN")?,
        })
    }
}

fn built_apiserver() -> Result<PathBuf> {
    let script = Path::new(REPOSITORY).join("scripts/apiserver");
    let output = Command::new(&script)
        .arg("--print")
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

fn find(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        let path = Path::new(REPOSITORY).join(path);
        return path.canonicalize().with_context(|| format!("{variable} names {}", path.display()));
    }
    let own = env::current_exe()?;
    // Tests are one folder deeper than programs.
    match own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
    {
        Some(path) => Ok(path),
        None => bail!(
            "there is no {name} beside {}: run cargo build -p {name}, or set {variable}",
            own.display()
        ),
    }
}
