//! When it is asked, on a paused clock.

use std::{cell::RefCell, rc::Rc};

use tokio::time::{Instant, advance};

use super::*;
use crate::ocsp::{answer::Flaw, sample::Signer};

/// A certificate whose responder says what the test wants.
struct Asked {
    shared: Arc<Shared>,
    says: Rc<RefCell<Result<i64, Trouble>>>,
    /// When it was asked, in seconds since the beginning.
    times: Rc<RefCell<Vec<u64>>>,
}

impl Asked {
    /// The responder says that the certificate is good for so long.
    fn good_for(seconds: i64) -> Self {
        let shared = Arc::new(Shared::new(Signer::authority("ca").question(), "default/a"));
        let says = Rc::new(RefCell::new(Ok(seconds)));
        let times = Rc::new(RefCell::new(Vec::new()));
        let (said, log, start) = (Rc::clone(&says), Rc::clone(&times), Instant::now());
        let ask = move || {
            log.borrow_mut().push(start.elapsed().as_secs());
            let said = *said.borrow();
            async move { said.map(|seconds| Held { der: vec![1], until: now() + seconds }) }
        };
        tokio::task::spawn_local(follow(Arc::clone(&shared), ask));
        Self { shared, says, times }
    }

    fn times(&self) -> Vec<u64> {
        self.times.borrow().clone()
    }
}

async fn pass(seconds: u64) {
    settle().await;
    for _ in 0..seconds {
        advance(Duration::from_secs(1)).await;
        settle().await;
    }
}

/// Lets what is due happen.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

async fn run(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_asked_for_again_at_half_of_its_time_if_it_is_used() {
    run(async {
        let asked = Asked::good_for(1000);
        asked.shared.note_use();
        pass(1).await;
        assert_eq!(asked.times(), [0]);
        assert!(asked.shared.current(now()).is_some());
        pass(520).await;
        assert_eq!(asked.times().len(), 2, "{:?}", asked.times());
        pass(3000).await;
        assert_eq!(asked.times().len(), 2, "nobody was shown the certificate");
        asked.shared.note_use();
        pass(1).await;
        assert_eq!(asked.times().len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_with_growing_pauses_and_keep_what_there_was() {
    run(async {
        let asked = Asked::good_for(100);
        asked.shared.note_use();
        pass(1).await;
        *asked.says.borrow_mut() = Err(errand::Failure::Unreachable.into());
        for _ in 0..300 {
            asked.shared.note_use();
            pass(1).await;
        }
        let times = asked.times();
        // After 50 s, and then after about 10, 20, 40 and 80.
        assert_eq!(times.len(), 6, "{times:?}");
        assert!(times.windows(2).skip(1).all(|two| two[0] < two[1]), "{times:?}");
        let held = asked.shared.held.load_full().expect("it is kept");
        assert!(asked.shared.current(held.until - 1).is_some());
        assert!(asked.shared.current(held.until).is_none(), "to its end");
        assert!(asked.shared.trouble.lock().is_some());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_certificate_loses_its_good_answer_at_once() {
    run(async {
        let asked = Asked::good_for(100);
        asked.shared.note_use();
        pass(1).await;
        *asked.says.borrow_mut() = Err(Flaw::Revoked.into());
        asked.shared.note_use();
        pass(60).await;
        assert!(asked.shared.current(now()).is_none());
        *asked.says.borrow_mut() = Ok(100);
        asked.shared.note_use();
        pass(60).await;
        assert!(asked.shared.current(now()).is_some());
        assert_eq!(*asked.shared.trouble.lock(), None);
    })
    .await;
}

#[test]
fn pauses_are_bounded() {
    for failures in [1, 2, 17, 40, u32::MAX] {
        let pause = pause(failures);
        assert!(pause >= FIRST_RETRY.mul_f32(0.9) && pause <= LAST_RETRY.mul_f32(1.2), "{pause:?}");
    }
}
