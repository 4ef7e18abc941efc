//! What a request costs at a location that asks for a token: remembered, and with each kind of signature.

#![allow(missing_docs, reason = "a bench")]

mod short;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use headgate_config::protection::{ClaimHeader, KeySource, TokenAlgorithm, TokenAuth};
use headgate_gateway::jwt::{Token, keys::KeySet};
use short::short;

/// Keys whose other halves nobody has any more.
const KEYS: &str = include_str!("tokens/keys.json");
/// Tokens as a login service issues them, which end in the year 2200.
const TOKENS: [(&str, &str); 3] = [
    ("RS256", include_str!("tokens/rs256.jwt")),
    ("ES256", include_str!("tokens/es256.jwt")),
    ("EdDSA", include_str!("tokens/eddsa.jwt")),
];
const NOW: u64 = 1_800_000_000;

fn token() -> Token {
    let claim =
        |claim: &str, header: &str| ClaimHeader { claim: claim.into(), header: header.into() };
    let spec = TokenAuth {
        keys: KeySource { url: String::new(), upstream: None, authorities: Vec::new() },
        issuer: Some("https://login.example.com/realms/shop".into()),
        audiences: vec!["shop".into()],
        algorithms: TokenAlgorithm::ALL.to_vec(),
        claim_headers: vec![claim("sub", "X-User"), claim("realm_access.roles", "X-Roles")],
        clock_skew: Duration::from_secs(60),
    };
    Token::new(&Arc::new(spec), "shop.example.com", &Arc::default())
}

fn tokens(c: &mut Criterion) {
    let mut group = c.benchmark_group("token");
    let (location, keys) = (token(), KeySet::parse(KEYS.as_bytes()));
    let Ok(keys) = keys else { return };
    for (name, text) in TOKENS {
        let text = text.trim_end();
        group.bench_function(format!("verified/{name}"), |b| {
            b.iter(|| location.verify(black_box(text), &keys, 1, NOW).is_ok());
        });
        assert!(location.verify(text, &keys, 1, NOW).is_ok(), "{name}");
        group.bench_function(format!("remembered/{name}, {} bytes", text.len()), |b| {
            b.iter(|| {
                let verified = location.remembered(black_box(text), 1, NOW);
                verified.map(|verified| location.overrides(&verified).len())
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = short(1);
    targets = tokens
}
criterion_main!(benches);
