//! What the soak serves: the upstreams, the manifests that stay, and which answer each steady route must give at any time.

use std::path::Path;

use anyhow::Result;

use crate::{
    echo::Echo,
    manifests::{self, Folder, Ingress},
    tls::SelfSigned,
};

pub const NAMESPACE: &str = "soak";
/// Host without regular expressions, except while the change called *mode* switches it.
pub const PLAIN: &str = "plain.soak.example";
/// Host that is always in regular-expression mode.
pub const REGEX: &str = "regex.soak.example";
/// Host with a certificate that is replaced again and again.
pub const SECURE: &str = "secure.soak.example";

/// The two sets between which the endpoints of the Service `moving` switch. All four stay alive.
pub const MOVING: [[&str; 2]; 2] = [["moving-a1", "moving-a2"], ["moving-b1", "moving-b2"]];
const NAMES: [&str; 8] =
    ["steady-1", "steady-2", "moving-a1", "moving-a2", "moving-b1", "moving-b2", "blue", "green"];

/// A route that exists all along and the answer it must give.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// Host header, and SNI where TLS is used.
    pub host: &'static str,
    /// Request target.
    pub target: &'static str,
    /// What the name of the answering upstream starts with.
    pub upstream: &'static str,
    /// The target that the upstream must see.
    pub seen: &'static str,
}

impl Probe {
    const fn new(
        host: &'static str,
        target: &'static str,
        upstream: &'static str,
        seen: &'static str,
    ) -> Self {
        Self { host, target, upstream, seen }
    }

    /// Whether an echoed body is the right answer.
    pub fn accepts(&self, body: &str) -> bool {
        body.strip_suffix('\n').and_then(|line| line.split_once(' ')).is_some_and(
            |(upstream, seen)| upstream.starts_with(self.upstream) && seen == self.seen,
        )
    }
}

/// Steady routes over plain HTTP.
pub const PROBES: [Probe; 7] = [
    Probe::new(PLAIN, "/", "steady-", "/"),
    Probe::new(PLAIN, "/deep/path?x=1&y=%2F", "steady-", "/deep/path?x=1&y=%2F"),
    Probe::new(PLAIN, "/moving/away", "moving-", "/moving/away"),
    Probe::new(PLAIN, "/exact", "steady-", "/exact"),
    Probe::new(REGEX, "/api/v2/items", "steady-", "/api/v2/items"),
    Probe::new(REGEX, "/old/a/b?c", "moving-", "/new/a/b?c"),
    Probe::new(REGEX, "/else", "steady-", "/else"),
];

/// Steady routes over TLS.
pub const SECURE_PROBES: [Probe; 2] = [
    Probe::new(SECURE, "/", "steady-", "/"),
    Probe::new(SECURE, "/moving/x", "moving-", "/moving/x"),
];

/// Running upstreams and the folder that describes them.
pub struct Scene {
    /// Manifests that the gateway watches.
    pub folder: Folder,
    /// The certificate that is in place when the gateway starts.
    pub first_certificate: SelfSigned,
    upstreams: Vec<Echo>,
}

impl Scene {
    /// Starts the upstreams and writes everything that stays.
    pub async fn set_up(parent: &Path) -> Result<Self> {
        let upstreams = Echo::group(&NAMES).await?;
        let scene = Self {
            folder: Folder::new(parent)?,
            first_certificate: SelfSigned::new(&[SECURE])?,
            upstreams,
        };
        let folder = &scene.folder;
        folder.write("class", &manifests::ingress_class())?;
        for name in ["steady", "moving", "blue", "green"] {
            folder.write(&format!("service-{name}"), &manifests::service(NAMESPACE, name))?;
        }
        folder.write("slice-steady", &scene.slice("steady", &["steady-1", "steady-2"]))?;
        folder.write("slice-moving", &scene.slice("moving", &MOVING[0]))?;
        folder.write("slice-blue", &scene.slice("blue", &["blue"]))?;
        folder.write("slice-green", &scene.slice("green", &["green"]))?;
        folder.write(
            "secret-secure",
            &manifests::tls_secret(NAMESPACE, "secure", &scene.first_certificate),
        )?;
        for (name, ingress) in steady_ingresses() {
            folder.write(&format!("ingress-{name}"), &ingress.text())?;
        }
        Ok(scene)
    }

    /// Writes a ConfigMap that lifts the limit of requests per connection.
    pub fn never_limit_connections(&self) -> Result<()> {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: {NAMESPACE}\ndata:\n  keep-alive-requests: \"1000000000\"\n"
        );
        self.folder.write("settings", &text)
    }

    /// The EndpointSlice of a Service with the named upstreams.
    pub fn slice(&self, service: &str, upstreams: &[&str]) -> String {
        let members: Vec<&Echo> =
            self.upstreams.iter().filter(|echo| upstreams.contains(&echo.name())).collect();
        let addresses: Vec<String> =
            members.iter().map(|echo| echo.address().ip().to_string()).collect();
        let port = members.first().map_or(0, |echo| echo.address().port());
        manifests::endpoint_slice(NAMESPACE, service, port, addresses.iter().map(String::as_str))
    }

    /// Address of an upstream, for a gateway that is not configured by manifests.
    pub fn address(&self, upstream: &str) -> String {
        let found = self.upstreams.iter().find(|echo| echo.name() == upstream);
        found.map(|echo| echo.address().to_string()).unwrap_or_default()
    }
}

fn steady_ingresses() -> [(&'static str, Ingress); 4] {
    let plain = Ingress::new(NAMESPACE, "plain")
        .prefix(PLAIN, "/", "steady")
        .prefix(PLAIN, "/moving", "moving")
        .prefix(PLAIN, "/ws", "moving")
        .exact(PLAIN, "/exact", "steady");
    let regex = Ingress::new(NAMESPACE, "regex")
        .annotation("use-regex", "true")
        .pattern(REGEX, "/api/v[0-9]+/items", "steady")
        .prefix(REGEX, "/", "steady");
    let rewrite = Ingress::new(NAMESPACE, "rewrite")
        .annotation("rewrite-target", "/new/$1")
        .pattern(REGEX, "/old/(.*)", "moving");
    let secure = Ingress::new(NAMESPACE, "secure")
        .prefix(SECURE, "/", "steady")
        .prefix(SECURE, "/moving", "moving")
        .prefix(SECURE, "/ws", "moving")
        .secret(SECURE, "secure");
    [("plain", plain), ("regex", regex), ("rewrite", rewrite), ("secure", secure)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_wants_the_right_upstream_and_the_right_target() {
        let probe = Probe::new(REGEX, "/old/a", "moving-", "/new/a");
        assert!(probe.accepts("moving-b1 /new/a\n"));
        assert!(!probe.accepts("steady-1 /new/a\n"));
        assert!(!probe.accepts("moving-b1 /old/a\n"));
        assert!(!probe.accepts("<html>"));
    }

    #[tokio::test]
    async fn a_slice_holds_only_the_named_upstreams() {
        let parent = tempfile::tempdir().unwrap();
        let scene = Scene::set_up(parent.path()).await.unwrap();
        let slice = scene.slice("moving", &MOVING[1]);
        assert!(
            slice.contains("127.0.0.15")
                && slice.contains("127.0.0.16")
                && !slice.contains("127.0.0.13")
        );
    }
}
