//! Where requests are counted whose limit several replicas share (`headgate.io/limit-shared`).

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

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
    /// User name; none is the server's default user.
    pub username: Option<String>,
    /// Password, if there is one.
    pub password: Option<StorePassword>,
    /// How long a request waits for an answer of the server (`limit-shared-timeout`).
    pub timeout: Duration,
    /// What decides instead (`limit-shared-fallback`).
    pub fallback: LimitFallback,
}

/// How the server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreTls {
    /// Certificates of the authorities that are believed, in PEM; none is those of the system.
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

/// A password. Neither `Debug` nor serialisation show any of it.
#[derive(Clone, PartialEq, Eq)]
pub struct StorePassword(String);

impl StorePassword {
    /// Hides a password.
    pub fn new(password: String) -> Self {
        Self(password)
    }

    /// The password, to be sent to the server only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StorePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorePassword(hidden)")
    }
}

impl Serialize for StorePassword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("hidden")
    }
}
