//! Deep inspection: hosts, paths and TLS names that look like injected configuration (routing §1.4).
//!
//! Nothing here is ever templated, so that there is nothing to inject; the refusal is kept because users and their
//! tests rely on it.

use crate::objects::Ingress;

/// The fields that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `spec.rules[].host`.
    Host,
    /// `spec.rules[].http.paths[].path`.
    Path,
    /// `spec.tls[].secretName`.
    TlsSecret,
    /// `spec.tls[].hosts[]`.
    TlsHost,
}

impl Field {
    /// The field in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Path => "path",
            Self::TlsSecret => "tls secretName",
            Self::TlsHost => "tls host",
        }
    }
}

/// The first suspicious text of an Ingress in the order in which they are written, with the field that holds it.
pub fn suspicious(ingress: &Ingress) -> Option<(Field, &str)> {
    let rules = ingress.rules.iter().flat_map(|rule| {
        let paths = rule.paths.iter().map(|path| (Field::Path, &path.text));
        std::iter::once((Field::Host, &rule.host)).chain(paths)
    });
    let tls = ingress.tls.iter().flat_map(|tls| {
        let hosts = tls.hosts.iter().map(|host| (Field::TlsHost, host));
        std::iter::once((Field::TlsSecret, &tls.secret)).chain(hosts)
    });
    let found = rules.chain(tls).find(|(_, text)| is_suspicious(text));
    found.map(|(field, text)| (field, &**text))
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
