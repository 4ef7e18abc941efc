//! What an author should know about an Ingress that may be (operations §9.2, end).
//!
//! The reference's warnings are all kept, in its words. Ours are the findings that would become verdicts; of those
//! only a few are told, because an API server passes on four kilobytes of warnings and cuts what is longer.

use std::collections::BTreeSet;

use headgate_config::{ObjectRef, Rewrite, UpstreamId};

use super::{check::Law, review::Subject};
use crate::{
    objects::{Backend, Key, Kind},
    options::PatternCheck,
    translate::{
        annotations::{Annotations, Finding},
        ingress::host_of,
        pattern, upstream,
    },
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
/// Different regular expressions that are checked, at most: an Ingress may have tens of thousands, and while they are
/// checked no change of the cluster is followed.
const MOST_PATTERNS: usize = 64;
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

    /// Adds what is wrong with regular expressions, of which no more are checked than is reasonable, and none as soon as
    /// nobody awaits the answer. Like the reference, which does not load what it would render, a review refuses none.
    pub fn about_patterns(
        &mut self,
        law: Law<'_>,
        subject: &Subject,
        annotations: &Annotations,
        is_awaited: &dyn Fn() -> bool,
    ) {
        if let Some(check) = law.translator.options().pattern_check {
            let (found, are_all_checked) = patterns(check, law, subject, annotations, is_awaited);
            self.add(found);
            if !are_all_checked {
                // Whatever else there is to say: what is not said above may still be wrong.
                self.own.push(format!(
                    "only the first {MOST_PATTERNS} regular expressions were checked; what is wrong with others is found when the Ingress is read"
                ));
            }
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

/// Paths and aliases that are to be regular expressions, and cannot be; and whether all were checked.
fn patterns(
    check: PatternCheck,
    law: Law<'_>,
    subject: &Subject,
    annotations: &Annotations,
    is_awaited: &dyn Fn() -> bool,
) -> (Vec<String>, bool) {
    let is_pattern = |host: &str| {
        annotations.use_regex
            || annotations.rewrite_target.is_some()
            || law.translator.has_patterns(host)
    };
    let rules = subject.ingress.rules.iter().map(|rule| (host_of(rule), rule));
    let paths = rules.clone().filter(|(host, _)| is_pattern(host)).flat_map(|(host, rule)| {
        rule.paths.iter().map(move |path| (host, Pattern::Path(&path.text)))
    });
    let regexes = annotations.aliases.iter().filter_map(|alias| alias.strip_prefix('~'));
    let aliases = rules
        .take(1)
        .flat_map(|(host, _)| regexes.clone().map(move |regex| (host, Pattern::Alias(regex))));
    let (mut found, mut fine, mut checked) = (Vec::new(), BTreeSet::new(), 0);
    for (host, pattern) in paths.chain(aliases) {
        // More would not be told.
        if found.len() == MOST {
            break;
        }
        if fine.contains(&pattern) {
            continue;
        }
        if checked == MOST_PATTERNS || !is_awaited() {
            return (found, false);
        }
        checked += 1;
        match pattern.fault(check, host, annotations) {
            Some(fault) => found.push(fault.message),
            None => drop(fine.insert(pattern)),
        }
    }
    (found, true)
}

/// A regular expression of an Ingress. Two that are equal are both usable, or both not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern<'a> {
    Path(&'a str),
    Alias(&'a str),
}

impl Pattern<'_> {
    fn fault(self, check: PatternCheck, host: &str, annotations: &Annotations) -> Option<Finding> {
        let path = match self {
            Self::Alias(regex) => return pattern::broken_alias(check, host, regex),
            Self::Path(path) => path,
        };
        pattern::broken_path(check, host, path, path).or_else(|| {
            let target = annotations.rewrite_target.clone();
            let target = target.filter(|target| **target != *path)?;
            let forwarded_prefix = annotations.forwarded_prefix.clone();
            let rewrite = Rewrite { pattern: path.to_owned(), target, forwarded_prefix };
            pattern::broken_rewrite(check, host, path, &rewrite)
        })
    }
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
