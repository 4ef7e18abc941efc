//! What the command line says about reading and translating objects. Fixed for the life of the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use headgate_config::{PrivateKey, Rewrite};

/// Start-up options of the control plane. The defaults are the reference's.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which namespaces count (`--watch-namespace`, `--watch-namespace-selector`).
    pub namespaces: NamespaceScope,
    /// Value of the annotation `kubernetes.io/ingress.class`, and the name for by-name matching (`--ingress-class`).
    pub ingress_class: String,
    /// `spec.controller` of the IngressClasses that are ours (`--controller-class`).
    pub controller_class: String,
    /// The IngressClass that is named like [`Self::ingress_class`] is ours too (`--ingress-class-by-name`).
    pub ingress_class_by_name: bool,
    /// Serve Ingresses with neither class field nor annotation (`--watch-ingress-without-class`).
    pub watch_ingress_without_class: bool,
    /// `spec.ingressClassName` means nothing, because IngressClasses may not be read (routing §1.2).
    pub ignore_ingress_class_name: bool,
    /// Ignore Ingresses with `spec.defaultBackend` (`--disable-catch-all`).
    pub disable_catch_all: bool,
    /// Service of requests that no host or path takes (`--default-backend-service`).
    pub default_backend_service: Option<NamespacedName>,
    /// Secret of the default certificate (`--default-ssl-certificate`).
    pub default_ssl_certificate: Option<NamespacedName>,
    /// The main ConfigMap (`--configmap`).
    pub configmap: Option<NamespacedName>,
    /// The ConfigMap of TCP services (`--tcp-services-configmap`).
    pub tcp_services_configmap: Option<NamespacedName>,
    /// The ConfigMap of UDP services (`--udp-services-configmap`).
    pub udp_services_configmap: Option<NamespacedName>,
    /// Ports that no TCP or UDP service may have, because they are our own.
    pub reserved_ports: Vec<u16>,
    /// Pass TLS connections through to hosts that want it (`--enable-ssl-passthrough`).
    pub ssl_passthrough: bool,
    /// Prefix of annotation names, without `/` (`--annotations-prefix`).
    pub annotations_prefix: String,
    /// Check the values of annotations (`--enable-annotation-validation`).
    pub enable_annotation_validation: bool,
    /// Refuse Ingresses whose hosts, paths or TLS names look like injected configuration (`--deep-inspect`).
    pub deep_inspect: bool,
    /// Reviews look at the new Ingress only, and not at the objects that it names (`--disable-full-test`).
    pub disable_full_test: bool,
    /// ExternalName Services have no endpoints (`--disable-svc-external-name`).
    pub disable_svc_external_name: bool,
    /// The zone of this machine, where hints of EndpointSlices are to be followed (`--enable-topology-aware-routing`).
    pub zone: Option<String>,
    /// Path that the default host answers itself (`--health-check-path`).
    pub health_check_path: String,
    /// A Service without any EndpointSlice is reached by its name in DNS, and an `externalName` may lead to this machine.
    /// On for folders of manifests, off for a cluster, where such a Service has no endpoints, and its author may be
    /// anybody.
    pub resolve_services_by_name: bool,
    /// Nobody else serves these objects: an Ingress that is not for this controller gets a verdict. On for folders of
    /// manifests, off for a cluster, where other controllers own other classes.
    pub is_only_controller: bool,
    /// A further check of a certificate and its key, by the TLS library of whoever runs the gateway.
    pub certificate_check: Option<CertificateCheck>,
    /// Which regular expressions can be served, by the matcher of whoever runs the gateway.
    pub pattern_check: Option<PatternCheck>,
}

/// Says whether a chain (leaf first, DER) and a key belong together and can be served.
pub type CertificateCheck = fn(&[Vec<u8>], &PrivateKey) -> Result<(), String>;

