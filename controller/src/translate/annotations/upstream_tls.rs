//! `proxy-ssl-*`: certificates of upstreams, and what is shown to them (annotations §3.14).
//!
//! Nothing of it counts without `proxy-ssl-secret`. Where that cannot be used as written the locations are denied; so are
//! those whose upstreams were to be verified and cannot be.

use std::sync::Arc;

use headgate_config::{ServerVerification, TlsSuite, TlsVersions, UpstreamTls};
use k8s_openapi::api::core::v1::Secret;

use super::{
    Annotations,
    check::{Check, FULL_REFERENCE, INT, ON_OFF, REGEX_CHARACTERS},
    definition::{
        Bad::{self, Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::{self, High, Low, Medium},
        Scope::LocationAndHost,
    },
    external_auth::text::check_variables,
    group::Group::Tls,
    values::Values,
};
use crate::{
    objects::Key,
    translate::{authorities, ciphers, tls},
};

const SECRET: &str = "proxy-ssl-secret";
const VERIFY: &str = "proxy-ssl-verify";

const CIPHERS: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || "+:_-! ".contains(c)),
    "ciphers as OpenSSL lists them",
);
const PROTOCOLS: Check = Check::list(|value| versions(value).is_some(), "TLSv1.2, TLSv1.3 or both");

pub const ANNOTATIONS: &[Definition] = &[
    beside("proxy-ssl-ciphers", CIPHERS, Fallback, Medium).documented(
        Tls,
        "DEFAULT",
        "Ciphers towards upstreams, up to TLS 1.2.",
    ),
    beside("proxy-ssl-name", REGEX_CHARACTERS, Fallback, High).documented(
        Tls,
        "`upstream_balancer`",
        "Name that an upstream's certificate has to have, and that it is sent.",
    ),
    beside("proxy-ssl-protocols", PROTOCOLS, Fallback, Low).documented(
        Tls,
        "TLSv1.2",
        "Versions of TLS towards upstreams.",
    ),
    Definition::new(SECRET, FULL_REFERENCE, Refuse, Medium).scope(LocationAndHost).documented(
        Tls,
        "none",
        "Secret with the certificate to show to upstreams, and their authorities in `ca.crt`.",
    ),
    beside("proxy-ssl-server-name", ON_OFF, Fallback, Low).documented(
        Tls,
        "off",
        "Sends upstreams their name in the handshake (SNI).",
    ),
    beside(VERIFY, ON_OFF, Fallback, Low).documented(
        Tls,
        "off",
        "Whether certificates of upstreams are verified. Without `proxy-ssl-secret` none is.",
    ),
    beside("proxy-ssl-verify-depth", INT, Fallback, Low).documented(
        Tls,
        "1",
        "Authorities that may stand between an upstream's certificate and the Secret's.",
    ),
];

const fn beside(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present(SECRET)).scope(LocationAndHost)
}

/// What an Ingress says about encryption towards upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it comes to.
    pub tls: Arc<UpstreamTls>,
    /// Whether there are authorities: only then others of the host are sure to have it, too.
    pub has_authorities: bool,
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if values.raw(SECRET).is_none() {
        if values.written(VERIFY).is_some_and(|word| word.trim() != "off") {
            let problem = format!(
                "there is no {SECRET} beside {VERIFY}, so that no certificate of an upstream is verified; name a Secret with ca.crt there"
            );
            values.warn("InvalidAnnotation", problem);
        }
        return;
    }
    match settings(values) {
        Ok(said) => annotations.upstream_tls = Some(said),
        Err(problem) => annotations.deny(format!(
            "{problem}; the locations answer 503 rather than trust an upstream that nobody vouches for"
        )),
    }
}

