//! Certificates come from Secrets, and follow them.

use headgate_tests::{
    manifests::{Ingress, tls_secret},
    tls::{Client, SelfSigned},
};

use crate::support::{NAMESPACE, Scene, eventually};

#[tokio::test]
async fn a_replaced_certificate_is_seen_by_the_next_handshake() {
    let scene = Scene::start().await;
    let (first, second) = (pair("a.example"), pair("a.example"));
    scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &first)).unwrap();
    scene.folder.write("a", &ingress_with_certificate()).unwrap();
    until_certificate(&scene, "a.example", &first.der).await;

    scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &second)).unwrap();
    until_certificate(&scene, "a.example", &second.der).await;
}

#[tokio::test]
async fn a_name_without_a_certificate_gets_the_self_signed_one() {
    let scene = Scene::start().await;
    let client = Client::new().unwrap();
    let (_, first) = client.connect(scene.gateway.https, "nobody.example").await.unwrap();
    let (_, second) = client.connect(scene.gateway.https, "somebody.example").await.unwrap();
    assert!(!first.is_empty());
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_broken_secret_keeps_the_certificate_that_worked() {
    for make in MAKERS {
        let scene = Scene::start().await;
        let good = make(&["a.example"]).unwrap();
        scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &good)).unwrap();
        scene.folder.write("a", &ingress_with_certificate()).unwrap();
        until_certificate(&scene, "a.example", &good.der).await;

        scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &mismatched(make))).unwrap();
        let message = until_verdict(&scene).await;
        assert!(message.contains("the certificate before it stays"), "{message}");
        assert_eq!(seen(&scene).await, good.der);
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_is_replaced_by_the_default_certificate() {
    for make in MAKERS {
        let scene = Scene::start().await;
        let default = seen(&scene).await;
        let mismatched = mismatched(make);
        scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &mismatched)).unwrap();
        scene.folder.write("a", &ingress_with_certificate()).unwrap();
        let message = until_verdict(&scene).await;
        assert!(message.contains("the default certificate is used instead"), "{message}");
        assert_eq!(seen(&scene).await, default);
        // It still has one, so plain requests are sent to it (routing §8.1).
        assert_eq!(scene.status("a.example").await, 308);
    }
}

type Maker = fn(&[&str]) -> anyhow::Result<SelfSigned>;

/// Keys whose encoding tells their public half, and keys that have to be computed with.
const MAKERS: [Maker; 2] = [SelfSigned::new, SelfSigned::ed25519];

/// A certificate with the key of another.
fn mismatched(make: Maker) -> SelfSigned {
    let (one, other) = (make(&["a.example"]).unwrap(), make(&["a.example"]).unwrap());
    SelfSigned { key_pem: other.key_pem, ..one }
}

fn ingress_with_certificate() -> String {
    Ingress::new(NAMESPACE, "a").prefix("a.example", "/", "web").secret("a.example", "cert").text()
}

/// What the verdict on the Secret says, when there is one.
async fn until_verdict(scene: &Scene) -> String {
    let mut message = String::new();
    eventually("a verdict on the Secret", async || {
        let table = scene.table().await;
        let verdicts = table["verdicts"].as_array().cloned().unwrap_or_default();
        let found = verdicts.iter().find(|verdict| verdict["object"]["name"] == "cert");
        message = found.map(|verdict| verdict["message"].to_string()).unwrap_or_default();
        found.is_some_and(|verdict| verdict["reason"] == "InvalidCertificate")
    })
    .await;
    message
}

/// The certificate that a.example is served with.
async fn seen(scene: &Scene) -> Vec<u8> {
    let client = Client::new().unwrap();
    client.connect(scene.gateway.https, "a.example").await.unwrap().1
}

fn pair(name: &str) -> SelfSigned {
    SelfSigned::new(&[name]).unwrap()
}

async fn until_certificate(scene: &Scene, name: &str, wanted: &[u8]) {
    let client = Client::new().unwrap();
    eventually(&format!("the certificate of {name}"), async || {
        client.connect(scene.gateway.https, name).await.is_ok_and(|(_, seen)| seen == wanted)
    })
    .await;
}
