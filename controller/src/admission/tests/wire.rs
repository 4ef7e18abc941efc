//! What is no review, and what is none of an Ingress (operations §9.1).

use super::*;

fn status(bench: &Bench, body: &Value) -> (u16, String) {
    let Answer { status, body } = bench.answer(body.to_string().as_bytes());
    (status, String::from_utf8(body).unwrap())
}

#[test]
fn what_is_no_review_gets_a_status() {
    let bench = Bench::new(Options::default());
    let review = || review_of(&plain());
    for body in [&b""[..], b"{", b"[]", b"null", b"\xff"] {
        assert_eq!(bench.answer(body).status, 400, "{body:?}");
    }
    for (what, review, expected) in [
        ("the old version", with(review(), "/apiVersion", "admission.k8s.io/v1beta1".into()), 500),
        ("another kind", with(review(), "/kind", "ConversionReview".into()), 500),
        ("no kind", with(review(), "/kind", Value::String(String::new())), 500),
        ("no request", with(review(), "/request", Value::Null), 400),
        ("no uid", with(review(), "/request/uid", Value::Null), 400),
        (
            "of a Service",
            with(
                review(),
                "/request/kind",
                json!({ "group": "", "version": "v1", "kind": "Service" }),
            ),
            500,
        ),
        ("of the old Ingress", with(review(), "/request/kind/group", "extensions".into()), 500),
    ] {
        let (status, text) = status(&bench, &review);
        assert_eq!(status, expected, "{what}: {text}");
        assert!(text.ends_with('\n'), "{what}: {text:?}");
    }
    assert_eq!(status(&bench, &review()).0, 200);
}

#[test]
fn an_object_that_is_no_ingress_is_refused() {
    let bench = Bench::new(Options::default());
    for object in [
        json!("text"),
        json!([]),
        Value::Null,
        with(plain(), "/spec", "text".into()),
        with(plain(), "/kind", "Service".into()),
        with(plain(), "/spec/rules", json!([{ "http": { "paths": 5 } }])),
    ] {
        let review = with(review_of(&plain()), "/request/object", object.clone());
        let (status, text) = status(&bench, &review);
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["response"]["allowed"], false, "{object}");
        assert_eq!(answer["response"]["uid"], "review-1");
    }
}

#[test]
fn deletion_is_never_refused() {
    let bench = Bench::new(Options::default());
    let review = with(review_of(&plain()), "/request/object", Value::Null);
    let (_, text) = status(&bench, &with(review, "/request/operation", "DELETE".into()));
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
}

#[test]
fn a_dry_run_makes_no_difference() {
    let bench = Bench::new(Options::default());
    let bad = with_annotations(plain(), &[("limit-rps", "x")]);
    let review = with(review_of(&bad), "/request/dryRun", true.into());
    let (_, text) = status(&bench, &review);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
}

#[test]
fn an_object_of_very_many_values_is_not_read() {
    let bench = Bench::new(Options::default());
    let huge = |count: usize| {
        let text = review_of(&with(plain(), "/spec/rules", "RULES".into())).to_string();
        text.replace("\"RULES\"", &format!("[{}{{}}]", "{},".repeat(count)))
    };
    let said = |body: String| {
        let answer = bench.answer(body.as_bytes());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["response"]["status"]["message"].as_str().map(str::to_owned)
    };
    assert_eq!(said(huge(1000)), None);
    assert!(said(huge(300_000)).unwrap().contains("more than 400000 values"));
}

#[test]
fn brackets_in_strings_are_no_values() {
    let bench = Bench::new(Options::default());
    let text = "{[,\\\"".repeat(200_000);
    assert_eq!(bench.refusal(&annotated("example.com/text", &text)), None);
}

#[test]
fn without_anybody_who_judges_the_answer_is_to_try_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let reviewer = Reviewer::new(drop);
    let body = review_of(&plain()).to_string();
    let answer = runtime.block_on(reviewer.review(body.as_bytes()));
    assert_eq!(answer.status, 503);
    assert_eq!(reviewer.tally().by_ingress(), []);
}

#[test]
fn reviews_are_counted_as_the_reference_counts() {
    let bench = Bench::new(Options::default());
    bench.apply(existing(ingress("old", &[("a.test", "/", "Prefix")])));
    let taken = ingress("app", &[("a.test", "/", "Prefix")]);
    for ingress in [
        plain(),
        with_annotations(plain(), &[("limit-rps", "x")]),
        taken,
        // These are not counted.
        ingress("app", &[("a.test", "/(", "Exact")]),
        annotated("a/b-snippet", "x"),
        with(plain(), "/spec/ingressClassName", "other".into()),
    ] {
        bench.review(&ingress);
    }
    let counted = bench.reviewer.tally().by_ingress();
    let counted: Vec<_> =
        counted.iter().map(|one| (&*one.namespace, &*one.name, one.passed, one.failed)).collect();
    assert_eq!(counted, [("ns", "app", 1, 2)]);
    let last = bench.reviewer.tally().last().unwrap();
    assert_eq!((last.tested, last.ingresses), (2, 2));
    assert!(last.bytes > 100 && last.total >= last.reading, "{last:?}");
}
