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
    let ingress =
        Ingress::new(NAMESPACE, "a").prefix("a.example", "/", "web").secret("a.example", "cert");
    scene.folder.write("a", &ingress.text()).unwrap();
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
    let scene = Scene::start().await;
    let good = pair("a.example");
    scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &good)).unwrap();
    let ingress =
        Ingress::new(NAMESPACE, "a").prefix("a.example", "/", "web").secret("a.example", "cert");
    scene.folder.write("a", &ingress.text()).unwrap();
    until_certificate(&scene, "a.example", &good.der).await;

    let mismatched = SelfSigned { key_pem: pair("a.example").key_pem, ..pair("a.example") };
    scene.folder.write("secret", &tls_secret(NAMESPACE, "cert", &mismatched)).unwrap();
    eventually("a verdict about the Secret", async || {
        scene.table().await["verdicts"].to_string().contains("cert")
    })
    .await;
    let (_, seen) = Client::new().unwrap().connect(scene.gateway.https, "a.example").await.unwrap();
    assert_eq!(seen, good.der);
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
