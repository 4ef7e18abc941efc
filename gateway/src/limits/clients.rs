//! What the rates of so many clients at most are remembered by: when there is no room, whoever came longest ago is
//! forgotten. Everything takes the same short time, however many there are.

use std::{hash::BuildHasher, net::IpAddr};

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::filter::rate::Bucket;

/// An address of a client. IPv4 in the form of IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(u64, u64);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        let bits = match address {
            IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
            IpAddr::V6(six) => six.to_bits(),
        };
        Self((bits >> 64) as u64, bits as u64)
    }
}

/// The buckets of a client.
pub type Buckets = [Bucket; 2];

/// No client.
const NOBODY: u32 = u32::MAX;
/// Clients that are looked at, when a new one comes, whether they can be forgotten.
const LOOKED_AT: usize = 2;
/// Room that is made for the first clients.
const FIRST_ROOM: usize = 32;

/// Clients by address, and in the order in which they came last.
pub struct Clients {
    most: usize,
    index: HashTable<u32>,
    nodes: Vec<Node>,
    /// Places of `nodes` that are free, linked by `older`.
    free: u32,
    newest: u32,
    oldest: u32,
}

struct Node {
    client: Client,
    buckets: Buckets,
    newer: u32,
    older: u32,
}

impl Clients {
    /// Room for `most` clients, at least one.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, NOBODY as usize);
        Self {
            most,
            index: HashTable::new(),
            nodes: Vec::new(),
            free: NOBODY,
            newest: NOBODY,
            oldest: NOBODY,
        }
    }

    /// The buckets of a client, who is the newest from now on. If it is a new one, some of the oldest that are
    /// `forgettable` are forgotten, and the oldest of all if there is no room.
    pub fn buckets(
        &mut self,
        client: Client,
        hash: u64,
        random: &RandomState,
        forgettable: impl Fn(&Buckets) -> bool,
    ) -> &mut Buckets {
        let nodes = &self.nodes;
        let known = self.index.find(hash, |at| nodes[*at as usize].client == client).copied();
        let at = match known {
            Some(at) => {
                self.unlink(at);
                at
            }
            None => {
                for _ in 0..LOOKED_AT {
                    let oldest = self.nodes.get(self.oldest as usize);
                    if oldest.is_some_and(|node| forgettable(&node.buckets)) {
                        self.forget_oldest(random);
                    }
                }
                if self.index.len() >= self.most {
                    self.forget_oldest(random);
                }
                let at = self.place(client);
                let nodes = &self.nodes;
                let rehash = |at: &u32| random.hash_one(nodes[*at as usize].client);
                self.index.insert_unique(hash, at, rehash);
                at
            }
        };
        self.link(at);
        &mut self.nodes[at as usize].buckets
    }

    /// A place for a new client, which is not linked yet.
    fn place(&mut self, client: Client) -> u32 {
        let node = Node { client, buckets: Buckets::default(), newer: NOBODY, older: NOBODY };
        if self.free != NOBODY {
            let at = self.free;
            self.free = self.nodes[at as usize].older;
            self.nodes[at as usize] = node;
            return at;
        }
        if self.nodes.len() == self.nodes.capacity() {
            // Twice as many, and never more than there may be.
            let more = self.nodes.len().max(FIRST_ROOM).min(self.most - self.nodes.len());
            self.nodes.reserve_exact(more);
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    fn forget_oldest(&mut self, random: &RandomState) {
        let at = self.oldest;
        let Some(node) = self.nodes.get(at as usize) else { return };
        if let Ok(entry) = self.index.find_entry(random.hash_one(node.client), |other| *other == at)
        {
            entry.remove();
        }
        self.unlink(at);
        self.nodes[at as usize].older = self.free;
        self.free = at;
    }

    fn link(&mut self, at: u32) {
        let newest = std::mem::replace(&mut self.newest, at);
        let node = &mut self.nodes[at as usize];
        (node.newer, node.older) = (NOBODY, newest);
        match self.nodes.get_mut(newest as usize) {
            Some(node) => node.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Node { newer, older, .. } = self.nodes[at as usize];
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes that are held, about.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.index.allocation_size()
    }
}
