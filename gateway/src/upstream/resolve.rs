//! Keeps the addresses of upstreams that are given by DNS name up to date: A first, AAAA only if there is no A, again
//! when the TTL has run out (routing §11.6). Runs beside the workers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

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
    resolver: Option<Arc<TokioResolver>>,
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
        let resolver = {
            let _inside = runtime.enter();
            match system_resolver() {
                Ok(resolver) => Some(Arc::new(resolver)),
                Err(error) => {
                    tracing::warn!(%error, "no usable resolver configuration: names of upstreams stay unresolved");
                    None
                }
            }
        };
        Self { runtime, resolver }
    }

    /// Starts to keep `upstream` at the addresses of `name`. Until the first answer it keeps those that it has.
    /// `source` is what the upstream knows this resolution by.
    pub fn follow(
        &self,
        upstream: Arc<SharedUpstream>,
        source: u64,
        name: &str,
        port: u16,
    ) -> Resolution {
        let resolver = self.resolver.clone();
        let name = name.to_owned();
        let task = self.runtime.spawn(async move {
            let Some(resolver) = resolver else {
                upstream.set_addresses(source, &[]);
                return;
            };
            loop {
                let (addresses, wait) = look_up(&resolver, &name).await;
                let endpoints: Vec<_> =
                    addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                upstream.set_addresses(source, &endpoints);
                time::sleep(wait).await;
            }
        });
        Resolution { task: task.abort_handle() }
    }
}

fn system_resolver() -> Result<TokioResolver, String> {
    let mut builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    options.timeout = Duration::from_secs(2);
    options.attempts = 5;
    builder.build().map_err(|error| error.to_string())
}

/// The addresses of a name, and when to ask again.
async fn look_up(resolver: &TokioResolver, name: &str) -> (Vec<IpAddr>, Duration) {
    match resolver.lookup_ip(name).await {
        Ok(answer) => {
            let wait = answer.valid_until().saturating_duration_since(Instant::now());
            let mut addresses: Vec<_> = answer.iter().collect();
            addresses.sort_unstable();
            (addresses, wait.clamp(SHORTEST, LONGEST))
        }
        Err(error) => {
            tracing::debug!(name, %error, "name not resolved");
            (Vec::new(), SHORTEST)
        }
    }
}
