//! Limits that all replicas count together, in a Redis or Valkey server (`headgate.io/limit-shared`).
//!
//! The counting is a script that runs in the server, by the server's clock. A request waits for it no longer than it is
//! allowed to; when the server fails one request, no other waits until [`keeper`] has found it answering again. What
//! happens meanwhile is the fall-back's.

mod connect;
mod keeper;
mod link;
mod script;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use headgate_config::protection::{LimitCounting, LimitFallback, LimitId};

use self::{keeper::Keeper, link::Link};
use super::Paces;
use crate::observe::metrics::{Exposition, Kind};

/// What the names of all keys begin with.
const PREFIX: &str = "headgate:limit:";

/// The store that is configured at present, if any, and what came of it. It outlives tables.
#[derive(Default)]
pub struct Shared {
    store: ArcSwapOption<Store>,
    counted_locally: AtomicU64,
    refused: AtomicU64,
}

/// A store in use.
struct Store {
    spec: LimitCounting,
    /// The way to it, unless it cannot be used at all.
    way: Option<Way>,
}

struct Way {
    link: Arc<Link>,
    timeout: Duration,
    _keeper: Keeper,
}

impl Shared {
    /// Uses this store from now on, and no other. Nothing happens if it is the same as before.
    pub fn set(&self, spec: Option<&LimitCounting>) {
        let current = self.store.load();
        if current.as_ref().map(|store| &store.spec) == spec {
            return;
        }
        let store = spec.map(|spec| {
            let way = match spec {
                LimitCounting::Store(store) => {
                    let link = Arc::new(Link::default());
                    let keeper = Keeper::start(store, &link);
                    Some(Way { link, timeout: store.timeout, _keeper: keeper })
                }
                LimitCounting::Unusable(_) => None,
            };
            Arc::new(Store { spec: spec.clone(), way })
        });
        self.store.store(store);
    }

    /// Whether a request may pass, which is counted if so.
    ///
    /// # Errors
    /// The store cannot be asked: what decides instead.
    pub async fn take(
        &self,
        key: &Key,
        client: IpAddr,
        paces: &Paces,
    ) -> Result<bool, LimitFallback> {
        let Some(store) = self.store.load_full() else { return Err(LimitFallback::Local) };
        if let Some(way) = &store.way
            && let Some(passes) = way.link.take(&key.of(client), paces, way.timeout).await
        {
            return Ok(passes);
        }
        let fallback = store.spec.fallback();
        let counter = match fallback {
            LimitFallback::Local => &self.counted_locally,
            LimitFallback::Closed => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
        Err(fallback)
    }

    /// Shows whether the store answers, and how many requests were decided without it. Nothing where none is configured.
    pub fn write_metrics(&self, text: &mut Exposition) {
        let Some(store) = &*self.store.load() else { return };
        let is_up = store.way.as_ref().is_some_and(|way| way.link.is_up());
        let name = "headgate_limit_store_up";
        text.family(name, Kind::Gauge, "Whether the store of shared limits answers (1) or not (0)");
        text.sample(name, &[], u8::from(is_up));
        let name = "headgate_limit_fallbacks_total";
        text.family(name, Kind::Counter, "Requests with a shared limit decided without its store");
        for (fallback, counter) in [("closed", &self.refused), ("local", &self.counted_locally)] {
            text.sample(name, &[("fallback", fallback)], counter.load(Relaxed));
        }
    }
}

/// What the keys of the clients of one Ingress have in common.
pub struct Key(String);

impl Key {
    /// For the clients of this Ingress.
    pub fn new(id: &LimitId) -> Self {
        let LimitId { namespace, name, created } = id;
        Self(format!("{PREFIX}{{{namespace}/{name}/{created}/"))
    }

    /// The key of a client. What is in braces decides where a cluster keeps it: clients are spread.
    fn of(&self, client: IpAddr) -> String {
        // IPv4 in the form of IPv6 is IPv4.
        format!("{}{}}}", self.0, client.to_canonical())
    }
}

#[cfg(test)]
mod tests;
