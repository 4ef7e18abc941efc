//! `headgate.io/jwt-*`: a token is asked for that an issuer has signed. These are our own; ingress-nginx has nothing like
//! them.
//!
//! Whoever writes one of them wants protection: where any cannot be honoured as written, is empty, or is none of those that
//! there are, the locations are denied.

mod advice;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use headgate_config::protection::{ClaimHeader, KeySource, TokenAlgorithm, TokenAuth};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    Annotations,
    check::{BASIC, Check, Kind, URL, parse_int},
    definition::{
        Bad::Deny,
        Definition,
        Risk::{High, Low, Medium},
    },
    external_auth::{headers, text},
    group::Group::Auth,
    unknown,
    values::Values,
};

/// What the names of all annotations about tokens begin with.
pub const PREFIX: &str = "headgate.io/jwt-";
const ALGORITHMS: &str = "headgate.io/jwt-algorithms";
const AUDIENCE: &str = "headgate.io/jwt-audience";
const CA_SECRET: &str = "headgate.io/jwt-ca-secret";
const CLAIMS: &str = "headgate.io/jwt-claims-to-headers";
const CLOCK_SKEW: &str = "headgate.io/jwt-clock-skew";
const ISSUER: &str = "headgate.io/jwt-issuer";
const KEYS: &str = "headgate.io/jwt-jwks-url";

/// Seconds that the clock of an issuer may be off where nothing is said, and at most.
const USUAL_SKEW: u64 = 60;
const MOST_SKEW: u64 = 300;
/// Claims that headers can be made of.
const MOST_CLAIMS: usize = 32;

const LINE: Check = Check::new(|value| !value.trim().chars().any(char::is_control), "one line");
const NAMES_OF_US: Check = Check::list(LINE.accepts, "names separated by commas, in one line");
const SECONDS: Check = Check {
    kind: Kind::Number,
    accepts: |value| seconds(value).is_some(),
    expects: "a whole number of seconds up to 300",
};
const NAMES: Check = Check::list(
    |value| algorithms(value).is_ok(),
    "some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA, separated by commas",
);
const KEY_URL: Check = Check::new(|value| (URL.accepts)(value.trim()), URL.expects);
/// What is wrong with a pair is said where they are read.
const PAIRS: Check = Check::list(|_| true, "CLAIM=HEADER pairs separated by commas");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new(ALGORITHMS, NAMES, Deny, Low).documented(
        Auth,
        "all of them",
        "How tokens may be signed.",
    ),
    Definition::new(AUDIENCE, NAMES_OF_US, Deny, Low).documented(
        Auth,
        "any",
        "What `aud` of a token has to name one of. Without it tokens for other applications of the issuer pass.",
    ),
    Definition::new(CA_SECRET, BASIC, Deny, Medium).documented(
        Auth,
        "the authorities of the system",
        "Secret whose `ca.crt` has signed the certificate of the keys' URL.",
    ),
    Definition::new(CLAIMS, PAIRS, Deny, Medium).documented(
        Auth,
        "none",
        "Headers that the Service gets from claims of the token, and from nobody else.",
    ),
    Definition::new(CLOCK_SKEW, SECONDS, Deny, Low).documented(
        Auth,
        "60",
        "How far the clock of the issuer may be off.",
    ),
    Definition::new(ISSUER, LINE, Deny, Low).documented(
        Auth,
        "any",
        "What `iss` of a token has to be, exactly.",
    ),
    Definition::new(KEYS, KEY_URL, Deny, High).documented(
        Auth,
        "no token is asked for",
        "Asks for a JSON Web Token, signed with one of the keys that are published there ([jwt.md](jwt.md)).",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let own = values.subject.ingress.annotations.iter().map(|(name, _)| &**name);
    let own: Vec<_> = own.filter(|name| name.starts_with(PREFIX)).collect();
    if own.is_empty() {
        return;
    }
    match check_names(values, &own).and_then(|()| token(values)) {
        Ok(token) => {
            advice::give(values, &token);
            annotations.protect().token = Some(Arc::new(token));
        }
        // What did not pass its check was denied before, in its own words, which stay.
        Err(reason) => annotations.deny(reason),
    }
    if values.raw("auth-type").is_some() && values.text("satisfy").as_deref() != Some("any") {
        let message = format!(
            "{KEYS} and auth-type both want the one Authorization that a request has: nobody can pass; remove one, or set satisfy to any"
        );
        values.warn("InvalidAnnotation", message);
    }
}

