//! Keys over TLS: who publishes them has to prove who he is.

use super::*;
use crate::support::Identity;

/// Publishes a key over TLS, as `a.test`.
fn issuer(identity: &Identity, key: Value) -> Upstream {
    let answer = ok(&set(&[key]));
    identity.upstream(move |_| Reply::Last(answer.clone()))
}

fn certificate(identity: &Identity) -> Vec<u8> {
    let table = identity.table();
    let certificate = table.certificates.values().next().expect("there is one");
    certificate.chain[0].clone()
}

#[test]
fn only_who_proves_to_be_the_issuer_is_believed() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let (identity, other) = (Identity::new(), Identity::new());
    let token = signer.issue("1", &claims(json!({})));
    for (name, authorities, expected) in [
        ("a.test", vec![certificate(&identity)], 200),
        ("a.test", vec![certificate(&other), certificate(&identity)], 200),
        ("a.test", vec![certificate(&other)], 503),
        // Nobody whom everybody trusts has signed it.
        ("a.test", Vec::new(), 503),
        ("b.test", vec![certificate(&identity)], 503),
        ("a.test", vec![b"no certificate".to_vec()], 503),
    ] {
        let server = issuer(&identity, signer.jwk("1"));
        let url = format!("https://{name}:{}/keys", server.address.port());
        let trusted = authorities.len();
        let guarded = Guarded::with(&app, &url, |spec| {
            spec.keys.upstream = Some(snapshot::id("keys"));
            spec.keys.authorities = authorities;
        });
        let table = snapshot::Table::default().upstream("app", &[app.address]);
        let table = table.upstream("keys", &[server.address]);
        let gateway = TestGateway::start(table.location("a.test", guarded.location("/")).build());
        assert_eq!(bring(&gateway, &token).status, expected, "{name}, {trusted} authorities");
    }
}

#[test]
fn what_does_not_speak_tls_is_not_believed() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let gateway = Guarded::by(&app, &issuer.url().replace("http:", "https:")).start();
    assert_eq!(bring(&gateway, &signer.issue("1", &claims(json!({})))).status, 503);
}
