//! The checks of a review, in the reference's order and with its words (operations §9.2). Pure.

use std::time::{Duration, Instant};

use super::{Decision, Outcome, claims::Claims, review::Subject, warnings::Warnings};
use crate::{
    objects::Objects,
    options::NamespaceScope,
    translate::{
        Translator,
        annotations::{self, Reading, refusal::Refusal},
        inspect::{self, Field},
    },
};

/// The prefix of annotations unless another one is set.
const DEFAULT_PREFIX: &str = "nginx.ingress.kubernetes.io";

/// Paths that a refusal names, at most: an Ingress may have tens of thousands.
const MOST_LINES: usize = 100;

/// What an Ingress is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Law<'a> {
    /// Options, ConfigMap, classes, and what is served.
    pub translator: &'a Translator,
    /// Everything that was read.
    pub objects: &'a Objects,
    /// Who has which path.
    pub claims: &'a Claims,
}

/// Why an Ingress may not be.
struct Rejection {
    message: String,
    /// Whether the metrics count it.
    counts: bool,
}

impl Rejection {
    fn uncounted(message: String) -> Self {
        Self { message, counts: false }
    }
}

/// Judges an Ingress. Once nobody awaits it, the outcome may be incomplete.
pub fn judge(law: Law<'_>, subject: &Subject, is_awaited: &dyn Fn() -> bool) -> Outcome {
    let started = Instant::now();
    let mut warnings = Warnings::default();
    let mut comparing = Duration::ZERO;
    let mut run = || -> Result<Option<bool>, Rejection> {
        if subject.is_being_deleted {
            return Ok(None);
        }
        warnings.about_names(law, subject);
        deep_inspection(law, subject)?;
        if !is_ours(law, subject) {
            return Ok(None);
        }
        catch_all(law, subject)?;
        uid(subject)?;
        strict_paths(law, subject)?;
        annotation_names(law, subject)?;
        annotation_values(law, subject, &mut warnings, is_awaited)?;
        let read = started.elapsed();
        let compared = overlap(law, subject);
        if compared.is_ok() && !law.translator.options().disable_full_test {
            warnings.about_others(law, subject);
        }
        comparing = started.elapsed() - read;
        compared.map(|()| Some(true))
    };
    let (refusal, counts) = match run() {
        Ok(counts) => (None, counts),
        Err(Rejection { message, counts }) => (Some(message), counts.then_some(false)),
    };
    let ingresses = law.claims.count_with(&subject.key);
    Outcome {
        decision: Decision { refusal, warnings: warnings.finish() },
        counts,
        ingresses,
        tested: if law.translator.options().disable_full_test { 1 } else { ingresses },
        reading: started.elapsed() - comparing,
        comparing,
    }
}

/// Check 2: of Ingresses of any class.
fn deep_inspection(law: Law<'_>, subject: &Subject) -> Result<(), Rejection> {
    if !law.translator.options().deep_inspect {
        return Ok(());
    }
    let Some((field, text)) = inspect::suspicious(&subject.ingress) else { return Ok(()) };
    let key = &subject.key;
    let place = match field {
        Field::Host => format!("invalid host in ingress {key}"),
        Field::Path => format!("invalid rule in ingress {key}: invalid http path"),
        Field::TlsSecret => format!("invalid secret in ingress {key}"),
        Field::TlsHost => format!("invalid host in ingress tls config {key}"),
    };
    let message = format!("invalid object: {place}: invalid value found: {text}");
    Err(Rejection::uncounted(message))
}

/// Checks 3 and 4. Labels of namespaces are not looked at, as in the reference: what is refused without need can be
/// corrected, and a namespace may get its label later.
fn is_ours(law: Law<'_>, subject: &Subject) -> bool {
    let is_in_scope = match &law.translator.options().namespaces {
        NamespaceScope::One(namespace) => subject.key.namespace() == namespace,
        NamespaceScope::All | NamespaceScope::Labelled(_) => true,
    };
    is_in_scope && law.translator.has_own_class(&subject.ingress)
}

/// Check 5.
fn catch_all(law: Law<'_>, subject: &Subject) -> Result<(), Rejection> {
    if law.translator.options().disable_catch_all && subject.ingress.default_backend.is_some() {
        let message = "this deployment is trying to create a catch-all ingress while DisableCatchAll flag is set to true. Remove '.spec.defaultBackend' or set DisableCatchAll flag to false";
        return Err(Rejection::uncounted(message.into()));
    }
    Ok(())
}

