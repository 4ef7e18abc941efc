//! Metrics about the certificates in use (operations §3.3).

use crate::observe::metrics::{Exposition, Kind};

use super::{TlsState, certificate::Loaded};

const EXPIRY: &str = "nginx_ingress_controller_ssl_expire_time_seconds";
const INFO: &str = "nginx_ingress_controller_ssl_certificate_info";

/// Appends `ssl_expire_time_seconds` and `ssl_certificate_info` for every served name; `class` is the controller's
/// class.
pub fn write_metrics(state: &TlsState, class: &str, text: &mut Exposition) {
    let mut served: Vec<_> = state.served().collect();
    if served.is_empty() {
        return;
    }
    served.sort_unstable_by(|one, other| one.host.cmp(other.host));
    text.family(EXPIRY, Kind::Gauge, "Number of seconds since 1970 to the SSL Certificate expire.");
    for one in &served {
        let identifier = one.identifier();
        text.sample(EXPIRY, &one.labels(class, &identifier), one.loaded.facts.not_after);
    }
    text.family(INFO, Kind::Gauge, "Hold all labels associated to a certificate");
    for one in &served {
        let identifier = one.identifier();
        let facts = &one.loaded.facts;
        let [class, host, identifier, namespace, secret] = one.labels(class, &identifier);
        let labels = [
            class,
            host,
            identifier,
            ("issuer_common_name", &facts.issuer_common_name),
            ("issuer_organization", &facts.issuer_organization),
            namespace,
            ("public_key_algorithm", facts.key_algorithm),
            secret,
            ("serial_number", &facts.serial),
        ];
        text.sample(INFO, &labels, 1);
    }
}

/// A name with the certificate that it is served.
struct Served<'a> {
    /// `_` for the default certificate.
    host: &'a str,
    namespace: &'a str,
    secret: &'a str,
    loaded: &'a Loaded,
}

impl Served<'_> {
    fn identifier(&self) -> String {
        let facts = &self.loaded.facts;
        format!("{}-{}", facts.issuer_serial, facts.serial)
    }

    /// The labels that both families have, sorted.
    fn labels<'b>(&'b self, class: &'b str, identifier: &'b str) -> [(&'b str, &'b str); 5] {
        [
            ("class", class),
            ("host", self.host),
            ("identifier", identifier),
            ("namespace", self.namespace),
            ("secret_name", self.secret),
        ]
    }
}

impl TlsState {
    fn served(&self) -> impl Iterator<Item = Served<'_>> {
        let table = &self.0.table;
        let named = table.names.iter();
        let named = named.filter_map(|(host, id)| Some((host.as_str(), id.as_ref()?)));
        let default = table.default.iter().map(|id| ("_", id));
        named.chain(default).filter_map(|(host, id)| {
            let (_, loaded) = self.0.certificates.get(id)?;
            let (namespace, secret) = id.0.split_once('/').unwrap_or(("", &id.0));
            Some(Served { host, namespace, secret, loaded: loaded.as_ref().ok()? })
        })
    }
}
