//! Which Ingresses are served, and which addresses their status holds. Filled by the controller's thread, read by
//! whoever writes status.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::objects::Key;

/// An address in `status.loadBalancer.ingress`. Ordered as the reference sorts them: by hostname, then by IP.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, or empty.
    pub hostname: Box<str>,
    /// An IP, or empty.
    pub ip: Box<str>,
}

impl Address {
    /// The addresses in the status of an Ingress, sorted.
    pub fn published(ingress: &Ingress) -> Vec<Self> {
        let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let addresses = status.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
        let mut addresses: Vec<_> = addresses.map(Self::from).collect();
        addresses.sort();
        addresses
    }
}

impl From<&IngressLoadBalancerIngress> for Address {
    fn from(address: &IngressLoadBalancerIngress) -> Self {
        let text = |field: &Option<String>| field.as_deref().unwrap_or_default().into();
        Self { hostname: text(&address.hostname), ip: text(&address.ip) }
    }
}

/// The Ingresses of the cluster, as far as their status is concerned.
#[derive(Debug, Default)]
pub struct Board {
    entries: Mutex<BTreeMap<Key, Entry>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    is_served: bool,
    published: Arc<[Address]>,
}

impl Board {
    /// Notes what the status of an Ingress holds.
    pub fn set_published(&self, ingress: &Key, addresses: Vec<Address>) {
        let mut entries = self.entries.lock();
        match entries.get_mut(ingress) {
            Some(entry) if *entry.published == *addresses => return,
            Some(entry) => entry.published = addresses.into(),
            None => {
                let entry = Entry { is_served: false, published: addresses.into() };
                entries.insert(ingress.clone(), entry);
            }
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// Notes whether an Ingress is served.
    pub fn set_served(&self, ingress: &Key, is_served: bool) {
        if let Some(entry) = self.entries.lock().get_mut(ingress)
            && std::mem::replace(&mut entry.is_served, is_served) != is_served
        {
            self.changed.notify_one();
        }
    }

    /// Forgets an Ingress that is gone.
    pub fn remove(&self, ingress: &Key) {
        self.entries.lock().remove(ingress);
    }

    /// Waits until anything has changed since this was waited for last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The served Ingresses whose status does not hold exactly these addresses, which are sorted.
    pub fn outdated(&self, addresses: &[Address]) -> Vec<Key> {
        let entries = self.entries.lock();
        let outdated = entries.iter();
        let outdated =
            outdated.filter(|(_, entry)| entry.is_served && *entry.published != *addresses);
        outdated.map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_served_ingresses_with_other_addresses_are_outdated() {
        let board = Board::default();
        let address = Address { ip: "192.0.2.1".into(), ..Address::default() };
        let [mine, right, foreign] = ["mine", "right", "foreign"].map(|name| Key::new("a", name));
        board.set_published(&mine, vec![]);
        board.set_published(&right, vec![address.clone()]);
        board.set_published(&foreign, vec![]);
        board.set_served(&mine, true);
        board.set_served(&right, true);
        let wanted = [address];
        let outdated = board.outdated(&wanted);
        assert_eq!(outdated.iter().collect::<Vec<_>>(), [&mine]);
        assert_eq!(board.outdated(&[]), [right]);
        board.remove(&mine);
        assert!(board.outdated(&wanted).is_empty());
    }
}
