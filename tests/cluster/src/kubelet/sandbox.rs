//! What keeps a container's process apart: the pod's network, a root of its own that holds nothing but the image's files, the volumes and
//! the system's shared libraries, and the user it runs as. A thread enters all that and starts the process from there, so the rest of
//! this program notices nothing. Resource limits, seccomp filters and capabilities are not enforced.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::symlink, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context, Result};
use rustix::{
    fs::{Gid, Uid},
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
        mount_change, mount_remount, unmount,
    },
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, chdir, kill_process_group, pidfd_open,
        pidfd_send_signal, pivot_root, waitid,
    },
    system::sethostname,
    thread::{
        LinkNameSpaceType, UnshareFlags, move_into_link_name_space, set_no_new_privs,
        set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
    },
};
use tokio::sync::{oneshot, watch};

/// Folders of the host that programs linked with shared libraries need.
const LIBRARIES: [&str; 4] = ["usr/lib", "usr/lib64", "lib", "lib64"];

/// A folder or file of the host that the container sees.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) source: PathBuf,
    /// Absolute path in the container.
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

/// Who the process is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) groups: Vec<u32>,
    /// Whether it may become more than it is.
    pub(crate) may_escalate: bool,
    /// False where there are no users to become.
    pub(crate) switch: bool,
}

/// Everything that makes a container.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    /// File of the network namespace.
    pub(crate) network: PathBuf,
    /// Empty folder that becomes the root.
    pub(crate) root: PathBuf,
    pub(crate) mounts: Vec<Mount>,
    /// Content of files below `/etc`.
    pub(crate) etc: BTreeMap<&'static str, String>,
    pub(crate) read_only_root: bool,
    pub(crate) host_name: String,
    pub(crate) identity: Identity,
}

/// What runs in it.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: String,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

/// A process in a sandbox.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: u32,
    process: OwnedFd,
    mounts: OwnedFd,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Running {
    /// Sends a signal; to a process that has ended it does nothing.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.process, signal);
    }

    /// Waits for the end. What the process left behind in its group is killed.
    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or_default()
    }
}

/// Builds the container and starts its process.
pub(crate) async fn start(sandbox: Sandbox, program: Program) -> Result<Running> {
    run(program, move || sandbox.enter()).await
}

/// Starts another process in the container of a running one.
pub(crate) async fn start_beside(
    running: &Running,
    sandbox: &Sandbox,
    program: Program,
) -> Result<Running> {
    let (mounts, network, identity) =
        (running.mounts.try_clone()?, sandbox.network.clone(), sandbox.identity.clone());
    run(program, move || {
        move_into_link_name_space(File::open(network)?.as_fd(), Some(LinkNameSpaceType::Network))?;
        leave(UnshareFlags::FS)?;
        move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))?;
        identity.assume()?;
        Ok(mounts)
    })
    .await
}

