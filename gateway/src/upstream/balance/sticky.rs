//! Clients that come back to the endpoint that their cookie leads to (annotations §3.12).
//!
//! The cookie's value is `UPSTREAM KEY|BACKEND KEY`. The second says which upstream has set it, primary or canary; the
//! first is hashed (balanced) or names the endpoint (persistent).

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use foldhash::fast::RandomState;
use headgate_config::{
    UpstreamId,
    balance::{Affinity, AffinityCookie, AffinityMode},
};
use http::HeaderMap;
use md5::{Digest as _, Md5};

use super::{
    Candidates,
    ring::{Crc, Ring},
};
use crate::filter::cookie;

/// Random keys that are tried before the last one is good enough.
const MOST_KEYS: u32 = 20;
/// Largest random part of a key.
const MOST_RANDOM: u32 = 999_999;
/// Name of the host that takes what no other takes.
const DEFAULT_HOST: &str = "_";

/// The affinity of an upstream.
pub struct Sticky {
    spec: Arc<Affinity>,
    /// What its name adds to the keys of endpoints.
    salt: Box<str>,
    /// Tells its cookies from those of others.
    backend_key: Box<str>,
    /// Paths of rules that may set the cookie, by the name of their host.
    places: HashMap<Box<[u8]>, Paths, RandomState>,
    /// The same for hosts `*.parent`, by the parent.
    parents: HashMap<Box<[u8]>, Paths, RandomState>,
}

type Paths = Box<[Box<str>]>;

/// What a request says, and what its client is told.
#[derive(Debug)]
pub struct Session {
    wanted: Option<Wanted>,
    /// Whether the location may set the cookie.
    may_set: bool,
    fresh: Option<Fresh>,
}

/// Where a cookie leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Hash(u32),
    Key(u128),
}

/// The key of an endpoint that a client was given anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// Time in milliseconds since 1970, and a random number.
    Balanced(u64, u32),
    /// The endpoint's own.
    Persistent(u128),
}

/// The keys of endpoints.
pub struct Keys {
    /// Sorted, with the numbers of the endpoints.
    sorted: Box<[(u128, u32)]>,
    /// By number.
    keys: Box<[u128]>,
}

impl Sticky {
    /// Compiles the affinity of an upstream.
    pub fn new(id: &UpstreamId, spec: &Arc<Affinity>) -> Self {
        let salt = id.to_string().into_boxed_str();
        let once = format!("{:032x}", digest(&[salt.as_bytes()]));
        let backend_key = format!("{:032x}", digest(&[once.as_bytes(), salt.as_bytes()])).into();
        let paths = |paths: &Vec<String>| paths.iter().map(|path| path.as_str().into()).collect();
        let places = spec.places.iter();
        let parents = places.clone().filter_map(|(host, of)| Some((host.strip_prefix("*.")?, of)));
        Self {
            spec: Arc::clone(spec),
            salt,
            backend_key,
            parents: parents.map(|(host, of)| (host.as_bytes().into(), paths(of))).collect(),
            places: places.map(|(host, of)| (host.as_bytes().into(), paths(of))).collect(),
        }
    }

    /// The cookie.
    pub fn cookie(&self) -> &AffinityCookie {
        &self.spec.cookie
    }

    /// The keys of these endpoints, if cookies name them.
    pub fn keys(&self, addresses: &[SocketAddr]) -> Option<Keys> {
        if self.spec.mode == AffinityMode::Balanced {
            return None;
        }
        let key =
            |address: &SocketAddr| digest(&[self.salt.as_bytes(), address.to_string().as_bytes()]);
        let keys: Box<[u128]> = addresses.iter().map(key).collect();
        let mut sorted: Box<[_]> = keys.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        Some(Keys { sorted, keys })
    }

    /// Whether the client of a request was bound by this upstream.
    pub fn is_bound(&self, headers: &HeaderMap) -> bool {
        let parts = self.parts(headers).1;
        parts.is_some_and(|backend| backend == self.backend_key.as_bytes())
    }

    /// What a request says. `may_set` is whether its location may set the cookie.
    pub fn session(&self, headers: &HeaderMap, may_set: bool) -> Session {
        let wanted = self.parts(headers).0.and_then(|key| match self.spec.mode {
            AffinityMode::Balanced => Some(Wanted::Hash(Crc::default().update(key).finish())),
            AffinityMode::Persistent => parse_hex(key).map(Wanted::Key),
        });
        Session { wanted, may_set, fresh: None }
    }

    /// Whether a location may set the cookie: one whose rule has the path `path` on the configured host `host`, for a
    /// request that names the host `name`.
    pub fn may_set(&self, host: &str, name: &[u8], path: &str) -> bool {
        let parent = || {
            let dot = memchr::memchr(b'.', name).filter(|_| host != DEFAULT_HOST)?;
            self.parents.get(&name[dot + 1..])
        };
        let paths = self.places.get(host.as_bytes()).or_else(parent);
        paths.is_some_and(|paths| paths.iter().any(|known| **known == *path))
    }

