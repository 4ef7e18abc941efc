//! The program as `/wait-shutdown`: what Deployments made for ingress-nginx call before a container is stopped. Asks the
//! controller of the same container to stop, and returns when it is gone (operations §8).

use std::{fs, path::Path, thread, time::Duration};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// The name that the image has for this.
pub const NAME: &str = "wait-shutdown";

/// The controller as the kernel knows it: the executable's name, of which it keeps 15 bytes.
const CONTROLLERS: [&str; 2] = ["headgate", "nginx-ingress-c"];
/// What process 1 is where the containers of a pod share their processes.
const PAUSE: &str = "pause";
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Stops the controller of this container and waits for its end. There is no limit of time here: whoever calls has one.
///
/// # Errors
///
/// If there is no controller, or it must not be signalled.
pub fn run() -> anyhow::Result<()> {
    let processes = Path::new("/proc");
    let controller = controller(processes)?;
    let pid = Pid::from_raw(controller).context("no process has the number 0")?;
    kill_process(pid, Signal::TERM).with_context(|| format!("cannot signal process {pid:?}"))?;
    while is_controller(processes, controller) {
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// The controller's process: the first one of the container. Nothing else is looked at outside a container, where a process
/// of that name may be anybody's.
fn controller(processes: &Path) -> anyhow::Result<i32> {
    if is_controller(processes, 1) {
        return Ok(1);
    }
    let first = name(processes, 1).unwrap_or_default();
    anyhow::ensure!(first == PAUSE, "process 1 is {first:?} and not the controller");
    // Containers that share their processes still differ in their control group.
    let group = |process: &str| fs::read(processes.join(process).join("cgroup")).ok();
    let own = group("self").context("/proc/self/cgroup cannot be read")?;
    fs::read_dir(processes)
        .context("/proc cannot be read")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(|&id: &i32| {
            is_controller(processes, id) && group(&id.to_string()).as_ref() == Some(&own)
        })
        .context("there is no controller in this container")
}

fn is_controller(processes: &Path, id: i32) -> bool {
    name(processes, id).is_some_and(|name| CONTROLLERS.contains(&name.as_str()))
}

fn name(processes: &Path, id: i32) -> Option<String> {
    let name = fs::read_to_string(processes.join(id.to_string()).join("comm")).ok()?;
    Some(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder like /proc: processes by number, name and control group; the first is the one that asks.
    fn processes(them: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (id, name, group) in them {
            let process = folder.path().join(id);
            fs::create_dir(&process).unwrap();
            fs::write(process.join("comm"), format!("{name}\n")).unwrap();
            fs::write(process.join("cgroup"), group).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_process_of_a_container_is_the_controller() {
        for name in CONTROLLERS {
            let folder = processes(&[("self", NAME, "0::/"), ("1", name, "0::/")]);
            assert_eq!(controller(folder.path()).unwrap(), 1);
        }
    }

    #[test]
    fn among_shared_processes_it_is_the_one_of_the_same_container() {
        let folder = processes(&[
            ("self", NAME, "0::/"),
            ("1", PAUSE, "0::/../pause"),
            ("12", "headgate", "0::/../other"),
            ("23", "sidecar", "0::/"),
            ("34", "headgate", "0::/"),
        ]);
        assert_eq!(controller(folder.path()).unwrap(), 34);
    }

    #[test]
    fn outside_a_container_nobody_is_stopped() {
        let folder = processes(&[
            ("self", NAME, "0::/"),
            ("1", "systemd", "0::/"),
            ("9", "headgate", "0::/"),
        ]);
        let error = controller(folder.path()).unwrap_err().to_string();
        assert_eq!(error, "process 1 is \"systemd\" and not the controller");
    }
}
