//! Which endpoint of an upstream serves a request, where that is not simply the next in turn (annotations §3.11–3.13).
//!
//! A [`Policy`] is compiled from the configuration; with the endpoints of the moment it becomes a [`Spread`], which all
//! workers share and the control plane replaces when either changes. A request has a [`Choice`], which it keeps for
//! all its tries. Nothing here allocates when an endpoint is picked.

pub mod canary;
mod ewma;
mod key;
mod ring;
pub mod sticky;

use std::{num::NonZeroU32, sync::Arc};

use headgate_config::{Balance, Upstream};

pub use self::ewma::Load;
use self::{
    canary::Canary,
    key::HashKey,
    ring::Ring,
    sticky::{Keys, Session, Sticky},
};
use crate::filter::variables::Variables;

/// How the requests of an upstream are spread.
pub struct Policy {
    method: Method,
    /// What binds clients to endpoints.
    pub sticky: Option<Sticky>,
    /// Who gets a share of the requests.
    pub canary: Option<Canary>,
}

enum Method {
    Turn,
    Ewma,
    Hash { key: HashKey, subset: Option<NonZeroU32> },
}

impl Policy {
    /// Compiles what an upstream says; none if its endpoints are just asked in turn.
    pub fn new(spec: &Upstream, canary: Option<Canary>) -> Option<Arc<Self>> {
        let method = match &spec.balance {
            Balance::RoundRobin => Method::Turn,
            Balance::Ewma => Method::Ewma,
            Balance::Hash(by) => Method::Hash { key: HashKey::new(&by.key), subset: by.subset },
        };
        let sticky = spec.affinity.as_ref().map(|affinity| Sticky::new(&spec.id, affinity));
        let is_plain = matches!(method, Method::Turn) && sticky.is_none() && canary.is_none();
        (!is_plain).then(|| Arc::new(Self { method, sticky, canary }))
    }

    /// How a request that is not bound by a cookie chooses; `path` is the one that it was rewritten to.
    pub fn choice(&self, variables: &Variables<'_>, path: Option<&[u8]>) -> Choice {
        match &self.method {
            Method::Turn => Choice::Turn,
            Method::Ewma => Choice::Fastest,
            Method::Hash { key, .. } => Choice::Hash(key.hash(variables, path)),
        }
    }

    /// Whether the times of answers count.
    pub fn is_timed(&self) -> bool {
        self.sticky.is_none() && matches!(self.method, Method::Ewma)
    }
}

/// A policy for certain endpoints.
pub struct Spread {
    /// The policy.
    pub policy: Arc<Policy>,
    map: Map,
}

/// How texts lead to endpoints, which are numbered in the order of their list.
enum Map {
    None,
    Ring(Ring),
    /// A ring of groups, each with so many endpoints.
    Groups(Ring, NonZeroU32),
    Keys(Keys),
}

impl Spread {
    /// For endpoints with these addresses.
    pub fn new(policy: Arc<Policy>, addresses: &[std::net::SocketAddr]) -> Self {
        let whole = || Ring::new(addresses.iter().map(ToString::to_string));
        let map = match (&policy.sticky, &policy.method) {
            (Some(sticky), _) => match sticky.keys(addresses) {
                Some(keys) => Map::Keys(keys),
                None => Map::Ring(whole()),
            },
            (None, Method::Hash { subset: Some(size), .. }) => {
                let groups = addresses.len().div_ceil(size.get() as usize);
                Map::Groups(Ring::new((1..=groups).map(|number| format!("set{number}"))), *size)
            }
            (None, Method::Hash { subset: None, .. }) => Map::Ring(whole()),
            (None, Method::Turn | Method::Ewma) => Map::None,
        };
        Self { policy, map }
    }

    /// The endpoint, of `count`, that a hash leads to.
    fn hashed(&self, hash: u32, count: usize) -> Option<usize> {
        match &self.map {
            Map::Ring(ring) => ring.find(hash),
            Map::Groups(ring, size) => {
                let size = size.get() as usize;
                // The last group is filled up with the first endpoints.
                Some((ring.find(hash)? * size + fastrand::usize(..size)) % count.max(1))
            }
            Map::None | Map::Keys(_) => None,
        }
    }
}

/// How one request chooses among the endpoints of its upstream, over all its tries.
#[derive(Debug, Default)]
pub enum Choice {
    /// The next in turn.
    #[default]
    Turn,
    /// One that answered fast of late.
    Fastest,
    /// The one that a text with this hash leads to.
    Hash(u32),
    /// The one that a cookie leads to.
    Sticky(Session),
}

/// The endpoints that a request chooses among.
pub trait Candidates {
    /// How many there are: at least one.
    fn count(&self) -> usize;
    /// Whether the request has tried this one in vain.
    fn is_tried(&self, at: usize) -> bool;
    /// Whether it has tried any.
    fn has_tried(&self) -> bool;
    /// How long the one takes for an answer; less is better.
    fn score(&self, at: usize) -> f32;
}

impl Choice {
    /// The endpoint for the next try; none if its turn decides.
    pub fn pick(&mut self, spread: &Spread, among: &impl Candidates) -> Option<usize> {
        let at = match self {
            Self::Turn => None,
            Self::Fastest => Some(ewma::pick(among, &mut fastrand::Rng::new())),
            Self::Hash(hash) => spread.hashed(*hash, among.count()),
            Self::Sticky(session) => match (&spread.policy.sticky, &spread.map) {
                (Some(sticky), Map::Ring(ring)) => Some(session.balanced(sticky, ring, among)),
                (Some(sticky), Map::Keys(keys)) => Some(session.persistent(sticky, keys, among)),
                // The policy is another than when the request came.
                _ => None,
            },
        };
        at.filter(|at| *at < among.count())
    }
}

#[cfg(test)]
mod tests;
