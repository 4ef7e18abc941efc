//! A cluster leaves nothing behind, however its program ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use headgate_cluster::Programs;
use rustix::process::{Pid, Signal, kill_process};

const SOON: Duration = Duration::from_secs(120);

/// An empty cluster, as a person starts it.
struct Started {
    program: Child,
    kubeconfig: PathBuf,
    /// What the kernel calls the namespace of its processes.
    namespace: PathBuf,
}

impl Started {
    fn new() -> Self {
        let free: Vec<TcpListener> =
            (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
        command.arg("--empty");
        let names = ["--http-port", "--https-port", "--admin-port", "--api-port"];
        for (listener, name) in free.iter().zip(names) {
            command.arg(name).arg(listener.local_addr().unwrap().port().to_string());
        }
        drop(free);
        let mut program = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let kubeconfig = lines
            .find_map(|line| line.trim().strip_prefix("export KUBECONFIG=").map(PathBuf::from));
        let kubeconfig = kubeconfig.expect("the cluster starts");
        // Keeps the pipe open.
        thread::spawn(move || lines.count());
        let unshare = child_of(program.id());
        let first = child_of(unshare);
        let namespace = fs::read_link(format!("/proc/{first}/ns/pid")).unwrap();
        Self { program, kubeconfig, namespace }
    }

    /// How many processes are in the cluster.
    fn processes(&self) -> usize {
        let inside = |id: &u32| {
            fs::read_link(format!("/proc/{id}/ns/pid")).is_ok_and(|link| link == self.namespace)
        };
        all().into_iter().filter(inside).count()
    }

    fn wait_for_nobody(&self) {
        let deadline = Instant::now() + SOON;
        while self.processes() > 0 {
            assert!(Instant::now() < deadline, "{} processes are left", self.processes());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn child_of(parent: u32) -> u32 {
    let line = format!("PPid:\t{parent}");
    let is_child = |id: &u32| {
        fs::read_to_string(format!("/proc/{id}/status"))
            .is_ok_and(|status| status.lines().any(|each| each == line))
    };
    all().into_iter().find(is_child).expect("it has a child")
}

#[test]
fn ctrl_c_ends_everything() {
    let mut cluster = Started::new();
    assert!(cluster.processes() >= 4);
    let kubectl = Programs::find().unwrap().apiserver;
    let status = Command::new(kubectl)
        .args(["kubectl", "get", "nodes", "--kubeconfig"])
        .arg(&cluster.kubeconfig)
        .status()
        .unwrap();
    assert!(status.success(), "the API is not reached from outside");

    kill_process(Pid::from_child(&cluster.program), Signal::INT).unwrap();
    assert!(cluster.program.wait().unwrap().success());
    cluster.wait_for_nobody();
    assert!(!cluster.kubeconfig.exists(), "its folder is still there");
}

#[test]
fn a_program_that_is_killed_takes_everything_with_it() {
    let mut cluster = Started::new();
    assert!(cluster.processes() >= 4);
    cluster.program.kill().unwrap();
    cluster.program.wait().unwrap();
    cluster.wait_for_nobody();
    fs::remove_dir_all(cluster.kubeconfig.parent().unwrap()).unwrap();
}
