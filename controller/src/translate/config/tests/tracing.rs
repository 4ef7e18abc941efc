//! Traces.

use headgate_config::{Collector, Ratio, Sampler, SpanRules, SpanSettings};

use super::*;

#[test]
fn spans_are_recorded_and_sent_as_the_keys_say() {
    let config = read(&[
        ("enable-opentelemetry", "true"),
        ("opentelemetry-operation-name", "HTTP $request_method $service_name"),
        ("opentelemetry-trust-incoming-span", "false"),
        ("otel-max-export-batch-size", "64"),
        ("otel-max-queuesize", "0x80"),
        ("otel-sampler", "TraceIdRatioBased"),
        ("otel-sampler-parent-based", "false"),
        ("otel-sampler-ratio", "0.25"),
        ("otel-schedule-delay-millis", "250"),
        ("otel-service-name", "edge"),
        ("otlp-collector-host", "collector.otel.svc"),
        ("otlp-collector-port", "5317"),
    ]);
    let collector = Collector {
        host: "collector.otel.svc".into(),
        port: 5317,
        service: "edge".into(),
        queue: 128,
        batch: 64,
        delay: Duration::from_millis(250),
    };
    let expected = SpanSettings {
        sampler: Sampler::Ratio(Ratio::new(0.25).expect("a share")),
        follows_parent: false,
        collector: Some(Arc::new(collector)),
    };
    assert_eq!(config.settings.spans, expected);
    let rules = SpanRules {
        operation: Some("HTTP $request_method $service_name".into()),
        trusts_client: false,
    };
    for annotations in [&config.defaults.plain, &config.defaults.default_host] {
        assert_eq!(annotations.spans.settled().as_deref(), Some(&rules));
    }
    assert_eq!(config.verdicts, []);
}

#[test]
fn a_collector_needs_no_more_than_a_host() {
    let config = read(&[("otlp-collector-host", "[::1]"), ("otel-max-queuesize", "100")]);
    let spans = &config.settings.spans;
    assert_eq!((spans.sampler, spans.follows_parent), (Sampler::AlwaysOn, true));
    let collector = spans.collector.as_ref().expect("a collector");
    assert_eq!((&*collector.host, collector.port, &*collector.service), ("::1", 4317, "nginx"));
    assert_eq!((collector.queue, collector.batch), (100, 100), "no more than may wait");
    assert_eq!(collector.delay, Duration::from_secs(5));
    assert_eq!(config.defaults.plain.spans.settled(), None, "nobody has asked for spans");
}

#[test]
fn without_a_collector_it_is_said_that_nobody_gets_spans() {
    let config = read(&[("enable-opentelemetry", "true")]);
    assert_eq!(config.settings.spans, SpanSettings::default());
    assert!(config.defaults.plain.spans.on);
    let [verdict] = &*config.verdicts else { panic!("{:?}", config.verdicts) };
    assert!(verdict.message.contains("otlp-collector-host"), "{verdict:?}");
}

#[test]
fn what_makes_no_sense_leaves_the_default() {
    for (key, value) in [
        ("enable-opentelemetry", "yes"),
        ("opentelemetry-operation-name", "$no_such_variable"),
        ("otel-max-export-batch-size", "0"),
        ("otel-max-queuesize", "-1"),
        ("otel-sampler", "remote"),
        ("otel-sampler-ratio", "1.5"),
        ("otel-sampler-ratio", "half"),
        ("otel-schedule-delay-millis", "99999999999"),
        ("otlp-collector-host", "https://collector"),
        ("otlp-collector-host", "a b"),
        ("otlp-collector-port", "0"),
        ("otlp-collector-port", "http"),
    ] {
        let config = read(&[(key, value)]);
        assert_eq!(config.settings.spans, SpanSettings::default(), "{key}: {value}");
        assert_eq!(config.defaults.plain.spans, Annotations::default().spans);
        let [verdict] = &*config.verdicts else { panic!("{key}: {:?}", config.verdicts) };
        assert!(verdict.message.starts_with(key), "{verdict:?}");
    }
}
