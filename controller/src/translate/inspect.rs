//! Deep inspection: hosts, paths and TLS names that look like injected configuration (routing §1.4).
//!
//! Nothing here is ever templated, so that there is nothing to inject; the refusal is kept because users and their
//! tests rely on it.

use k8s_openapi::api::networking::v1::Ingress;

use super::ingress::paths_of;

/// The first suspicious text of an Ingress, with the field that holds it.
pub fn suspicious(ingress: &Ingress) -> Option<(&'static str, &str)> {
    let spec = ingress.spec.as_ref()?;
    for rule in spec.rules.iter().flatten() {
        let paths = paths_of(rule).iter().filter_map(|path| path.path.as_deref());
        let texts = rule
            .host
            .as_deref()
            .map(|host| ("host", host))
            .into_iter()
            .chain(paths.map(|path| ("path", path)));
        if let Some(found) = texts.into_iter().find(|(_, text)| is_suspicious(text)) {
            return Some(found);
        }
    }
    for tls in spec.tls.iter().flatten() {
        let hosts = tls.hosts.iter().flatten().map(|host| ("tls host", host.as_str()));
        let secret = tls.secret_name.as_deref().map(|name| ("tls secretName", name));
        if let Some(found) = hosts.chain(secret).find(|(_, text)| is_suspicious(text)) {
            return Some(found);
        }
    }
    None
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
