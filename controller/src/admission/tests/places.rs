//! How many reviews may wait to be judged.

use futures_util::FutureExt;

use super::*;

/// A reviewer whose cases nobody judges, and those cases.
fn waiting() -> (Reviewer, Arc<Mutex<Vec<Case>>>) {
    let cases = Arc::<Mutex<Vec<Case>>>::default();
    let kept = Arc::clone(&cases);
    (Reviewer::new(move |case| kept.lock().unwrap().push(case)), cases)
}

/// The status at once; `None` if it waits, and is then given up.
fn status(reviewer: &Reviewer, body: &[u8]) -> Option<u16> {
    reviewer.review(body).now_or_never().map(|answer| answer.status)
}

#[tokio::test]
async fn without_a_place_the_answer_is_503_at_once() {
    let (reviewer, cases) = waiting();
    let body = review_of(&plain()).to_string();
    for number in 0..PLACES {
        assert_eq!(status(&reviewer, body.as_bytes()), None, "{number}");
    }
    assert_eq!(status(&reviewer, body.as_bytes()), Some(503));
    assert_eq!(cases.lock().unwrap().len(), PLACES);

    // A case has its place until the controller's thread is done with it, even if nobody waits for it any more.
    cases.lock().unwrap().pop();
    assert_eq!(status(&reviewer, body.as_bytes()), None);
    assert_eq!(status(&reviewer, body.as_bytes()), Some(503));
    cases.lock().unwrap().clear();
    assert_eq!(status(&reviewer, body.as_bytes()), None);
}

#[tokio::test]
async fn large_reviews_take_more_places() {
    let (reviewer, cases) = waiting();
    let note = "x".repeat(8 << 20);
    let body = review_of(&annotated("note", &note)).to_string();
    let fit = PLACES / places(body.len());
    assert!((2..10).contains(&fit), "{fit}");
    for _ in 0..fit {
        assert_eq!(status(&reviewer, body.as_bytes()), None);
    }
    assert_eq!(status(&reviewer, body.as_bytes()), Some(503));
    assert_eq!(cases.lock().unwrap().len(), fit);
}

#[test]
fn a_review_that_is_judged_gives_its_place_back() {
    let bench = Bench::new(Options::default());
    let body = review_of(&plain()).to_string();
    for _ in 0..PLACES + 1 {
        assert_eq!(bench.answer(body.as_bytes()).status, 200);
    }
    // So does one of which nothing can be known yet.
    let reviewer = Reviewer::new(drop);
    for _ in 0..PLACES + 1 {
        let answer = bench.runtime.block_on(reviewer.review(body.as_bytes()));
        assert!(answer.body.starts_with(b"the objects"), "{answer:?}");
    }
}
