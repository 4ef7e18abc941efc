//! What snippets change in the head of a request on its way to the upstream, and in answers.

use bytes::Bytes;
use headgate_config::snippet::{Policy, Substitution};
use http::{HeaderMap, StatusCode, header};

use super::{NOWHERE, with_facts};
use crate::{
    filter::{
        request_headers::Override,
        snippet::{
            Facts, Scope, State,
            answer::{Head, apply, is_one_of},
            substitute::Substituter,
            upstream,
        },
    },
    live::{LiveConfig, LiveHost, LiveLocation},
    proxy::{answer::Answer, exchange::Exchange, inbound::Inbound, response_body::Source},
    route::target::Target,
};

/// The headers that snippets decide about on the way to an upstream.
pub fn for_upstream(
    exchange: &Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    place: (&LiveHost, &LiveLocation),
    target: &Target<'_>,
) -> Vec<Override<'static>> {
    let (host, location) = place;
    let chosen = exchange.snippet.as_ref().map_or(0, |state| state.policy);
    let policy = location.snippet.as_ref().and_then(|snippet| snippet.policy(chosen));
    let Some(policy) = policy.filter(|policy| !policy.input.is_empty() || !policy.sent.is_empty())
    else {
        return Vec::new();
    };
    let (place, headers) = ((&*host.spec.name, &*location.spec.origin), &inbound.parts.headers);
    let nothing = State::default();
    let state = exchange.snippet.as_deref().unwrap_or(&nothing);
    with_facts(exchange, inbound, live, place, target, |facts| {
        upstream::overrides(policy, headers, Scope { facts, state })
    })
}

/// Does with an answer what the snippets ask for; says whether it may be compressed.
pub fn finish(exchange: &Exchange, live: &LiveConfig, answer: &mut Answer) -> bool {
    let chosen = exchange.snippet.as_ref().map_or(0, |state| state.policy);
    let host = exchange.snippet_host.as_ref();
    let (policy, origin) = match exchange.location() {
        Some(location) => {
            let policy = location.snippet.as_ref().and_then(|snippet| snippet.policy(chosen));
            (policy, &*location.spec.origin)
        }
        None => (host.and_then(|host| Some(&host.snippet.as_ref()?.spec.policy)), &NOWHERE),
    };
    let Some(policy) = policy else { return true };
    let inbound = exchange.inbound();
    // It was understood before, or nothing would have been found.
    let Ok(target) = inbound.normalise() else { return true };
    let place = (host.map_or("", |host| &*host.spec.name), origin);
    let nothing = State::default();
    let state = exchange.snippet.as_deref().unwrap_or(&nothing);
    let is_upstreams = exchange.is_answered;
    with_facts(exchange, inbound, live, place, &target, |facts| {
        revise(policy, answer, is_upstreams, Scope { facts, state });
    });
    policy.gzip != Some(false)
}

/// Changes the head of an answer, and what is replaced in its body.
fn revise(policy: &Policy, answer: &mut Answer, is_upstreams: bool, scope: Scope<'_>) {
    let is_stock = answer.is_stock_page();
    let Answer { status, headers, source, .. } = answer;
    let status = *status;
    let substituter = policy.substitution.as_ref().filter(|_| !is_stock).and_then(|spec| {
        let replaces = !headers.contains_key(header::CONTENT_ENCODING)
            && status != StatusCode::PARTIAL_CONTENT
            && (spec.types.is_empty() || is_one_of(&spec.types, headers));
        replaces.then(|| substituter(spec, status, headers, scope))
    });
    apply(policy, Head { status: status.as_u16(), headers, is_upstreams }, scope);
    if let Some(substituter) = substituter {
        if let Some(Substitution { keeps_last_modified: false, .. }) = policy.substitution {
            headers.remove(header::LAST_MODIFIED);
        }
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ETAG);
        headers.remove(header::ACCEPT_RANGES);
        match source {
            Source::Full(body) => {
                if let Some(body) = body.take() {
                    *source = substituted(body, substituter);
                }
            }
            Source::Upstream(body) => body.substitute(substituter),
            Source::Gathered(body) => body.substitute(substituter),
            // Compressed it is afterwards.
            Source::Empty | Source::Substituted(_) | Source::Encoded(_) => {}
        }
    }
}

/// A body with its texts replaced; if it grows very large by that, in parts.
fn substituted(body: Bytes, mut substituter: Substituter) -> Source {
    let first: Bytes = [substituter.push(body), substituter.finish()].concat().into();
    if substituter.is_over() {
        return Source::Full(Some(first));
    }
    Source::Substituted(Box::new((first, substituter)))
}

fn substituter(
    spec: &Substitution,
    status: StatusCode,
    headers: &HeaderMap,
    scope: Scope<'_>,
) -> Substituter {
    let facts = Facts { answer: Some((status.as_u16(), headers)), ..scope.facts };
    let scope = Scope { facts, ..scope };
    let pairs = spec.replacements.iter();
    let by = |text| scope.expand(text).unwrap_or_default();
    let pairs = pairs.map(|pair| (pair.text.clone().into_bytes(), by(&pair.by)));
    Substituter::new(pairs, spec.once)
}
