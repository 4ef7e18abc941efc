//! Kubernetes objects as YAML text, and a folder of them that changes the way operators change it: a complete file appears
//! by rename. Values are written as JSON strings, which YAML reads unchanged.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::tls::SelfSigned;

const CREATED: &str = "2026-01-01T00:00:00Z";

/// A watched folder of manifests and, beside it, a place where files are written before they are moved in.
#[derive(Debug, Clone)]
pub struct Folder {
    watched: PathBuf,
    staging: PathBuf,
}

impl Folder {
    /// Makes the folder below `parent`.
    pub fn new(parent: &Path) -> Result<Self> {
        let folder = Self { watched: parent.join("manifests"), staging: parent.join("staging") };
        fs::create_dir_all(&folder.watched)
            .with_context(|| format!("cannot make {}", folder.watched.display()))?;
        fs::create_dir_all(&folder.staging)?;
        Ok(folder)
    }

    /// What the gateway is pointed at.
    pub fn path(&self) -> &Path {
        &self.watched
    }

    /// Replaces or adds `NAME.yaml` in one step.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let staged = self.staging.join(name);
        fs::write(&staged, text)?;
        fs::rename(&staged, self.file(name))
            .with_context(|| format!("cannot move {name} into place"))
    }

    /// Removes `NAME.yaml`.
    pub fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.file(name)).with_context(|| format!("cannot remove {name}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.watched.join(format!("{name}.yaml"))
    }
}

/// Joins objects to one multi-document text.
pub fn documents(objects: &[String]) -> String {
    objects.join("---\n")
}

/// The IngressClass `nginx` of the reference's controller.
pub fn ingress_class() -> String {
    "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: nginx\nspec:\n  controller: k8s.io/ingress-nginx\n".into()
}

/// A Service with the port 80 named `http`.
pub fn service(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  ports:\n  - name: http\n    port: 80\n    targetPort: http\n"
    )
}

/// The one EndpointSlice of a Service, with every address ready on `port`.
pub fn endpoint_slice<'a>(
    namespace: &str,
    service: &str,
    port: u16,
    addresses: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut text = format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {service}-1\n  namespace: {namespace}\n  labels:\n    kubernetes.io/service-name: {service}\naddressType: IPv4\nports:\n- name: http\n  protocol: TCP\n  port: {port}\nendpoints:\n"
    );
    for address in addresses {
        let _ = write!(text, "- addresses: [{address}]\n  conditions:\n    ready: true\n");
    }
    text
}

/// A `kubernetes.io/tls` Secret.
pub fn tls_secret(namespace: &str, name: &str, pair: &SelfSigned) -> String {
    let (certificate, key) =
        (base64(pair.certificate_pem.as_bytes()), base64(pair.key_pem.as_bytes()));
    format!(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  tls.crt: {certificate}\n  tls.key: {key}\n"
    )
}

/// An Ingress of class `nginx` in the making.
#[derive(Debug, Clone, Default)]
pub struct Ingress {
    namespace: String,
    name: String,
    annotations: Vec<(String, String)>,
    tls: Vec<(String, String)>,
    paths: Vec<IngressPath>,
}

#[derive(Debug, Clone)]
struct IngressPath {
    host: String,
    path: String,
    kind: &'static str,
    service: String,
}