    /// The value of the cookie that leads to an endpoint.
    pub fn value(&self, fresh: Fresh) -> String {
        match fresh {
            Fresh::Balanced(..) => format!("{}|{}", fresh.text().as_str(), self.backend_key),
            Fresh::Persistent(key) => format!("{key:032x}|{}", self.backend_key),
        }
    }

    /// Both parts of the cookie of a request.
    fn parts<'h>(&self, headers: &'h HeaderMap) -> (Option<&'h [u8]>, Option<&'h [u8]>) {
        let value = cookie::last(headers, &self.spec.cookie.name).unwrap_or_default();
        let mut parts = value.split(|byte| *byte == b'|').filter(|part| !part.is_empty());
        (parts.next(), parts.next())
    }
}

impl Session {
    /// The key that the client is to be told, if there is a new one and it may be.
    pub fn fresh(&self) -> Option<Fresh> {
        self.fresh.filter(|_| self.may_set)
    }

    /// The endpoint that the cookie leads to, if it still may.
    fn kept(
        &self,
        sticky: &Sticky,
        among: &impl Candidates,
        find: impl FnOnce(Wanted) -> Option<usize>,
    ) -> Option<usize> {
        let is_over = among.has_tried() && sticky.cookie().change_on_failure;
        self.wanted.filter(|_| !is_over).and_then(find)
    }

    /// The endpoint for the next try: that of the cookie, or that of a random key. All endpoints are met as often.
    pub(super) fn balanced(
        &mut self,
        sticky: &Sticky,
        ring: &Ring,
        among: &impl Candidates,
    ) -> usize {
        let kept = self.kept(sticky, among, |wanted| match wanted {
            Wanted::Hash(hash) => ring.find(hash),
            Wanted::Key(_) => None,
        });
        if let Some(at) = kept {
            return at;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or_default();
        let (at, fresh) = random_key(ring, among, now, &mut fastrand::Rng::new());
        self.fresh = Some(fresh);
        at
    }

    /// The endpoint for the next try: that which the cookie names, or a random one.
    pub(super) fn persistent(
        &mut self,
        sticky: &Sticky,
        keys: &Keys,
        among: &impl Candidates,
    ) -> usize {
        let kept = self.kept(sticky, among, |wanted| match wanted {
            Wanted::Key(key) => keys.find(key),
            Wanted::Hash(_) => None,
        });
        if let Some(at) = kept {
            return at;
        }
        let start = fastrand::usize(..among.count().max(1));
        let mut all = (start..among.count()).chain(0..start);
        let at = all.find(|at| !among.is_tried(*at)).unwrap_or(start);
        self.fresh = keys.keys.get(at).copied().map(Fresh::Persistent);
        at
    }
}

/// A random key and the endpoint that it leads to: one that was not tried in vain, if one is found.
fn random_key(
    ring: &Ring,
    among: &impl Candidates,
    now: u64,
    random: &mut fastrand::Rng,
) -> (usize, Fresh) {
    let mut best = None;
    for number in 1..=MOST_KEYS {
        let key = Fresh::Balanced(now + u64::from(number) * 1000, random.u32(1..=MOST_RANDOM));
        let at = ring.find(key.hash()).unwrap_or_default();
        let is_tried = among.is_tried(at);
        // The ring gives one endpoint more than the other; taking fewer of its keys makes up for it.
        if !is_tried && random.f32() < ring.evenness(at) {
            return (at, key);
        }
        if !is_tried || best.is_none() {
            best = Some((at, key));
        }
    }
    best.unwrap_or((0, Fresh::Balanced(now, 1)))
}

impl Keys {
    fn find(&self, key: u128) -> Option<usize> {
        let at = self.sorted.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(self.sorted[at].1 as usize)
    }
}

impl Fresh {
    fn hash(self) -> u32 {
        Crc::default().update(self.text().as_str().as_bytes()).finish()
    }

    /// The key of a balanced cookie: time, process, random number.
    fn text(self) -> Text {
        let mut text = Text { bytes: [0; 64], length: 0 };
        if let Self::Balanced(time, random) = self {
            let (seconds, rest, process) = (time / 1000, time % 1000, std::process::id());
            // Three numbers of at most 20 digits are never too long.
            let _ = write!(text, "{seconds}.{rest:03}.{process}.{random}");
        }
        text
    }
}

/// A short text, without memory of its own.
struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn digest(parts: &[&[u8]]) -> u128 {
    let all = parts.iter().fold(Md5::new(), |all, part| all.chain_update(part));
    u128::from_be_bytes(all.finalize().into())
}

/// A digest as it is written; in capitals it is none.
fn parse_hex(text: &[u8]) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 32)?;
    text.as_bytes().iter().all(is_digit).then(|| u128::from_str_radix(text, 16).ok())?
}
