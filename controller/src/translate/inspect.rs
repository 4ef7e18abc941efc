//! Deep inspection: hosts, paths and TLS names that look like injected configuration (routing §1.4).
//!
//! Nothing here is ever templated, so that there is nothing to inject; the refusal is kept because users and their
//! tests rely on it.

use crate::objects::Ingress;

/// The first suspicious text of an Ingress, with the field that holds it.
pub fn suspicious(ingress: &Ingress) -> Option<(&'static str, &str)> {
    let hosts = ingress.rules.iter().map(|rule| ("host", &rule.host));
    let paths = ingress.rules.iter().flat_map(|rule| &rule.paths).map(|path| ("path", &path.text));
    let tls_hosts = ingress.tls.iter().flat_map(|tls| &tls.hosts).map(|host| ("tls host", host));
    let secrets = ingress.tls.iter().map(|tls| ("tls secretName", &tls.secret));
    let mut texts = hosts.chain(paths).chain(tls_hosts).chain(secrets);
    texts.find(|(_, text)| is_suspicious(text)).map(|(field, text)| (field, &**text))
}

fn is_suspicious(text: &str) -> bool {
    const FILES: [&str; 5] = ["passwd", "shadow", "group", "nginx", "ingress-controller"];
    let directive = |word: &str| text.split_once(word).is_some_and(|(_, rest)| rest.contains(';'));
    let below_etc = |at: usize| FILES.iter().any(|file| text[at..].starts_with(file));
    directive("alias")
        || directive("root")
        || text.match_indices("/etc/").any(|(at, etc)| below_etc(at + etc.len()))
        || text.contains("/var/run/secrets")
        || text.contains("_by_lua")
}

#[cfg(test)]
mod tests {
    use super::is_suspicious;

    #[test]
    fn patterns() {
        for text in [
            "/x alias /etc;",
            "root\n/;",
            "chroot;",
            "/etc/passwd",
            "/a/etc/nginx",
            "/var/run/secrets/x",
            "content_by_lua_block",
        ] {
            assert!(is_suspicious(text), "{text}");
        }
        for text in ["/alias", "/root/", "root", "/etc/hosts", "/ALIAS;", ";alias", "a.example.com"]
        {
            assert!(!is_suspicious(text), "{text}");
        }
    }
}
