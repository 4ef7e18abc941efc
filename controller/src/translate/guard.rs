//! What one Ingress brings about for a whole host, whoever owns its locations (annotations §1.10, §3.24): client
//! certificates, and protection that is not available.

use std::sync::Arc;

use headgate_config::{ClientCertificates, Effect, Host, Verdict};

use super::{annotations::client_certificates::SECRET, ingress::Accepted};

/// Whether an Ingress has any of it.
pub fn is_guard(ingress: &Accepted) -> bool {
    let annotations = &ingress.annotations;
    annotations.denies_hosts.is_some() || annotations.client_certificates.is_some()
}

/// The oldest that denies all locations, and the annotation that does.
pub fn denier(guards: &[Arc<Accepted>]) -> Option<(&Arc<Accepted>, &'static str)> {
    guards.iter().find_map(|ingress| Some((ingress, ingress.annotations.denies_hosts?)))
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

/// What is to be said to the Ingresses of a host about what others ask for.
pub fn verdicts(
    guards: &[Arc<Accepted>],
    host: &Host,
    ingresses: &[Arc<Accepted>],
) -> Vec<Verdict> {
    let mut found = Vec::new();
    if let Some((guard, annotation)) = denier(guards) {
        let others = ingresses.iter().filter(|ingress| ingress.annotations.denies_hosts.is_none());
        let message = format!(
            "{annotation} of {} holds for the whole host {:?} and is not available: its locations answer 503 rather than stand open",
            guard.reference(),
            host.name
        );
        found
            .extend(others.map(|ingress| verdict(ingress, Effect::Denied, "HostDenied", &message)));
    }
    let Some(decides) = client_certificates(guards) else { return found };
    let own = |ingress: &Arc<Accepted>| ingress.annotations.client_certificates.clone();
    let Some(guard) = guards.iter().find(|ingress| own(ingress).as_ref() == Some(decides)) else {
        return found;
    };
    if **decides == ClientCertificates::Refuse {
        let others = ingresses.iter().filter(|ingress| own(ingress).as_ref() != Some(decides));
        let message = format!(
            "{SECRET} of {} holds for the whole host {:?} and cannot be honoured: every request to the host is answered 403",
            guard.reference(),
            host.name
        );
        found
            .extend(others.map(|ingress| verdict(ingress, Effect::Denied, "HostDenied", &message)));
    } else {
        let message = format!(
            "{SECRET} of {}, which is older, holds for the whole host {:?}: what this Ingress says about client certificates has no effect there",
            guard.reference(),
            host.name
        );
        let differs = |ingress: &&Arc<Accepted>| {
            !Arc::ptr_eq(ingress, guard) && own(ingress).is_some_and(|own| !same(&own, decides))
        };
        let later = guards.iter().filter(differs);
        found.extend(later.map(|ingress| verdict(ingress, Effect::Warning, "HostTaken", &message)));
    }
    found
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
