//! Lists of addresses, and `satisfy`.

use headgate_config::protection::AccessLists;

use super::*;

/// Both lists, as they are written.
fn lists(annotations: &Annotations) -> (Vec<String>, Vec<String>) {
    let lists = annotations.protection.as_ref().and_then(|protection| protection.access.clone());
    let AccessLists { deny, allow, .. } = lists.as_deref().cloned().unwrap_or_default();
    let texts = |networks: Vec<_>| networks.iter().map(ToString::to_string).collect();
    (texts(deny), texts(allow))
}

fn with_lists(deny: &str, allow: &str) -> Defaults {
    let networks = |text: &str| text.split_whitespace().map(|item| item.parse().unwrap()).collect();
    let access = AccessLists { deny: networks(deny), allow: networks(allow), rules: Vec::new() };
    let mut defaults = (*Config::default().defaults).clone();
    let plain = Arc::make_mut(&mut defaults.plain);
    plain.protect().access = Some(Arc::new(access));
    defaults
}

#[test]
fn lists_are_sorted_sets_under_either_name() {
    let read = means(&[
        ("whitelist-source-range", "192.0.2.9 ,10.1.2.3/8,192.0.2.9/32"),
        ("denylist-source-range", "2001:db8::1/32"),
    ]);
    let allow = ["10.0.0.0/8".to_owned(), "192.0.2.9/32".to_owned()].to_vec();
    assert_eq!(lists(&read), (vec!["2001:db8::/32".to_owned()], allow));
    assert_eq!(read.denied, None);
    // The name itself goes before the older one, unless it says nothing.
    for (own, expected) in [("10.0.0.1", "10.0.0.1/32"), ("", "10.0.0.2/32")] {
        let both = [("allowlist-source-range", own), ("whitelist-source-range", "10.0.0.2")];
        assert_eq!(lists(&means(&both)).1, [expected]);
    }
}

#[test]
fn a_list_replaces_its_default_and_leaves_the_other_alone() {
    let defaults = with_lists("10.0.0.1", "10.0.0.0/8");
    let read = |annotations: &[_]| lists(&read_with(&defaults, annotations).unwrap().0);
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(read(&[]), (texts(&["10.0.0.1/32"]), texts(&["10.0.0.0/8"])));
    assert_eq!(
        read(&[("whitelist-source-range", "192.0.2.1")]),
        (texts(&["10.0.0.1/32"]), texts(&["192.0.2.1/32"]))
    );
    assert_eq!(
        read(&[("denylist-source-range", "192.0.2.1")]),
        (texts(&["192.0.2.1/32"]), texts(&["10.0.0.0/8"]))
    );
}

#[test]
fn an_empty_or_unreadable_list_denies() {
    for (name, value) in [
        ("allowlist-source-range", ""),
        ("whitelist-source-range", ""),
        ("denylist-source-range", ""),
        ("allowlist-source-range", "not-an-address"),
        ("whitelist-source-range", "10.0.0.0/8,"),
        ("denylist-source-range", "10.0.0.0/33"),
    ] {
        let (read, finding) = finding(&[(name, value)]);
        let reason = read.denied.unwrap();
        assert_eq!((finding.effect, finding.reason), (Effect::Denied, "AnnotationParsingFailed"));
        let shown = name.trim_start_matches("white").trim_start_matches("allow");
        assert!(reason.contains(shown), "{name}: {reason}");
    }
    // Also where there is a default that would do.
    let defaults = with_lists("", "0.0.0.0/0");
    let (read, _) = read_with(&defaults, &[("allowlist-source-range", "")]).unwrap();
    assert!(read.denied.is_some());
}

#[test]
fn one_check_is_enough_only_where_it_is_said() {
    let is_enough = |value| {
        let read = try_read(&[("satisfy", value)]).unwrap().0;
        read.protection.as_ref().is_some_and(|protection| protection.any_is_enough)
    };
    assert!(is_enough("any") && is_enough(" any "));
    assert!(!is_enough("all") && !is_enough(""));
    assert!(!is_enough("ANY"), "as unset: all have to pass");
    assert_eq!(finding(&[("satisfy", "each")]).1.effect, Effect::Warning);
}
