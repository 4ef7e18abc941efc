//! Ingresses as far as they are read.

use k8s_openapi::api::networking::v1 as networking;

/// An Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// When it was created, in seconds since 1970; 0 where that is not known, as in files.
    pub created: i64,
    /// `spec.ingressClassName`.
    pub class: Option<Box<str>>,
    /// All annotations but the copy that `kubectl apply` leaves, sorted by name.
    pub annotations: Box<[(Box<str>, Box<str>)]>,
    /// `spec.defaultBackend`.
    pub default_backend: Option<Backend>,
    /// `spec.rules`.
    pub rules: Box<[Rule]>,
    /// `spec.tls`.
    pub tls: Box<[Tls]>,
}

/// A rule of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The host in lower case; empty if it is for requests that no host takes.
    pub host: Box<str>,
    /// Its paths in order.
    pub paths: Box<[Path]>,
}

/// A path of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The path as written; an empty one is `/`.
    pub text: Box<str>,
    /// Whether its type is Exact. All others are Prefix (routing §4.1).
    pub is_exact: bool,
    /// Who serves it.
    pub backend: Backend,
}

/// Who serves a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A port of a Service.
    Service {
        /// Name, in the Ingress's namespace.
        name: Box<str>,
        /// Number or name of the port. Without one it is 0, which no Service has.
        port: Box<str>,
    },
    /// Something that is no Service, and serves nothing here (routing §2.4).
    Resource,
}

/// An entry of `spec.tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The hosts that it lists.
    pub hosts: Box<[Box<str>]>,
    /// The Secret; empty if it names none.
    pub secret: Box<str>,
}

/// Set by `kubectl apply`: a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Ingress {
    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        let at = self.annotations.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        Some(&self.annotations[at].1)
    }
}

impl From<networking::Ingress> for Ingress {
    fn from(ingress: networking::Ingress) -> Self {
        let networking::Ingress { metadata, spec, .. } = ingress;
        let spec = spec.unwrap_or_default();
        let annotations = metadata.annotations.into_iter().flatten();
        let annotations = annotations.filter(|(name, _)| name != LAST_APPLIED);
        Self {
            created: metadata.creation_timestamp.map_or(0, |time| time.0.as_second()),
            class: spec.ingress_class_name.map(Into::into),
            annotations: annotations.map(|(name, value)| (name.into(), value.into())).collect(),
            default_backend: spec.default_backend.map(Into::into),
            rules: spec.rules.into_iter().flatten().map(Into::into).collect(),
            tls: spec.tls.into_iter().flatten().map(Into::into).collect(),
        }
    }
}

impl From<networking::IngressRule> for Rule {
    fn from(rule: networking::IngressRule) -> Self {
        let paths = rule.http.map(|http| http.paths).unwrap_or_default();
        Self {
            host: rule.host.unwrap_or_default().to_ascii_lowercase().into(),
            paths: paths.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<networking::HTTPIngressPath> for Path {
    fn from(path: networking::HTTPIngressPath) -> Self {
        let text = path.path.filter(|text| !text.is_empty());
        Self {
            text: text.unwrap_or_else(|| "/".into()).into(),
            is_exact: path.path_type == "Exact",
            backend: path.backend.into(),
        }
    }
}

impl From<networking::IngressBackend> for Backend {
    fn from(backend: networking::IngressBackend) -> Self {
        let Some(service) = backend.service else {
            return Self::Resource;
        };
        let port = service.port.unwrap_or_default();
        let number = port.number.filter(|number| *number > 0).map(|number| number.to_string());
        let name = port.name.filter(|name| !name.is_empty());
        let port = number.or(name).unwrap_or_else(|| "0".into());
        Self::Service { name: service.name.into(), port: port.into() }
    }
}

impl From<networking::IngressTLS> for Tls {
    fn from(tls: networking::IngressTLS) -> Self {
        Self {
            hosts: tls.hosts.into_iter().flatten().map(Into::into).collect(),
            secret: tls.secret_name.unwrap_or_default().into(),
        }
    }
}
