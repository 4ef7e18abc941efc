//! Annotations that were meant for this program and do not begin as its own do: of an older or another controller for nginx, with
//! a misspelt prefix, or without the slash. The reference passes over them in silence; here they are named.

use super::{BY_NAME, Finding, OWN_PREFIX, defined_name, full_name, subject::Subject, unknown};
use crate::{near, translate::wording};
use headgate_config::Effect;

/// What names begin with unless the options say otherwise.
const USUAL: &str = "nginx.ingress.kubernetes.io";
/// What the names of others begin with that are easily taken for ours: those of the reference's first versions, of the
/// controller of nginx's makers, and shortened ones.
const KIN: &[&str] = &[
    "ingress.kubernetes.io",
    "ingress.k8s.io",
    "nginx.com",
    "nginx.ingress.k8s.io",
    "nginx.ingress",
    "nginx.io",
    "nginx.kubernetes.io",
    "nginx.org",
];
/// Misspelt letters of a prefix, at most.
const MISSPELT: usize = 3;
/// Names that a message has, at most.
const MOST: usize = 8;

/// Names what was meant for us and does not reach us.
pub fn tell(subject: Subject<'_>) -> Option<Finding> {
    let prefix = &*subject.options.annotations_prefix;
    let names = subject.ingress.annotations.iter().map(|(name, _)| &**name);
    let foreign = names.filter(|name| defined_name(prefix, name).is_none());
    let mut found = Vec::new();
    for (full, meant) in foreign.filter_map(|full| Some((full, meant(prefix, full)?))) {
        let is_there = |meant: &str| subject.ingress.annotation(meant).is_some();
        match meant {
            // Whoever has both means another controller by the one with the usual prefix.
            Some(meant) if full.starts_with(USUAL) && is_there(&meant) => {}
            Some(meant) => found.push(format!("{} (did you mean {meant}?)", full.escape_debug())),
            None => found.push(full.escape_debug().to_string()),
        }
    }
    if found.is_empty() {
        return None;
    }
    if found.len() > MOST {
        let more = found.len() - MOST;
        found.truncate(MOST);
        found.push(format!("{more} more"));
    }
    let says = ["does not begin with", "do not begin with"].map(|says| format!("{says} {prefix}/"));
    let message = wording::without_effect("annotation", &found, [&says[0], &says[1]]);
    Some(Finding { effect: Effect::Warning, reason: "AnnotationPrefix", message })
}

/// Whether a name was meant for us, and if so which name it should have been, as far as that can be told.
#[expect(clippy::option_option, reason = "one can be meant for us without being like any")]
fn meant(prefix: &str, full: &str) -> Option<Option<String>> {
    let Some((group, name)) = full.split_once('/') else { return without_slash(prefix, full) };
    if is_near(group, OWN_PREFIX.trim_end_matches('/')) {
        let own = format!("{OWN_PREFIX}{name}");
        return Some(BY_NAME.contains_key(&*own).then_some(own));
    }
    let is_kin = KIN.contains(&group) || group == USUAL;
    (is_kin || is_near(group, prefix) || is_near(group, USUAL)).then(|| suggestion(prefix, name))
}

#[expect(clippy::option_option, reason = "as above")]
fn without_slash(prefix: &str, full: &str) -> Option<Option<String>> {
    if BY_NAME.contains_key(full) {
        return Some(Some(full_name(prefix, full)));
    }
    let rest = full.strip_prefix(prefix)?;
    Some(suggestion(prefix, rest.strip_prefix(['.', '-', '_'])?))
}

fn suggestion(prefix: &str, name: &str) -> Option<String> {
    let known = BY_NAME.get_key_value(name).map(|(name, _)| *name);
    known.or_else(|| unknown::nearest(name)).map(|name| full_name(prefix, name))
}

fn is_near(group: &str, prefix: &str) -> bool {
    let most = MISSPELT.min(prefix.len() / 4);
    group != prefix && near::distance(group, prefix, most).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_for_us_is_told_from_what_is_others() {
        for (full, suggests) in [
            ("ingress.kubernetes.io/ssl-redirect", Some("ssl-redirect")),
            ("nginx.ingress.kubernetes.io.ssl-redirect", Some("ssl-redirect")),
            ("ngnix.ingress.kubernetes.io/ssl-redirect", Some("ssl-redirect")),
            ("nginx.ingress.kubernets.io/ssl-redirct", Some("ssl-redirect")),
            ("nginx.org/proxy-read-timeout", Some("proxy-read-timeout")),
            ("nginx.org/mergeable-ingress-type", None),
            ("ssl-redirect", Some("ssl-redirect")),
        ] {
            let suggests = suggests.map(|name| format!("{USUAL}/{name}"));
            assert_eq!(meant(USUAL, full), Some(suggests), "{full}");
        }
        assert_eq!(
            meant(USUAL, "headgate.oi/limit-shared"),
            Some(Some("headgate.io/limit-shared".into()))
        );
        for full in [
            "kubernetes.io/ingress.class",
            "cert-manager.io/cluster-issuer",
            "alb.ingress.kubernetes.io/ssl-redirect",
            "haproxy.org/ssl-redirect",
            "traefik.ingress.kubernetes.io/router.tls",
            "description",
        ] {
            assert_eq!(meant(USUAL, full), None, "{full}");
        }
    }

    #[test]
    fn the_prefix_of_the_options_counts() {
        let suggests = Some(Some("example.com/ssl-redirect".into()));
        for full in [
            "nginx.ingress.kubernetes.io/ssl-redirect",
            "exmaple.com/ssl-redirect",
            "example.com.ssl-redirect",
        ] {
            assert_eq!(meant("example.com", full), suggests, "{full}");
        }
    }
}
