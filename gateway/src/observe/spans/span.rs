//! The span of one request: its place in a trace, and whether it is recorded. Pure.

use headgate_config::{Sampler, SpanSettings};

use super::{
    context::{PARENT, Parent, ParentText, STATE, SpanId, TraceId},
    trace_state::TraceState,
};
use crate::filter::request_headers::Override;

/// The span of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its identity in the trace.
    pub id: SpanId,
    /// The span that it is part of, if the client has named one that is believed.
    pub parent: Option<SpanId>,
    /// What systems on the way have to say about the trace.
    pub state: TraceState,
    /// Whether it is recorded.
    pub is_sampled: bool,
    /// Its name, where that depends on the request.
    pub name: Option<Box<[u8]>>,
    text: ParentText,
}

impl Span {
    /// A span in the trace of `parent`, or one that begins a trace, with identities made of `random`.
    pub fn new(parent: Option<Parent>, settings: &SpanSettings, random: [u64; 3]) -> Self {
        let [high, low, id] = random;
        // Zero is no identity.
        let low = if high == 0 { low.max(1) } else { low };
        let id = id.max(1).to_be_bytes();
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&high.to_be_bytes());
        trace[8..].copy_from_slice(&low.to_be_bytes());
        let (trace, parent, state, told) = match parent {
            Some(Parent { trace, span, is_sampled, state }) => {
                (trace, Some(span), state, settings.follows_parent.then_some(is_sampled))
            }
            None => (trace, None, TraceState::default(), None),
        };
        let is_sampled = told.unwrap_or_else(|| is_sampled(settings.sampler, &trace));
        let text = ParentText::new(&trace, &id, is_sampled);
        Self { trace, id, parent, state, is_sampled, name: None, text }
    }

    /// What upstreams are told: that this span is the parent of theirs. What the client says is not passed on beside it.
    pub fn headers(&self) -> [Override<'static>; 2] {
        let parent = Override::set(PARENT, self.text.whole().to_vec());
        let state = match self.state.text() {
            "" => Override::remove(STATE),
            text => Override::set(STATE, text.as_bytes().to_vec()),
        };
        [parent, state]
    }

    /// What a service that is asked about the request is told: the same, by name and value; what is empty is not sent.
    pub fn told(&self) -> [(&'static str, Vec<u8>); 2] {
        let state = self.state.text().as_bytes().to_vec();
        [(PARENT, self.text.whole().to_vec()), (STATE, state)]
    }

    /// The value of a variable of the reference's module, which is empty where there is no span; `None` for other names.
    pub fn variable<'a>(span: Option<&'a Self>, name: &str) -> Option<&'a [u8]> {
        let value: fn(&Self) -> &[u8] = match name {
            "opentelemetry_trace_id" => |span| span.text.trace(),
            "opentelemetry_span_id" => |span| span.text.span(),
            "opentelemetry_context_traceparent" => |span| span.text.whole(),
            "opentelemetry_context_tracestate" => |span| span.state.text().as_bytes(),
            _ => return None,
        };
        Some(span.map_or(b"", value))
    }
}

fn is_sampled(sampler: Sampler, trace: &TraceId) -> bool {
    match sampler {
        Sampler::AlwaysOn => true,
        Sampler::AlwaysOff => false,
        Sampler::Ratio(ratio) => {
            let mut low = [0; 8];
            low.copy_from_slice(&trace[8..]);
            ratio.takes(u64::from_be_bytes(low))
        }
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::Ratio;

    use super::*;

    fn settings(sampler: Sampler, follows_parent: bool) -> SpanSettings {
        SpanSettings { sampler, follows_parent, collector: None }
    }

    fn parent(is_sampled: bool) -> Parent {
        Parent { trace: [0xff; 16], span: [2; 8], is_sampled, state: TraceState::default() }
    }

    #[test]
    fn a_trace_that_begins_here_is_recorded_as_the_sampler_says() {
        let quarter = Sampler::Ratio(Ratio::new(0.25).expect("a share"));
        for (sampler, low, expected) in [
            (Sampler::AlwaysOn, u64::MAX, true),
            (Sampler::AlwaysOff, 0, false),
            (quarter, u64::MAX / 8, true),
            (quarter, u64::MAX / 2, false),
        ] {
            let span = Span::new(None, &settings(sampler, true), [0, low, 0]);
            assert_eq!(span.is_sampled, expected, "{sampler:?} {low}");
            assert_eq!(span.parent, None);
            assert!(span.trace != [0; 16] && span.id != [0; 8]);
        }
    }

    #[test]
    fn a_trace_of_a_client_is_recorded_as_there_unless_it_is_not_to_be_followed() {
        for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
            for told in [true, false] {
                let span = Span::new(Some(parent(told)), &settings(sampler, true), [1, 2, 3]);
                assert_eq!(span.is_sampled, told);
                assert_eq!((span.trace, span.parent), ([0xff; 16], Some([2; 8])));
                let span = Span::new(Some(parent(told)), &settings(sampler, false), [1, 2, 3]);
                assert_eq!(span.is_sampled, sampler == Sampler::AlwaysOn);
            }
        }
    }

    #[test]
    fn a_share_of_traces_is_the_same_for_everybody() {
        let none = Sampler::Ratio(Ratio::new(0.99).expect("a share"));
        // The trace's last bytes are as large as they can be.
        assert!(!Span::new(Some(parent(true)), &settings(none, false), [0, 0, 1]).is_sampled);
    }

    #[test]
    fn upstreams_are_told_about_this_span_and_not_about_the_clients() {
        let mut of_client = parent(true);
        of_client.state = TraceState::read([&b"a=1"[..]].into_iter());
        let span = Span::new(Some(of_client), &SpanSettings::default(), [0, 0, 5]);
        let value = format!("00-{}-0000000000000005-01", "ff".repeat(16));
        let state = Override::set("tracestate", &b"a=1"[..]);
        assert_eq!(span.headers(), [Override::set("traceparent", value.into_bytes()), state]);
        let span = Span::new(None, &SpanSettings::default(), [0, 0, 5]);
        assert_eq!(span.headers()[1], Override::remove("tracestate"));
    }

    #[test]
    fn variables() {
        let span = Span::new(None, &settings(Sampler::AlwaysOff, true), [0, 0, 5]);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let value = |name| Span::variable(Some(&span), name).map(text);
        assert_eq!(value("opentelemetry_trace_id"), Some(format!("{:032x}", 1)));
        assert_eq!(value("opentelemetry_span_id").as_deref(), Some("0000000000000005"));
        let whole = format!("00-{:032x}-{:016x}-00", 1, 5);
        assert_eq!(value("opentelemetry_context_traceparent"), Some(whole));
        assert_eq!(value("opentelemetry_context_tracestate").as_deref(), Some(""));
        assert_eq!((value("opentelemetry_context_b3"), value("host")), (None, None));
        assert_eq!(Span::variable(None, "opentelemetry_span_id"), Some(&b""[..]));
    }
}
