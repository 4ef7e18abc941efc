//! What is to be said about hosts whose TLS connections are, or should be, passed through (annotations §3.4).

use std::sync::Arc;

use headgate_config::{Effect, Host, HostPattern, UpstreamId, Verdict};

use crate::translate::ingress::{Accepted, host_of};

/// Findings about a host that is to be passed through, about each Ingress that has a say in it; `root` is the Service that
/// its connections go to, if there is one.
pub fn remarks(
    host: &Host,
    ingresses: &[Arc<Accepted>],
    root: Option<&UpstreamId>,
) -> Vec<Verdict> {
    let asks = |ingress: &Accepted| ingress.annotations.ssl_passthrough;
    let said = ingresses.iter().filter_map(|ingress| {
        let (reason, message) = match root {
            Some(root) => ("PathNotReached", not_reached(host, ingress, root)?),
            None if asks(ingress) => ("PassthroughWithoutRoot", without_root(host)),
            None => return None,
        };
        let reason = reason.into();
        Some(Verdict { object: ingress.reference(), effect: Effect::Warning, reason, message })
    });
    said.collect()
}

/// The connections go to one Service as they are, so that nobody sees which path is asked for.
fn not_reached(host: &Host, ingress: &Accepted, root: &UpstreamId) -> Option<String> {
    let rules = ingress.rules().iter().filter(|rule| host_of(rule) == host.name);
    let mut paths = rules.flat_map(|rule| &rule.paths).filter(|path| &*path.text != "/");
    let first = paths.next()?;
    let more = match paths.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let UpstreamId { service, port, .. } = root;
    Some(format!(
        "ssl-passthrough: path {:?}{more} of host {:?} gets no requests that come over TLS: all connections for the host go undecrypted to {service}:{port}, the Service of its path \"/\"; remove the path, or ssl-passthrough",
        first.text, host.name
    ))
}

fn without_root(host: &Host) -> String {
    let name = &host.name;
    let why = match host.pattern {
        HostPattern::Exact(_) => "has no path \"/\" with a Service; give it one",
        _ => "is no exact name; name each host",
    };
    format!(
        "ssl-passthrough: host {name:?} {why}. Until then its TLS connections end here, and its paths are served as those of other hosts are"
    )
}
