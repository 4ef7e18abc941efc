//! The live table as JSON, part by part: a large table is never in memory as text. What is wrong comes first. Secrets
//! are not in it, because the types of the configuration do not serialise them.

mod query;

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use bytes::Bytes;
use headgate_config::{
    Action, CertificateId, Host, HostPattern, Location, ObjectRef, PathMode, Snapshot, Upstream,
};
use serde::Serialize;

use query::Involved;
pub(super) use query::{PARAMETERS, Query};

/// Size at which a chunk is handed out.
const CHUNK: usize = 64 * 1024;

/// The chunks of a dump.
pub(super) struct Dump {
    snapshot: Arc<Snapshot>,
    query: Query,
    /// What is shown, where not everything is.
    shown: Option<Shown>,
    next: Part,
    /// Whether nothing of the list that is being written has been shown yet.
    is_first: bool,
    /// Verdicts that are not shown.
    left_out: usize,
}

/// What somebody has asked for.
#[derive(Default)]
struct Shown {
    /// The places of its hosts.
    hosts: BTreeSet<usize>,
    /// Their certificates.
    certificates: BTreeSet<CertificateId>,
    /// What they come from.
    involved: Involved,
}

/// What is written next: each list item by item.
#[derive(Clone)]
enum Part {
    Verdict(usize),
    Host(usize),
    /// What comes after this one.
    Certificate(Option<CertificateId>),
    Settings,
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
    pub(super) fn new(snapshot: Arc<Snapshot>, query: Query) -> Self {
        let shown = query.narrows().then(|| Shown::new(&snapshot, &query));
        let (next, is_first, left_out) = (Part::Verdict(0), true, 0);
        Self { snapshot, query, shown, next, is_first, left_out }
    }

    /// Writes the next part; says what follows it.
    fn write(&mut self, text: &mut Vec<u8>) -> serde_json::Result<Part> {
        match self.next.clone() {
            Part::Verdict(place) => self.write_verdict(place, text),
            Part::Host(place) => self.write_host(place, text),
            Part::Certificate(before) => self.write_certificate(before, text),
            Part::Settings => {
                // They are those of all hosts; whoever asks for some of these wants less.
                if self.shown.is_none() {
                    text.extend_from_slice(b",\n\"settings\":");
                    serde_json::to_writer(&mut *text, &self.snapshot.settings)?;
                }
                text.extend_from_slice(b"}\n");
                Ok(Part::End)
            }
            Part::End => Ok(Part::End),
        }
    }

    fn write_verdict(&mut self, place: usize, text: &mut Vec<u8>) -> serde_json::Result<Part> {
        if place == 0 {
            text.extend_from_slice(b"{\"verdicts\":[");
        }
        let snapshot = Arc::clone(&self.snapshot);
        if let Some(verdict) = snapshot.verdicts.get(place) {
            let shown = self.shown.as_ref();
            if shown.is_none_or(|shown| self.query.has_verdict(verdict, &shown.involved)) {
                self.separate(text);
                serde_json::to_writer(text, verdict)?;
            } else {
                self.left_out += 1;
            }
            return Ok(Part::Verdict(place + 1));
        }
        text.extend_from_slice(b"],\n\"verdicts_left_out\":");
        serde_json::to_writer(&mut *text, &self.left_out)?;
        if self.query.verdicts_only {
            text.extend_from_slice(b"}\n");
            return Ok(Part::End);
        }
        text.extend_from_slice(b",\n\"hosts\":[");
        self.is_first = true;
        Ok(Part::Host(0))
    }

    fn write_host(&mut self, place: usize, text: &mut Vec<u8>) -> serde_json::Result<Part> {
        let snapshot = Arc::clone(&self.snapshot);
        if let Some(host) = snapshot.hosts.get(place) {
            if self.shown.as_ref().is_none_or(|shown| shown.hosts.contains(&place)) {
                self.separate(text);
                serde_json::to_writer(text, &view(&snapshot, host, &self.query))?;
            }
            return Ok(Part::Host(place + 1));
        }
        text.extend_from_slice(b"],\n\"certificates\":[");
        self.is_first = true;
        Ok(Part::Certificate(None))
    }

    fn write_certificate(
        &mut self,
        before: Option<CertificateId>,
        text: &mut Vec<u8>,
    ) -> serde_json::Result<Part> {
        let snapshot = Arc::clone(&self.snapshot);
        let start = before.as_ref().map_or(Unbounded, Excluded);
        let mut rest = snapshot.tls.certificates.range((start, Unbounded));
        let Some((id, certificate)) = rest.next() else {
            text.push(b']');
            return Ok(Part::Settings);
        };
        if self.shown.as_ref().is_none_or(|shown| shown.certificates.contains(id)) {
            self.separate(text);
            let default = snapshot.tls.default.as_ref() == Some(id);
            let view = CertificateView { id: &id.0, names: &certificate.names, default };
            serde_json::to_writer(text, &view)?;
        }
        Ok(Part::Certificate(Some(id.clone())))
    }

    /// Begins an item of a list.
    fn separate(&mut self, text: &mut Vec<u8>) {
        let is_first = std::mem::take(&mut self.is_first);
        text.extend_from_slice(if is_first { b"\n" } else { b",\n" });
    }
}

impl Iterator for Dump {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut text = Vec::new();
        while text.len() < CHUNK && !matches!(self.next, Part::End) {
            self.next = self.write(&mut text).unwrap_or_else(|error| {
                // Cannot happen with the types of the configuration; the client sees text that ends too early.
                tracing::error!(%error, "the table cannot be shown");
                Part::End
            });
        }
        (!text.is_empty()).then(|| text.into())
    }
}

impl Shown {
    fn new(snapshot: &Snapshot, query: &Query) -> Self {
        let mut shown = Self::default();
        for (place, host) in snapshot.hosts.iter().enumerate().filter(|(_, it)| query.has_host(it))
        {
            shown.hosts.insert(place);
            shown.certificates.extend(snapshot.tls.names.get(&host.name).cloned().flatten());
            shown.involved.add(host);
        }
        shown
    }
}

fn view<'a>(snapshot: &'a Snapshot, host: &'a Host, query: &Query) -> HostView<'a> {
    let locations = host.locations.iter().filter(|location| query.has_location(location));
    let locations = locations.map(|location| {
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
