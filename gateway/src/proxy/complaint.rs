//! Says in the log why an upstream did not answer. Clients only see a status, and whoever runs the gateway has to know
//! whether a port is wrong, a protocol, or a pod. An upstream is complained about every few seconds at most.

use std::time::Duration;

use super::exchange::Exchange;
use crate::{error::ProxyError, live::LiveLocation, upstream::WorkerUpstream};

/// The least time between two complaints about an upstream.
const REST: Duration = Duration::from_secs(10);

/// Complains about an upstream that did not answer, unless it was done just now or it is the client's doing.
pub fn complain(
    exchange: &Exchange,
    location: &LiveLocation,
    upstream: &WorkerUpstream,
    error: ProxyError,
) {
    let Some(remedy) = remedy(error) else { return };
    if !upstream.may_complain(REST) {
        return;
    }
    let endpoint = exchange.attempts.last().map(|attempt| attempt.endpoint.address);
    let origin = &location.spec.origin;
    let ingress = origin.object.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(
        upstream = upstream.name(),
        endpoint = endpoint.map(|address| address.to_string()).unwrap_or_default(),
        ingress,
        path = origin.path,
        status = error.status().as_u16(),
        tries = exchange.attempts.len(),
        "no answer from the upstream: {error}; {remedy}"
    );
}

/// What to look at; nothing where the upstream is not to blame.
fn remedy(error: ProxyError) -> Option<&'static str> {
    Some(match error {
        ProxyError::Connect => {
            "see whether its pods listen on that port, and whether the Service's targetPort is theirs"
        }
        ProxyError::ConnectTimeout => {
            "see whether the address can be reached from here (proxy-connect-timeout)"
        }
        ProxyError::UpstreamClosed => {
            "see its own log, and whether backend-protocol is what it speaks"
        }
        ProxyError::InvalidAnswer => "see whether backend-protocol is what it speaks",
        ProxyError::UpstreamTimeout => {
            "see its own log; proxy-read-timeout and proxy-send-timeout say how long it may take"
        }
        ProxyError::BadRequest
        | ProxyError::MethodNotAllowed
        | ProxyError::BodyTooLarge
        | ProxyError::LengthRequired
        | ProxyError::ClientGone
        | ProxyError::NoEndpoint
        | ProxyError::Denied
        | ProxyError::EmptyRewrite
        | ProxyError::MatchBudget => return None,
    })
}
