//! How many regular expressions of an Ingress a review checks.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;
use crate::PatternCheck;

/// An Ingress of regular expressions, one for each path.
fn of_patterns(paths: impl IntoIterator<Item = String>) -> Value {
    let paths = paths.into_iter().map(
        |path| json!({ "path": path, "pathType": "ImplementationSpecific", "backend": backend() }),
    );
    let paths: Vec<_> = paths.collect();
    let regex = with_annotations(plain(), &[("use-regex", "true")]);
    with(regex, "/spec/rules/0/http/paths", paths.into())
}

/// A plane that checks regular expressions like this.
fn checking(check: fn(&str) -> Result<(), String>) -> Bench {
    let pattern_check = PatternCheck {
        path: check,
        rewrite: |_| Ok(()),
        alias: check,
        blocked: check,
        header: check,
    };
    let options = Options { pattern_check: Some(pattern_check), ..Options::default() };
    let bench = Bench::new(options);
    bench.apply(service("web"));
    bench
}

#[test]
fn of_many_regular_expressions_the_first_are_checked() {
    static COMPILED: AtomicUsize = AtomicUsize::new(0);
    let bench = checking(|_| {
        COMPILED.fetch_add(1, Relaxed);
        Ok(())
    });
    let aliases: Vec<_> = (0..100).map(|number| format!("~a{number}")).collect();
    let rest = "only the first 64 regular expressions were checked; what is wrong with others is found when the Ingress is read";
    for (ingress, compiled, warnings) in [
        (of_patterns((0..20_000).map(|number| format!("/{number}"))), 64, vec![rest]),
        (with_annotations(plain(), &[("server-alias", &aliases.join(","))]), 64, vec![rest]),
        (of_patterns((0..64).map(|number| format!("/{number}"))), 64, vec![]),
        (of_patterns((0..20_000).map(|number| format!("/{}", number % 3))), 3, vec![]),
    ] {
        COMPILED.store(0, Relaxed);
        assert_eq!(bench.review(&ingress).warnings, warnings);
        assert_eq!(COMPILED.load(Relaxed), compiled);
    }
}

#[test]
fn that_not_all_were_checked_is_said_beside_what_is_wrong() {
    let bench = checking(|text| if text.contains("(bad") { Err("no".into()) } else { Ok(()) });
    let bad = |count: usize| (0..count).map(|number| format!("/(bad{number}"));
    let fine = || (0..100).map(|number| format!("/{number}"));
    let said = bench.review(&of_patterns(bad(4).chain(fine()))).warnings;
    assert!(said.len() == 5 && said[4].starts_with("only the first 64 "), "{said:?}");
    let said = bench.review(&of_patterns(bad(100))).warnings;
    assert!(said.len() == 5 && said[4].starts_with("path \"/(bad4\" "), "{said:?}");
}

#[test]
fn regular_expressions_are_checked_only_as_long_as_somebody_waits() {
    static COMPILED: AtomicUsize = AtomicUsize::new(0);
    let bench = checking(|_| {
        COMPILED.fetch_add(1, Relaxed);
        Ok(())
    });
    let review = review_of(&of_patterns((0..64).map(|number| format!("/{number}")))).to_string();
    let Asked::Ingress(subject) = review::read(review.as_bytes()).unwrap().asked else {
        panic!("{review}")
    };
    let plane = bench.plane.lock().unwrap();
    let claims = Claims::default();
    let law = Law { translator: &plane.translator, objects: &plane.objects, claims: &claims };
    check::judge(law, &subject, &|| COMPILED.load(Relaxed) < 10);
    assert_eq!(COMPILED.load(Relaxed), 10);
}
