//! Asks for a token (RFC 6750). Where nobody can tell whether it counts, the request may not pass.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, StatusCode, header};

use super::{
    exchange::Exchange,
    outbound::Outbound,
    protect::{Guarded, Refusal, Ruling},
};
use crate::{
    filter::jwt::{Bearer, Flaw, Token, Verified},
    live::LiveToken,
    observe::metrics::TokenOutcome,
    upstream::keys::Newer,
};

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// It brings no token.
    Missing,
    /// Its token does not count.
    Flawed(Flaw),
    /// There are no keys, or none that are new enough.
    Unavailable,
}

/// Whether a request brings a token that counts. What it says about the client is noted for the upstream.
pub async fn check(
    exchange: &Exchange,
    outbound: &mut Outbound<'_>,
    guarded: &Guarded<'_>,
) -> Ruling {
    let metrics = &exchange.worker.metrics;
    let unavailable = Ruling::Refuse(Refusal::of(StatusCode::SERVICE_UNAVAILABLE));
    let Some(token) = &guarded.protection.token else {
        metrics.token(TokenOutcome::Unavailable);
        return unavailable;
    };
    let lines = guarded.inbound.parts.headers.get_all(header::AUTHORIZATION).iter();
    let outcome = match Bearer::read(lines.map(HeaderValue::as_bytes)) {
        Bearer::Nothing => Err(Obstacle::Missing),
        Bearer::Flawed(flaw) => Err(Obstacle::Flawed(flaw)),
        Bearer::Token(text) => judge(token, text).await,
    };
    let flaw = match outcome {
        Ok((verified, counted)) => {
            metrics.token(counted);
            outbound.overrides.extend(token.policy.overrides(&verified));
            return Ruling::Pass;
        }
        Err(Obstacle::Unavailable) => {
            metrics.token(TokenOutcome::Unavailable);
            note(exchange, guarded, "there are no keys to verify it with");
            return unavailable;
        }
        Err(Obstacle::Missing) => {
            metrics.token(TokenOutcome::Missing);
            None
        }
        Err(Obstacle::Flawed(flaw)) => {
            metrics.flawed_token(flaw);
            note(exchange, guarded, flaw);
            Some(flaw)
        }
    };
    Ruling::Refuse(Refusal {
        status: StatusCode::UNAUTHORIZED,
        headers: vec![(header::WWW_AUTHENTICATE, token.policy.challenge(flaw))],
    })
}

/// Says why a token lets nobody pass, to those who want to know it of each; nothing of the token. Clients decide how often
/// this happens.
fn note(exchange: &Exchange, guarded: &Guarded<'_>, reason: impl Display) {
    let origin = &guarded.location.spec.origin;
    tracing::debug!(
        object = origin.object.as_ref().map(tracing::field::display),
        host = %guarded.name.as_bytes().escape_ascii(),
        client = %guarded.inbound.client_address(&exchange.connection),
        %reason,
        "a token is refused"
    );
}

/// Whether a token counts. It waits only where its key is unknown, or no key is known yet.
async fn judge(token: &LiveToken, text: &str) -> Result<(Arc<Verified>, TokenOutcome), Obstacle> {
    let policy: &Token = &token.policy;
    let held = token.keys.keys().await.ok_or(Obstacle::Unavailable)?;
    if let Some(verified) = policy.remembered(text, held.generation, now()) {
        return Ok((verified, TokenOutcome::Remembered));
    }
    let mut outcome = policy.verify(text, &held.keys, held.generation, now());
    if outcome == Err(Flaw::UnknownKey) {
        match token.keys.newer(held.generation).await {
            Newer::Keys(held) => {
                outcome = policy.verify(text, &held.keys, held.generation, now());
            }
            Newer::None => {}
            Newer::Unknown => return Err(Obstacle::Unavailable),
        }
    }
    let verified = outcome.map_err(Obstacle::Flawed)?;
    Ok((verified, TokenOutcome::Passed))
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
