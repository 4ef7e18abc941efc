use http::header;

use super::*;

fn scope(host: &str, path: &str, url: &str) -> Arc<Scope> {
    let spec = ExternalAuth { url: url.into(), ..ExternalAuth::default() };
    Arc::new(Scope::new(host, &PathMatch::Prefix(path.into()), &Arc::new(spec)))
}

fn kept(status: u16, until: u32) -> Kept {
    let status = StatusCode::from_u16(status).unwrap();
    Kept { status, headers: HeaderMap::new(), until, varies_by: Vec::new() }
}

fn found(answers: &Answers, scope: &Arc<Scope>, key: &[u8], now: u32) -> Option<u16> {
    answers.find(scope, key, &HeaderMap::new(), now).map(|kept| kept.status.as_u16())
}

#[test]
fn an_answer_is_found_for_its_host_its_location_its_configuration_and_its_key() {
    let answers = Answers::default();
    let own = scope("a.test", "/a/", "http://auth/");
    answers.keep(&own, b"k", kept(200, 100), 1);
    assert_eq!(found(&answers, &own, b"k", 99), Some(200));
    assert_eq!(found(&answers, &scope("a.test", "/a/", "http://auth/"), b"k", 99), Some(200));
    assert_eq!(found(&answers, &own, b"k2", 99), None);
    for other in [
        scope("b.test", "/a/", "http://auth/"),
        scope("a.test", "/b/", "http://auth/"),
        scope("a.test", "/a/", "http://other/"),
    ] {
        assert_eq!(found(&answers, &other, b"k", 99), None, "{other:?}");
    }
    assert_eq!(found(&answers, &own, b"k", 100), None, "its time is over");
    answers.keep(&own, b"k", kept(401, 200), 100);
    assert_eq!((found(&answers, &own, b"k", 101), answers.len()), (Some(401), 1), "replaced");
}

#[test]
fn an_answer_that_varies_is_for_requests_alike() {
    let answers = Answers::default();
    let scope = scope("a.test", "/", "http://auth/");
    let request =
        |cookie| HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]);
    let varies_by = vec![(header::COOKIE, b"s=1".to_vec())];
    answers.keep(&scope, b"k", Kept { varies_by, ..kept(200, 100) }, 1);
    assert!(answers.find(&scope, b"k", &request("s=1"), 2).is_some());
    assert!(answers.find(&scope, b"k", &request("s=2"), 2).is_none());
    assert!(answers.find(&scope, b"k", &HeaderMap::new(), 2).is_none());
}

#[test]
fn a_flood_of_keys_is_bounded_and_what_is_used_stays() {
    let answers = Answers::default();
    let scope = scope("a.test", "/", "http://auth/");
    answers.keep(&scope, b"used", kept(200, u32::MAX), 1);
    for number in 0..400_000u32 {
        answers.keep(&scope, &number.to_le_bytes(), kept(200, u32::MAX), 1);
        if number % 256 == 0 {
            assert_eq!(found(&answers, &scope, b"used", 1), Some(200), "{number}");
        }
    }
    assert!(answers.len() <= 2 * SHARDS * MOST_ENTRIES, "{}", answers.len());
    let large = vec![0; MOST_BYTES];
    answers.keep(&scope, &large, kept(200, u32::MAX), 1);
    assert_eq!(found(&answers, &scope, &large, 1), None, "too large");
}

#[test]
fn large_answers_count_by_their_bytes() {
    let answers = Answers::default();
    let scope = scope("a.test", "/", "http://auth/");
    for number in 0..20_000u32 {
        let key = [&number.to_le_bytes()[..], &[0; 16 * 1024]].concat();
        answers.keep(&scope, &key, kept(200, u32::MAX), 1);
    }
    let most = 2 * SHARDS * (MOST_BYTES / (16 * 1024) + 1);
    assert!(answers.len() <= most, "{}", answers.len());
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let answers = Answers::default();
    let scope = scope("a.test", "/", "http://auth/");
    let minute = (60_000 / clock::TICK.as_millis()) as u32;
    answers.keep(&scope, b"k", kept(200, u32::MAX), 1);
    assert_eq!(found(&answers, &scope, b"k", 29 * minute), Some(200));
    assert_eq!(found(&answers, &scope, b"k", 58 * minute), Some(200), "used meanwhile");
    assert_eq!(found(&answers, &scope, b"k", 90 * minute), None);
    for half_hours in 3..6 {
        answers.sweep(half_hours * 31 * minute);
    }
    assert_eq!(answers.len(), 0);
}
