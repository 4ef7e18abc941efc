//! Facts about clients that are bound to an endpoint.

use headgate_config::balance::{Affinity, AffinityCookie, AffinityMode};

use super::*;
use crate::upstream::balance::sticky::Fresh;

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
