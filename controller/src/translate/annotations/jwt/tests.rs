use std::collections::BTreeMap;

use headgate_config::{Effect, UpstreamId};
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::*;
use crate::{
    objects::{Ingress, Key, Objects},
    options::Options,
    translate::{
        annotations::{Reading, read, subject::Subject},
        config::Config,
    },
};

mod advice;

const URL: (&str, &str) = ("headgate.io/jwt-jwks-url", "https://i.test/keys");

/// Reads annotations of an Ingress `default/app` beside Secrets with these `ca.crt`s.
fn reading(options: &Options, annotations: &[(&str, &str)], secrets: &[(&str, &[u8])]) -> Reading {
    let annotations = annotations.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let annotations: Vec<(Box<str>, Box<str>)> = annotations.collect();
    let ingress = Ingress { annotations: annotations.into(), ..Ingress::default() };
    let mut objects = Objects::default();
    for (name, pem) in secrets {
        let data = BTreeMap::from([("ca.crt".to_owned(), ByteString(pem.to_vec()))]);
        let mut secret = Secret { data: Some(data), ..Secret::default() };
        secret.metadata.namespace = Some("default".into());
        secret.metadata.name = Some((*name).into());
        objects.apply(&secret.into());
    }
    let (config, key) = (Config::default(), Key::new("default", "app"));
    let defaults = &config.defaults;
    let subject = Subject {
        options,
        defaults,
        objects: &objects,
        authorities: &Default::default(),
        key: &key,
        ingress: &ingress,
    };
    read(subject).expect("not refused")
}

/// What is asked for with these companions of a URL; they may not be denied.
fn asked(companions: &[(&str, &str)]) -> TokenAuth {
    let annotations = [&[URL][..], companions].concat();
    let found = reading(&Options::default(), &annotations, &[]);
    assert_eq!(found.annotations.denied, None, "{companions:?}");
    let protection = found.annotations.protection.as_ref().expect("protected");
    protection.token.as_deref().expect("a token").clone()
}

/// Why annotations deny the locations, with and without validation.
fn denial(annotations: &[(&str, &str)]) -> String {
    let mut reasons = [true, false].map(|enable_annotation_validation| {
        let options = Options { enable_annotation_validation, ..Options::default() };
        let found = reading(&options, annotations, &[]);
        let is_said = found.findings.iter().any(|finding| finding.effect == Effect::Denied);
        assert!(is_said, "{annotations:?}: {:?}", found.findings);
        found.annotations.denied.clone().expect("denied")
    });
    std::mem::take(&mut reasons[0])
}

#[test]
fn a_url_alone() {
    let expected = TokenAuth {
        keys: KeySource { url: URL.1.into(), upstream: None, authorities: Vec::new() },
        issuer: None,
        audiences: Vec::new(),
        algorithms: TokenAlgorithm::ALL.to_vec(),
        claim_headers: Vec::new(),
        clock_skew: Duration::from_secs(60),
    };
    assert_eq!(asked(&[]), expected);
}

#[test]
fn all_its_companions() {
    let token = asked(&[
        ("headgate.io/jwt-issuer", "https://i.test/"),
        ("headgate.io/jwt-audience", "shop, api://default,shop"),
        ("headgate.io/jwt-algorithms", "RS256, ES256,RS256"),
        (
            "headgate.io/jwt-claims-to-headers",
            "sub=X-User,\n realm_access.roles = X-Roles, https://x.test/a=b=X-Odd,",
        ),
        ("headgate.io/jwt-clock-skew", "0"),
    ]);
    assert_eq!(token.issuer.as_deref(), Some("https://i.test/"));
    assert_eq!(token.audiences, ["api://default", "shop"]);
    assert_eq!(token.algorithms, [TokenAlgorithm::Rs256, TokenAlgorithm::Es256]);
    let headers: Vec<_> = token
        .claim_headers
        .iter()
        .map(|pair| (pair.claim.as_str(), pair.header.as_str()))
        .collect();
    assert_eq!(
        headers,
        [("sub", "X-User"), ("realm_access.roles", "X-Roles"), ("https://x.test/a=b", "X-Odd")]
    );
    assert_eq!(token.clock_skew, Duration::ZERO);
}

