//! Redirects to one place, and what goes with them.

use headgate_config::FixedRedirect;

use super::*;

fn fixed(annotations: &[(&str, &str)]) -> Option<(String, u16)> {
    let redirect = means(annotations).fixed_redirect?;
    let FixedRedirect { target, status } = &*redirect;
    Some((target.clone(), *status))
}

fn to(target: &str, status: u16) -> Option<(String, u16)> {
    Some((target.to_owned(), status))
}

#[test]
fn the_target_is_taken_as_it_is_and_the_temporal_one_goes_first() {
    let permanent = ("permanent-redirect", "https://p.test/x?y=1");
    let temporal = ("temporal-redirect", "HTTP://t.test");
    assert_eq!(fixed(&[permanent]), to("https://p.test/x?y=1", 301));
    assert_eq!(fixed(&[("permanent-redirect", "/x")]), to("/x", 301));
    assert_eq!(fixed(&[permanent, temporal]), to("HTTP://t.test", 302));
    assert_eq!(fixed(&[temporal, ("permanent-redirect-code", "x")]), to("HTTP://t.test", 302));
    assert_eq!(fixed(&[("permanent-redirect-code", "308")]), None);
}

#[test]
fn a_status_that_is_out_of_range_is_the_usual_one() {
    for (code, permanent, temporal) in [
        ("300", 300, 300),
        ("307", 307, 307),
        ("308", 308, 302),
        ("299", 301, 302),
        ("-1", 301, 302),
    ] {
        for (name, target, status) in
            [("permanent-redirect", "/", permanent), ("temporal-redirect", "http:/", temporal)]
        {
            let key = format!("{name}-code");
            let (read, findings) = try_read(&[(name, target), (&key, code)]).unwrap();
            let read =
                read.fixed_redirect.as_deref().map(|read| (read.target.clone(), read.status));
            assert_eq!(read, to(target, status), "{code}");
            let is_said =
                findings.iter().any(|finding| finding.message.contains("the default applies"));
            assert_eq!(is_said, status.to_string() != code, "{code}");
        }
    }
    assert!(
        refusal(&[("permanent-redirect", "/"), ("permanent-redirect-code", "x")]).contains("\"x\"")
    );
}

#[test]
fn variables_are_refused() {
    assert!(
        refusal(&[("permanent-redirect", "https://p.test$request_uri")]).contains("$request_uri")
    );
    assert!(refusal(&[("temporal-redirect", "https://t.test/a b")]).contains("a b"));
}

/// Annotations §1.4, outcome S.
#[test]
fn a_value_that_says_nothing_switches_all_of_them_off() {
    let good = [
        ("permanent-redirect", "https://p.test"),
        ("from-to-www-redirect", "true"),
        ("relative-redirects", "true"),
    ];
    let read = means(&good);
    assert!(read.www_redirect && read.redirect.relative && read.fixed_redirect.is_some());
    for bad in [
        ("temporal-redirect", "foo://t.test"),
        ("temporal-redirect", "t.test/http"),
        ("temporal-redirect", ""),
        ("temporal-redirect-code", ""),
        ("permanent-redirect", ""),
        ("permanent-redirect-code", ""),
        ("from-to-www-redirect", ""),
        ("relative-redirects", ""),
    ] {
        let others = good.iter().filter(|(name, _)| *name != bad.0).copied();
        let (read, finding) = finding(&others.chain([bad]).collect::<Vec<_>>());
        assert_eq!((read.fixed_redirect.as_ref(), read.www_redirect), (None, false), "{bad:?}");
        assert!(!read.redirect.relative, "{bad:?}");
        assert!(
            finding.message.contains(bad.0) && finding.effect == Effect::Warning,
            "{finding:?}"
        );
    }
    let temporal = [("temporal-redirect", "https://t.test"), ("permanent-redirect", "")];
    assert_eq!(fixed(&temporal), to("https://t.test", 302), "the other one is not looked at");
}

#[test]
fn without_validation_variables_are_those_that_there_are() {
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let read = |target: &str| {
        let annotations = prefixed(&[("permanent-redirect", target)]);
        let read = read_all(&options, &Config::default().defaults, annotations).unwrap();
        (read.0.fixed_redirect.as_ref().map(|fixed| fixed.target.clone()), read.1.len())
    };
    let good = "https://p.test$request_uri";
    assert_eq!(read(good), (Some(good.into()), 0));
    assert_eq!(read("https://p.test$nothing"), (None, 1));
    assert_eq!(read("https://p.test/a b"), (None, 1));
    assert_eq!(read("https://p.test/\r\nX-A: b"), (None, 1));
}

#[test]
fn a_catch_all_has_none_of_them() {
    let read = means(&[
        ("permanent-redirect", "/x"),
        ("from-to-www-redirect", "true"),
        ("enable-cors", "true"),
    ]);
    let read = read.for_catch_all();
    assert_eq!((read.fixed_redirect, read.www_redirect), (None, false));
    assert!(read.cors.is_some());
}
