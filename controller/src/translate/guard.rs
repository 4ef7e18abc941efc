//! What one Ingress brings about for a whole host, whoever owns its locations (annotations §1.10, §3.24): client
//! certificates and encryption towards upstreams.

use std::sync::Arc;

use headgate_config::{
    ClientCertificates, Effect, Host, UpstreamTls, Verdict, client_certificates::Mode,
};

use super::{
    annotations::client_certificates::SECRET,
    ingress::{Accepted, DEFAULT_HOST},
};

/// Whether an Ingress has any of it.
pub fn is_guard(ingress: &Accepted) -> bool {
    let annotations = &ingress.annotations;
    annotations.client_certificates.is_some() || annotations.upstream_tls.is_some()
}

/// What becomes of the clients by their certificates: one Ingress that asks in vain closes the host; otherwise the
/// oldest that asks decides.
pub fn client_certificates(guards: &[Arc<Accepted>]) -> Option<&Arc<ClientCertificates>> {
    let asked =
        || guards.iter().filter_map(|ingress| ingress.annotations.client_certificates.as_ref());
    asked()
        .find(|certificates| ***certificates == ClientCertificates::Refuse)
        .or_else(|| asked().next())
}

/// What holds for encryption towards upstreams where a location says nothing itself: the word of the oldest that names
/// authorities; if nobody does, of the youngest (annotations §3.14).
pub fn upstream_tls(guards: &[Arc<Accepted>]) -> Option<&Arc<UpstreamTls>> {
    let said = || guards.iter().filter_map(|ingress| ingress.annotations.upstream_tls.as_ref());
    said().find(|said| said.has_authorities).or_else(|| said().next_back()).map(|said| &said.tls)
}

/// What is to be said to the Ingresses of a host about what others ask for.
pub fn verdicts(
    guards: &[Arc<Accepted>],
    host: &Host,
    ingresses: &[Arc<Accepted>],
) -> Vec<Verdict> {
    let mut found = Vec::new();
    let Some(decides) = client_certificates(guards) else { return found };
    let own = |ingress: &Arc<Accepted>| ingress.annotations.client_certificates.clone();
    let Some(guard) = guards.iter().find(|ingress| own(ingress).as_ref() == Some(decides)) else {
        return found;
    };
    if **decides == ClientCertificates::Refuse {
        let others = ingresses.iter().filter(|ingress| own(ingress).as_ref() != Some(decides));
        let message = format!(
            "{SECRET} of {} holds for the whole host {:?} and cannot be honoured: every request to the host is answered 403; correct it there",
            guard.reference(),
            host.name
        );
        found
            .extend(others.map(|ingress| verdict(ingress, Effect::Denied, "HostDenied", &message)));
    } else {
        let differs = |ingress: &&Arc<Accepted>| {
            !Arc::ptr_eq(ingress, guard) && own(ingress).is_some_and(|own| !same(&own, decides))
        };
        let later = guards.iter().filter(differs);
        found.extend(later.map(|ingress| taken(ingress, guard, decides, host)));
        found.extend(over_plain_http(guards, decides, host, ingresses));
    }
    found
}

/// What an Ingress is told whose rules for certificates are not those of the host.
fn taken(
    ingress: &Accepted,
    guard: &Accepted,
    decides: &ClientCertificates,
    host: &Host,
) -> Verdict {
    let mut message = format!(
        "{SECRET} of {}, which is older, holds for the whole host {:?}: what this Ingress says about client certificates has no effect there",
        guard.reference(),
        host.name
    );
    // A canary has no locations.
    let is_denied = is_loosened(ingress, decides) && !ingress.annotations.canary;
    if is_denied {
        message.push_str("; it is stricter, so that its locations answer 503 rather than stand open; say the same in both, or give one of them another host");
    }
    let effect = if is_denied { Effect::Denied } else { Effect::Warning };
    verdict(ingress, effect, "HostTaken", &message)
}

/// Whether clients would reach the locations of an Ingress by what holds for the host, whom its own rules keep out, or
/// would have a certificate taken for good that is not.
pub fn is_loosened(ingress: &Accepted, held: &ClientCertificates) -> bool {
    let own = ingress.annotations.client_certificates.as_deref();
    let (Some(ClientCertificates::Verify(own)), ClientCertificates::Verify(held)) = (own, held)
    else {
        return false;
    };
    let admits_more = match own.mode {
        Mode::Required => held.mode != Mode::Required,
        Mode::Optional => held.mode == Mode::OptionalUntrusted,
        Mode::OptionalUntrusted | Mode::Off => false,
    };
    let both_look = own.mode != Mode::Off && held.mode != Mode::Off;
    let trusts_others = own.authorities != held.authorities || own.depth < held.depth;
    let names_others = own.subject.is_some() && own.subject != held.subject;
    admits_more || names_others || both_look && trusts_others
}

/// Those that require certificates and are served over plain HTTP as well, where there are none.
fn over_plain_http(
    guards: &[Arc<Accepted>],
    decides: &ClientCertificates,
    host: &Host,
    ingresses: &[Arc<Accepted>],
) -> impl Iterator<Item = Verdict> {
    // There nobody has a subject, so that nobody passes.
    let asks_for_a_subject =
        matches!(decides, ClientCertificates::Verify(held) if held.subject.is_some());
    let has_certificate =
        host.name != DEFAULT_HOST && ingresses.iter().any(|other| !other.ingress.tls.is_empty());
    let is_open = move |ingress: &&Arc<Accepted>| {
        let annotations = &ingress.annotations;
        let requires = match annotations.client_certificates.as_deref() {
            Some(ClientCertificates::Verify(own)) => own.mode == Mode::Required,
            _ => false,
        };
        let redirects =
            annotations.force_ssl_redirect || annotations.ssl_redirect && has_certificate;
        let is_redirected = redirects && !ingress.is_catch_all();
        requires
            && !asks_for_a_subject
            && !is_redirected
            && ingress.is_serving()
            && !is_loosened(ingress, decides)
    };
    let message = format!(
        "{SECRET} asks for certificates over TLS only: plain HTTP requests to the host {:?} are served without one; give it an entry in spec.tls and leave ssl-redirect on, or set force-ssl-redirect to true",
        host.name
    );
    guards
        .iter()
        .filter(is_open)
        .map(move |ingress| verdict(ingress, Effect::Warning, "CertificatesOverTlsOnly", &message))
}

/// Whether both ask for the same, whoever does.
fn same(one: &ClientCertificates, other: &ClientCertificates) -> bool {
    match (one, other) {
        (ClientCertificates::Verify(one), ClientCertificates::Verify(other)) => {
            let mut one = one.clone();
            one.origin.clone_from(&other.origin);
            one == *other
        }
        (one, other) => one == other,
    }
}

fn verdict(ingress: &Accepted, effect: Effect, reason: &str, message: &str) -> Verdict {
    Verdict { object: ingress.reference(), effect, reason: reason.into(), message: message.into() }
}
