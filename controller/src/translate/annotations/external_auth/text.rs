//! URLs, methods and variables in configured texts.

use headgate_config::UpstreamId;

use super::by_endpoints;
use crate::{options::Options, translate::annotations::refusal::without_credentials};

/// The query parameter with the address to come back to, where none is named.
pub const RETURN_PARAMETER: &str = "rd";

/// Variables that there are (annotations, appendix A), but for those that begin with [`PREFIXES`].
const VARIABLES: &[&str] = &[
    "args",
    "best_http_host",
    "document_uri",
    "escaped_request_uri",
    "host",
    "http_host",
    "ingress_name",
    "is_args",
    "location_path",
    "msec",
    "namespace",
    "opentelemetry_context_traceparent",
    "opentelemetry_context_tracestate",
    "opentelemetry_span_id",
    "opentelemetry_trace_id",
    "pass_access_scheme",
    "query_string",
    "remote_addr",
    "remote_port",
    "remote_user",
    "req_id",
    "request_id",
    "request_method",
    "request_uri",
    "scheme",
    "server_port",
    "service_name",
    "service_port",
    "ssl_cipher",
    "ssl_protocol",
    "ssl_server_name",
    "the_real_ip",
    "time_iso8601",
    "uri",
];
const PREFIXES: &[&str] = &["arg_", "cookie_", "http_"];

/// Whether a service can be asked with this method.
pub fn is_method(text: &str) -> bool {
    const METHODS: &[&str] =
        &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
    METHODS.contains(&text)
}

/// Refuses variables that there are none of. The reference would load no configuration any more; without them a key
/// would be the same for everybody.
pub fn check_variables(text: &str) -> Result<(), String> {
    check_variables_and(text, &[])
}

/// The same where there are `more` of them.
pub fn check_variables_and(text: &str, more: &[&str]) -> Result<(), String> {
    for rest in text.split('$').skip(1) {
        let name = rest.strip_prefix('{').unwrap_or(rest);
        let length = name.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &name[..length];
        let has_prefix =
            |prefix: &&str| name.strip_prefix(*prefix).is_some_and(|rest| !rest.is_empty());
        let is_known = VARIABLES.contains(&name) || more.contains(&name);
        if !is_known && !PREFIXES.iter().any(has_prefix) {
            return Err(format!("there is no variable ${name}"));
        }
    }
    Ok(())
}

/// Checks the URL of a service. Returns the upstream that it names, where Services are not to be found by DNS.
pub fn check_url(url: &str, options: &Options) -> Result<Option<UpstreamId>, String> {
    check_variables(url)?;
    let invalid = || {
        format!(
            "{:?} is not a URL of the form http://HOST/PATH or https://HOST/PATH",
            without_credentials(url)
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let port = match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => "80",
        _ if scheme.eq_ignore_ascii_case("https") => "443",
        _ => return Err(invalid()),
    };
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if !rest.bytes().all(visible) {
        return Err(invalid());
    }
    // A variable may hold the path as well as (a part of) the host.
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let path =
        ["$request_uri", "$uri", "$document_uri"].iter().filter_map(|name| authority.find(name));
    let authority = &authority[..path.min().unwrap_or(authority.len())];
    if authority.is_empty() || authority.contains("..") {
        return Err(invalid());
    }
    if authority.contains('$') {
        return Ok(None);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(invalid)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| invalid())?;
            (authority, port.strip_prefix(':').unwrap_or(port))
        }
        None => authority.split_once(':').unwrap_or((authority, port)),
    };
    let is_port = port.is_empty() && authority.ends_with(']')
        || port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0);
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_host = host.starts_with('[') || (name.len() <= 253 && name.split('.').all(is_label));
    if !(is_port && is_host) {
        return Err(invalid());
    }
    Ok(by_endpoints(options).then(|| service(name, port)).flatten())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The Service that `NAME.NAMESPACE.svc`, with or without the cluster's usual domain, stands for.
fn service(host: &str, port: &str) -> Option<UpstreamId> {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(".cluster.local").unwrap_or(&host);
    let (service, namespace) = host.strip_suffix(".svc")?.split_once('.')?;
    (!namespace.contains('.')).then(|| UpstreamId {
        namespace: namespace.into(),
        service: service.into(),
        port: port.into(),
    })
}
