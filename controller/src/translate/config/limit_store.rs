//! Where limits are counted that several replicas share: the keys `limit-shared-*`, which are our own.

use std::time::Duration;

use headgate_config::protection::{LimitCounting, LimitFallback, LimitStore, StoreLogin, StoreTls};
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::value;
use crate::{
    objects::{Key, Objects},
    options::Options,
    translate::annotations::limits::SHARED,
};

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(20);
const MAX_TIMEOUT: u64 = 10_000;
/// Beside these there may be anything in the Secret.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const AUTHORITIES: &str = "ca.crt";

/// What Ingresses have to know of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreState {
    /// Why there is none, if so.
    pub problem: Option<String>,
    /// What happens then, and while the store does not answer.
    pub fallback: LimitFallback,
    /// Whether there is a URL at all, usable or not.
    pub is_set: bool,
}

impl Default for StoreState {
    fn default() -> Self {
        Self::without_url("limit-shared-url is not set in the ConfigMap".into())
    }
}

impl StoreState {
    fn without_url(problem: String) -> Self {
        Self { problem: Some(problem), fallback: LimitFallback::Local, is_set: false }
    }

    /// Without any ConfigMap.
    pub(super) fn without_map(options: &Options) -> Self {
        Self::without_url(match &options.configmap {
            Some(name) => format!(
                "limit-shared-url is not set, since the ConfigMap {name} does not exist; create it"
            ),
            None => "limit-shared-url is not set, since no ConfigMap is named; name one with --configmap".into(),
        })
    }
}

/// The keys as far as they were read.
#[derive(Clone, Debug)]
pub(super) struct StoreKeys {
    /// `limit-shared-url`.
    pub url: String,
    /// `limit-shared-secret`.
    pub secret: String,
    timeout: Duration,
    fallback: LimitFallback,
    unknown_fallback: Option<String>,
}

impl Default for StoreKeys {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: String::new(),
            timeout: DEFAULT_TIMEOUT,
            fallback: LimitFallback::Local,
            unknown_fallback: None,
        }
    }
}

/// What the keys mean.
#[derive(Debug)]
pub(super) struct Stored {
    /// Where is counted, where there is a URL.
    pub store: Option<LimitCounting>,
    /// What Ingresses have to know of it.
    pub state: StoreState,
    /// What is wrong with the keys.
    pub problems: Vec<String>,
}

impl StoreKeys {
    /// Takes the fall-back. What is neither is the safe one of both: nobody writes it for the default.
    pub fn set_fallback(&mut self, text: &str) {
        let known = match text.trim() {
            "" | "local" => Some(LimitFallback::Local),
            "closed" => Some(LimitFallback::Closed),
            _ => None,
        };
        self.unknown_fallback = known.is_none().then(|| {
            format!(
                "limit-shared-fallback: {text:?} is neither local nor closed and counts as closed; write one of them"
            )
        });
        self.fallback = known.unwrap_or(LimitFallback::Closed);
    }

