//! One virtual host: the names it answers to and its path table.

use std::sync::Arc;

use serde::Serialize;

use crate::{ClientCertificates, HostCiphers, Location, ObjectRef, snippet::HostSnippet};

/// A virtual host. Once it is chosen for a request no other host is looked at (routing §3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The host as the configuration names it, lower-case; `_` for the default host. Hosts are ordered by it.
    pub name: String,
    /// The name that it is matched by.
    pub pattern: HostPattern,
    /// Further names, in the order in which they are tried. Names that belong to another host are already dropped,
    /// except for overlaps between patterns, where the host that sorts first wins.
    pub aliases: Vec<HostPattern>,
    /// The object that asks for the aliases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_origin: Option<Arc<ObjectRef>>,
    /// How the locations' paths are matched.
    pub mode: PathMode,
    /// The path table in order of precedence. In [`PathMode::Pattern`] the first match wins; in
    /// [`PathMode::Literal`] the order is only informative (exact wins, then the longest prefix).
    pub locations: Vec<Arc<Location>>,
    /// Where a request for exactly `/` is sent (annotation `app-root`, annotations §3.2).
    pub app_root: Option<String>,
    /// Name of the host that all requests are sent to (`from-to-www-redirect`, routing §2.7). Such a host has nothing
    /// else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_to: Option<String>,
    /// What becomes of its clients by their certificates; most hosts do not ask for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<Arc<ClientCertificates>>,
    /// What snippets ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Arc<HostSnippet>>,
    /// Suites other than those of all hosts (`ssl-ciphers`, `ssl-prefer-server-ciphers`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<HostCiphers>,
    /// The object that created the host, if any.
    pub origin: Option<ObjectRef>,
}

/// What a host name is compared with. Request hosts are lower-case, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HostPattern {
    /// This very name.
    Exact(String),
    /// One label of `[A-Za-z0-9_-]+` in front of `.` + this parent: the rule host `*.parent` (routing §3.2).
    OneLabel(String),
    /// Any number of labels in front of `.` + this parent: the alias `*.parent` (routing §2.6). As observed, the
    /// empty label counts (`.parent`).
    AnyDepth(String),
    /// This name itself and anything below it: the alias `.name`.
    SelfAndBelow(String),
    /// Anything that begins with this text + `.`: the alias `text.*`.
    Trailing(String),
    /// A case-insensitive, unanchored PCRE: the alias `~regex`.
    Regex(String),
    /// Whatever no other host takes: the default host `_`.
    Default,
}

/// How all paths of a host are matched (routing §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMode {
    /// By bytes: exact, then the longest prefix.
    Literal,
    /// Every location is a regular expression; the first that matches wins.
    Pattern,
}
