//! Which error pages hold for a location: its own, those of the ConfigMap, or none (annotations §3.19).

use headgate_config::{ErrorPages, UpstreamId};

use super::{annotations::Annotations, config::Defaults, location::first_port_of};
use crate::options::Options;

/// What decides about the error pages of a location.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The annotations of its Ingress.
    pub annotations: &'a Annotations,
    /// The namespace of its Ingress, if it has one.
    pub namespace: Option<&'a str>,
    /// It answers 503, because it cannot be served as it is written.
    pub is_denied: bool,
    /// Clients are sent to sign in.
    pub signs_in: bool,
    /// The host has a page of its own for bad certificates.
    pub has_host_page: bool,
}

impl Situation<'_> {
    /// The error pages.
    pub fn pages(self, options: &Options, defaults: &Defaults) -> Option<ErrorPages> {
        let rules = &self.annotations.errors;
        let of_upstreams = !rules.spares_upstreams;
        let global = options.default_backend_service.as_ref().map(first_port_of);
        if let Some(own) = rules.statuses.as_ref().filter(|_| !self.is_denied) {
            // Whoever may sign in is sent there.
            let is_page = |status: &u16| !(self.signs_in && *status == 401);
            let statuses = own.iter().copied().filter(is_page).collect();
            let backends = self.own_backend().into_iter().chain(global).collect();
            return Some(ErrorPages { statuses, of_upstreams, for_all: false, backends });
        }
        if defaults.error_statuses.is_empty() {
            return None;
        }
        // A table of its own, or of its host, hides that of all: what is left of it is the look at upstreams' answers.
        if self.signs_in && !self.is_denied {
            return of_upstreams.then(|| ErrorPages { of_upstreams, ..ErrorPages::default() });
        }
        if self.has_host_page {
            return None;
        }
        let statuses = defaults.error_statuses.clone();
        let backends = global.into_iter().collect();
        Some(ErrorPages { statuses, of_upstreams, for_all: true, backends })
    }

    /// The Service of `default-backend`. Whether it exists shows when it is needed.
    fn own_backend(&self) -> Option<UpstreamId> {
        let service = self.annotations.default_backend.as_ref()?;
        Some(UpstreamId {
            namespace: self.namespace?.into(),
            service: service.clone(),
            port: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::translate::{annotations::errors::ErrorRules, config::Config};

    /// Statuses, whether they are for all, and the Services that make the pages.
    type Outcome = Option<(Vec<u16>, bool, Vec<String>)>;

    /// The pages where the ConfigMap lists 404 and 503, and `change` is what is special.
    fn pages(own: Option<&[u16]>, change: impl FnOnce(&mut Situation<'_>)) -> Outcome {
        let options =
            Options { default_backend_service: "sys/pages".parse().ok(), ..Options::default() };
        let mut defaults = Defaults::clone(&Config::default().defaults);
        defaults.error_statuses = vec![404, 503];
        let annotations = Annotations {
            errors: ErrorRules { statuses: own.map(Arc::from), spares_upstreams: false },
            default_backend: Some("own".into()),
            ..Annotations::default()
        };
        let mut situation = Situation {
            annotations: &annotations,
            namespace: Some("ns"),
            is_denied: false,
            signs_in: false,
            has_host_page: false,
        };
        change(&mut situation);
        let pages = situation.pages(&options, &defaults)?;
        let services = pages.backends.into_iter().map(|id| id.service).collect();
        Some((pages.statuses, pages.for_all, services))
    }

    fn outcome(statuses: &[u16], for_all: bool, services: &[&str]) -> Outcome {
        Some((statuses.into(), for_all, services.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_list_of_the_ingress_replaces_that_of_all() {
        assert_eq!(pages(None, |_| {}), outcome(&[404, 503], true, &["pages"]));
        let own = outcome(&[401, 500], false, &["own", "pages"]);
        assert_eq!(pages(Some(&[401, 500]), |_| {}), own);
    }

    #[test]
    fn a_denied_location_only_has_the_list_of_all() {
        let all = outcome(&[404, 503], true, &["pages"]);
        assert_eq!(pages(Some(&[500]), |situation| situation.is_denied = true), all);
        let denied = |situation: &mut Situation<'_>| {
            (situation.is_denied, situation.signs_in) = (true, true);
        };
        assert_eq!(pages(None, denied), all);
    }

    #[test]
    fn signing_in_hides_the_list_of_all_and_takes_401_from_its_own() {
        let signs_in = |situation: &mut Situation<'_>| situation.signs_in = true;
        assert_eq!(pages(None, signs_in), outcome(&[], false, &[]));
        assert_eq!(pages(Some(&[401, 500]), signs_in), outcome(&[500], false, &["own", "pages"]));
    }

    #[test]
    fn a_page_of_the_host_hides_the_list_of_all() {
        let has_page = |situation: &mut Situation<'_>| situation.has_host_page = true;
        assert_eq!(pages(None, has_page), None);
        assert_eq!(pages(Some(&[500]), has_page), outcome(&[500], false, &["own", "pages"]));
    }
}
