//! What an author should know about an Ingress that may be (operations §9.2, end).
//!
//! The reference's warnings are all kept, in its words. Ours are the findings that would become verdicts; of those
//! only a few are told, because an API server passes on four kilobytes of warnings and cuts what is longer.

use std::collections::BTreeSet;

use headgate_config::{ObjectRef, Rewrite, UpstreamId};

use super::{check::Law, review::Subject};
use crate::{
    objects::{Backend, Key, Kind, Path},
    options::PatternCheck,
    translate::{annotations::Annotations, ingress::host_of, pattern, upstream},
};

/// Annotations that the reference calls deprecated (annotations §1.13).
const DEPRECATED: [&str; 6] = [
    "enable-influxdb",
    "influxdb-host",
    "influxdb-measurement",
    "influxdb-port",
    "influxdb-server-name",
    "secure-verify-ca-secret",
];
/// The reference's warnings, at most. It sends any number; nobody is shown more than some four kilobytes of them.
const MOST_OF_REFERENCE: usize = 64;
/// Our own warnings, at most.
const MOST: usize = 5;
/// Services and Secrets that are looked at, at most.
const MOST_REFERENCES: usize = 64;
/// Characters of a warning, at most: what an API server leaves of one when there are many.
const LONGEST: usize = 256;

/// Warnings while they are collected.
#[derive(Debug, Default)]
pub struct Warnings {
    reference: Vec<String>,
    own: Vec<String>,
}

impl Warnings {
    /// Adds the reference's, which are given whatever class the Ingress has.
    pub fn about_names(&mut self, law: Law<'_>, subject: &Subject) {
        let prefix = &law.translator.options().annotations_prefix;
        let is_deprecated = |name: &str| {
            let own = name.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
            DEPRECATED.contains(&own.unwrap_or(name))
        };
        let names = subject.ingress.annotations.iter().map(|(name, _)| name);
        let deprecated = names.filter(|name| is_deprecated(name));
        self.reference.extend(deprecated.map(|name| format!("annotation {name} is deprecated")));
        self.reference.extend(subject.odd_paths.iter().cloned());
    }

    /// Adds some of ours.
    pub fn add(&mut self, findings: impl IntoIterator<Item = String>) {
        let room = MOST.saturating_sub(self.own.len());
        self.own.extend(findings.into_iter().take(room));
    }

    /// Adds what is wrong with regular expressions. Like the reference, which does not load what it would render, a review
    /// refuses none.
    pub fn about_patterns(&mut self, law: Law<'_>, subject: &Subject, annotations: &Annotations) {
        if let Some(check) = law.translator.options().pattern_check {
            self.add(patterns(check, law, subject, annotations));
        }
    }

    /// Adds what is known about the Services and certificates that the Ingress names.
    pub fn about_others(&mut self, law: Law<'_>, subject: &Subject) {
        self.add(services(law, subject));
        let tls = subject.ingress.tls.iter().filter(|tls| !tls.secret.is_empty());
        let secrets: BTreeSet<_> = tls.map(|tls| &*tls.secret).take(MOST_REFERENCES).collect();
        for secret in secrets {
            // One that nobody has named yet is not known, whether it exists or not.
            let key = Key::new(subject.key.namespace(), secret);
            let object = Kind::Secret.reference(&key);
            self.add(findings_about(law, &object));
            if law.translator.misses_secret(&key) {
                self.add([format!(
                    "{object}: does not exist; the default certificate is used instead"
                )]);
            }
        }
    }

    /// All of them, fit to be sent.
    pub fn finish(self) -> Vec<String> {
        let reference = self.reference.into_iter().take(MOST_OF_REFERENCE);
        reference.chain(self.own).map(|text| fit(&text)).collect()
    }
}

/// Paths and aliases that are to be regular expressions, and cannot be.
fn patterns(
    check: PatternCheck,
    law: Law<'_>,
    subject: &Subject,
    annotations: &Annotations,
) -> impl Iterator<Item = String> {
    let is_pattern = |host: &str| {
        annotations.use_regex
            || annotations.rewrite_target.is_some()
            || law.translator.has_patterns(host)
    };
    let rules = subject.ingress.rules.iter().map(|rule| (host_of(rule), rule));
    let paths = rules.clone().filter(|(host, _)| is_pattern(host)).flat_map(|(host, rule)| {
        let broken = |path: &Path| {
            pattern::broken_path(check, host, &path.text, &path.text).or_else(|| {
                let target = annotations.rewrite_target.clone();
                let target = target.filter(|target| **target != *path.text)?;
                let (pattern, forwarded_prefix) =
                    (path.text.to_string(), annotations.forwarded_prefix.clone());
                let rewrite = Rewrite { pattern, target, forwarded_prefix };
                pattern::broken_rewrite(check, host, &path.text, &rewrite)
            })
        };
        rule.paths.iter().filter_map(broken).take(MOST).collect::<Vec<_>>()
    });
    let regexes = annotations.aliases.iter().filter_map(|alias| alias.strip_prefix('~'));
    let aliases = rules.take(1).flat_map(|(host, _)| {
        regexes.clone().filter_map(move |regex| pattern::broken_alias(check, host, regex))
    });
    let found: Vec<_> = paths.take(MOST).chain(aliases).map(|found| found.message).collect();
    found.into_iter()
}

/// Services that do not exist, or not with the port that is named.
fn services<'a>(law: Law<'a>, subject: &'a Subject) -> impl Iterator<Item = String> + use<'a> {
    let ingress = &subject.ingress;
    let paths = ingress.rules.iter().flat_map(|rule| &rule.paths).map(|path| &path.backend);
    let backends = paths.chain(&ingress.default_backend).filter_map(|backend| match backend {
        Backend::Service { name, port } => Some((&**name, &**port)),
        Backend::Resource => None,
    });
    let backends: BTreeSet<_> = backends.take(MOST_REFERENCES).collect();
    let findings = backends.into_iter().filter_map(move |(service, port)| {
        let id = UpstreamId {
            namespace: subject.key.namespace().into(),
            service: service.into(),
            port: port.into(),
        };
        let resolved = upstream::resolve(law.translator.options(), law.objects, &id, false);
        resolved.verdict.map(|verdict| verdict.message)
    });
    // Several ports of a Service that does not exist say the same.
    findings.collect::<BTreeSet<_>>().into_iter()
}

fn findings_about<'a>(law: Law<'a>, object: &ObjectRef) -> impl Iterator<Item = String> + use<'a> {
    let name = object.to_string();
    law.translator.findings_about(object).map(move |verdict| format!("{name}: {}", verdict.message))
}

/// Without control characters, which the API server would refuse, and not too long.
fn fit(text: &str) -> String {
    let printable = text.chars().flat_map(|c| {
        let (escaped, plain) =
            if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
        escaped.into_iter().flatten().chain(plain)
    });
    let mut fit: String = printable.clone().take(LONGEST).collect();
    if printable.count() > LONGEST {
        fit.pop();
        fit.push('…');
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_fits_into_a_header() {
        assert_eq!(fit("path /é\n cannot"), "path /é\\n cannot");
        let long = fit(&"x".repeat(300));
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with("x…"));
        assert_eq!(fit(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }

    #[test]
    fn of_our_own_warnings_a_few_are_enough() {
        let mut warnings = Warnings::default();
        warnings.add(["a".to_owned()]);
        warnings.add((0..10).map(|number| number.to_string()));
        assert_eq!(warnings.finish(), ["a", "0", "1", "2", "3"]);
    }
}
