//! The live table as JSON, host by host: a large table is never in memory as text. Secrets are not in it, because
//! the types of the configuration do not serialise them.

use std::sync::Arc;

use bytes::Bytes;
use headgate_config::{
    Action, Host, HostPattern, Location, ObjectRef, PathMode, Snapshot, Upstream,
};
use serde::Serialize;

/// Size at which a chunk is handed out.
const CHUNK: usize = 64 * 1024;

/// The chunks of a dump.
pub(super) struct Dump {
    snapshot: Arc<Snapshot>,
    /// Show only hosts that this name may reach.
    host: Option<String>,
    next: Part,
}

#[derive(Clone, Copy)]
enum Part {
    Head,
    /// A host, and whether it would be the first that is shown.
    Host(usize, bool),
    Tail,
    End,
}

/// One host as it is shown.
#[derive(Serialize)]
struct HostView<'a> {
    name: &'a str,
    pattern: &'a HostPattern,
    aliases: &'a [HostPattern],
    mode: PathMode,
    app_root: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_to: &'a Option<String>,
    origin: &'a Option<ObjectRef>,
    certificate: CertificateOf<'a>,
    locations: Vec<LocationView<'a>>,
}

/// One location as it is shown: everything that the configuration says, and who answers.
#[derive(Serialize)]
struct LocationView<'a> {
    #[serde(flatten)]
    location: &'a Location,
    upstream: Option<&'a Upstream>,
}

/// The certificate that a host's name is served.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum CertificateOf<'a> {
    /// None of its own.
    None,
    /// The default one.
    Default,
    /// This one.
    Named(&'a str),
}

/// One certificate as it is shown.
#[derive(Serialize)]
struct CertificateView<'a> {
    id: &'a str,
    names: &'a [String],
    default: bool,
}

impl Dump {
    pub(super) fn new(snapshot: Arc<Snapshot>, host: Option<String>) -> Self {
        Self { snapshot, host, next: Part::Head }
    }

    /// Writes the next part; what follows it is noted in `self.next`.
    fn write(&mut self, text: &mut Vec<u8>) -> serde_json::Result<()> {
        self.next = match self.next {
            Part::Head => {
                text.extend_from_slice(b"{\"hosts\":[");
                Part::Host(0, true)
            }
            Part::Host(index, first) => match self.snapshot.hosts.get(index) {
                Some(host) if self.shows(host) => {
                    text.extend_from_slice(if first { b"\n" } else { b",\n" });
                    serde_json::to_writer(text, &view(&self.snapshot, host))?;
                    Part::Host(index + 1, false)
                }
                Some(_) => Part::Host(index + 1, first),
                None => Part::Tail,
            },
            Part::Tail => {
                let certificates = certificates(&self.snapshot);
                text.extend_from_slice(b"],\n\"certificates\":");
                serde_json::to_writer(&mut *text, &certificates)?;
                text.extend_from_slice(b",\n\"settings\":");
                serde_json::to_writer(&mut *text, &self.snapshot.settings)?;
                text.extend_from_slice(b",\n\"verdicts\":");
                serde_json::to_writer(&mut *text, &self.snapshot.verdicts)?;
                text.extend_from_slice(b"}\n");
                Part::End
            }
            Part::End => Part::End,
        };
        Ok(())
    }

    fn shows(&self, host: &Host) -> bool {
        let Some(wanted) = &self.host else {
            return true;
        };
        let patterns = std::iter::once(&host.pattern).chain(&host.aliases);
        host.name == *wanted || patterns.into_iter().any(|pattern| covers(pattern, wanted))
    }
}

impl Iterator for Dump {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut text = Vec::new();
        while text.len() < CHUNK && !matches!(self.next, Part::End) {
            if let Err(error) = self.write(&mut text) {
                // Cannot happen with the types of the configuration; the client sees text that ends too early.
                tracing::error!(%error, "the table cannot be shown");
                self.next = Part::End;
            }
        }
        (!text.is_empty()).then(|| text.into())
    }
}

fn view<'a>(snapshot: &'a Snapshot, host: &'a Host) -> HostView<'a> {
    let locations = host.locations.iter().map(|location| {
        let upstream = match &location.action {
            Action::Forward(forward) => snapshot.upstreams.get(&forward.upstream),
            Action::Respond(_) | Action::Health | Action::ConnectionStatus | Action::Deny => None,
        };
        LocationView { location, upstream: upstream.map(|upstream| &**upstream) }
    });
    HostView {
        name: &host.name,
        pattern: &host.pattern,
        aliases: &host.aliases,
        mode: host.mode,
        app_root: &host.app_root,
        redirect_to: &host.redirect_to,
        origin: &host.origin,
        certificate: match snapshot.tls.names.get(&host.name) {
            None => CertificateOf::None,
            Some(None) => CertificateOf::Default,
            Some(Some(id)) => CertificateOf::Named(&id.0),
        },
        locations: locations.collect(),
    }
}

fn certificates(snapshot: &Snapshot) -> Vec<CertificateView<'_>> {
    let tls = &snapshot.tls;
    let certificates = tls.certificates.values();
    certificates
        .map(|certificate| CertificateView {
            id: &certificate.id.0,
            names: &certificate.names,
            default: tls.default.as_ref() == Some(&certificate.id),
        })
        .collect()
}

/// Whether a pattern matches a lower-case name. Regular expressions do not take part: evaluating them is the route
/// table's business, and their hosts are found by name.
fn covers(pattern: &HostPattern, name: &str) -> bool {
    let above = |parent: &str| {
        let label = name.strip_suffix(parent).and_then(|label| label.strip_suffix('.'));
        label.map(str::len)
    };
    match pattern {
        HostPattern::Exact(exact) => exact == name,
        HostPattern::OneLabel(parent) => {
            above(parent).is_some_and(|length| length > 0 && !name[..length].contains('.'))
        }
        HostPattern::AnyDepth(parent) => above(parent).is_some(),
        HostPattern::SelfAndBelow(parent) => name == parent || above(parent).is_some(),
        HostPattern::Trailing(text) => {
            name.strip_prefix(text.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        HostPattern::Regex(_) | HostPattern::Default => false,
    }
}

/// The value of `host` in a query, decoded and in lower case.
pub(super) fn host_parameter(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("host="))?;
    Some(percent_decoded(value).to_ascii_lowercase())
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[2..];
            }
            None => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
