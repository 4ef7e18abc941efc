//! `auth-tls-*`: certificates that clients of the Ingress's hosts have to show (annotations §3.5).
//!
//! What cannot be honoured as written closes the hosts: the reference does so where the Secret is missing or of another
//! namespace, but serves without any certificate where it holds no `ca.crt`. Where no Secret is named at all, the locations
//! are denied if certificates are required.

use std::sync::Arc;

use headgate_config::{
    ClientCertificates,
    client_certificates::{Authorities, ErrorPage, Mode, Verification},
};

use super::{
    Annotations,
    check::{BOOL, Check, FULL_REFERENCE, INT},
    definition::{
        Bad::{self, Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::{self, High, Low, Medium},
        Scope::Host,
    },
    group::Group::Auth,
    values::Values,
};
use crate::objects::Kind;

/// The annotation that all others need.
pub const SECRET: &str = "auth-tls-secret";
const VERIFY_CLIENT: &str = "auth-tls-verify-client";

const MATCH_CN: Check =
    Check::new(|value| value.starts_with("CN="), "CN= and a regular expression");
const ERROR_PAGE: Check = Check::new(
    is_error_page,
    "a path or a URL whose segments are of letters, digits and -_., or @NAME",
);
const MODE: Check = Check::choice(
    |value| mode(&without_spaces(value)).is_some(),
    "on, off, optional or optional_no_ca",
);

pub const ANNOTATIONS: &[Definition] = &[
    tls("auth-tls-error-page", ERROR_PAGE, Refuse, High).documented(
        Auth,
        "the stock page",
        "Path or URL for clients without a good certificate.",
    ),
    tls("auth-tls-match-cn", MATCH_CN, Refuse, High).documented(
        Auth,
        "anybody",
        "`CN=` and a regular expression that the certificate's subject has to match.",
    ),
    tls("auth-tls-pass-certificate-to-upstream", BOOL, Refuse, Low).documented(
        Auth,
        "false",
        "The upstream sees the certificate in `ssl-client-cert`.",
    ),
    Definition::new(SECRET, FULL_REFERENCE, Refuse, Medium).scope(Host).documented(
        Auth,
        "no certificate is asked for",
        "Secret with the authorities of clients' certificates, `ca.crt`.",
    ),
    tls(VERIFY_CLIENT, MODE, Fallback, Medium).documented(
        Auth,
        "on",
        "Whether clients have to show a certificate.",
    ),
    tls("auth-tls-verify-depth", INT, Fallback, Low).documented(
        Auth,
        "1",
        "How long the chain from a certificate to an authority may be.",
    ),
];

const fn tls(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present(SECRET)).scope(Host)
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if values.raw(SECRET).is_none() {
        without_authorities(values, annotations);
        return;
    }
    let certificates = match verification(values) {
        Ok(verification) => ClientCertificates::Verify(verification),
        Err(problem) => {
            let reason = format!(
                "{SECRET}: {problem}; every request to the hosts of this Ingress is answered 403 rather than let in without a certificate"
            );
            annotations.denied.get_or_insert(reason);
            ClientCertificates::Refuse
        }
    };
    annotations.client_certificates = Some(Arc::new(certificates));
}

/// Others of the group, which mean nothing without authorities: what requires certificates must not stand open.
fn without_authorities(values: &mut Values<'_>, annotations: &mut Annotations) {
    let others = ANNOTATIONS.iter().map(|definition| definition.name);
    let others: Vec<_> = others.filter_map(|name| Some((name, values.written(name)?))).collect();
    if others.is_empty() {
        return;
    }
    let requires = |(name, value): &(&str, &str)| match *name {
        "auth-tls-match-cn" => true,
        // A word that there is none of is as `on`.
        VERIFY_CLIENT => mode(value.trim()).unwrap_or(Mode::Required) == Mode::Required,
        _ => false,
    };
    let names = others.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let problem = format!(
        "there is no {SECRET} beside {names}, so that nobody is asked for a certificate; name a Secret with ca.crt there"
    );
    if others.iter().any(requires) {
        let denial = "the locations answer 503 rather than stand open";
        annotations.deny(format!("{problem}, or remove the others: {denial}"));
    } else {
        values.warn("InvalidAnnotation", format!("{problem}, or remove what has no effect"));
    }
}

fn verification(values: &mut Values<'_>) -> Result<Verification, String> {
    let authorities = authorities(values)?;
    let subject = values.text("auth-tls-match-cn");
    if let (Some(subject), Some(check)) = (&subject, values.subject.options.pattern_check) {
        (check.alias)(&format!("(?-i){subject}"))
            .map_err(|error| format!("auth-tls-match-cn {subject:?} cannot be used: {error}"))?;
    }
    let mode = values.raw(VERIFY_CLIENT).and_then(|value| mode(value.trim()));
    let depth = values.int("auth-tls-verify-depth").filter(|depth| *depth > 0).unwrap_or(1);
    Ok(Verification {
        authorities,
        mode: mode.unwrap_or(Mode::Required),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
        subject,
        error_page: error_page(values),
        pass_certificate: values.bool("auth-tls-pass-certificate-to-upstream").unwrap_or(false),
        origin: Kind::Ingress.reference(values.subject.key),
    })
}

fn authorities(values: &Values<'_>) -> Result<Arc<Authorities>, String> {
    let name = values.text(SECRET).ok_or("its value is empty; give NAMESPACE/NAME")?;
    if name.matches('/').count() != 1 {
        return Err(format!("{name:?} is not of the form NAMESPACE/NAME"));
    }
    let key = values.lookup.key(&name)?;
    let secret = values
        .lookup
        .secret(&key)
        .ok_or_else(|| format!("the Secret {key} does not exist, or cannot be read; create it"))?;
    (values.subject.authorities.of(&key, secret))
        .map_err(|problem| format!("the Secret {key} cannot be used: {problem}"))
}

fn error_page(values: &mut Values<'_>) -> Option<ErrorPage> {
    let page = values.text("auth-tls-error-page")?;
    if page.starts_with('@') {
        // Such a location can only be made by a snippet.
        values.warn(
            "InvalidAnnotation",
            format!("auth-tls-error-page {page:?} names nothing that exists here; the stock page is answered: give a path or a URL"),
        );
        return None;
    }
    Some(if page.starts_with('/') { ErrorPage::Path(page) } else { ErrorPage::Redirect(page) })
}

fn mode(word: &str) -> Option<Mode> {
    Some(match word {
        "on" => Mode::Required,
        "optional" => Mode::Optional,
        "optional_no_ca" => Mode::OptionalUntrusted,
        "off" => Mode::Off,
        _ => return None,
    })
}

fn is_error_page(value: &str) -> bool {
    let value = without_spaces(value);
    let is_word = |text: &str, more: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
    };
    if let Some(name) = value.strip_prefix('@') {
        return !name.is_empty() && is_word(name, "_-");
    }
    let rest = ["https://", "http://"].iter().find_map(|scheme| value.strip_prefix(scheme));
    let path = match rest {
        None => &*value,
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
            let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            if host.is_empty() || !is_word(host, "-.") || !is_port {
                return false;
            }
            path
        }
    };
    !value.is_empty() && is_word(path, "-_./")
}

fn without_spaces(value: &str) -> String {
    value.chars().filter(|c| *c != ' ').collect()
}
