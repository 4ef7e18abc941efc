//! Who may pass, and how often passwords are compared; counted, never timed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::*;

const APR1: &str = "$apr1$3lDgrkMD$Jux8iT110phSRobStr9BK1";
const OTHER: &str = "$apr1$wFPY1oIV$mCrWUr/IWkqXuHIWaT5m71";

fn users(list: &[(&str, &str)]) -> Arc<Users> {
    let own = |(user, hash): &(&str, &str)| ((*user).to_owned(), (*hash).to_owned());
    Arc::new(Users::new(list.iter().map(own).collect::<BTreeMap<_, _>>()))
}

fn spec(scheme: PasswordScheme, list: &[(&str, &str)]) -> PasswordAuth {
    PasswordAuth { scheme, realm: "a realm".into(), users: users(list) }
}

/// Takes "right" for the password of every hash, and counts.
fn counted() -> (Arc<Passwords>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let compare = move |_: &str, password: &[u8]| {
        counter.fetch_add(1, SeqCst);
        password == b"right"
    };
    (Arc::new(Passwords::comparing(compare)), count)
}

fn asking(authorization: &str) -> Asking<'_> {
    Asking {
        authorization: Some(authorization.as_bytes()).filter(|text| !text.is_empty()),
        method: "GET",
        target: b"/x?y=1",
        client: IpAddr::from([192, 0, 2, 1]),
    }
}

fn ask(password: &Password, authorization: &str) -> Passage {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(password.check(asking(authorization)))
}

/// "u:right", "u:wrong" and "v:right".
const RIGHT: &str = "Basic dTpyaWdodA==";
const WRONG: &str = "Basic dTp3cm9uZw==";
const NOBODY: &str = "Basic djpyaWdodA==";

#[test]
fn a_password_is_compared_once_and_again_when_the_secret_changes() {
    let (shared, count) = counted();
    let before = Password::new(&spec(PasswordScheme::Basic, &[("u", APR1)]), &shared);
    for _ in 0..3 {
        assert_eq!(ask(&before, RIGHT), Passage::Granted);
        assert!(matches!(ask(&before, WRONG), Passage::Asked(_)));
    }
    assert_eq!(count.load(SeqCst), 2);
    // A new list with the same hash is the same; with another hash nothing is known.
    let same = Password::new(&spec(PasswordScheme::Basic, &[("u", APR1), ("w", OTHER)]), &shared);
    assert_eq!(ask(&same, RIGHT), Passage::Granted);
    assert_eq!(count.load(SeqCst), 2);
    let changed = Password::new(&spec(PasswordScheme::Basic, &[("u", OTHER)]), &shared);
    ask(&changed, RIGHT);
    assert_eq!(count.load(SeqCst), 3);
}

#[test]
fn the_result_of_one_user_is_not_that_of_another_with_the_same_hash() {
    let (shared, count) = counted();
    let list = spec(PasswordScheme::Basic, &[("u", APR1), ("v", APR1)]);
    let password = Password::new(&list, &shared);
    assert_eq!(ask(&password, RIGHT), Passage::Granted);
    assert_eq!(ask(&password, NOBODY), Passage::Granted);
    assert_eq!(count.load(SeqCst), 2);
}

#[test]
fn who_is_not_on_the_list_does_not_pass_with_the_hash_of_somebody_who_is() {
    let (shared, _) = counted();
    let with = |list: &[(&str, &str)]| Password::new(&spec(PasswordScheme::Basic, list), &shared);
    assert_eq!(ask(&with(&[("u", APR1), ("v", APR1)]), RIGHT), Passage::Granted);
    // What an unknown user is compared with is the hash that was right for this one.
    assert!(matches!(ask(&with(&[("v", APR1)]), RIGHT), Passage::Asked(_)));
    // And the other way round: what was wrong for an unknown user is not for a known one.
    assert_eq!(ask(&with(&[("u", APR1)]), RIGHT), Passage::Granted);
}

#[test]
fn an_unknown_user_is_compared_like_a_known_one_and_never_right() {
    let (shared, count) = counted();
    let password = Password::new(
        &spec(PasswordScheme::Basic, &[("a", "{PLAIN}x"), ("u", APR1), ("v", "broken")]),
        &shared,
    );
    assert!(matches!(ask(&password, NOBODY), Passage::Asked(_)), "its hash is malformed");
    assert!(matches!(ask(&password, "Basic dzpyaWdodA=="), Passage::Asked(_)), "w");
    assert_eq!(count.load(SeqCst), 2, "the work is done all the same");
    let nobody = Password::new(&spec(PasswordScheme::Basic, &[("v", "broken")]), &shared);
    assert!(matches!(ask(&nobody, NOBODY), Passage::Asked(_)));
    assert_eq!(count.load(SeqCst), 2, "there is nothing to compare with");
}

