//! Facts about the choice of endpoints.

mod canary;
mod sticky;

use std::collections::BTreeMap;

use headgate_config::{Endpoints, Origin, UpstreamId, balance::HashBy};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;

const DRAWS: usize = 20_000;

/// Endpoints of a test: what they score, and those that were tried.
#[derive(Default)]
struct Among {
    scores: Vec<f32>,
    tried: Vec<usize>,
}

impl Among {
    fn new(count: usize) -> Self {
        Self { scores: vec![0.0; count], tried: Vec::new() }
    }
}

impl Candidates for Among {
    fn count(&self) -> usize {
        self.scores.len()
    }

    fn is_tried(&self, at: usize) -> bool {
        self.tried.contains(&at)
    }

    fn has_tried(&self) -> bool {
        !self.tried.is_empty()
    }

    fn score(&self, at: usize) -> f32 {
        self.scores[at]
    }
}

fn addresses(count: usize) -> Vec<std::net::SocketAddr> {
    (1..=count).map(|number| ([10, 0, 0, number as u8], 8080).into()).collect()
}

fn spec(change: impl FnOnce(&mut Upstream)) -> Upstream {
    let id = UpstreamId { namespace: "shop".into(), service: "web".into(), port: "80".into() };
    let mut spec = Upstream::new(id, Endpoints::Addresses(Vec::new()));
    change(&mut spec);
    spec
}

fn spread(spec: &Upstream, addresses: &[std::net::SocketAddr]) -> Spread {
    Spread::new(Policy::new(spec, None).unwrap(), addresses)
}