#[test]
fn what_cannot_be_read_denies() {
    for (name, value, word) in [
        ("jwt-jwks-url", "i.test/keys", "i.test/keys"),
        ("jwt-jwks-url", "ftp://i.test/keys", "ftp"),
        ("jwt-jwks-url", "https://$host/keys", "URL"),
        ("jwt-jwks-url", "https://u@i.test/keys", "URL"),
        ("jwt-jwks-url", "https://", "https://"),
        ("jwt-jwks-url", "", "empty"),
        ("jwt-jwks-url", "  ", "empty"),
        ("jwt-issuer", "", "empty"),
        ("jwt-issuer", " ", "empty"),
        ("jwt-issuer", "a\nb", "one line"),
        ("jwt-audience", "", "empty"),
        ("jwt-audience", "a,,b", "empty item"),
        ("jwt-audience", ",", "empty item"),
        ("jwt-audience", "a\u{0}", "one line"),
        ("jwt-algorithms", "", "empty"),
        ("jwt-algorithms", "none", "EdDSA"),
        ("jwt-algorithms", "HS256", "EdDSA"),
        ("jwt-algorithms", "RS256,HS256", "EdDSA"),
        ("jwt-algorithms", "rs256", "EdDSA"),
        ("jwt-algorithms", "RS256,", "EdDSA"),
        ("jwt-algorithms", "ES512", "EdDSA"),
        ("jwt-clock-skew", "", "empty"),
        ("jwt-clock-skew", "-1", "300"),
        ("jwt-clock-skew", "301", "300"),
        ("jwt-clock-skew", "1m", "300"),
        ("jwt-claims-to-headers", "", "empty"),
        ("jwt-claims-to-headers", "sub", "CLAIM=HEADER"),
        ("jwt-claims-to-headers", "sub=", "CLAIM=HEADER"),
        ("jwt-claims-to-headers", "=X-User", "CLAIM=HEADER"),
        ("jwt-claims-to-headers", "sub=X User", "the header X User is not allowed"),
        ("jwt-claims-to-headers", "sub=X-User,id=x_user", "the header x_user is named twice"),
        ("jwt-claims-to-headers", "sub=Host", "the header Host is not allowed"),
        ("jwt-claims-to-headers", "sub=Content-Length", "the header Content-Length is not allowed"),
        ("jwt-claims-to-headers", "sub=Authorization", "the header Authorization is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Forwarded-For", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X_Real_IP", "is not allowed"),
        ("jwt-claims-to-headers", "sub=ssl-client-subject-dn", "is not allowed"),
        ("jwt-claims-to-headers", "sub=Ssl_Client_Verify", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Code", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Format", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Namespace", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Ingress-Name", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Service-Name", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Service-Port", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Sent-From", "is not allowed"),
        ("jwt-claims-to-headers", "sub=X-Auth-Request-Redirect", "is not allowed"),
        ("jwt-ca-secret", "", "empty"),
        ("jwt-ca-secret", "none", "no Secret default/none"),
        ("jwt-ca-secret", "other/ca", "another namespace"),
        // Misspelt.
        ("jwt-audiences", "shop", "did you mean headgate.io/jwt-audience?"),
        ("jwt-", "x", "no annotation"),
    ] {
        let full = format!("headgate.io/{name}");
        let annotations = [URL, (&full, value)];
        let annotations = if name == "jwt-jwks-url" { &annotations[1..] } else { &annotations };
        let reason = denial(annotations);
        assert!(reason.contains(word), "{name}={value:?}: {reason}");
    }
}

#[test]
fn companions_without_a_url_deny() {
    for (name, value) in [
        ("headgate.io/jwt-issuer", "https://i.test"),
        ("headgate.io/jwt-audience", "shop"),
        ("headgate.io/jwt-algorithms", "RS256"),
        ("headgate.io/jwt-clock-skew", "10"),
        ("headgate.io/jwt-claims-to-headers", "sub=X-User"),
        ("headgate.io/jwt-ca-secret", "ca"),
    ] {
        let reason = denial(&[(name, value)]);
        assert!(reason.contains("there is no headgate.io/jwt-jwks-url"), "{name}: {reason}");
    }
}

#[test]
fn a_denied_location_asks_for_no_token_and_does_not_stand_open() {
    let found = reading(&Options::default(), &[URL, ("headgate.io/jwt-clock-skew", "x")], &[]);
    assert!(found.annotations.denied.is_some());
    assert!(found.annotations.protection.is_none());
}

#[test]
fn the_names_are_the_same_whatever_prefix_others_have() {
    for prefix in ["nginx.ingress.kubernetes.io", "example.com", "headgate.io"] {
        let options = Options { annotations_prefix: prefix.into(), ..Options::default() };
        let found = reading(&options, &[URL, ("headgate.io/jwt-audience", "a")], &[]);
        assert_eq!((&found.annotations.denied, &found.findings), (&None, &vec![]), "{prefix}");
        let protection = found.annotations.protection.as_ref().expect("protected");
        let token = protection.token.as_ref().expect("a token");
        assert_eq!(token.audiences, ["a"], "{prefix}");
    }
}

#[test]
fn authorities_are_those_of_a_secret() {
    const PEM: &[u8] = include_bytes!("../../../../tests/certificates/ec.crt");
    let annotations = [URL, ("headgate.io/jwt-ca-secret", "ca")];
    let found = reading(&Options::default(), &annotations, &[("ca", PEM)]);
    assert_eq!(found.annotations.denied, None);
    assert_eq!(found.references.secrets[..], [Key::new("default", "ca")]);
    let protection = found.annotations.protection.as_ref().expect("protected");
    assert_eq!(protection.token.as_ref().expect("a token").keys.authorities.len(), 1);
    let cut = &PEM[..PEM.len() / 2];
    let junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in [&b""[..], b"x", cut, junk] {
        let found = reading(&Options::default(), &annotations, &[("ca", pem)]);
        let reason = found.annotations.denied.as_deref().expect("denied");
        assert!(reason.contains("no certificates in PEM"), "{reason}");
    }
    let plain = [("headgate.io/jwt-jwks-url", "http://i.test/keys"), annotations[1]];
    let found = reading(&Options::default(), &plain, &[("ca", PEM)]);
    assert!(found.annotations.denied.as_deref().expect("denied").contains("not https"));
}

#[test]
fn in_folders_a_service_is_asked_at_its_endpoints() {
    let options = Options { resolve_services_by_name: true, ..Options::default() };
    let url = ("headgate.io/jwt-jwks-url", "http://dex.auth.svc.cluster.local:5556/keys");
    let found = reading(&options, &[url], &[]);
    let protection = found.annotations.protection.as_ref().expect("protected");
    let (service, namespace) = ("dex".into(), "auth".into());
    assert_eq!(
        protection.token.as_ref().expect("a token").keys.upstream,
        Some(UpstreamId { namespace, service, port: "5556".into() })
    );
}

#[test]
fn a_header_has_one_source() {
    let claims = ("headgate.io/jwt-claims-to-headers", "sub=X_User");
    let service = [
        ("nginx.ingress.kubernetes.io/auth-url", "http://auth.test/"),
        ("nginx.ingress.kubernetes.io/auth-response-headers", "X-Other, X-User"),
    ];
    let reason = denial(&[&[URL, claims][..], &service].concat());
    assert!(reason.contains("X-User comes from the external authentication"), "{reason}");
}

#[test]
fn a_password_beside_a_token_is_warned_about_unless_one_is_enough() {
    let both = [URL, ("nginx.ingress.kubernetes.io/auth-type", "basic")];
    let warned = |annotations: &[(&str, &str)]| {
        let found = reading(&Options::default(), annotations, &[]);
        found.findings.iter().any(|finding| finding.message.contains("nobody can pass"))
    };
    assert!(warned(&both));
    let any = ("nginx.ingress.kubernetes.io/satisfy", "any");
    assert!(!warned(&[&both[..], &[any]].concat()));
}