#[test]
fn without_credentials_the_realm_is_told() {
    let shared = Arc::default();
    let mut spec = spec(PasswordScheme::Basic, &[("u", "{PLAIN}right")]);
    let asked = |spec: &PasswordAuth| ask(&Password::new(spec, &shared), "");
    for (realm, header) in [
        ("a realm", "Basic realm=\"a realm\""),
        ("", "Basic realm=\"\""),
        ("off", "Basic realm=\"off\""),
        ("a\"b\\c", "Basic realm=\"a\\\"b\\\\c\""),
        ("a\nb", "Basic realm=\"\""),
    ] {
        spec.realm = realm.into();
        assert_eq!(asked(&spec), Passage::Asked(HeaderValue::from_static(header)));
    }
    let password = Password::new(&spec, &shared);
    assert_eq!(ask(&password, RIGHT), Passage::Granted);
    for wrong in [WRONG, NOBODY, "Basic !!!", "Bearer abc", "Basic dTpyaWdodAA="] {
        assert!(matches!(ask(&password, wrong), Passage::Asked(_)), "{wrong}");
    }
}

mod digests {
    use md5::{Digest as _, Md5};

    use super::*;

    fn md5(text: &str) -> String {
        Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn password(shared: &Arc<Passwords>) -> Password {
        let stored = md5("u:a realm:right");
        Password::new(&spec(PasswordScheme::Digest, &[("u:a realm", &stored)]), shared)
    }

    /// The nonce that a client is asked with, and whether only the last one was not right.
    fn nonce(passage: Passage) -> (String, bool) {
        let Passage::Asked(header) = passage else { panic!("{passage:?}") };
        let text = header.to_str().expect("ASCII").to_owned();
        let rest = text
            .strip_prefix("Digest algorithm=\"MD5\", qop=\"auth\", realm=\"a realm\", nonce=\"")
            .expect("the form of the reference");
        let (nonce, rest) = rest.split_once('"').expect("the end of the nonce");
        assert!(matches!(rest, "" | ", stale=true"), "{rest}");
        (nonce.to_owned(), !rest.is_empty())
    }

    fn header(nonce: &str, count: u32, secret: &str, target: &str) -> String {
        let request = md5(&format!("GET:{target}"));
        let known = md5(&format!("u:a realm:{secret}"));
        let response = md5(&format!("{known}:{nonce}:{count:08x}:c:auth:{request}"));
        format!(
            "Digest username=\"u\", realm=\"a realm\", nonce=\"{nonce}\", uri=\"{target}\", response=\"{response}\", qop=auth, nc={count:08x}, cnonce=\"c\""
        )
    }

    #[test]
    fn a_right_digest_passes_once_for_each_count_and_its_own_target() {
        let password = password(&Arc::default());
        let (fresh, stale) = nonce(password.check_digest(asking(""), 100));
        assert!(!stale);
        let ask = |count, secret, target, now| {
            let header = header(&fresh, count, secret, target);
            password.check_digest(asking(&header), now)
        };
        assert!(!nonce(ask(1, "right", "/x", 101)).1, "another target");
        assert!(!nonce(ask(1, "wrong", "/x?y=1", 101)).1);
        assert_eq!(ask(1, "right", "/x?y=1", 101), Passage::Granted);
        assert!(nonce(ask(1, "right", "/x?y=1", 102)).1, "a replay");
        assert_eq!(ask(2, "right", "/x?y=1", 102), Passage::Granted);
        assert!(nonce(ask(21, "right", "/x?y=1", 103)).1, "used up");
        let (next, stale) = nonce(ask(3, "right", "/x?y=1", 1000));
        assert!(stale, "out of date");
        let header = header(&next, 1, "right", "/x?y=1");
        assert_eq!(password.check_digest(asking(&header), 1001), Passage::Granted);
    }

    #[test]
    fn a_nonce_that_was_made_elsewhere_is_stale_to_who_knows_the_password() {
        let password = password(&Arc::default());
        for (secret, expected) in [("right", true), ("wrong", false)] {
            let header = header("made elsewhere", 1, secret, "/x?y=1");
            assert_eq!(nonce(password.check_digest(asking(&header), 100)).1, expected);
        }
    }

    #[test]
    fn who_is_wrong_five_times_is_not_listened_to() {
        let shared = Arc::default();
        let password = password(&shared);
        let (fresh, _) = nonce(password.check_digest(asking(""), 100));
        let right = header(&fresh, 1, "right", "/x?y=1");
        for _ in 0..5 {
            nonce(password.check_digest(asking(&header(&fresh, 1, "wrong", "/x?y=1")), 101));
        }
        assert!(!nonce(password.check_digest(asking(&right), 102)).1);
        let other = Asking { client: IpAddr::from([192, 0, 2, 2]), ..asking(&right) };
        assert_eq!(password.check_digest(other, 102), Passage::Granted);
        let later = 101 + 3000;
        let (fresh, _) = nonce(password.check_digest(asking(""), later));
        let right = header(&fresh, 1, "right", "/x?y=1");
        assert_eq!(password.check_digest(asking(&right), later), Passage::Granted);
    }
}
