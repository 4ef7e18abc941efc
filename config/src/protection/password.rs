//! User names and passwords (annotations §3.6).

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// A user name and a password are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PasswordAuth {
    /// How they are sent.
    pub scheme: PasswordScheme,
    /// What they are for, as the client is told (`auth-realm`).
    pub realm: String,
    /// Who may come. Shared between locations with the same Secret.
    pub users: Arc<Users>,
}

/// How a password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PasswordScheme {
    /// In clear (RFC 7617).
    Basic,
    /// As a digest, with MD5 and `qop=auth` (RFC 7616, RFC 2617).
    Digest,
}

/// Users with what their passwords are compared with. Neither `Debug` nor serialisation show any of it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Users {
    hashes: BTreeMap<String, String>,
}

impl Users {
    /// Users by name. The hash is what stands behind the name in a line of htpasswd, or of htdigest: there the name is
    /// `user:realm`.
    pub fn new(hashes: BTreeMap<String, String>) -> Self {
        Self { hashes }
    }

    /// What the password of a user is compared with, for verification only.
    pub fn hash(&self, user: &str) -> Option<&str> {
        self.hashes.get(user).map(String::as_str)
    }

    /// All of them, in the order of their names, for verification only.
    pub fn hashes(&self) -> impl Iterator<Item = &str> {
        self.hashes.values().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({} hidden)", self.hashes.len())
    }
}

impl Serialize for Users {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} hidden", self.hashes.len()))
    }
}
