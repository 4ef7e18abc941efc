//! The network of a cluster: one bridge for the pods, each pod in a network namespace of its own, as on a real node; the addresses of
//! Services are in one more; those for test programs are local where the tests run. Needs `ip` (iproute2).

use std::{
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// ClusterIPs are given from here.
pub const SERVICE_RANGE: &str = "10.96.0.0/16";
/// Services of type LoadBalancer get an address from here.
const BALANCER_RANGE: &str = "10.97.0.0/16";
/// The cluster's name server.
pub(crate) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Pods with numbers above this one do not exist.
const LAST_POD: u32 = 65_000;

/// Address of an API server. Every one has its own, all of them the same port.
pub(crate) fn api_server(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(172, 20, 0, 10 + index as u8)
}

/// Address of a node.
pub(crate) fn node(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(172, 20, 1, 1 + index as u8)
}

/// Address of the `number`th pod that ever lived; the first are the bridge's. They start again after some 65,000 pods.
fn pod(number: u32) -> Ipv4Addr {
    let host = 10 + number % LAST_POD;
    Ipv4Addr::new(10, 244, (host >> 8) as u8, (host & 0xff) as u8)
}

/// The `number`th address for Services of type LoadBalancer.
pub(crate) fn load_balancer(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 97, 0, number)
}

/// Address `number` (up to 65,000) for upstreams that a test serves itself: no process is on it until the test binds it, and unlike
/// loopback addresses an EndpointSlice takes it.
pub fn test_upstream(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 245, high, low)
}

/// Where the addresses of Services are served. Not the namespace that tests are in, where they listen on ports of their own.
const SERVICES: &str = "services";

/// Brings up the network of the namespace that this process is in.
pub(crate) fn start() -> Result<()> {
    ip(
        &[],
        &format!(
            "link set lo up
             route add local 10.245.0.0/16 dev lo
             route add local 172.20.0.0/16 dev lo
             link add pods type bridge
             addr add 10.244.0.1/16 dev pods
             link set pods up
             netns add {SERVICES}
             link add {SERVICES} type veth peer name eth0 netns {SERVICES}
             addr add 169.254.1.1/30 dev {SERVICES}
             link set {SERVICES} up
             route add {SERVICE_RANGE} via 169.254.1.2
             route add {BALANCER_RANGE} via 169.254.1.2"
        ),
    )?;
    ip(
        &["-n", SERVICES],
        &format!(
            "link set lo up
             addr add 169.254.1.2/30 dev eth0
             link set eth0 up
             route add default via 169.254.1.1
             route add local {SERVICE_RANGE} dev lo
             route add local {BALANCER_RANGE} dev lo"
        ),
    )?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")
        .context("cannot forward between pods and Services")
}

/// Makes something where the addresses of Services are: a socket stays where it was made.
pub(crate) fn among_services<T: Send + 'static>(
    make: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    within(&namespace(SERVICES), make)
}

fn namespace(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

/// Calls a function from a thread in another network namespace.
fn within<T: Send + 'static>(
    namespace: &Path,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let namespace = File::open(namespace)?;
    let thread = thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        call()
    });
    thread.join().unwrap_or_else(|_| bail!("the thread ended"))
}

/// A pod's network namespace with its address; gone when dropped.
pub(crate) struct PodNetwork {
    name: String,
    /// The pod's address.
    pub(crate) address: Ipv4Addr,
}

impl PodNetwork {
    /// Makes the namespace of the `number`th pod. Its host is the bridge, through which it reaches everything else.
    pub(crate) fn new(number: u32) -> Result<Self> {
        let network = Self { name: format!("pod-{number}"), address: pod(number) };
        let (name, address) = (&network.name, network.address);
        ip(
            &[],
            &format!(
                "netns add {name}\nlink add {name} type veth peer name eth0 netns {name}\nlink set {name} master pods up"
            ),
        )?;
        ip(
            &["-n", name],
            &format!(
                "link set lo up
                 addr add {address}/16 dev eth0
                 link set eth0 up
                 route add default via 10.244.0.1"
            ),
        )?;
        Ok(network)
    }

    /// Sets a kernel parameter of the pod's network.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<()> {
        let (path, value) = (format!("/proc/sys/{}", name.replace('.', "/")), value.to_owned());
        ensure!(name.starts_with("net."), "the sysctl {name} is not supported here");
        // Which network is meant depends on the thread that writes.
        within(&self.path(), move || Ok(fs::write(path, value)?))
            .with_context(|| format!("sysctl {name}"))
    }

    /// The file that stands for the namespace.
    pub(crate) fn path(&self) -> PathBuf {
        namespace(&self.name)
    }
}

impl Drop for PodNetwork {
    fn drop(&mut self) {
        // Its end of the link goes with it. What a dying process still holds, the kernel removes later.
        let _ = ip(&[], &format!("netns del {}", self.name));
    }
}

/// Runs lines of `ip` commands; the first that fails is the error.
fn ip(options: &[&str], lines: &str) -> Result<()> {
    let program = ["/usr/sbin/ip", "/sbin/ip"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("ip");
    let mut command = Command::new(program);
    command.args(options).args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run ip (Debian package iproute2)")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "ip {lines:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
