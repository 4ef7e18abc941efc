//! Secrets with users, and what is said about them.

use std::collections::BTreeMap;

use headgate_config::Effect;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::*;
use crate::{
    objects::{Ingress, Key, Objects},
    options::Options,
    translate::{
        annotations::{Finding, Reading, refusal::Refusal, subject::Subject},
        config::Config,
    },
};

const APR1: &str = "$apr1$3lDgrkMD$Jux8iT110phSRobStr9BK1";
const MD5: &str = "0123456789abcdef0123456789abcdef";

/// A Secret: its name, and values by key.
type Named<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);

/// Reads annotations of an Ingress `default/app`, where these Secrets exist.
fn try_read(
    validate: bool,
    annotations: &[(&str, &str)],
    secrets: &[Named<'_>],
) -> Result<Reading, Refusal> {
    let prefixed = |(name, value): &(&str, &str)| {
        (format!("nginx.ingress.kubernetes.io/{name}").into(), (*value).into())
    };
    let annotations: Vec<_> = annotations.iter().map(prefixed).collect();
    let ingress = Ingress { annotations: annotations.into(), ..Ingress::default() };
    let mut objects = Objects::default();
    for (name, data) in secrets {
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        let data: BTreeMap<_, _> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
            .collect();
        let mut secret = Secret { data: Some(data), ..Secret::default() };
        secret.metadata.namespace = Some(namespace.into());
        secret.metadata.name = Some(name.into());
        objects.apply(&secret.into());
    }
    let options = Options { enable_annotation_validation: validate, ..Options::default() };
    let (config, key) = (Config::default(), Key::new("default", "app"));
    crate::translate::annotations::read(Subject {
        options: &options,
        defaults: &config.defaults,
        objects: &objects,
        authorities: &Default::default(),
        key: &key,
        ingress: &ingress,
    })
}

fn read(annotations: &[(&str, &str)], secrets: &[Named<'_>]) -> Reading {
    try_read(true, annotations, secrets).expect("not refused")
}

/// What is asked for by `auth-type` and a Secret `users` with this under `auth`, and what is said about it.
fn file(kind: &str, text: &str) -> (PasswordAuth, Vec<Finding>) {
    let annotations = [("auth-type", kind), ("auth-secret", "users"), ("auth-realm", "r")];
    asked(read(&annotations, &[("users", &[("auth", text.as_bytes())])]))
}

fn map(kind: &str, data: &[(&str, &[u8])]) -> (PasswordAuth, Vec<Finding>) {
    let annotations = [
        ("auth-type", kind),
        ("auth-secret", "users"),
        ("auth-secret-type", "auth-map"),
        ("auth-realm", "r"),
    ];
    asked(read(&annotations, &[("users", data)]))
}

fn asked(reading: Reading) -> (PasswordAuth, Vec<Finding>) {
    let protection = reading.annotations.protection.as_ref().expect("it protects");
    assert_eq!(reading.annotations.denied, None);
    ((**protection.password.as_ref().expect("it asks")).clone(), reading.findings)
}

/// Why locations are denied.
fn denial(reading: &Reading) -> &str {
    let [finding] = &reading.findings[..] else { panic!("{:?}", reading.findings) };
    assert_eq!((finding.effect, finding.reason), (Effect::Denied, "AnnotationParsingFailed"));
    let reason = reading.annotations.denied.as_ref().expect("it is denied");
    assert!(finding.message.starts_with(reason), "{} {reason}", finding.message);
    reason
}

#[test]
fn lines_are_read_as_the_reference_reads_them() {
    let text = format!(
        "# users:none\r\n\nfoo:{APR1}:a comment\r\nbar:{{PLAIN}}x\n  \nfoo:{{PLAIN}}second\n sp ace:{{PLAIN}}y"
    );
    let (password, findings) = file("basic", &text);
    assert_eq!(findings, []);
    assert_eq!((password.scheme, &*password.realm), (PasswordScheme::Basic, "r"));
    let users = &password.users;
    assert_eq!(users.hash("foo"), Some(APR1), "the first one counts");
    assert_eq!(users.hash("bar"), Some("{PLAIN}x"));
    assert_eq!(users.hash(" sp ace"), Some("{PLAIN}y"));
    assert_eq!(users.hashes().count(), 3);
    let reading =
        read(&[("auth-type", " basic"), ("auth-secret", "users ")], &[("users", &[("auth", b"")])]);
    assert_eq!(reading.references.secrets[..], [Key::new("default", "users")]);
    assert_eq!(asked(reading).0.realm, "");
}

#[test]
fn malformed_users_are_named_and_nothing_of_them_is_shown() {
    let text = "foo:\nbar:s3cret\nbaz:$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ns3cret\n:s3cret\nq:$apr1$s3cret\nr:\n";
    let (password, findings) = file("basic", text);
    assert_eq!(password.users.hash("foo"), Some(""), "it exists, and no password is right");
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.effect, finding.reason), (Effect::Warning, "InvalidUsers"));
    let message = &finding.message;
    for part in [
        "Secret default/users",
        "\"foo\" has no hash",
        "\"bar\" has a hash of an unknown kind",
        "\"baz\" has a hash that takes too long",
        "line 4 is not USER:HASH",
        "line 5 is not USER:HASH",
        "2 more",
        "htpasswd",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("s3cret"), "{message}");
    assert!(file("basic", "# nobody").1[0].message.contains("no users"));
    let bytes: &[(&str, &[u8])] = &[("auth", b"\xff:x\nfoo:{PLAIN}x")];
    let (password, findings) =
        asked(read(&[("auth-type", "basic"), ("auth-secret", "users")], &[("users", bytes)]));
    assert_eq!((password.users.hashes().count(), findings.len()), (1, 1));
}