/// Starts the program from a thread that has gone through `enter`, which returns the mount namespace that it is in then.
async fn run(
    program: Program,
    enter: impl FnOnce() -> Result<OwnedFd> + Send + 'static,
) -> Result<Running> {
    let (started, start) = oneshot::channel();
    let (ended, exit) = watch::channel(None);
    thread::Builder::new().name("container".into()).spawn(move || {
        let launched = program.log().and_then(|log| {
            let mounts = enter()?;
            let child = program.spawn(log)?;
            let pid = Pid::from_child(&child);
            Ok((child, pid, pidfd_open(pid, PidfdFlags::empty())?, mounts))
        });
        match launched {
            Ok((mut child, pid, process, mounts)) => {
                let _ = started.send(Ok((child.id(), process, mounts)));
                // While it is not reaped its id belongs to nobody else, so the group is still its own.
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
                let _ = kill_process_group(pid, Signal::KILL);
                ended.send_replace(child.wait().ok());
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    })?;
    let (id, process, mounts) = start.await.context("the container's thread ended")??;
    Ok(Running { id, process, mounts, exit })
}

impl Program {
    fn log(&self) -> Result<File> {
        File::options()
            .append(true)
            .create(true)
            .open(&self.log)
            .with_context(|| format!("cannot open {}", self.log.display()))
    }

    fn spawn(&self, log: File) -> Result<std::process::Child> {
        let (name, arguments) = self.command.split_first().context("there is no command")?;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        command.spawn().with_context(|| format!("cannot start {name}"))
    }
}

impl Sandbox {
    /// Takes the calling thread in for good. Returns the mount namespace.
    fn enter(&self) -> Result<OwnedFd> {
        move_into_link_name_space(
            File::open(&self.network)?.as_fd(),
            Some(LinkNameSpaceType::Network),
        )
        .context("network")?;
        leave(UnshareFlags::NEWNS | UnshareFlags::NEWUTS).context("namespaces")?;
        // `ip netns` shares its folder: without this, what is unmounted here would be unmounted everywhere.
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        sethostname(self.host_name.as_bytes())?;
        let mounts = File::open("/proc/thread-self/ns/mnt")?.into();
        self.build_root().context("root")?;
        self.identity.assume().context("user")?;
        Ok(mounts)
    }

    fn build_root(&self) -> Result<()> {
        fs::create_dir_all(&self.root)?;
        mount("tmpfs", &self.root, "tmpfs", MountFlags::NOSUID, Some(c"mode=755"))?;
        for name in LIBRARIES {
            self.add_libraries(name).context(name)?;
        }
        for name in ["dev", "proc"] {
            let target = self.root.join(name);
            fs::create_dir(&target)?;
            mount_bind_recursive(Path::new("/").join(name), &target).context(name)?;
        }
        let etc = self.root.join("etc");
        fs::create_dir(&etc)?;
        for (name, content) in &self.etc {
            fs::write(etc.join(name), content)?;
        }
        for mount in &self.mounts {
            mount.attach(&self.root).with_context(|| format!("mount {}", mount.target))?;
        }
        if self.read_only_root {
            mount_remount(
                &self.root,
                MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID,
                c"",
            )?;
        }
        chdir(&self.root)?;
        // The new root over the old one, then the old one away (pivot_root(2), "pivot_root(".", ".")").
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        Ok(chdir("/")?)
    }

    fn add_libraries(&self, name: &str) -> Result<()> {
        let (source, target) = (Path::new("/").join(name), self.root.join(name));
        let Ok(kind) = fs::symlink_metadata(&source) else { return Ok(()) };
        if kind.is_symlink() {
            return Ok(symlink(fs::read_link(&source)?, &target)?);
        }
        fs::create_dir_all(&target)?;
        mount_bind(&source, &target)?;
        Ok(mount_remount(&target, MountFlags::BIND | MountFlags::RDONLY, c"")?)
    }
}

impl Mount {
    fn attach(&self, root: &Path) -> Result<()> {
        let target = root.join(self.target.trim_start_matches('/'));
        if self.source.is_dir() {
            fs::create_dir_all(&target)?;
        } else {
            fs::create_dir_all(target.parent().unwrap_or(root))?;
            File::create(&target)?;
        }
        mount_bind(&self.source, &target)?;
        if self.read_only {
            mount_remount(&target, MountFlags::BIND | MountFlags::RDONLY, c"")?;
        }
        Ok(())
    }
}

impl Identity {
    /// Makes the calling thread, and no other, this user.
    fn assume(&self) -> Result<()> {
        if self.switch {
            let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
            let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
            set_thread_groups(&groups)?;
            set_thread_res_gid(group, group, group)?;
            set_thread_res_uid(user, user, user)?;
        }
        if !self.may_escalate {
            set_no_new_privs(true)?;
        }
        Ok(())
    }
}

/// Takes the calling thread out of what it shares with others.
#[expect(unsafe_code, reason = "only for flags that concern no memory and no open files")]
fn leave(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the one hazard is `FILES`, with which threads would no longer have the same open files; nobody asks for it.
    unsafe { unshare_unsafe(flags & !UnshareFlags::FILES) }?;
    Ok(())
}
