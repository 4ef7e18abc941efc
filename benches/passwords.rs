//! What a request costs at a location that asks for a password: remembered, and with hashes that are compared at once.

#![allow(missing_docs, reason = "a bench")]

mod short;

use std::{
    collections::BTreeMap,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use criterion::{Criterion, criterion_group, criterion_main};
use headgate_config::protection::{PasswordAuth, PasswordScheme, Users};
use headgate_gateway::password::{Asking, Passage, Password, Passwords};

use short::short;

/// "user:secret".
const RIGHT: &[u8] = b"Basic dXNlcjpzZWNyZXQ=";
/// "user:wrong".
const WRONG: &[u8] = b"Basic dXNlcjp3cm9uZw==";

fn password(hash: &str, shared: &Arc<Passwords>) -> Password {
    let users = Users::new(BTreeMap::from([("user".to_owned(), hash.to_owned())]));
    let spec = PasswordAuth {
        scheme: PasswordScheme::Basic,
        realm: "a realm".to_owned(),
        users: Arc::new(users),
    };
    Password::new(&spec, shared)
}

fn asking(authorization: &[u8]) -> Asking<'_> {
    Asking {
        authorization: Some(authorization),
        method: "GET",
        target: b"/",
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// Whether a request passes that nobody waits for.
fn passes(password: &Password, authorization: &[u8]) -> Option<bool> {
    let check = pin!(password.check(asking(authorization)));
    match check.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(passage) => Some(passage == Passage::Granted),
        Poll::Pending => None,
    }
}

fn hits(c: &mut Criterion) {
    let shared = Arc::default();
    let mut group = c.benchmark_group("password");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    for (name, hash) in [
        ("bcrypt, remembered", "$2y$04$pZOMTKRnRG6JwtU5GhaHreV36d5IN4.R7QA11Nb8ysg/iIwOkhhNu"),
        ("{SHA}, compared", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
        ("{PLAIN}, compared", "{PLAIN}secret"),
    ] {
        let password = password(hash, &shared);
        for (kind, header) in [("right", RIGHT), ("wrong", WRONG)] {
            // The first time takes its time.
            runtime.block_on(password.check(asking(header)));
            group.bench_function(format!("{name}/{kind}"), |b| {
                b.iter(|| passes(black_box(&password), black_box(header)));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = short(1);
    targets = hits
}
criterion_main!(benches);
