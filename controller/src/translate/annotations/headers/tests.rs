use std::sync::Arc;

use headgate_config::{AnswerHeaders, ConnectionHeader, Replacement};

use super::*;

fn replacement(from: &str, to: &str) -> Option<Replacement> {
    Some(Replacement { from: from.into(), to: to.into() })
}

fn settled(wishes: &mut Wishes) -> Option<Arc<AnswerHeaders>> {
    wishes.settle();
    wishes.settled()
}

#[test]
fn off_is_nothing_and_two_words_are_a_replacement() {
    let mut wishes = Wishes::default();
    assert_eq!(wishes.set_cookie_domain(" a.test  b.test "), Ok(()));
    assert_eq!(wishes.set_cookie_path("off"), Ok(()));
    let rules = settled(&mut wishes).unwrap();
    assert_eq!(rules.cookie_domain, replacement("a.test", "b.test"));
    assert_eq!(rules.cookie_path, None);
    assert!(wishes.set_cookie_path("one").is_err());
    assert!(wishes.set_cookie_path("a b c").is_err());
    assert_eq!(wishes.set_cookie_domain("off"), Ok(()));
    assert_eq!(settled(&mut wishes), None);
}

#[test]
fn a_redirect_needs_both_ends() {
    for (from, to, expected) in [
        ("http://a/", "/b", replacement("http://a/", "/b")),
        ("off", "/b", None),
        ("default", "/b", None),
        ("http://a/", "off", None),
        ("", "/b", None),
    ] {
        let mut wishes = Wishes {
            redirect_from: Some(from.into()),
            redirect_to: Some(to.into()),
            ..Wishes::default()
        };
        let redirect = settled(&mut wishes).and_then(|rules| rules.redirect.clone());
        assert_eq!(redirect, expected, "{from} {to}");
    }
}

#[test]
fn connection_is_one_of_two_words() {
    let mut annotations = Annotations::default();
    set_connection(&mut annotations, ConnectionHeader::Close);
    assert_eq!(annotations.proxy.connection.map(ConnectionHeader::text), Some("close"));
}
