//! OpenTelemetry (configmap-and-flags §2.1, "Tracing").

use std::{net::IpAddr, sync::Arc, time::Duration};

use headgate_config::{Collector, Ratio, Sampler, SpanSettings};

use super::{Apply, Draft, set, value};
use crate::translate::annotations::{external_auth::text, tracing::NO_COLLECTOR};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("enable-opentelemetry", |draft, text| set(&mut draft.plain.spans.on, value::bool(text))),
    ("opentelemetry-operation-name", |draft, text| {
        let name = value::one_line(text)?;
        if text::check_variables(&name).is_err() {
            return Err("a text with variables that there are");
        }
        draft.plain.spans.rules().operation = Some(name).filter(|name| !name.is_empty());
        Ok(())
    }),
    ("opentelemetry-trust-incoming-span", |draft, text| {
        set(&mut draft.plain.spans.rules().trusts_client, value::bool(text))
    }),
    ("otel-max-export-batch-size", |draft, text| {
        set(&mut draft.spans.collector.batch, above_zero(text))
    }),
    ("otel-max-queuesize", |draft, text| set(&mut draft.spans.collector.queue, above_zero(text))),
    ("otel-sampler", |draft, text| set(&mut draft.spans.sampler, sampler(text))),
    ("otel-sampler-parent-based", |draft, text| {
        set(&mut draft.settings.spans.follows_parent, value::bool(text))
    }),
    ("otel-sampler-ratio", |draft, text| set(&mut draft.spans.ratio, ratio(text))),
    ("otel-schedule-delay-millis", |draft, text| {
        set(&mut draft.spans.collector.delay, delay(text))
    }),
    ("otel-service-name", |draft, text| {
        let name = value::one_line(text)?;
        if !name.is_empty() {
            draft.spans.collector.service = name;
        }
        Ok(())
    }),
    ("otlp-collector-host", |draft, text| set(&mut draft.spans.collector.host, host(text))),
    ("otlp-collector-port", |draft, text| set(&mut draft.spans.collector.port, port(text))),
];

/// What the keys say that only mean something together.
#[derive(Clone, Debug)]
pub struct SpanKeys {
    sampler: SamplerName,
    ratio: Ratio,
    /// Without a host it is none.
    collector: Collector,
}

/// Values of `otel-sampler`.
#[derive(Clone, Copy, Debug)]
enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatioBased,
}

impl Default for SpanKeys {
    fn default() -> Self {
        Self {
            sampler: SamplerName::AlwaysOn,
            ratio: Ratio::new(0.01).expect("it is between 0 and 1"),
            collector: Collector {
                host: String::new(),
                port: 4317,
                service: "nginx".into(),
                queue: 2048,
                batch: 512,
                delay: Duration::from_secs(5),
            },
        }
    }
}

impl SpanKeys {
    /// Puts together what the keys say.
    pub fn settle(draft: &mut Draft) {
        let Self { sampler, ratio, mut collector } = std::mem::take(&mut draft.spans);
        // More than may wait there never are.
        collector.batch = collector.batch.min(collector.queue);
        let collector = Some(collector).filter(|collector| !collector.host.is_empty());
        let wish = &mut draft.plain.spans;
        wish.has_collector = collector.is_some();
        if wish.on && !wish.has_collector {
            draft.notes.push(format!("enable-opentelemetry: {NO_COLLECTOR}"));
        }
        draft.settings.spans = SpanSettings {
            sampler: match sampler {
                SamplerName::AlwaysOn => Sampler::AlwaysOn,
                SamplerName::AlwaysOff => Sampler::AlwaysOff,
                SamplerName::TraceIdRatioBased => Sampler::Ratio(ratio),
            },
            follows_parent: draft.settings.spans.follows_parent,
            collector: collector.map(Arc::new),
        };
    }
}

fn above_zero(text: &str) -> Result<usize, &'static str> {
    let number = value::int(text).ok().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| *number > 0).ok_or("a whole number above zero")
}

fn sampler(text: &str) -> Result<SamplerName, &'static str> {
    Ok(match text.trim() {
        "AlwaysOn" => SamplerName::AlwaysOn,
        "AlwaysOff" => SamplerName::AlwaysOff,
        "TraceIdRatioBased" => SamplerName::TraceIdRatioBased,
        _ => return Err("AlwaysOn, AlwaysOff or TraceIdRatioBased"),
    })
}

fn ratio(text: &str) -> Result<Ratio, &'static str> {
    text.trim().parse().ok().and_then(Ratio::new).ok_or("a number from 0 to 1")
}

fn delay(text: &str) -> Result<Duration, &'static str> {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let number = value::count(text).ok().filter(|number| *number <= DAY);
    number.map(Duration::from_millis).ok_or("milliseconds, a day's at most")
}

/// The name or address of a host; nothing is none.
fn host(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "a host name or an address";
    let text = text.trim();
    // gRPC takes such an address as well, and encrypts nothing by it.
    let host = text.strip_prefix("http://").unwrap_or(text);
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if inner.parse::<IpAddr>().is_ok() {
        return Ok(inner.to_owned());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let is_name =
        host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label);
    (text.is_empty() || is_name).then(|| host.to_owned()).ok_or(EXPECTED)
}

fn port(text: &str) -> Result<u16, &'static str> {
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    port.ok_or("a port from 1 to 65535")
}