fn settings(values: &mut Values<'_>) -> Result<Said, String> {
    let about = |problem: String| format!("{SECRET}: {problem}");
    let (key, secret) = secret(values).map_err(about)?;
    let holds = |name: &str| {
        secret.data.as_ref().and_then(|data| data.get(name)).is_some_and(|data| !data.0.is_empty())
    };
    let unusable = |problem: String| about(format!("the Secret {key} cannot be used: {problem}"));
    let authorities = match holds("ca.crt") {
        true => Some(authorities::of_servers(secret).map_err(unusable)?),
        false => None,
    };
    let check = values.subject.options.certificate_check;
    let certificate = match holds("tls.crt") || holds("tls.key") {
        true => Some(tls::secret::read(&key, secret, check).map_err(unusable)?.certificate),
        false => None,
    };
    if authorities.is_none() && certificate.is_none() {
        return Err(unusable("it holds neither ca.crt nor tls.crt and tls.key; add them".into()));
    }
    let name = values.text("proxy-ssl-name").map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        check_variables(name).map_err(|problem| format!("proxy-ssl-name: {problem}"))?;
    }
    let send_name = values.text("proxy-ssl-server-name").is_some_and(|word| word == "on");
    let verifies = verifies(values)?;
    let Some(authorities) = authorities else {
        if verifies {
            return Err(unusable(format!("it holds no ca.crt, which {VERIFY} asks for; add it")));
        }
        // As in the reference nothing else acts then.
        values.warn(
            "InvalidAnnotation",
            about(format!("the Secret {key} holds no ca.crt, so that its certificate is not shown to upstreams either; add it")),
        );
        let tls = UpstreamTls { name, send_name, ..UpstreamTls::default() };
        return Ok(Said { tls: Arc::new(tls), has_authorities: false });
    };
    if verifies && name.is_none() {
        values.warn(
            "InvalidAnnotation",
            format!("{VERIFY} without proxy-ssl-name takes only certificates for upstream_balancer, as in ingress-nginx; name what the upstream's certificate is for"),
        );
    }
    let versions = values.text("proxy-ssl-protocols").and_then(|words| versions(&words));
    let versions = versions.unwrap_or(TlsVersions::Tls12);
    let suites = suites(values, versions)?;
    let depth = values.int("proxy-ssl-verify-depth").filter(|depth| *depth > 0).unwrap_or(1);
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    let verify = verifies.then(|| ServerVerification { authorities: Arc::new(authorities), depth });
    let tls = UpstreamTls { verify, certificate, name, send_name, versions, suites };
    Ok(Said { tls: Arc::new(tls), has_authorities: true })
}

fn secret<'a>(values: &Values<'a>) -> Result<(Key, &'a Secret), String> {
    let name = values.text(SECRET).ok_or("its value is empty; give NAMESPACE/NAME")?;
    if name.matches('/').count() != 1 {
        return Err(format!("{name:?} is not of the form NAMESPACE/NAME"));
    }
    let key = values.lookup.key(&name)?;
    let found = values.lookup.secret(&key);
    let found = found
        .ok_or_else(|| format!("the Secret {key} does not exist, or cannot be read; create it"))?;
    Ok((key, found))
}

/// Whether upstreams are to be verified. A word that nobody understands is not taken for "no".
fn verifies(values: &Values<'_>) -> Result<bool, String> {
    match values.written(VERIFY).map(str::trim) {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(word) => Err(format!("{VERIFY}: {word:?} is neither on nor off; write one of them")),
    }
}

/// The suites that `proxy-ssl-ciphers` asks for; none for all.
fn suites(values: &mut Values<'_>, versions: TlsVersions) -> Result<Option<Vec<TlsSuite>>, String> {
    let Some(list) = values.text("proxy-ssl-ciphers") else { return Ok(None) };
    let selected = ciphers::ciphers(&list);
    let named = selected.without.join(", ");
    if selected.items.is_empty() && versions != TlsVersions::Tls13 {
        let which = if named.is_empty() { list } else { named };
        return Err(format!(
            "proxy-ssl-ciphers: {which:?} is not available here; name suites of ECDHE with AES-GCM or CHACHA20-POLY1305, or use DEFAULT"
        ));
    }
    if !named.is_empty() {
        let message =
            format!("proxy-ssl-ciphers: {named} is not available here; the others are offered");
        values.warn("NotSupported", message);
    }
    let is_all = selected.items == TlsSuite::ALL;
    Ok(Some(selected.items).filter(|_| !is_all))
}

fn versions(words: &str) -> Option<TlsVersions> {
    let mut found = None;
    for word in words.split_whitespace() {
        let version = match word {
            "TLSv1.2" => TlsVersions::Tls12,
            "TLSv1.3" => TlsVersions::Tls13,
            _ => return None,
        };
        found = match found {
            Some(other) if other != version => Some(TlsVersions::Both),
            _ => Some(version),
        };
    }
    found
}
