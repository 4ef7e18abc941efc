//! Headers of answers on their way to the client: what upstreams say is hidden and rewritten, and what the configuration says
//! is added (annotations §3.18; configmap-and-flags §6, §7).

use std::sync::Arc;

use headgate_config::Origin;
use http::{HeaderMap, StatusCode};

use super::{decide::variables, exchange::Exchange, place};
use crate::{
    filter::{
        compression::{Candidate, Encoder},
        variables::Variables,
    },
    live::{LiveConfig, LiveLocation},
    route::target::normalise,
};

/// Changes the headers of an upstream's answer. What the location rewrites is what its own upstream says: an error backend's
/// answer goes to the client as it is (operations §11.2).
pub fn upstream(
    headers: &mut HeaderMap,
    exchange: &Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
) {
    live.settings.headers.hide(headers);
    if let Some(rules) = location.headers.as_ref().filter(|rules| rules.rewrites(headers))
        && !exchange.attempts.iter().any(|attempt| attempt.after_redirect)
    {
        let own = place::own(&exchange.connection, exchange.host_name());
        let absolute = |path: &[u8]| own.url(location.spec.redirect, &[path]);
        with_variables(exchange, live, |variables| rules.rewrite(headers, variables, absolute));
    }
}

/// Adds what the configuration says to any answer.
pub fn add(headers: &mut HeaderMap, exchange: &Exchange, live: &LiveConfig) {
    let global = &live.settings.headers;
    global.name_server(headers);
    if global.adds() {
        with_variables(exchange, live, |variables| global.add(headers, variables));
    }
    if let Some(rules) = exchange.location().and_then(|location| location.headers.as_ref()) {
        rules.add_custom(headers);
    }
}

/// How the answer is compressed, if it is. `length` is that of a body that is known as a whole.
pub fn compress(
    status: StatusCode,
    headers: &mut HeaderMap,
    length: Option<u64>,
    exchange: &Exchange,
    live: &LiveConfig,
) -> Option<Encoder> {
    let compressor = live.settings.compressor.as_ref()?;
    let request = &exchange.inbound().parts;
    let (method, version, request) = (&request.method, request.version, &request.headers);
    compressor.choose(&Candidate { method, version, request, status, length }, headers)
}

/// The variables of a request when it is answered, be it that no location was found.
fn with_variables<T>(
    exchange: &Exchange,
    live: &LiveConfig,
    then: impl FnOnce(&Variables<'_>) -> T,
) -> T {
    let inbound = exchange.inbound();
    let client = inbound.client(&exchange.connection, &live.settings.spec.forwarded);
    let target = inbound.normalise().or_else(|_| normalise(b"/"));
    let nobody = Origin::default();
    let origin =
        exchange.location().map_or(&nobody, |location: &Arc<LiveLocation>| &*location.spec.origin);
    let host = exchange.host_name();
    let target = target.expect("the root is a path");
    then(&variables(exchange, inbound, &client, &target, host, origin))
}