/// Refuses names that mean nothing and values that say nothing: with less of what was meant, more would pass.
fn check_names(values: &Values<'_>, own: &[&str]) -> Result<(), String> {
    for name in own {
        if !ANNOTATIONS.iter().any(|definition| definition.name == *name) {
            let meant = unknown::nearest(name).filter(|meant| meant.starts_with(PREFIX));
            let hint = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            return Err(format!(
                "there is no annotation {name}{hint}; correct its name or remove it"
            ));
        }
        if values.raw(name).is_none_or(|value| value.trim().is_empty()) {
            return Err(format!("{name} is empty; give it a value or remove it"));
        }
    }
    Ok(())
}

/// What is asked for; an error says why it cannot be.
fn token(values: &Values<'_>) -> Result<TokenAuth, String> {
    let url = values.text(KEYS).ok_or_else(|| {
        format!("there is no {KEYS}, where the keys are that tokens are verified with; add it, or remove the other {PREFIX}* annotations")
    })?;
    let upstream = text::check_url(&url, values.subject.options)
        .map_err(|reason| format!("{KEYS}: {reason}"))?;
    let authorities = match values.text(CA_SECRET) {
        Some(_) if !is_encrypted(&url) => {
            return Err(format!(
                "{CA_SECRET} is of no use, as the URL of the keys is not https; remove it, or write https there"
            ));
        }
        Some(named) => authorities(values, &named).map_err(|why| format!("{CA_SECRET}: {why}"))?,
        None => Vec::new(),
    };
    let audiences = match values.text(AUDIENCE) {
        Some(list) => audiences(&list).map_err(|why| format!("{AUDIENCE}: {why}"))?,
        None => Vec::new(),
    };
    let all = || TokenAlgorithm::ALL.to_vec();
    let algorithms = values.text(ALGORITHMS).map_or_else(|| Ok(all()), |list| algorithms(&list));
    let claim_headers = values.text(CLAIMS).map_or_else(|| Ok(Vec::new()), |list| pairs(&list));
    let claim_headers = claim_headers.map_err(|reason| format!("{CLAIMS}: {reason}"))?;
    check_clashes(values, &claim_headers)?;
    let skew = values.raw(CLOCK_SKEW).map_or(Some(USUAL_SKEW), seconds).ok_or_else(|| {
        format!("{CLOCK_SKEW} is no number of seconds; give one from 0 to {MOST_SKEW}")
    })?;
    Ok(TokenAuth {
        keys: KeySource { url, upstream, authorities },
        issuer: values.text(ISSUER),
        audiences,
        algorithms: algorithms.map_err(|reason| format!("{ALGORITHMS}: {reason}"))?,
        claim_headers,
        clock_skew: Duration::from_secs(skew),
    })
}

fn is_encrypted(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// The certificates of a Secret's `ca.crt`, each in DER.
fn authorities(values: &Values<'_>, named: &str) -> Result<Vec<Vec<u8>>, String> {
    let key = values.lookup.key(named)?;
    let secret = values.lookup.secret(&key);
    let secret = secret.ok_or_else(|| format!("there is no Secret {key}; create it"))?;
    let pem = secret.data.as_ref().and_then(|data| data.get("ca.crt"));
    let pem = pem.ok_or_else(|| {
        format!("the Secret {key} has no key \"ca.crt\"; put the certificates there")
    })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.0).collect();
    let certificates = certificates.ok().filter(|all| {
        let is_one = |der: &CertificateDer<'_>| X509Certificate::from_der(der).is_ok();
        !all.is_empty() && all.iter().all(is_one)
    });
    let certificates = certificates.ok_or_else(|| {
        format!("ca.crt of the Secret {key} holds no certificates in PEM; put them there")
    })?;
    Ok(certificates.into_iter().map(|der| der.to_vec()).collect())
}

