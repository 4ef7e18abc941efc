//! Wishes for spans: what they come to, and what is wrong with them.

use headgate_config::SpanRules;

use super::*;

/// The ConfigMap's defaults: spans on or off, with a name of its own, and a collector or none.
fn defaults(on: bool, has_collector: bool) -> Defaults {
    let mut plain = Annotations::default();
    plain.spans.on = on;
    plain.spans.has_collector = has_collector;
    plain.spans.rules().operation = Some("$uri".into());
    Defaults { plain: Arc::new(plain), ..(*Config::default().defaults).clone() }
}

/// What is said about spans, and the findings.
fn spans(defaults: &Defaults, annotations: &[(&str, &str)]) -> (Option<SpanRules>, Vec<Finding>) {
    let (read, findings) = read_with(defaults, annotations).expect("it is served");
    (read.spans.settled().map(|rules| SpanRules::clone(&rules)), findings)
}

const NAME: (&str, &str) = ("opentelemetry-operation-name", "my shop");
const TRUST: (&str, &str) = ("opentelemetry-trust-incoming-span", "false");

#[test]
fn the_annotation_decides_and_else_the_config_map() {
    let of_map = SpanRules { operation: Some("$uri".into()), trusts_client: true };
    let own = SpanRules { operation: Some("my shop".into()), trusts_client: false };
    for (on, annotations, expected) in [
        (false, &[][..], None),
        (true, &[], Some(&of_map)),
        (true, &[("use-regex", "false")], Some(&of_map)),
        (false, &[("enable-opentelemetry", "true")], Some(&of_map)),
        (true, &[("enable-opentelemetry", "false")], None),
        (false, &[("enable-opentelemetry", "true"), NAME, TRUST], Some(&own)),
        // The others count only beside it.
        (true, &[NAME, TRUST], Some(&of_map)),
        (true, &[("enable-opentelemetry", "false"), NAME, TRUST], None),
    ] {
        let (rules, findings) = spans(&defaults(on, true), annotations);
        assert_eq!(rules.as_ref(), expected, "{on} {annotations:?}");
        assert_eq!(findings, []);
    }
}

#[test]
fn who_turns_it_on_is_told_that_nobody_gets_spans() {
    let annotations = [("enable-opentelemetry", "true")];
    let (rules, findings) = spans(&defaults(false, false), &annotations);
    assert!(rules.is_some());
    let [finding] = &*findings else { panic!("{findings:?}") };
    assert!(finding.message.contains("otlp-collector-host"), "{finding:?}");
    assert_eq!(spans(&defaults(true, false), &annotations).1, [], "the ConfigMap was told");
}