impl Ingress {
    /// An Ingress without rules.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), ..Self::default() }
    }

    /// Sets an annotation: under the reference's prefix, unless the name has one of its own.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        let full = match name.contains('/') {
            true => name.to_owned(),
            false => format!("nginx.ingress.kubernetes.io/{name}"),
        };
        self.annotations.push((full, value.into()));
        self
    }

    /// Adds a path of type Prefix.
    pub fn prefix(self, host: &str, path: &str, service: &str) -> Self {
        self.path(host, path, "Prefix", service)
    }

    /// Adds a path of type Exact.
    pub fn exact(self, host: &str, path: &str, service: &str) -> Self {
        self.path(host, path, "Exact", service)
    }

    /// Adds a path of type ImplementationSpecific, as regular expressions need it.
    pub fn pattern(self, host: &str, path: &str, service: &str) -> Self {
        self.path(host, path, "ImplementationSpecific", service)
    }

    /// Names the Secret that holds the host's certificate.
    pub fn secret(mut self, host: &str, secret: &str) -> Self {
        self.tls.push((host.into(), secret.into()));
        self
    }

    fn path(mut self, host: &str, path: &str, kind: &'static str, service: &str) -> Self {
        self.paths.push(IngressPath {
            host: host.into(),
            path: path.into(),
            kind,
            service: service.into(),
        });
        self
    }

    /// The object as YAML.
    pub fn text(&self) -> String {
        let mut text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {}\n  namespace: {}\n  creationTimestamp: \"{CREATED}\"\n",
            self.name, self.namespace
        );
        if !self.annotations.is_empty() {
            text.push_str("  annotations:\n");
        }
        for (name, value) in &self.annotations {
            let _ = writeln!(text, "    {name}: {}", quoted(value));
        }
        text.push_str("spec:\n  ingressClassName: nginx\n");
        if !self.tls.is_empty() {
            text.push_str("  tls:\n");
        }
        for (host, secret) in &self.tls {
            let _ = write!(text, "  - hosts: [{}]\n    secretName: {secret}\n", quoted(host));
        }
        text.push_str("  rules:\n");
        let mut host = None;
        for path in &self.paths {
            if host != Some(&path.host) {
                let _ = write!(text, "  - host: {}\n    http:\n      paths:\n", quoted(&path.host));
                host = Some(&path.host);
            }
            let _ = write!(
                text,
                "      - path: {}\n        pathType: {}\n        backend:\n          service:\n            name: {}\n            port:\n              number: 80\n",
                quoted(&path.path),
                path.kind,
                path.service
            );
        }
        text
    }
}

fn quoted(text: &str) -> Value {
    Value::from(text)
}

/// Standard base64 with padding (RFC 4648 §4), as Secrets carry their data.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for position in 0..4 {
            let index = (word >> (18 - 6 * position)) & 0x3f;
            text.push(if position <= group.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn base64_agrees_with_the_rfc_vectors() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        assert!(vectors.iter().all(|(plain, encoded)| base64(plain.as_bytes()) == *encoded));
    }

    #[test]
    fn an_ingress_keeps_patterns_and_groups_paths_by_host() {
        let ingress = Ingress::new("ns", "i")
            .annotation("use-regex", "true")
            .pattern("a.example", r"/v[0-9]+/\d{2,}$", "one")
            .prefix("a.example", "/", "two")
            .exact("*.b.example", "/x", "one")
            .secret("a.example", "cert");
        let value = parsed(&ingress.text());
        assert_eq!(
            value["metadata"]["annotations"]["nginx.ingress.kubernetes.io/use-regex"],
            "true"
        );
        assert_eq!(value["spec"]["rules"][0]["http"]["paths"][0]["path"], r"/v[0-9]+/\d{2,}$");
        assert_eq!(
            value["spec"]["rules"][0]["http"]["paths"][1]["backend"]["service"]["name"],
            "two"
        );
        assert_eq!(value["spec"]["rules"][1]["host"], "*.b.example");
        assert_eq!(value["spec"]["tls"][0]["secretName"], "cert");
    }

    #[test]
    fn a_slice_names_its_service_and_addresses() {
        let value = parsed(&endpoint_slice("ns", "web", 8080, ["127.0.0.11", "127.0.0.12"]));
        assert_eq!(value["metadata"]["labels"]["kubernetes.io/service-name"], "web");
        assert_eq!(value["endpoints"][1]["addresses"][0], "127.0.0.12");
        assert_eq!(value["ports"][0]["port"], 8080);
    }

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path()).unwrap();
        folder.write("a", "one").unwrap();
        folder.write("a", "two").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.yaml")).unwrap(), "two");
        folder.remove("a").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
