//! A location that asks for a token, with an issuer beside the program.

use std::net::SocketAddr;

use headgate_tests::manifests::Ingress;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{NAMESPACE, Scene, eventually, raw};

/// Keys, and a token signed with one of them that ends in the year 2200.
const KEYS: &str = include_str!("../../../benches/tokens/keys.json");
const TOKEN: &str = include_str!("../../../benches/tokens/rs256.jwt");

/// Publishes the keys to everybody who asks.
async fn issuer() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let length = KEYS.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{KEYS}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

async fn status(scene: &Scene, line: &str) -> u16 {
    let head = format!("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{line}\r\n");
    let answer = raw(scene.gateway.http, &head).await;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_token_is_asked_for_and_verified() {
    let (scene, issuer) = (Scene::start().await, issuer().await);
    let write = |audience: (&str, &str)| {
        let ingress = Ingress::new(NAMESPACE, "shop")
            .annotation("headgate.io/jwt-jwks-url", &format!("http://{issuer}/keys"))
            .annotation("headgate.io/jwt-issuer", "https://login.example.com/realms/shop")
            .annotation("headgate.io/jwt-claims-to-headers", "sub=X-User")
            .annotation(audience.0, audience.1)
            .prefix("shop.example", "/", "web");
        scene.folder.write("shop", &ingress.text()).unwrap();
    };
    let token = format!("Authorization: Bearer {}\r\n", TOKEN.trim_end());
    let forged = format!("Authorization: Bearer {}x\r\n", TOKEN.trim_end());
    for (audience, expected) in [
        (("headgate.io/jwt-audience", "shop"), [401, 401, 200]),
        (("headgate.io/jwt-audience", "admin"), [401, 401, 401]),
        // Misspelt: nothing passes.
        (("headgate.io/jwt-audiences", "shop"), [503, 503, 503]),
    ] {
        write(audience);
        eventually(&format!("{audience:?} to be served"), async || {
            let found = [
                status(&scene, "").await,
                status(&scene, &forged).await,
                status(&scene, &token).await,
            ];
            found == expected
        })
        .await;
    }
}