    /// Takes how long a request waits, in milliseconds.
    pub fn set_timeout(&mut self, text: &str) -> Result<(), &'static str> {
        match value::count(text) {
            Ok(milliseconds @ 1..=MAX_TIMEOUT) => {
                self.timeout = Duration::from_millis(milliseconds);
                Ok(())
            }
            _ => Err("a number of milliseconds from 1 to 10000"),
        }
    }

    /// The Secret that is named, if that is a name of one.
    pub fn secret_key(&self) -> Option<Key> {
        let (namespace, name) = self.secret.trim().split_once('/')?;
        let is_name = |text: &str| !text.is_empty() && !text.contains('/');
        (is_name(namespace) && is_name(name)).then(|| Key::new(namespace, name))
    }

    /// What they mean together with the Secret.
    pub fn read(self, objects: &Objects) -> Stored {
        let (fallback, is_set) = (self.fallback, !self.url.trim().is_empty());
        let mut problems: Vec<_> = self.unknown_fallback.iter().cloned().collect();
        if !is_set {
            let state = StoreState { fallback, ..StoreState::default() };
            return Stored { store: None, state, problems };
        }
        match self.store(objects) {
            Ok(store) => {
                let state = StoreState { problem: None, fallback, is_set };
                Stored { store: Some(store.into()), state, problems }
            }
            Err(problem) => {
                let instead = match fallback {
                    LimitFallback::Local => "each replica counts for itself",
                    LimitFallback::Closed => "what it would count is answered 503",
                };
                problems.push(format!("{problem}; where {SHARED} is true {instead}"));
                let state = StoreState { problem: Some(problem), fallback, is_set };
                Stored { store: Some(LimitCounting::Unusable(fallback)), state, problems }
            }
        }
    }

    fn store(self, objects: &Objects) -> Result<LimitStore, String> {
        let address = Address::parse(self.url.trim())?;
        let said = self.said(objects)?;
        Ok(LimitStore {
            host: address.host,
            port: address.port,
            database: address.database,
            tls: address.is_encrypted.then_some(StoreTls { authorities: said.authorities }),
            login: said.login,
            timeout: self.timeout,
            fallback: self.fallback,
        })
    }

    fn said(&self, objects: &Objects) -> Result<Said, String> {
        if self.secret.trim().is_empty() {
            return Ok(Said::default());
        }
        // Said without the value: somebody may have written the password itself.
        let key = self
            .secret_key()
            .ok_or("limit-shared-secret: the value is not NAMESPACE/NAME of a Secret")?;
        let secret = objects
            .secret(&key)
            .ok_or_else(|| format!("limit-shared-secret: there is no Secret {key}; create it"))?;
        Said::read(secret).map_err(|why| format!("limit-shared-secret: the Secret {key} {why}"))
    }
}

/// What is in the Secret.
#[derive(Default)]
struct Said {
    login: Option<StoreLogin>,
    authorities: Option<String>,
}

impl Said {
    fn read(secret: &Secret) -> Result<Self, String> {
        let text = |name: &str| {
            let value = secret.data.as_ref().and_then(|data| data.get(name));
            let value = value.map(|bytes| String::from_utf8(bytes.0.clone())).transpose();
            let value =
                value.map_err(|_| format!("has a {name} that is no text; write it anew"))?;
            match value {
                Some(text) if text.is_empty() => {
                    Err(format!("has a {name} that is empty; fill or remove it"))
                }
                value => Ok(value),
            }
        };
        let (username, password) = (text(USERNAME)?, text(PASSWORD)?);
        let authorities = text(AUTHORITIES)?;
        if username.is_none() && password.is_none() && authorities.is_none() {
            return Err(format!(
                "has none of the keys {USERNAME}, {PASSWORD} and {AUTHORITIES}; add what the store asks for"
            ));
        }
        if username.is_some() && password.is_none() {
            return Err(format!(
                "has a {USERNAME} and no {PASSWORD}; add {PASSWORD}, or remove {USERNAME}"
            ));
        }
        if let Some(pem) = &authorities {
            let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).peekable();
            if certificates.peek().is_none() || !certificates.all(|found| found.is_ok()) {
                return Err(format!(
                    "has a {AUTHORITIES} that is no list of certificates in PEM; put them there"
                ));
            }
        }
        let login = password.map(|password| StoreLogin::new(username, password));
        Ok(Self { login, authorities })
    }
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    is_encrypted: bool,
    host: String,
    port: u16,
    database: u32,
}

impl Address {
    /// Reads `redis://HOST[:PORT][/DATABASE]`, or the same with `rediss`. What is wrong is said without the text: somebody
    /// may have written a password into it.
    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err("limit-shared-url: a user name and a password have no place in the URL; put them into a Secret under username and password, and name it in limit-shared-secret".into());
        }
        Self::parts(text).ok_or_else(|| {
            "limit-shared-url is neither redis://HOST[:PORT][/DATABASE] nor rediss://HOST[:PORT][/DATABASE]"
                .into()
        })
    }

    fn parts(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_encrypted = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return None,
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(fine) {
            return None;
        }
        Some(Self {
            is_encrypted,
            host: host.into(),
            port: port.map_or(Some(DEFAULT_PORT), number).filter(|port| *port > 0)?,
            database: if database.is_empty() { 0 } else { number(database)? },
        })
    }
}

/// A number in digits and nothing else.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