/// Check 6. Nothing here is named after it.
fn uid(subject: &Subject) -> Result<(), Rejection> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_fine = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => is_hex(byte),
    };
    let uid = &subject.uid;
    if uid.len() == 36 && uid.bytes().enumerate().all(is_fine) {
        return Ok(());
    }
    Err(Rejection::uncounted(format!("ingress has invalid UID: {uid}")))
}

/// Check 7.
fn strict_paths(law: Law<'_>, subject: &Subject) -> Result<(), Rejection> {
    if !law.translator.defaults().restrictions.strict_paths || subject.odd_paths.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> = subject.odd_paths.iter().map(String::as_str).collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let more = format!("and {more} more");
    if lines.len() < subject.odd_paths.len() {
        lines.push(&more);
    }
    let lines = lines.join("\n");
    Err(Rejection::uncounted(format!("ingress contains invalid paths: {lines}")))
}

/// Checks 8 to 10.
fn annotation_names(law: Law<'_>, subject: &Subject) -> Result<(), Rejection> {
    let prefix = law.translator.options().annotations_prefix.as_str();
    let restrictions = &law.translator.defaults().restrictions;
    let annotations = &subject.ingress.annotations;
    let has_prefix = |name: &str, prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
    };
    if prefix != DEFAULT_PREFIX
        && annotations.iter().any(|(name, _)| has_prefix(name, DEFAULT_PREFIX))
    {
        return Err(Rejection::uncounted(format!(
            "this deployment has a custom annotation prefix defined. Use '{prefix}' instead of '{DEFAULT_PREFIX}'"
        )));
    }
    let mut own = annotations.iter().filter(|(name, _)| has_prefix(name, prefix));
    if let Some((name, word)) =
        own.find_map(|(name, value)| Some((name, restrictions.blocked_word(value)?)))
    {
        let message = format!("{name} annotation contains invalid word {word}");
        return Err(Rejection::uncounted(message));
    }
    let snippet = annotations.iter().find(|(name, _)| name.ends_with("-snippet"));
    if let Some((name, _)) = snippet.filter(|_| !restrictions.allow_snippets) {
        return Err(Rejection::uncounted(format!(
            "{name} annotation cannot be used. Snippet directives are disabled by the Ingress administrator"
        )));
    }
    Ok(())
}

/// Check 11, by the translation's own reading.
fn annotation_values(
    law: Law<'_>,
    subject: &Subject,
    warnings: &mut Warnings,
    is_awaited: &dyn Fn() -> bool,
) -> Result<(), Rejection> {
    let options = law.translator.options();
    let read = annotations::read(annotations::subject::Subject {
        options,
        defaults: law.translator.defaults(),
        objects: law.objects,
        authorities: law.translator.authorities(),
        key: &subject.key,
        ingress: &subject.ingress,
    });
    let refusal = match read {
        Ok(Reading { annotations, findings, .. }) => {
            warnings.add(findings.into_iter().map(|finding| finding.message));
            warnings.about_patterns(law, subject, &annotations, is_awaited);
            return Ok(());
        }
        Err(refusal) => refusal,
    };
    let prefix = &options.annotations_prefix;
    let message = match &refusal {
        Refusal::TooRisky { name, group } => {
            let name = annotations::full_name(prefix, name);
            warnings.add([format!("annotation {name} is above annotations-risk-level")]);
            format!(
                "annotation group {group} contains risky annotation based on ingress configuration"
            )
        }
        Refusal::InvalidValue { name, .. } => {
            // The reference does not say what would be valid.
            warnings.add([refusal.to_string()]);
            let name = annotations::full_name(prefix, name);
            format!("annotation {name} contains invalid value")
        }
        Refusal::BlockedWord { name, word } => {
            let name = annotations::full_name(prefix, name);
            format!("{name} annotation contains invalid word {word}")
        }
        Refusal::Snippet { name, problem } => {
            let name = annotations::full_name(prefix, name);
            format!("annotation {name}: {problem}")
        }
    };
    Err(Rejection { message, counts: true })
}

/// Check 12.
fn overlap(law: Law<'_>, subject: &Subject) -> Result<(), Rejection> {
    let canary = format!("{}/canary", law.translator.options().annotations_prefix);
    match law.claims.conflict(&subject.key, &subject.ingress, &canary) {
        Some(conflict) => Err(Rejection { message: conflict.to_string(), counts: true }),
        None => Ok(()),
    }
}
