//! The text of one scrape, made chunk by chunk: thousands of series with seven histograms each are hundreds of
//! megabytes, which must never be in memory at once.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Metrics, controller,
    label::Entry,
    method, process,
    series::{Histogram, Series, SeriesKey, Total},
    text::{Exposition, Kind, PREFIX, Seconds, bound},
};

/// Size at which a chunk is handed out.
const CHUNK: usize = 64 * 1024;

/// The chunks of one text exposition.
pub struct Scrape {
    metrics: Arc<Metrics>,
    text: Exposition,
    groups: Vec<Group>,
    /// Families still to be written, the next one last.
    families: Vec<Family>,
    /// The next group of the current family.
    group: usize,
}

/// The series that differ by nothing but the worker.
type Group = SmallVec<[Arc<Series>; 2]>;

/// One of the request metrics.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    help: &'static str,
    /// What it shows; `requests` shows the number of request durations.
    histogram: Histogram,
    /// Upper bounds of the buckets, and whether they are times.
    bounds: Bounds,
}

#[derive(Clone, Copy, PartialEq)]
enum Bounds {
    /// No buckets: a counter.
    None,
    Time,
    Length,
    Size,
}

const FAMILIES: [Family; 8] = [
    Family {
        name: "requests",
        help: "The total number of client requests",
        histogram: Histogram::RequestDuration,
        bounds: Bounds::None,
    },
    Family {
        name: "request_duration_seconds",
        help: "The request processing time in seconds",
        histogram: Histogram::RequestDuration,
        bounds: Bounds::Time,
    },
    Family {
        name: "response_duration_seconds",
        help: "The time spent on receiving the response from the upstream server",
        histogram: Histogram::ResponseDuration,
        bounds: Bounds::Time,
    },
    Family {
        name: "connect_duration_seconds",
        help: "The time spent on establishing a connection with the upstream server",
        histogram: Histogram::ConnectDuration,
        bounds: Bounds::Time,
    },
    Family {
        name: "header_duration_seconds",
        help: "The time spent on receiving first header from the upstream server",
        histogram: Histogram::HeaderDuration,
        bounds: Bounds::Time,
    },
    Family {
        name: "request_size",
        help: "The request length (including request line, header, and request body)",
        histogram: Histogram::RequestSize,
        bounds: Bounds::Length,
    },
    Family {
        name: "response_size",
        help: "The response length (including request line, header, and request body)",
        histogram: Histogram::ResponseSize,
        bounds: Bounds::Length,
    },
    Family {
        name: "bytes_sent",
        help: "DEPRECATED The number of bytes sent to a client",
        histogram: Histogram::BytesSent,
        bounds: Bounds::Size,
    },
];

impl Scrape {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        let mut text = Exposition::new(&metrics.settings.instance);
        process::write(&mut text, metrics);
        let mut scrape = Self {
            metrics: Arc::clone(metrics),
            text,
            groups: Vec::new(),
            families: Vec::new(),
            group: 0,
        };
        if metrics.settings.enabled {
            controller::write(&mut scrape.text, metrics);
            scrape.groups = groups(metrics);
            let wanted = |family: &Family| !is_excluded(metrics, family.name);
            scrape.families = FAMILIES.into_iter().filter(wanted).rev().collect();
        }
        for source in metrics.sources.lock().iter() {
            source(&mut scrape.text);
        }
        scrape
    }

    /// Writes the next series, or the head of the next family. False at the end.
    fn advance(&mut self) -> bool {
        let Some(&family) = self.families.last() else {
            return false;
        };
        let name = format!("{PREFIX}{}", family.name);
        if self.group == 0 {
            let kind = match family.bounds {
                Bounds::None => Kind::Counter,
                _ => Kind::Histogram,
            };
            self.text.family(&name, kind, family.help);
        }
        match self.groups.get(self.group) {
            Some(group) => {
                write_group(&mut self.text, &self.metrics, group, &name, family);
                self.group += 1;
            }
            None => {
                self.families.pop();
                self.group = 0;
            }
        }
        true
    }
}

impl Iterator for Scrape {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.text.len() < CHUNK && self.advance() {}
        match self.text.len() {
            0 => None,
            _ => Some(self.text.take().into()),
        }
    }
}

fn is_excluded(metrics: &Metrics, name: &str) -> bool {
    let mut excluded = metrics.settings.exclude.iter();
    excluded.any(|excluded| excluded.strip_prefix(PREFIX).unwrap_or(excluded) == name)
}

/// All series by their labels, in the order in which the labels were first seen.
fn groups(metrics: &Metrics) -> Vec<Group> {
    let mut groups: HashMap<SeriesKey, Group, foldhash::fast::RandomState> = HashMap::default();
    for shard in metrics.shards.lock().iter() {
        for series in shard.series.lock().iter() {
            groups.entry(series.key).or_default().push(Arc::clone(series));
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| group[0].key);
    groups
}

fn write_group(
    text: &mut Exposition,
    metrics: &Metrics,
    group: &Group,
    name: &str,
    family: Family,
) {
    let total = Total::of(&metrics.layout, family.histogram, group.iter().map(|series| &**series));
    // The reference has no series of an upstream time before one was observed.
    let count = total.count();
    if count == 0 {
        return;
    }
    let Some(labels) = labels(text, metrics, &group[0]) else {
        return;
    };
    let settings = &metrics.settings;
    let bounds = match family.bounds {
        Bounds::None => return text.put(format_args!("{name}{{{labels}}} {count}\n")),
        Bounds::Time => &settings.time_buckets,
        Bounds::Length => &settings.length_buckets,
        Bounds::Size => &settings.size_buckets,
    };
    let mut cumulated = 0;
    for (upper, observed) in bounds.iter().zip(&total.buckets) {
        cumulated += observed;
        let upper = bound(*upper);
        text.put(format_args!("{name}_bucket{{{labels},le=\"{upper}\"}} {cumulated}\n"));
    }
    text.put(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n"));
    match family.bounds {
        Bounds::Time => text.put(format_args!("{name}_sum{{{labels}}} {}\n", Seconds(total.sum))),
        _ => text.put(format_args!("{name}_sum{{{labels}}} {}\n", total.sum)),
    }
    text.put(format_args!("{name}_count{{{labels}}} {count}\n"));
}

/// The labels of a series; none if it is no longer live.
fn labels(text: &Exposition, metrics: &Metrics, series: &Series) -> Option<String> {
    let name = |name: &Option<std::sync::Weak<Entry<Box<str>>>>| match name {
        None => Some(None),
        Some(name) => name.upgrade().map(Some),
    };
    let location = series.location.upgrade()?;
    let (host, canary) = (name(&series.host)?, name(&series.canary)?);
    let [namespace, ingress, service, path] = location.value.texts();
    let status = series.key.status();
    let status = match metrics.settings.status_classes {
        true => format!("{status}xx"),
        false => status.to_string(),
    };
    let mut labels: SmallVec<[(&str, &str); 8]> = SmallVec::from_slice(&[
        ("canary", canary.as_ref().map_or("", |canary| &canary.value)),
        ("ingress", ingress),
        ("method", method::label(series.key.method())),
        ("namespace", namespace),
        ("path", path),
        ("service", service),
        ("status", &status),
    ]);
    if let Some(host) = &host {
        labels.push(("host", &host.value));
    }
    Some(text.inner_labels(&labels))
}
