//! Where requests are counted whose limit several replicas share (`headgate.io/limit-shared`).

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

/// Where requests are counted whose limit is shared, where anything is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitCounting {
    /// In this store.
    Store(Arc<LimitStore>),
    /// Nowhere, since what is said cannot be used; this decides instead.
    Unusable(LimitFallback),
}

impl LimitCounting {
    /// What decides while nobody can count.
    pub fn fallback(&self) -> LimitFallback {
        match self {
            Self::Store(store) => store.fallback,
            Self::Unusable(fallback) => *fallback,
        }
    }
}

impl From<LimitStore> for LimitCounting {
    fn from(store: LimitStore) -> Self {
        Self::Store(Arc::new(store))
    }
}

/// A Redis or Valkey server, and what happens while it cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitStore {
    /// Name or address of the server (`limit-shared-url`).
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Number of the database.
    pub database: u32,
    /// How the connection is encrypted, if it is.
    pub tls: Option<StoreTls>,
    /// Who asks, if the server wants to know.
    pub login: Option<StoreLogin>,
    /// How long a request waits for an answer of the server (`limit-shared-timeout`).
    pub timeout: Duration,
    /// What decides instead (`limit-shared-fallback`).
    pub fallback: LimitFallback,
}

/// How the server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreTls {
    /// Certificates of the authorities that are believed, in PEM; none is those of the system.
    #[serde(serialize_with = "presence")]
    pub authorities: Option<String>,
}

/// What decides about requests whose limit is shared while the server cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitFallback {
    /// Every replica counts for itself, with the whole limit.
    #[default]
    Local,
    /// No request passes: 503.
    Closed,
}

/// A user name and a password. Neither `Debug` nor serialisation show any of it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreLogin {
    username: Option<String>,
    password: String,
}

impl StoreLogin {
    /// Hides them. Without a name it is the server's default user.
    pub fn new(username: Option<String>, password: String) -> Self {
        Self { username, password }
    }

    /// The user name, to be sent to the server only.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password, to be sent to the server only.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for StoreLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreLogin(hidden)")
    }
}

impl Serialize for StoreLogin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("hidden")
    }
}

fn presence<S: Serializer>(pem: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if pem.is_some() { "given" } else { "of the system" })
}