fn audiences(list: &str) -> Result<Vec<String>, String> {
    let names: BTreeSet<&str> = list.split(',').map(str::trim).collect();
    if names.contains("") {
        return Err(format!("{list:?} has an empty item; leave it out"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn algorithms(list: &str) -> Result<Vec<TokenAlgorithm>, String> {
    let parse = |name: &str| {
        let known = name.parse::<TokenAlgorithm>();
        known.map_err(|()| {
            format!("{name:?} is not available here; give some of {}", all_algorithms())
        })
    };
    let names: Result<BTreeSet<_>, _> = list.split(',').map(|name| parse(name.trim())).collect();
    Ok(names?.into_iter().collect())
}

fn all_algorithms() -> String {
    TokenAlgorithm::ALL.map(|algorithm| algorithm.to_string()).join(", ")
}

fn seconds(value: &str) -> Option<u64> {
    let number = u64::try_from(parse_int(value.trim())?).ok()?;
    (number <= MOST_SKEW).then_some(number)
}

/// Claims with their headers.
fn pairs(list: &str) -> Result<Vec<ClaimHeader>, String> {
    let mut found: Vec<ClaimHeader> = Vec::new();
    for item in list.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty()) {
        // Names of claims are URLs sometimes; those of headers have no such sign.
        let pair = item.rsplit_once('=').map(|(claim, header)| (claim.trim(), header.trim()));
        let (claim, header) =
            pair.ok_or_else(|| format!("{item:?} is not of the form CLAIM=HEADER"))?;
        if claim.is_empty() || claim.chars().any(char::is_control) {
            return Err(format!("{item:?} names no claim; give CLAIM=HEADER"));
        }
        let names = headers::list(header).map_err(|reason| {
            format!("the header {header} is not allowed: {reason}; name another")
        })?;
        let [header] = &names[..] else {
            return Err(format!("{item:?} does not name one header; give CLAIM=HEADER"));
        };
        if is_ours(header) {
            return Err(format!(
                "the header {header} is not allowed: it is what the gateway itself says of a request, or credentials; name another"
            ));
        }
        if found.iter().any(|other| is_alike(&other.header, header)) {
            return Err(format!(
                "the header {header} is named twice, where - and _ are the same; name each once"
            ));
        }
        found.push(ClaimHeader { claim: claim.to_owned(), header: header.clone() });
    }
    if found.is_empty() || found.len() > MOST_CLAIMS {
        return Err(format!(
            "between 1 and {MOST_CLAIMS} pairs of the form CLAIM=HEADER are needed"
        ));
    }
    Ok(found)
}

/// Whether upstreams learn something else by this header.
fn is_ours(header: &str) -> bool {
    const NAMES: [&str; 17] = [
        "authorization",
        "cookie",
        "forwarded",
        "proxy",
        "proxy-authorization",
        "x-auth-request-redirect",
        "x-code",
        "x-format",
        "x-ingress-name",
        "x-namespace",
        "x-original-uri",
        "x-real-ip",
        "x-request-id",
        "x-scheme",
        "x-sent-from",
        "x-service-name",
        "x-service-port",
    ];
    const PREFIXES: [&str; 3] = ["ssl-client-", "x-forwarded-", "x-original-forwarded-"];
    let plain = plain(header);
    NAMES.contains(&&*plain) || PREFIXES.iter().any(|prefix| plain.starts_with(prefix))
}

/// Refuses headers that another service decides about as well: upstreams would get both.
fn check_clashes(values: &Values<'_>, claims: &[ClaimHeader]) -> Result<(), String> {
    let by_service = values.text("auth-response-headers").unwrap_or_default();
    let everywhere = values.defaults.plain.protection.as_ref();
    let everywhere = everywhere.and_then(|protection| protection.external.as_ref());
    let everywhere = everywhere.into_iter().flat_map(|service| &service.response_headers);
    let mut others = by_service.split(',').map(str::trim).chain(everywhere.map(String::as_str));
    let clash = others.find(|other| claims.iter().any(|claim| is_alike(&claim.header, other)));
    match clash {
        Some(header) => Err(format!(
            "{CLAIMS}: {header} comes from the external authentication already; name another header"
        )),
        None => Ok(()),
    }
}

fn is_alike(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// A name as upstreams see it that take `_` for `-`.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests;
