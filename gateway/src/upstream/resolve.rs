//! Keeps the addresses of upstreams that are given by DNS name up to date: A first, AAAA only if there is no A, again
//! when the TTL has run out (routing §11.6). Runs beside the workers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use headgate_config::log_target::DECISIONS;
use hickory_resolver::{TokioResolver, config::LookupIpStrategy};
use tokio::{runtime::Handle, task::AbortHandle, time};

use super::registry::SharedUpstream;

/// A name is asked for again no sooner than this.
const SHORTEST: Duration = Duration::from_secs(1);
/// … and no later than this.
const LONGEST: Duration = Duration::from_secs(60);

/// Resolves names on a runtime.
#[derive(Clone)]
pub struct Resolver {
    runtime: Handle,
    /// Made with the first name; none if the system has no usable configuration.
    resolver: Arc<OnceLock<Option<TokioResolver>>>,
}

/// A name with what is made of its addresses.
pub struct Name {
    /// The name.
    pub name: String,
    /// Port of every address.
    pub port: u16,
    /// Whether addresses of this machine and of its link are left out.
    pub remote_only: bool,
}

/// A name that is kept resolved until this is dropped.
pub struct Resolution {
    task: AbortHandle,
}

impl Drop for Resolution {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Resolver {
    /// A resolver with the system's configuration, whose tasks run on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, resolver: Arc::default() }
    }

    /// Runs something else where names are resolved: beside the workers.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.runtime.spawn(task).abort_handle()
    }

    /// Looks a name up, once, and gives its addresses and how long they hold to `done`, whoever waits for it or not.
    pub(crate) fn look_up(
        &self,
        name: String,
        done: impl FnOnce(Vec<IpAddr>, Duration) + Send + 'static,
    ) {
        let resolver = Arc::clone(&self.resolver);
        self.runtime.spawn(async move {
            let (addresses, wait) = match usable(&resolver) {
                Some(resolver) => look_up(resolver, &name).await,
                None => (Vec::new(), SHORTEST),
            };
            done(addresses, wait);
        });
    }

    /// Starts to keep `upstream` at the addresses of `name`. Until the first answer it keeps those that it has.
    /// `source` is what the upstream knows this resolution by.
    pub fn follow(&self, upstream: Arc<SharedUpstream>, source: u64, name: Name) -> Resolution {
        let resolver = Arc::clone(&self.resolver);
        let task = self.runtime.spawn(async move {
            let Some(resolver) = usable(&resolver) else {
                upstream.set_addresses(source, &[]);
                return;
            };
            let mut is_warned = false;
            loop {
                let (mut addresses, wait) = look_up(resolver, &name.name).await;
                if name.remote_only && addresses.iter().any(|ip| !is_remote(*ip)) {
                    addresses.retain(|ip| is_remote(*ip));
                    if !std::mem::replace(&mut is_warned, true) {
                        tracing::warn!(
                            upstream = %upstream.name,
                            name = name.name,
                            "the name leads to this machine or its link; such addresses are not used"
                        );
                    }
                }
                let addresses = addresses.into_iter();
                let endpoints: Vec<_> =
                    addresses.map(|ip| SocketAddr::new(ip, name.port)).collect();
                if upstream.set_addresses(source, &endpoints) {
                    tracing::debug!(
                        target: DECISIONS, upstream = %upstream.name, name = name.name, ?endpoints,
                        "the name leads elsewhere now"
                    );
                }
                time::sleep(wait).await;
            }
        });
        Resolution { task: task.abort_handle() }
    }
}

/// The resolver, made now if this is the first name. To be called on the runtime.
fn usable(resolver: &OnceLock<Option<TokioResolver>>) -> Option<&TokioResolver> {
    let make = || match system_resolver() {
        Ok(resolver) => Some(resolver),
        Err(error) => {
            tracing::warn!(%error, "no usable resolver configuration: names of upstreams stay unresolved");
            None
        }
    };
    resolver.get_or_init(make).as_ref()
}

fn system_resolver() -> Result<TokioResolver, String> {
    let mut builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    options.timeout = Duration::from_secs(2);
    options.attempts = 5;
    builder.build().map_err(|error| error.to_string())
}

/// Whether an address is one of another machine beyond this one's link, where services such as the provider's metadata
/// answer.
fn is_remote(address: IpAddr) -> bool {
    match address.to_canonical() {
        // All of 0.0.0.0/8 is "this host" (RFC 1122 §3.2.1.3).
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.octets()[0] == 0 || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local()),
    }
}

/// The addresses of a name, and when to ask again.
async fn look_up(resolver: &TokioResolver, name: &str) -> (Vec<IpAddr>, Duration) {
    match resolver.lookup_ip(name).await {
        Ok(answer) => {
            let wait = answer.valid_until().saturating_duration_since(Instant::now());
            let mut addresses: Vec<_> = answer.iter().collect();
            addresses.sort_unstable();
            tracing::debug!(name, ?addresses, holds = ?wait, "name resolved");
            (addresses, wait.clamp(SHORTEST, LONGEST))
        }
        Err(error) => {
            tracing::debug!(name, %error, "name not resolved");
            (Vec::new(), SHORTEST)
        }
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::{Endpoints, Upstream, UpstreamId};

    use super::{super::registry::Registry, *};

    fn localhost(remote_only: bool) -> Endpoints {
        Endpoints::Name { name: "localhost.".into(), port: 80, remote_only }
    }

    /// The addresses that an upstream has in the end, if it had another one before.
    async fn becomes(endpoints: Endpoints, expected: &[&str]) {
        let id = UpstreamId { namespace: "ns".into(), service: "web".into(), port: String::new() };
        let spec = |endpoints| {
            let id = id.clone();
            Arc::new(Upstream::new(id, endpoints))
        };
        let mut registry = Registry::new(Resolver::new(Handle::current()));
        let before = Endpoints::Addresses(vec!["192.0.2.1:80".parse().unwrap()]);
        registry.upsert(&spec(before));
        let upstream = registry.upsert(&spec(endpoints));
        let expected: Vec<SocketAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
        let arrived = async {
            while *upstream.addresses() != expected {
                time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = time::timeout(Duration::from_secs(10), arrived).await;
        assert!(in_time.is_ok(), "{:?}, not {expected:?}", upstream.addresses());
    }

    #[tokio::test]
    async fn a_name_that_may_only_lead_elsewhere_does_not_lead_here() {
        becomes(localhost(false), &["127.0.0.1:80"]).await;
        becomes(localhost(true), &[]).await;
    }

    #[test]
    fn addresses_of_this_machine_and_its_link_are_not_remote() {
        for here in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!is_remote(here.parse().unwrap()), "{here}");
        }
        for there in ["10.0.0.1", "192.168.0.1", "169.255.0.1", "fd00::1", "fec0::1", "::2:1"] {
            assert!(is_remote(there.parse().unwrap()), "{there}");
        }
    }
}