fn hash_by(key: &str, subset: Option<u32>) -> Upstream {
    let subset = subset.and_then(NonZeroU32::new);
    spec(|spec| spec.balance = Balance::Hash(Arc::new(HashBy { key: key.into(), subset })))
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn choice(spread: &Spread, headers: &HeaderMap, path: Option<&[u8]>) -> Choice {
    let origin = Origin { service: "web".into(), ..Origin::default() };
    let variables = Variables {
        method: &Method::GET,
        headers,
        underscores: false,
        host: b"a.test",
        http_host: b"",
        best_host: b"",
        scheme: b"http",
        listener_scheme: b"http",
        listener_port: b"80",
        client_ip: b"192.0.2.1",
        target: b"/x",
        path: b"/x",
        query: b"",
        request_id: b"",
        origin: &origin,
        connection: None,
        span: None,
    };
    spread.policy.choice(&variables, path)
}

fn spread_of_one() -> Spread {
    spread(&hash_by("$http_x_user", Some(u32::MAX)), &addresses(1))
}

/// Where requests with these values of `X-User` go.
fn hashed(spread: &Spread, count: usize, values: &[&str]) -> Vec<usize> {
    let one = |value: &&str| {
        let mut choice = choice(spread, &headers(&[("x-user", value)]), None);
        choice.pick(spread, &Among::new(count)).unwrap()
    };
    values.iter().map(one).collect()
}

/// Largest distance of a share from what it should be.
fn unevenness(counts: &[usize], shares: &[f64]) -> f64 {
    let total: usize = counts.iter().sum();
    let off = |(count, share): (&usize, &f64)| (*count as f64 / total as f64 - share).abs();
    counts.iter().zip(shares).map(off).fold(0.0, f64::max)
}

/// Made with zlib as annotations, appendix C, says.
#[test]
fn a_key_leads_to_the_same_endpoint_as_in_the_reference() {
    let addresses: Vec<_> =
        ["10.0.0.1:8080", "10.0.0.2:8080", "[fd00::3]:8080"].map(|a| a.parse().unwrap()).into();
    let spread = spread(&hash_by("$http_x_user", None), &addresses);
    let keys = ["/", "/x", "alice", "bob", "carol", "dave", "", "eve", "frank"];
    assert_eq!(hashed(&spread, 3, &keys), [0, 2, 2, 2, 1, 1, 2, 2, 1]);
}

#[test]
fn a_key_is_made_of_text_and_variables_and_of_the_path_as_it_is_sent() {
    let of = |key: &str, path: Option<&[u8]>| {
        let spread = spread(&hash_by(key, None), &addresses(1));
        let Choice::Hash(hash) = choice(&spread, &headers(&[("x-user", "bob")]), path) else {
            panic!("nothing is hashed");
        };
        hash
    };
    assert_eq!(of("a-${http_x_user}$nothing$service_name", None), of("a-bobweb", None));
    assert_eq!(of("$uri", None), of("/x", None));
    assert_eq!(of("$uri", Some(b"/y")), of("/y", None));
    assert_eq!(of("$document_uri", Some(b"/y")), of("/y", None));
}

#[test]
fn every_try_of_a_hashed_request_goes_to_the_same_endpoint() {
    let spread = spread(&hash_by("$http_x_user", None), &addresses(3));
    let mut choice = choice(&spread, &headers(&[("x-user", "alice")]), None);
    let first = choice.pick(&spread, &Among::new(3)).unwrap();
    let tried = Among { tried: vec![first], ..Among::new(3) };
    assert_eq!(choice.pick(&spread, &tried), Some(first));
}

#[test]
fn a_key_of_a_subset_leads_to_its_few_endpoints_and_the_last_group_is_filled_up() {
    // Groups of three of four: {0, 1, 2} and {3, 0, 1}.
    let spread = spread(&hash_by("$http_x_user", Some(3)), &addresses(4));
    let mut seen = std::collections::BTreeSet::new();
    for key in ["alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi"] {
        let mut used = hashed(&spread, 4, &[key; 200]);
        used.sort_unstable();
        used.dedup();
        seen.insert(used);
    }
    assert_eq!(Vec::from_iter(seen), [vec![0, 1, 2], vec![0, 1, 3]]);
    let one = spread_of_one();
    assert_eq!(hashed(&one, 1, &["alice", "bob"]), [0, 0]);
}

#[test]
fn of_two_random_endpoints_the_faster_is_taken() {
    let among = Among { scores: vec![0.2, 0.1, 0.3], tried: Vec::new() };
    let mut random = fastrand::Rng::with_seed(3);
    let mut counts = [0; 3];
    for _ in 0..DRAWS {
        counts[ewma::pick(&among, &mut random)] += 1;
    }
    // The slowest loses to both, the fastest wins two of three draws.
    assert_eq!(counts[2], 0);
    assert!(unevenness(&counts, &[1.0 / 3.0, 2.0 / 3.0, 0.0]) < 0.01, "{counts:?}");
    let tried = Among { scores: among.scores.clone(), tried: vec![1, 0] };
    assert!((0..100).all(|_| ewma::pick(&tried, &mut random) == 2), "what was tried is not");
    let all = Among { tried: vec![0, 1, 2], ..among };
    assert!((0..100).all(|_| ewma::pick(&all, &mut random) < 3));
    assert_eq!(ewma::pick(&Among::new(1), &mut random), 0);
}

#[test]
fn an_average_follows_measurements_and_fades() {
    let milliseconds = std::time::Duration::from_millis;
    let near = |load: &Load, now: u32, expected: f32| {
        let score = load.score(now);
        assert!((score - expected).abs() < expected * 0.01 + 1e-6, "{score}, not {expected}");
    };
    let load = Load::default();
    near(&load, 5_000, 0.0);
    load.observe(milliseconds(100), false, 5_000);
    near(&load, 5_000, 0.1);
    near(&load, 15_000, 0.1 / std::f32::consts::E);
    load.observe(milliseconds(10), false, 15_000);
    near(&load, 15_000, 0.1 * 0.3679 + 0.01 * 0.6321);
    load.observe(milliseconds(1), true, 115_000);
    near(&load, 115_000, 1.0);
    let new = Load::default();
    new.begin([&load, &Load::default()].into_iter(), 115_000);
    near(&new, 115_000, 1.0);
    let first = Load::default();
    first.begin([&Load::default()].into_iter(), 115_000);
    near(&first, 115_000, 0.0);
}
