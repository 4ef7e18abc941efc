//! How often and in which order comparisons are made, counted and never timed.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use super::*;

fn job(n: u8, list: usize) -> Job {
    let password = if n.is_multiple_of(2) { "right" } else { "wrong" };
    Job {
        fingerprint: [n; 32],
        list,
        hash: format!("{n}"),
        password: password.into(),
        counts: true,
    }
}

/// A pool of one thread.
fn single(compare: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static) -> Pool {
    let mut pool = Pool::new(compare);
    Arc::get_mut(&mut pool.shared).expect("no thread yet").most_threads = 1;
    pool
}

fn answer(asked: Asked) -> Option<bool> {
    match asked {
        Asked::Known(right) => Some(right),
        Asked::Soon(receiver) => receiver.blocking_recv().ok(),
        Asked::Busy => None,
    }
}

#[test]
fn what_was_found_out_is_not_compared_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let pool = Pool::new(move |_, password| {
        counter.fetch_add(1, SeqCst);
        password == b"right"
    });
    for _ in 0..3 {
        assert_eq!(answer(pool.ask(job(2, 1))), Some(true));
        assert_eq!(answer(pool.ask(job(3, 1))), Some(false));
    }
    assert_eq!(count.load(SeqCst), 2);
    assert_eq!((pool.find(&[2; 32]), pool.find(&[3; 32])), (Some(true), Some(false)));
    assert_eq!(pool.find(&[4; 32]), None);
}

#[test]
fn those_who_ask_the_same_at_the_same_time_wait_for_one_comparison() {
    let count = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Barrier::new(2));
    let (counter, held) = (Arc::clone(&count), Arc::clone(&gate));
    let pool = Pool::new(move |_, _| {
        held.wait();
        counter.fetch_add(1, SeqCst);
        true
    });
    let asked: Vec<_> = (0..20).map(|_| pool.ask(job(2, 1))).collect();
    gate.wait();
    assert!(asked.into_iter().all(|asked| answer(asked) == Some(true)));
    assert_eq!(count.load(SeqCst), 1);
}

/// A pool whose only thread is held by a first job, until the sender is used; the receiver tells what is compared.
fn held() -> (Pool, Asked, mpsc::Sender<()>, mpsc::Receiver<String>) {
    let (release, wait) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let wait = Mutex::new(wait);
    let pool = single(move |hash, _| {
        let _ = tell.send(hash.to_owned());
        if hash == "0" {
            let _ = wait.lock().recv_timeout(Duration::from_secs(20));
        }
        true
    });
    let first = pool.ask(job(0, 0));
    assert_eq!(told.recv().as_deref(), Ok("0"));
    (pool, first, release, told)
}

#[test]
fn lists_of_users_take_turns() {
    let (pool, first, release, told) = held();
    let asked: Vec<_> =
        [(1, 7), (2, 7), (3, 7), (4, 8), (5, 9)].map(|(n, list)| pool.ask(job(n, list))).into();
    release.send(()).expect("it waits");
    assert!(answer(first).is_some() && asked.into_iter().all(|asked| answer(asked).is_some()));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["1", "4", "5", "2", "3"]);
}

#[test]
fn a_full_list_turns_away_its_own_only() {
    let (pool, _first, release, _told) = held();
    let most = u8::try_from(MAX_WAITING_OF_ONE).expect("small");
    let asked: Vec<_> = (1..=most).map(|n| pool.ask(job(n, 7))).collect();
    assert!(matches!(pool.ask(job(100, 7)), Asked::Busy));
    assert!(matches!(pool.ask(job(1, 7)), Asked::Soon(_)), "it waits with the one before");
    let other = pool.ask(job(101, 8));
    release.send(()).expect("it waits");
    assert!(answer(other).is_some() && asked.into_iter().all(|asked| answer(asked).is_some()));
}

#[test]
fn what_nobody_waits_for_any_more_is_not_compared() {
    let (pool, first, release, told) = held();
    drop(pool.ask(job(1, 7)));
    let last = pool.ask(job(2, 7));
    release.send(()).expect("it waits");
    assert!(answer(first).is_some() && answer(last).is_some());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["2"]);
    // It may be asked for again.
    assert_eq!(answer(pool.ask(job(1, 7))), Some(true));
}

#[test]
fn a_comparison_that_panics_says_nothing_and_the_next_goes_on() {
    let pool = single(|hash, _| if hash == "1" { panic!("a fault") } else { true });
    assert_eq!(answer(pool.ask(job(1, 7))), None);
    assert_eq!(pool.find(&[1; 32]), None);
    assert_eq!(answer(pool.ask(job(2, 7))), Some(true));
}

#[test]
fn a_user_that_there_is_none_of_is_wrong_with_any_password() {
    let pool = single(|_, _| true);
    assert_eq!(answer(pool.ask(Job { counts: false, ..job(2, 7) })), Some(false));
}
