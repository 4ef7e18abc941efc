//! Facts about the share of a canary.

use headgate_config::balance::{CanaryHeader, CanaryRules, CanaryValue};

use super::*;
use crate::upstream::balance::canary::Share;

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
