//! Asks another service whether a request may pass (annotations §3.7). Whatever goes wrong, it may not.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use smallvec::SmallVec;

use self::note::note;
use super::{
    ask::{self, Failure, Question},
    client_certificate,
    exchange::Exchange,
    outbound::Outbound,
    protect::{Guarded, Refusal, Ruling},
};
use crate::{
    clock,
    filter::{
        client_address::{self, Hop},
        external::answer::{Cookies, Decision, copied, decision},
        request_headers::{self, is_endless},
        url::Destination,
    },
    live::LiveExternal,
    observe::metrics::Asked,
    worker::Worker,
};

mod note;

/// Asks about a request. What the answer gives to the upstream and to the client is noted with both.
pub async fn ask(
    exchange: &mut Exchange,
    outbound: &mut Outbound<'_>,
    guarded: &Guarded<'_>,
) -> Ruling {
    let worker = Rc::clone(&exchange.worker);
    let Some(service) = &guarded.protection.external else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE);
    };
    let told = certificate(exchange, guarded);
    let key = {
        let client = guarded.client(exchange);
        service.policy.key(&guarded.variables(exchange, &client), &told)
    };
    let client = &guarded.inbound.parts.headers;
    if let Some(key) = &key {
        let scope = &service.policy.scope;
        if let Some(kept) = worker.asking.answers.find(scope, key, client, clock::tick()) {
            worker.metrics.asked(Asked::Remembered);
            return judge(exchange, outbound, service, kept.status, &kept.headers);
        }
    }
    let (status, headers) = match question(exchange, guarded, service, &told, &worker).await {
        Ok(answer) => answer,
        Err(failure) => {
            note(failure, &worker, guarded, service);
            return refuse(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    let decision = decision(status);
    worker.metrics.asked(match decision {
        Decision::Pass => Asked::Passed,
        Decision::Unauthorized => Asked::Unauthorized,
        Decision::Forbidden => Asked::Forbidden,
        Decision::Unclear => Asked::Unclear,
    });
    if let Some(key) = &key
        && let Some(kept) = service.policy.kept(status, &headers, client, clock::tick())
    {
        worker.asking.answers.keep(&service.policy.scope, key, kept, clock::tick());
    }
    judge(exchange, outbound, service, status, &headers)
}

/// What an answer means for the request.
fn judge(
    exchange: &mut Exchange,
    outbound: &mut Outbound<'_>,
    service: &LiveExternal,
    status: StatusCode,
    headers: &HeaderMap,
) -> Ruling {
    exchange.cookies = Cookies::of(headers, service.policy.spec.always_set_cookie);
    match decision(status) {
        Decision::Pass => {
            outbound.overrides.extend(service.policy.overrides(headers));
            Ruling::Pass
        }
        Decision::Unauthorized => {
            let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter();
            let challenges = challenges.map(|line| (header::WWW_AUTHENTICATE, copied(line)));
            Ruling::Refuse(Refusal { status, headers: challenges.collect() })
        }
        Decision::Forbidden => refuse(StatusCode::FORBIDDEN),
        Decision::Unclear => refuse(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn refuse(status: StatusCode) -> Ruling {
    Ruling::Refuse(Refusal::of(status))
}

/// Asks the service, and gives the head of its answer.
async fn question(
    exchange: &Exchange,
    guarded: &Guarded<'_>,
    service: &LiveExternal,
    told: &Told,
    worker: &Worker,
) -> Result<(StatusCode, HeaderMap), Failure> {
    if is_endless(&guarded.inbound.parts.headers) {
        return Err(Failure::Loop);
    }
    let (destination, head) = words(exchange, guarded, service, told).ok_or(Failure::Request)?;
    let limit = guarded.location.proxy().head_limit;
    let question =
        Question { method: &service.policy.method, head: &head, body: Bytes::new(), limit };
    ask::ask(worker, service.upstream.as_ref(), &destination, &question).await
}

/// Who is asked, and the head of what; `None` if what the client sent does not fit.
fn words(
    exchange: &Exchange,
    guarded: &Guarded<'_>,
    service: &LiveExternal,
    told: &Told,
) -> Option<(Destination, Vec<u8>)> {
    let (inbound, settings) = (guarded.inbound, &guarded.live.settings.spec);
    let hop = Hop::of(&exchange.connection, &settings.forwarded);
    let client = guarded.client(exchange);
    let variables = guarded.variables(exchange, &client);
    let policy = &service.policy;
    let destination = policy.destination(&variables)?;
    let extra = policy.spec.request_headers.iter();
    let extra: Vec<_> = extra
        .map(|(name, value)| (name.as_str(), variables.expand(value)))
        .chain(exchange.span.iter().flat_map(|span| span.told()))
        .chain(told.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())))
        .collect();
    let target = inbound.raw_target();
    let return_to = policy.spec.request_redirect.as_deref().map_or(target, str::as_bytes);
    let question = request_headers::Question {
        method: policy.method.as_str(),
        target: &destination.target,
        host: destination.place.host.as_bytes(),
        original_method: inbound.parts.method.as_str(),
        original_url: [exchange.connection.scheme(), inbound.host_header(), target],
        return_to,
        original_uri: policy.spec.method.is_some().then_some([target, client.scheme]),
        request_id: exchange.request_id().map(http::HeaderValue::as_bytes),
        extra: &extra,
        believed: client_address::believes(&settings.forwarded, hop.ip),
        remembered: policy.spec.cache_key.is_some(),
        odd_names: inbound.head.odd_names || exchange.version() == http::Version::HTTP_2,
        underscores: settings.underscores_in_headers,
        head: &inbound.head.text,
    };
    let head = question.write(&client)?;
    Some((destination, head))
}

/// Headers about the client's certificate, by name.
type Told = SmallVec<[(&'static str, HeaderValue); 4]>;

/// What the service is told about the client's certificate.
fn certificate(exchange: &Exchange, guarded: &Guarded<'_>) -> Told {
    let host = guarded.live.hosts.find(guarded.name.as_bytes());
    host.map(|host| client_certificate::headers(&exchange.connection, host)).unwrap_or_default()
}