/// Says whether patterns can be served, and if not, why.
#[derive(Clone, Copy, Debug)]
pub struct PatternCheck {
    /// Of a path that is a regular expression.
    pub path: fn(&str) -> Result<(), String>,
    /// Of a path and what replaces it.
    pub rewrite: fn(&Rewrite) -> Result<(), String>,
    /// Of an alias that is a regular expression, without the `~`.
    pub alias: fn(&str) -> Result<(), String>,
    /// Of an entry of a list of blocked header values.
    pub blocked: fn(&str) -> Result<(), String>,
    /// Of the value of a header, by its case.
    pub header: fn(&str) -> Result<(), String>,
}

/// The namespaces whose objects count (routing §1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceScope {
    /// All of them.
    #[default]
    All,
    /// This one, for objects of every kind.
    One(String),
    /// Ingresses of the namespaces that carry all these labels.
    Labelled(LabelSelector),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespaces: NamespaceScope::All,
            ingress_class: "nginx".into(),
            controller_class: "k8s.io/ingress-nginx".into(),
            ingress_class_by_name: false,
            watch_ingress_without_class: false,
            ignore_ingress_class_name: false,
            disable_catch_all: false,
            default_backend_service: None,
            default_ssl_certificate: None,
            configmap: None,
            tcp_services_configmap: None,
            udp_services_configmap: None,
            reserved_ports: Vec::new(),
            ssl_passthrough: false,
            annotations_prefix: "nginx.ingress.kubernetes.io".into(),
            enable_annotation_validation: true,
            deep_inspect: true,
            disable_full_test: false,
            disable_svc_external_name: false,
            zone: None,
            health_check_path: "/healthz".into(),
            resolve_services_by_name: false,
            is_only_controller: false,
            certificate_check: None,
            pattern_check: None,
        }
    }
}

impl Options {
    /// The ConfigMaps that are followed whether any Ingress names them or not. Those of streams do not exist for us beyond
    /// the namespace that is watched (routing §1.1).
    pub fn config_maps(&self) -> BTreeSet<&NamespacedName> {
        let is_in_scope = |name: &&NamespacedName| match &self.namespaces {
            NamespaceScope::One(only) => *only == name.namespace,
            NamespaceScope::All | NamespaceScope::Labelled(_) => true,
        };
        let streams = self.tcp_services_configmap.iter().chain(&self.udp_services_configmap);
        self.configmap.iter().chain(streams.filter(is_in_scope)).collect()
    }
}

/// A reference to an object in a namespace, written `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacedName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl FromStr for NamespacedName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self { namespace: namespace.into(), name: name.into() })
            }
            _ => Err(format!("{text:?} is not of the form namespace/name")),
        }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A label selector in the form of the Kubernetes command line: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl LabelSelector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let value = |key: &String| labels.and_then(|labels| labels.get(key));
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => value(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => {
                value(key).is_none_or(|value| !values.contains(value))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
        })
    }
}

impl FromStr for LabelSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for item in split_outside_brackets(text) {
            requirements.push(
                requirement(item.trim())
                    .ok_or_else(|| format!("{item:?} is not a label requirement"))?,
            );
        }
        Ok(Self { requirements })
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() || !items.is_empty() {
        items.push(&text[start..]);
    }
    items
}

fn requirement(item: &str) -> Option<Requirement> {
    let key_of = |key: &str| {
        let key = key.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        (!key.is_empty() && key.chars().all(fine)).then(|| key.to_owned())
    };
    if let Some((key, value)) = item.split_once("!=") {
        return Some(Requirement::NotIn(key_of(key)?, vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = item.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Some(Requirement::In(key_of(key)?, vec![value.trim().to_owned()]));
    }
    if let Some((head, values)) = item.strip_suffix(')').and_then(|item| item.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => Some(Requirement::In(key_of(key)?, values)),
            "notin" => Some(Requirement::NotIn(key_of(key)?, values)),
            _ => None,
        };
    }
    match item.strip_prefix('!') {
        Some(key) => Some(Requirement::Absent(key_of(key)?)),
        None => Some(Requirement::Exists(key_of(item)?)),
    }
}

#[cfg(test)]
mod tests;
