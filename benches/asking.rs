//! What a request costs whose answer of an external service is remembered: its key, the answer, and the headers that the
//! upstream gets, among 1 to 100,000 other answers.

mod short;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use headgate_config::{
    Origin, PathMatch,
    protection::{CacheDuration, ExternalAuth},
};
use headgate_gateway::asking::{External, Variables, cache::Answers};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use short::short;

const COUNTS: [usize; 3] = [1, 1_000, 100_000];

/// A client's headers, with a token of the usual size.
fn request(number: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {number:08}{}", "x".repeat(700));
    for (name, value) in [
        ("host", "shop.example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-encoding", "gzip, br"),
        ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
        ("authorization", &token),
    ] {
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}

fn variables<'a>(headers: &'a HeaderMap, origin: &'a Origin) -> Variables<'a> {
    Variables {
        method: &Method::GET,
        headers,
        host: b"shop.example.com",
        http_host: b"shop.example.com",
        best_host: b"shop.example.com",
        scheme: b"https",
        listener_scheme: b"https",
        listener_port: b"443",
        client_ip: b"192.0.2.1",
        target: b"/orders/17?page=2",
        path: b"/orders/17",
        query: b"page=2",
        request_id: b"0123456789abcdef0123456789abcdef",
        origin,
        connection: None,
        span: None,
        underscores: false,
    }
}

fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("remembered");
    let spec = ExternalAuth {
        url: "http://auth.svc/check".into(),
        cache_key: Some("$remote_user$http_authorization".into()),
        cache_durations: vec![CacheDuration {
            statuses: vec![200],
            time: Duration::from_secs(300),
        }],
        response_headers: vec!["X-Auth-Request-User".into(), "X-Auth-Request-Email".into()],
        ..ExternalAuth::default()
    };
    let matcher = PathMatch::Prefix("/".into());
    let external = External::new(&Arc::new(spec), "shop.example.com", &matcher).expect("a URL");
    let origin = Origin::default();
    let mut answer = HeaderMap::new();
    answer.insert("x-auth-request-user", HeaderValue::from_static("alice"));
    answer.insert("x-auth-request-email", HeaderValue::from_static("alice@example.com"));
    for count in COUNTS {
        let answers = Answers::default();
        for number in 0..count {
            let client = request(number);
            let key = external.key(&variables(&client, &origin), &[]).expect("a key");
            let kept = external.kept(StatusCode::OK, &answer, &client, 1).expect("it may be");
            answers.keep(&external.scope, &key, kept, 1);
        }
        // The last ones are surely there.
        let clients: Vec<_> = (count.saturating_sub(500)..count).map(request).collect();
        let mut round = clients.iter().cycle();
        group.bench_function(BenchmarkId::new("hit", count), |b| {
            b.iter(|| {
                let client = round.next().expect("it is endless");
                let key = external.key(&variables(client, &origin), &[]).expect("a key");
                let kept = answers.find(&external.scope, &key, client, 2).expect("a hit");
                black_box(external.overrides(&kept.headers))
            });
        });
    }
}

criterion_group! { name = benches; config = short(1); targets = hits }
criterion_main!(benches);
