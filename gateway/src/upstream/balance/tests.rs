use std::collections::BTreeMap;

use headgate_config::{
    Endpoints, Origin, UpstreamId,
    balance::{
        Affinity, AffinityCookie, AffinityMode, CanaryHeader, CanaryRules, CanaryValue, HashBy,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{canary::Share, sticky::Fresh, *};

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

fn spread_of_one() -> Spread {
    spread(&hash_by("$http_x_user", Some(u32::MAX)), &addresses(1))
}

fn sticky(mode: AffinityMode, change: impl FnOnce(&mut Affinity)) -> Upstream {
    let cookie = AffinityCookie {
        name: "sid".into(),
        expires: None,
        max_age: None,
        domain: None,
        path: None,
        secure: false,
        same_site: None,
        conditional_same_site: false,
        change_on_failure: false,
    };
    let place = |host: &str, path: &str| (host.to_owned(), vec![path.to_owned()]);
    let places = BTreeMap::from([place("a.test", "/"), place("*.w.test", "/w"), place("_", "/d")]);
    let mut affinity = Affinity { mode, cookie, places };
    change(&mut affinity);
    spec(|spec| spec.affinity = Some(Arc::new(affinity)))
}

/// The endpoint of a request with this cookie that has tried others, and the value of its new cookie.
fn bound(spread: &Spread, cookie: Option<&str>, among: &Among) -> (usize, Option<String>) {
    let sticky = spread.policy.sticky.as_ref().unwrap();
    let line = cookie.map(|value| format!("other=1; sid={value}"));
    let lines: Vec<_> = line.iter().map(|line| ("cookie", line.as_str())).collect();
    let mut choice = Choice::Sticky(sticky.session(&headers(&lines), true));
    let at = choice.pick(spread, among).unwrap();
    let Choice::Sticky(session) = choice else { panic!("it is sticky no more") };
    (at, session.fresh().map(|fresh| sticky.value(fresh)))
}

#[test]
fn keys_are_those_of_the_reference() {
    let persistent = spread(&sticky(AffinityMode::Persistent, |_| {}), &addresses(1));
    assert_eq!(
        bound(&persistent, None, &Among::new(1)).1.as_deref(),
        Some("d6f09bcae656a7f9aea060e3d855df9f|ad0f3520c2b4ae4ad7cae6da8d3345ed")
    );
    let balanced = spread(&sticky(AffinityMode::Balanced, |_| {}), &addresses(1));
    let value =
        balanced.policy.sticky.as_ref().unwrap().value(Fresh::Balanced(1_700_000_001_023, 7));
    let expected =
        format!("1700000001.023.{}.7|ad0f3520c2b4ae4ad7cae6da8d3345ed", std::process::id());
    assert_eq!(value, expected);
}

#[test]
fn a_cookie_leads_back_and_is_not_set_again() {
    for mode in [AffinityMode::Balanced, AffinityMode::Persistent] {
        let spread = spread(&sticky(mode, |_| {}), &addresses(5));
        for _ in 0..50 {
            let (at, cookie) = bound(&spread, None, &Among::new(5));
            let cookie = cookie.unwrap();
            assert_eq!(bound(&spread, Some(&cookie), &Among::new(5)), (at, None), "{mode:?}");
            let old = cookie.split('|').next().unwrap();
            assert_eq!(bound(&spread, Some(old), &Among::new(5)), (at, None), "an old cookie");
        }
    }
}

#[test]
fn foreign_cookies_lead_somewhere_if_they_are_hashed_and_are_replaced_if_they_name_nobody() {
    let balanced = spread(&sticky(AffinityMode::Balanced, |_| {}), &addresses(5));
    assert_eq!(bound(&balanced, Some("garbage"), &Among::new(5)).1, None);
    let persistent = spread(&sticky(AffinityMode::Persistent, |_| {}), &addresses(5));
    for foreign in ["garbage", "D6F09BCAE656A7F9AEA060E3D855DF9F", "", "|"] {
        assert!(bound(&persistent, Some(foreign), &Among::new(5)).1.is_some(), "{foreign}");
    }
}

#[test]
fn after_a_failure_a_client_stays_or_changes_as_configured_and_one_without_cookie_changes() {
    for mode in [AffinityMode::Balanced, AffinityMode::Persistent] {
        let change = |on| sticky(mode, |affinity| affinity.cookie.change_on_failure = on);
        let (stays, changes) =
            (spread(&change(false), &addresses(3)), spread(&change(true), &addresses(3)));
        for _ in 0..20 {
            let (at, cookie) = bound(&stays, None, &Among::new(3));
            let failed = Among { tried: vec![at], ..Among::new(3) };
            assert_eq!(bound(&stays, cookie.as_deref(), &failed), (at, None));
            let (other, new) = bound(&changes, cookie.as_deref(), &failed);
            assert!(other != at && new.is_some() && new != cookie);
            assert_ne!(bound(&stays, None, &failed).0, at);
        }
        let all = Among { tried: vec![0, 1, 2], ..Among::new(3) };
        assert!(bound(&changes, None, &all).0 < 3, "rather one that failed than nobody");
    }
}

#[test]
fn only_recorded_places_set_the_cookie() {
    let policy = Policy::new(&sticky(AffinityMode::Balanced, |_| {}), None).unwrap();
    let sticky = policy.sticky.as_ref().unwrap();
    for (host, name, path, may_set) in [
        ("a.test", "a.test", "/", true),
        ("a.test", "alias.test", "/", true),
        ("a.test", "a.test", "/other", false),
        ("b.test", "b.test", "/", false),
        ("*.w.test", "x.w.test", "/w", true),
        ("x.w.test", "x.w.test", "/w", true),
        ("y.x.w.test", "y.x.w.test", "/w", false),
        ("_", "whoever", "/d", true),
        ("_", "x.w.test", "/w", false),
    ] {
        assert_eq!(sticky.may_set(host, name.as_bytes(), path), may_set, "{host} {name} {path}");
    }
    let mut session = sticky.session(&HeaderMap::new(), false);
    let ring = Ring::new(["one".to_owned()].into_iter());
    assert_eq!(session.balanced(sticky, &ring, &Among::new(1)), 0);
    assert_eq!(session.fresh(), None);
}

#[test]
fn new_clients_are_spread_evenly() {
    for mode in [AffinityMode::Balanced, AffinityMode::Persistent] {
        let spread = spread(&sticky(mode, |_| {}), &addresses(4));
        fastrand::seed(7);
        let mut counts = [0; 4];
        for _ in 0..DRAWS {
            let (at, cookie) = bound(&spread, None, &Among::new(4));
            counts[at] += 1;
            assert!(cookie.is_some());
        }
        assert!(unevenness(&counts, &[0.25; 4]) < 0.01, "{mode:?}: {counts:?}");
    }
}

fn share(rules: CanaryRules) -> Share {
    Share::new(&Arc::new(rules))
}

#[test]
fn a_canary_gets_its_weight() {
    for (weight, total, expected) in [
        (0, 0, 0.0),
        (5, 10, 0.05),
        (10, 100, 0.1),
        (50, 0, 0.5),
        (100, 200, 0.5),
        (1, 1000, 0.001),
        (100, 0, 1.0),
        (300, 200, 1.0),
    ] {
        let share = share(CanaryRules { weight, total, ..CanaryRules::default() });
        let mut random = fastrand::Rng::with_seed(11);
        let headers = HeaderMap::new();
        let hits = (0..DRAWS).filter(|_| share.has(&headers, false, &mut random)).count();
        let counts = [hits, DRAWS - hits];
        let off = unevenness(&counts, &[expected, 1.0 - expected]);
        assert!(off < 0.01, "{weight} of {total}: {hits}");
        if expected == 0.0 || expected == 1.0 {
            assert_eq!(off, 0.0, "{weight} of {total}");
        }
    }
}

#[test]
fn the_header_decides_before_the_cookie_and_the_cookie_before_the_weight() {
    use CanaryValue::{Is, Matches, Words};
    let header = |value| Some(CanaryHeader { name: "x-c".into(), value });
    for (value, line, cookie, expected) in [
        (Words, Some("always"), "never", true),
        (Words, Some("never"), "always", false),
        (Words, Some("Always"), "always", true),
        (Words, Some(""), "never", false),
        (Words, None, "always", true),
        (Is("yes".into()), Some("yes"), "never", true),
        (Is("yes".into()), Some("YES"), "never", false),
        (Is("yes".into()), Some("always"), "never", false),
        (Is("yes".into()), Some("never"), "always", true),
        (Matches("b+c".into()), Some("abbcd"), "never", true),
        (Matches("b+c".into()), Some("aBC"), "always", true),
        (Matches("b+c".into()), Some("aBC"), "never", false),
        // The cookie is not asked.
        (Matches("b(".into()), Some("b("), "always", false),
        (Matches("b(".into()), None, "always", true),
    ] {
        let cookie_line = format!("CC={cookie}");
        let mut lines = vec![("cookie", cookie_line.as_str())];
        lines.extend(line.map(|line| ("x-c", line)));
        for weight in [0, 100] {
            let rules = CanaryRules {
                header: header(value.clone()),
                cookie: Some("cc".into()),
                weight,
                total: 100,
            };
            let has = share(rules).has(&headers(&lines), false, &mut fastrand::Rng::new());
            assert_eq!(has, expected, "{value:?} {line:?} {cookie}");
        }
    }
}

#[test]
fn lines_of_a_header_count_as_one_and_dashes_as_underscores() {
    let rules = |name: &str, value: &str| CanaryRules {
        header: Some(CanaryHeader { name: name.into(), value: CanaryValue::Is(value.into()) }),
        ..CanaryRules::default()
    };
    let has = |name, value, lines, underscores| {
        share(rules(name, value)).has(&headers(lines), underscores, &mut fastrand::Rng::new())
    };
    assert!(has("x-c", "a, b", &[("x-c", "a"), ("x-c", "b")], false));
    assert!(has("x_c", "a", &[("x-c", "a")], false));
    assert!(!has("x_c", "a", &[("x_c", "a")], false), "such headers are dropped");
    assert!(has("x_c", "a", &[("x_c", "a")], true));
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
