//! How upstreams are spoken to: `backend-protocol`, `fastcgi-*` and `proxy-http-version` (annotations §3.14).

use std::{collections::BTreeMap, sync::Arc};

use headgate_config::FastCgi;

use super::{
    Annotations,
    check::{Check, REFERENCE},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    external_auth::text::check_variables_and,
    group::Group,
    values::Values,
};

const PARAMETERS: &str = "fastcgi-params-configmap";

const PROTOCOL: Check = Check::choice(
    |value| Protocol::of(value).is_some(),
    "HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI",
);
const FILE: Check = Check::new(
    |value| {
        let value = value.replace(' ', "");
        !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    },
    "a file name",
);

/// Variables that only values of parameters may name.
const VARIABLES: &[&str] = &[
    "content_length",
    "content_type",
    "document_root",
    "fastcgi_path_info",
    "fastcgi_script_name",
    "https",
    "nginx_version",
    "realpath_root",
    "remote_port",
    "server_addr",
    "server_name",
    "server_protocol",
];

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("backend-protocol", PROTOCOL, Fallback, Low).documented(
        Group::Protocol,
        "HTTP",
        "How upstreams are spoken to. `HTTPS` and `GRPCS` verify nothing unless `proxy-ssl-*` say so.",
    ),
    Definition::new("fastcgi-index", FILE, Refuse, Medium).documented(
        Group::Protocol,
        "unset",
        "File that a path ending in a slash stands for, with FastCGI.",
    ),
    Definition::new(PARAMETERS, REFERENCE, Refuse, Medium).documented(
        Group::Protocol,
        "none",
        "ConfigMap with parameters for FastCGI, beside the standard ones or instead of them.",
    ),
];

/// The values of `backend-protocol`, which are the same in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1 in clear.
    #[default]
    Http,
    /// HTTP/1 over TLS.
    Https,
    /// The one of them that the client speaks.
    AutoHttp,
    /// HTTP/2 in clear.
    Grpc,
    /// HTTP/2 over TLS.
    Grpcs,
    /// FastCGI.
    FastCgi,
}

impl Protocol {
    fn of(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_uppercase().as_str() {
            "HTTP" => Self::Http,
            "HTTPS" => Self::Https,
            "AUTO_HTTP" => Self::AutoHttp,
            "GRPC" => Self::Grpc,
            "GRPCS" => Self::Grpcs,
            "FCGI" => Self::FastCgi,
            _ => return None,
        })
    }
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if let Some(word) = values.raw("backend-protocol") {
        match Protocol::of(word) {
            Some(protocol) => annotations.protocol = protocol,
            // Only without validation; what was to be encrypted must not leave in clear.
            None => annotations.deny(format!("backend-protocol: {word:?} is no protocol; write HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI")),
        }
    }
    let parameters = match parameters(values) {
        Ok(parameters) => parameters,
        Err(problem) => {
            annotations.deny(format!("{PARAMETERS}: {problem}"));
            return;
        }
    };
    let index = values.text("fastcgi-index");
    if index.is_some() || !parameters.is_empty() {
        annotations.fastcgi = Arc::new(FastCgi { index, parameters });
    }
}

fn parameters(values: &mut Values<'_>) -> Result<BTreeMap<String, String>, String> {
    let Some(name) = values.text(PARAMETERS) else { return Ok(BTreeMap::new()) };
    let key = match values.lookup.key(&name) {
        Ok(key) => key,
        // They protect nothing, so that the reference's way is taken (annotations §1.8).
        Err(problem) => {
            let message = format!("{PARAMETERS}: {problem}; none are sent");
            values.warn("InvalidAnnotation", message);
            return Ok(BTreeMap::new());
        }
    };
    let map = values.lookup.config_map(&key);
    let map = map.ok_or_else(|| {
        format!("the ConfigMap {key} does not exist, or cannot be read; create it")
    })?;
    let entries = map.data.iter().flatten();
    entries
        .map(|(name, value)| parameter(name, value))
        .collect::<Result<_, _>>()
        .map_err(|problem: String| format!("the ConfigMap {key} cannot be used: {problem}"))
}

fn parameter(name: &str, value: &str) -> Result<(String, String), String> {
    let is_made_of = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !is_made_of(name, ".-_") {
        return Err(format!(
            "{name:?} is not the name of a parameter, which has letters, digits and .-_ only"
        ));
    }
    if !is_made_of(value, "-_${}/.") {
        return Err(format!("the value of {name} may only hold letters, digits and -_${{}}/."));
    }
    check_variables_and(value, VARIABLES).map_err(|problem| format!("{name}: {problem}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
