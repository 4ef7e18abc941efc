//! Traces: which requests have spans, and where those are sent (configmap-and-flags §10, annotations §3.21).

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

/// What a location says about the spans of its requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanRules {
    /// Their name; may contain `$variables`. Without one it is the rule's path (`opentelemetry-operation-name`).
    pub operation: Option<String>,
    /// Go on with the trace that a client names (`opentelemetry-trust-incoming-span`).
    pub trusts_client: bool,
}

/// What holds for all spans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanSettings {
    /// Which traces are recorded that begin here (`otel-sampler`).
    pub sampler: Sampler,
    /// Of traces that have begun elsewhere those are recorded that are recorded there (`otel-sampler-parent-based`).
    pub follows_parent: bool,
    /// Who gets them, if anybody.
    pub collector: Option<Arc<Collector>>,
}

impl Default for SpanSettings {
    fn default() -> Self {
        Self { sampler: Sampler::AlwaysOn, follows_parent: true, collector: None }
    }
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This share of them, by their identity: everybody with the same share chooses the same ones.
    Ratio(Ratio),
}

/// A receiver of spans, over OTLP in gRPC without encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collector {
    /// Name or address (`otlp-collector-host`).
    pub host: String,
    /// Port (`otlp-collector-port`).
    pub port: u16,
    /// Name of the service that the spans are of (`otel-service-name`).
    pub service: String,
    /// Spans that wait to be sent at most; others are lost (`otel-max-queuesize`).
    pub queue: usize,
    /// Spans that are sent at once at most (`otel-max-export-batch-size`).
    pub batch: usize,
    /// How long a span waits at most until it is sent, if there is no whole batch before (`otel-schedule-delay-millis`).
    pub delay: Duration,
}

/// A share of traces, from none to all.
///
/// It is kept as the number below which 63 random bits of a trace's identity have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(u64);

impl Ratio {
    const ALL: u64 = 1 << 63;

    /// A share between 0 and 1, both included; other numbers are none.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self((share * Self::ALL as f64) as u64))
    }

    /// The share as a number between 0 and 1.
    pub fn share(self) -> f64 {
        self.0 as f64 / Self::ALL as f64
    }

    /// Whether a trace is of this share, by the last eight bytes of its identity.
    pub fn takes(self, number: u64) -> bool {
        number >> 1 < self.0
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_takes_as_many_as_it_says() {
        let half = Ratio::new(0.5).expect("a share");
        assert!(half.takes(0) && half.takes(u64::MAX / 2 - 1));
        assert!(!half.takes(u64::MAX / 2 + 1) && !half.takes(u64::MAX));
        let (none, all) = (Ratio::new(0.0).expect("a share"), Ratio::new(1.0).expect("a share"));
        for number in [0, 1, u64::MAX / 3, u64::MAX] {
            assert!(!none.takes(number) && all.takes(number), "{number}");
        }
    }

    #[test]
    fn what_is_no_share_is_none() {
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Ratio::new(share), None, "{share}");
        }
    }
}