#[test]
fn the_keys_of_a_map_are_users_and_no_value_speaks_of_another() {
    let injected = format!("{APR1}\nadmin:{{PLAIN}}x");
    let (password, findings) = map(
        "basic",
        &[("foo", APR1.as_bytes()), ("bar", b"{PLAIN}x\n"), ("evil", injected.as_bytes())],
    );
    let users = &password.users;
    assert_eq!((users.hash("foo"), users.hash("bar")), (Some(APR1), Some("{PLAIN}x")));
    assert_eq!((users.hash("evil"), users.hash("admin")), (None, None));
    assert!(findings[0].message.contains("\"evil\" is not one line"), "{findings:?}");
    let (password, _) = map("digest", &[("foo", format!("r:{MD5}").as_bytes())]);
    assert_eq!(password.users.hash("foo:r"), Some(MD5));
}

#[test]
fn a_digest_is_of_its_realm() {
    let text = format!(
        "foo:r:{MD5}\nbar:other:{MD5}\nbaz:r:short\nqux:{{PLAIN}}x\nfoo:r:{}",
        "0".repeat(32)
    );
    let (password, findings) = file("digest", &text);
    assert_eq!(password.scheme, PasswordScheme::Digest);
    assert_eq!(password.users.hash("foo:r"), Some(MD5));
    let message = &findings[0].message;
    for part in [
        "\"bar\" is of the realm \"other\"",
        "\"baz\" has a malformed hash",
        "\"qux\" is not USER:REALM:HASH",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let (password, findings) = file("basic-digest", &format!("foo:r:{MD5}"));
    assert_eq!(password.scheme, PasswordScheme::Digest);
    assert!(findings[0].message.contains("\"basic-digest\" is taken for digest"), "{findings:?}");
}

#[test]
fn what_cannot_be_honoured_denies_and_says_why() {
    let good: &[(&str, &[u8])] = &[("auth", b"foo:{PLAIN}x")];
    let other: &[(&str, &[u8])] = &[("other", b"foo:{PLAIN}x")];
    for (annotations, expected) in [
        (&[("auth-type", "basic")][..], "auth-type needs auth-secret"),
        (&[("auth-type", "basic"), ("auth-secret", "")], "auth-type needs auth-secret"),
        (&[("auth-type", "digest"), ("auth-secret", "none")], "there is no Secret default/none"),
        (&[("auth-type", "basic"), ("auth-secret", "b/users")], "another namespace"),
        (&[("auth-type", "basic"), ("auth-secret", "a/b/c")], "neither NAME nor"),
        (&[("auth-type", "basic"), ("auth-secret", "a,b")], "auth-secret"),
        (&[("auth-type", "basic"), ("auth-secret", "other")], "default/other has no key \"auth\""),
        (
            &[
                ("auth-type", "basic"),
                ("auth-secret", "users"),
                ("auth-secret-type", "my-auth-map"),
            ],
            "auth-secret-type \"my-auth-map\"",
        ),
    ] {
        let reading = read(annotations, &[("users", good), ("other", other), ("b/users", good)]);
        assert!(denial(&reading).contains(expected), "{annotations:?}: {:?}", reading.findings);
        assert!(reading.annotations.protection.is_none());
    }
    for annotations in [
        &[("auth-type", "none")][..],
        &[("auth-type", "basic"), ("auth-secret-type", "file")],
        &[("auth-type", "basic"), ("auth-realm", "a\tb")],
    ] {
        assert!(try_read(true, annotations, &[("users", good)]).is_err(), "{annotations:?}");
        let reading = try_read(false, annotations, &[("users", good)]).expect("not validated");
        assert!(reading.annotations.denied.is_some(), "{annotations:?}");
    }
}

#[test]
fn a_secret_without_a_type_is_pointed_out() {
    for annotations in
        [&[("auth-secret", "users")][..], &[("auth-secret", "users"), ("auth-type", "")]]
    {
        let reading = read(annotations, &[]);
        let [finding] = &reading.findings[..] else { panic!("{:?}", reading.findings) };
        assert_eq!(finding.effect, Effect::Warning);
        assert!(finding.message.contains("without auth-type"), "{finding:?}");
        assert_eq!(reading.annotations.denied, None);
    }
}

/// The reference switches authentication off.
#[test]
fn off_is_a_realm_like_any_other() {
    let users: &[(&str, &[u8])] = &[("auth", b"foo:{PLAIN}x")];
    let annotations = [("auth-type", "basic"), ("auth-secret", "users"), ("auth-realm", "off")];
    let (password, findings) = asked(read(&annotations, &[("users", users)]));
    assert_eq!((&*password.realm, findings), ("off", vec![]));
}

#[test]
fn equal_lists_are_one() {
    let list = |text: &str| {
        let annotations = [("auth-type", "basic"), ("auth-secret", "users")];
        read(&annotations, &[("users", &[("auth", text.as_bytes())])]).annotations
    };
    let of = |annotations: &Arc<Annotations>| {
        let protection = annotations.protection.as_ref().expect("it protects");
        Arc::clone(&protection.password.as_ref().expect("it asks").users)
    };
    let mut shared = SharedUsers::default();
    let [mut one, mut two, mut other] =
        [list("foo:{PLAIN}x"), list("# again\nfoo:{PLAIN}x"), list("foo:{PLAIN}y")];
    for annotations in [&mut one, &mut two, &mut other] {
        shared.share(annotations);
    }
    assert!(Arc::ptr_eq(&of(&one), &of(&two)));
    assert_eq!(of(&other).hash("foo"), Some("{PLAIN}y"));
    for n in 0..1000 {
        shared.share(&mut list(&format!("foo:{{PLAIN}}{n}")));
    }
    assert!(shared.known.len() < 20, "what nobody uses is forgotten: {}", shared.known.len());
    shared.share(&mut two);
    assert!(Arc::ptr_eq(&of(&one), &of(&two)));
}
