//! What an API server would refuse of an Ingress, which a folder of manifests would take without a word.
//!
//! Only what makes an Ingress be served otherwise than its author means: hosts, paths, backends, unknown fields.

use std::net::IpAddr;

use serde_json::Value;

use super::schema::{INGRESS, below, is_plain};
use crate::objects::{Backend, Ingress, Path};

/// Problems that a verdict names, at most.
const MOST: usize = 5;

/// What is wrong with an Ingress.
#[derive(Debug, Default)]
pub struct Problems {
    texts: Vec<String>,
    /// Whether an API server would refuse it even if it is asked to ignore what it does not know.
    pub is_refused: bool,
}

impl Problems {
    /// One sentence, if there are any.
    pub fn sentence(mut self) -> Option<String> {
        let more = self.texts.len().saturating_sub(MOST);
        self.texts.truncate(MOST);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!self.texts.is_empty()).then(|| format!("{}{more}", self.texts.join("; ")))
    }

    fn refuse(&mut self, place: &str, text: &str) {
        self.is_refused = true;
        self.texts.push(format!("{place}: {text}"));
    }
}

/// Whether an Ingress that was read from this text needs no closer look. Most do not.
pub fn is_fine(document: &str, ingress: &Ingress) -> bool {
    let is_port =
        |port: &str| port.parse::<i64>().map_or(true, |port| (1..=65_535).contains(&port));
    let is_served = |backend: &Backend| match backend {
        Backend::Service { name, port } => is_label(name) && is_port(port),
        Backend::Resource => false,
    };
    let is_path = |path: &Path| {
        let text = &path.text;
        let is_plain = text.starts_with('/') && !text.contains("/.") && !text.contains('%');
        is_plain && is_served(&path.backend)
    };
    let paths = ingress.rules.iter().flat_map(|rule| &rule.paths);
    let hosts = ingress.rules.iter().map(|rule| &*rule.host);
    is_plain(document)
        && document.matches("pathType:").count() == paths.clone().count()
        && !document.contains("//")
        && !ingress.rules.is_empty()
        && ingress.rules.iter().all(|rule| !rule.paths.is_empty())
        && paths.clone().all(is_path)
        && hosts.clone().all(|host| host_problem(host).is_none())
        && ingress.default_backend.iter().all(is_served)
}

/// Looks closely at an Ingress.
pub fn validate(ingress: &Value) -> Problems {
    let mut problems = Problems::default();
    INGRESS.unknown_fields(ingress, "", &mut |place, name, known| {
        let place = below(place, name);
        let known = known.join(", ");
        problems.texts.push(format!("{place}: unknown field; known here are {known}"));
    });
    let spec = &ingress["spec"];
    let default = &spec["defaultBackend"];
    if !default.is_null() {
        backend(&mut problems, "spec.defaultBackend", default);
    }
    let rules = list(&spec["rules"]);
    if rules.is_empty() && default.is_null() {
        problems.refuse("spec", "has neither rules nor defaultBackend; give it one of them");
    }
    for (index, rule) in rules.iter().enumerate() {
        let place = format!("spec.rules[{index}]");
        if let Some(host) = rule["host"].as_str()
            && let Some(problem) = host_problem(&host.to_ascii_lowercase())
        {
            problems.refuse(&format!("{place}.host"), &format!("{host:?} {problem}"));
        }
        for (index, path) in list(&rule["http"]["paths"]).iter().enumerate() {
            let place = format!("{place}.http.paths[{index}]");
            path_and_type(&mut problems, &place, path);
            backend(&mut problems, &format!("{place}.backend"), &path["backend"]);
        }
    }
    problems
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn path_and_type(problems: &mut Problems, place: &str, path: &Value) {
    let text = path["path"].as_str().unwrap_or_default();
    let kind = path["pathType"].as_str();
    let is_strict = matches!(kind, Some("Exact" | "Prefix"));
    if !is_strict && kind != Some("ImplementationSpecific") {
        let problem =
            kind.map_or_else(|| "is missing".to_owned(), |kind| format!("{kind:?} is none"));
        problems.refuse(
            &format!("{place}.pathType"),
            &format!("{problem}; write Prefix, Exact or ImplementationSpecific"),
        );
    }
    let place = format!("{place}.path");
    if !text.starts_with('/') && (is_strict || !text.is_empty()) {
        problems
            .refuse(&place, &format!("{text:?} does not begin with a slash; write \"/{text}\""));
    } else if is_strict {
        let inside = ["//", "/./", "/../", "%2f", "%2F"].into_iter().find(|odd| text.contains(odd));
        let odd = inside.or_else(|| ["/.", "/.."].into_iter().find(|odd| text.ends_with(odd)));
        if let Some(odd) = odd {
            problems.refuse(
                &place,
                &format!("{text:?} holds {odd:?}, which Prefix and Exact must not; leave it out"),
            );
        }
    }
}

fn backend(problems: &mut Problems, place: &str, backend: &Value) {
    let service = &backend["service"];
    match (service.is_null(), backend["resource"].is_null()) {
        (true, true) => {
            return problems.refuse(place, "names nothing; give service with its name and port");
        }
        (false, false) => {
            return problems.refuse(place, "names a service and a resource; leave one of them out");
        }
        (true, false) => return,
        (false, true) => {}
    }
    let place = format!("{place}.service");
    let name = service["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        problems.refuse(&place, "has no name; give that of a Service");
    } else if !is_label(name) {
        problems
            .refuse(&format!("{place}.name"), &format!("{name:?} cannot be a Service's; {LABEL}"));
    }
    let port = &service["port"];
    let name = port["name"].as_str().filter(|name| !name.is_empty());
    let number = port["number"].as_i64().filter(|number| *number != 0);
    match (name, number) {
        (None, None) => problems.refuse(&place, "names no port; give port.number or port.name"),
        (Some(_), Some(_)) => {
            problems.refuse(&format!("{place}.port"), "has a name and a number; leave one out");
        }
        (None, Some(number)) if !(1..=65_535).contains(&number) => {
            problems.refuse(
                &format!("{place}.port.number"),
                &format!("{number} is no port, 1 to 65535"),
            );
        }
        _ => {}
    }
}

const LABEL: &str = "use lower-case letters, digits and `-`";

/// Why a text, in lower case, can be no host of a rule. An API server would refuse capitals, too; one that has them is
/// served.
fn host_problem(host: &str) -> Option<String> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    if host.parse::<IpAddr>().is_ok() {
        return Some("is an address; a host is a DNS name".into());
    }
    let is_name = name.len() <= 253 && name.split('.').all(is_name_part);
    (!is_name).then(|| format!("is no DNS name; {LABEL} between dots, and `*.` in front at most"))
}

fn is_name_part(part: &str) -> bool {
    let is_fine = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().is_some_and(is_fine)
        && bytes.last().is_some_and(is_fine)
        && bytes.iter().all(|byte| is_fine(byte) || *byte == b'-')
}

fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_name_part(name)
}
