//! Namespaces of their own for a cluster: network, processes, mounts, host name. The first process inside owns them all: when it
//! ends, however it ends, the kernel kills the rest and takes network and temporary files back. Needs `unshare` (util-linux).

use std::{
    env, fs, io,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount};

use crate::network;

const INSIDE: &str = "HEADGATE_CLUSTER_INSIDE";

/// Where everything of a cluster is kept. In memory, and visible inside only.
pub(crate) const ROOM: &str = "/run/headgate-cluster";

/// Whether this process was started by [`command`].
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Whether user ids other than root's exist here: not if an ordinary user started the cluster.
pub(crate) fn has_users() -> bool {
    env::var(INSIDE).is_ok_and(|who| who == "root")
}

/// A command that runs `program` as the first process of new namespaces. Its standard input is a pipe: once the other end is
/// closed, the program ends and everything inside with it. A terminal's Ctrl-C does not reach it.
pub fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;

    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--uts", "--kill-child=KILL", "--mount-proc"]);
    if !root {
        command.arg("--map-root-user");
    }
    command.arg("--").arg(program);
    command.env(INSIDE, if root { "root" } else { "user" });
    command.stdin(Stdio::piped()).process_group(0);
    command
}

/// Makes the namespaces habitable. Called once by the program that [`command`] started, before it does anything else.
pub fn enter() -> Result<()> {
    thread::Builder::new().name("parent".into()).spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(3);
    })?;
    // Nothing outside is written to, and nothing has to be cleaned up.
    mount("tmpfs", "/run", "tmpfs", MountFlags::NOSUID, Some(c"mode=755"))
        .context("cannot mount a file system on /run")?;
    fs::create_dir_all(ROOM)?;
    network::start()
}
