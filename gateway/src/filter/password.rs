//! Asks for a user name and a password (annotations §3.6).
//!
//! A location has a [`Password`]; all share one [`Passwords`], which outlives configurations: it remembers results, keeps
//! the threads on which slow hashes are compared, and the nonces of digests. What it keeps of a password is a digest with
//! a key that exists in this process only.

mod authorization;
mod digest;
mod failures;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hash;
mod nonce;
mod pool;
mod results;

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::hmac;
use headgate_config::protection::{HashKind, PasswordAuth, PasswordScheme, Users};
use http::HeaderValue;
use tokio::time;

pub use self::authorization::Basic;
use self::{
    authorization::Digest,
    failures::Failures,
    nonce::Nonces,
    pool::{Asked, Job, Pool},
    results::Fingerprint,
};
use super::process_key::{self, ProcessKey};
use crate::clock;

/// How long a request waits until its password has been compared.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all locations share that ask for passwords.
pub struct Passwords {
    /// Made when it is first needed, like the nonces.
    key: ProcessKey,
    pool: Pool,
    nonces: LazyLock<Nonces>,
    failures: Failures,
}

/// A location's question for user name and password.
pub struct Password {
    shared: Arc<Passwords>,
    scheme: PasswordScheme,
    realm: Box<str>,
    users: Arc<Users>,
    /// What the password of an unknown user is compared with, so that its answer takes about as long.
    decoy: Option<Box<str>>,
    /// What clients are asked with, for the basic scheme.
    challenge: HeaderValue,
}

/// What of a request the answer depends on.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// `Authorization`, if there is exactly one.
    pub authorization: Option<&'a [u8]>,
    /// The method.
    pub method: &'a str,
    /// The target as the client sent it.
    pub target: &'a [u8],
    /// The client's address.
    pub client: IpAddr,
}

/// Whether a request may pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Granted,
    /// It may not, and is asked with this `WWW-Authenticate`.
    Asked(HeaderValue),
    /// Nobody can tell, because too many passwords wait to be compared.
    Busy,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::comparing(hash::matches)
    }
}

impl Passwords {
    fn comparing(compare: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self {
            key: process_key::unmade(),
            pool: Pool::new(compare),
            nonces: LazyLock::new(|| Nonces::new(process_key::random())),
            failures: Failures::default(),
        }
    }

    /// Identifies a comparison. Where anything differs it is another: above all, what is compared for somebody who is not
    /// on the list must not pass because the same hash was right for somebody who is, or was.
    fn fingerprint(&self, hash: &str, counts: bool, user: &[u8], password: &[u8]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&[u8::from(counts)]);
        for part in [hash.as_bytes(), user] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.update(password);
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }
}

impl Password {
    /// Compiles `spec`.
    pub fn new(spec: &PasswordAuth, shared: &Arc<Passwords>) -> Self {
        let known = |hash: &&str| HashKind::of(hash).is_ok();
        let slow = |hash: &&str| HashKind::of(hash).is_ok_and(HashKind::is_slow);
        let decoy = spec.users.hashes().find(slow).or_else(|| spec.users.hashes().find(known));
        let challenge = format!("Basic realm=\"{}\"", escaped(&spec.realm));
        Self {
            shared: Arc::clone(shared),
            scheme: spec.scheme,
            realm: spec.realm.as_str().into(),
            users: Arc::clone(&spec.users),
            decoy: decoy.map(Into::into),
            challenge: value(&challenge, "Basic realm=\"\""),
        }
    }

    /// Whether a request may pass. It waits only where a slow hash has to be computed.
    pub async fn check(&self, asking: Asking<'_>) -> Passage {
        match self.scheme {
            PasswordScheme::Basic => self.check_basic(asking).await,
            PasswordScheme::Digest => self.check_digest(asking, clock::tick()),
        }
    }

    async fn check_basic(&self, asking: Asking<'_>) -> Passage {
        let credentials = asking.authorization.and_then(Basic::parse);
        let right = match &credentials {
            Some(basic) => match basic.password() {
                Some(password) => self.compare(basic.user(), password).await,
                None => Some(false),
            },
            None => Some(false),
        };
        match right {
            Some(true) => Passage::Granted,
            Some(false) => Passage::Asked(self.challenge.clone()),
            None => Passage::Busy,
        }
    }

    /// Whether this is the password of a user; none if nobody can tell.
    async fn compare(&self, user: &[u8], password: &[u8]) -> Option<bool> {
        let stored = std::str::from_utf8(user).ok().and_then(|user| self.users.hash(user));
        let stored = stored.filter(|hash| HashKind::of(hash).is_ok());
        let Some(hash) = stored.or(self.decoy.as_deref()) else { return Some(false) };
        let counts = stored.is_some();
        if !HashKind::of(hash).is_ok_and(HashKind::is_slow) {
            return Some(hash::matches(hash, password) && counts);
        }
        let fingerprint = self.shared.fingerprint(hash, counts, user, password);
        if let Some(right) = self.shared.pool.find(&fingerprint) {
            return Some(right);
        }
        let job = Job {
            fingerprint,
            list: Arc::as_ptr(&self.users).addr(),
            hash: hash.to_owned(),
            password: password.to_vec(),
            counts,
        };
        match self.shared.pool.ask(job) {
            Asked::Known(right) => Some(right),
            Asked::Soon(answer) => time::timeout(PATIENCE, answer).await.ok()?.ok(),
            Asked::Busy => None,
        }
    }

    fn check_digest(&self, asking: Asking<'_>, now: u32) -> Passage {
        let Asking { authorization, method, target, client } = asking;
        let (shared, realm) = (&self.shared, self.realm.as_bytes());
        let Some(digest) = authorization.and_then(Digest::parse) else {
            return self.ask(now, false);
        };
        if shared.failures.ignores(client, realm, now) {
            return self.ask(now, false);
        }
        if !digest::knows_password(&self.users, &self.realm, method, &digest) {
            shared.failures.add(client, realm, now);
            return self.ask(now, false);
        }
        // Right for another request than this one.
        if *digest.uri != *target {
            return self.ask(now, false);
        }
        if !shared.nonces.admit(&digest.nonce, digest.count(), now) {
            return self.ask(now, true);
        }
        shared.failures.forget(client, realm);
        Passage::Granted
    }

    /// Asks for a digest; `stale` says that only the nonce was not right.
    fn ask(&self, now: u32, stale: bool) -> Passage {
        let nonce = self.shared.nonces.make(now);
        let head = "Digest algorithm=\"MD5\", qop=\"auth\", realm=\"";
        let tail = format!("\", nonce=\"{nonce}\"{}", if stale { ", stale=true" } else { "" });
        let challenge = format!("{head}{}{tail}", escaped(&self.realm));
        Passage::Asked(value(&challenge, &format!("{head}{tail}")))
    }
}

/// A text as it stands between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A value of a header, or another that is one in any case.
fn value(text: &str, other: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .or_else(|_| HeaderValue::from_bytes(text.as_bytes()))
        .or_else(|_| HeaderValue::from_str(other))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"\""))
}

#[cfg(test)]
mod tests;
