use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::Options;

const LONG: Duration = Duration::from_secs(20);

/// A thread that ends, or panics, when it is told to.
fn thread() -> (Sender<Result<(), &'static str>>, JoinHandle<()>) {
    let (end, told) = channel();
    (end, thread::spawn(move || told.recv().unwrap().unwrap()))
}

fn dies(controller: &Controller) -> bool {
    let deadline = Instant::now() + LONG;
    while !controller.has_died() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

#[test]
fn it_has_died_as_soon_as_any_thread_has_ended() {
    for end in [Ok(()), Err("a panic that is asked for")] {
        for dying in 0..2 {
            let (ends, threads): (Vec<_>, Vec<_>) = [thread(), thread()].into_iter().unzip();
            let others = ends.clone();
            let stopper = Stopper::new(move || {
                for end in others {
                    let _ = end.send(Ok(()));
                }
            });
            let controller = Controller::new(stopper, threads);
            assert!(!controller.has_died());
            ends[dying].send(end).unwrap();
            assert!(dies(&controller), "thread {dying}, {end:?}");
        }
    }
}

#[test]
fn a_panic_of_whoever_is_published_to_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (is_published, published) = channel();
    let folders = || vec![folder.path().to_owned()];
    let healthy =
        run_directory(Options::default(), folders(), move |_| is_published.send(()).unwrap());
    let healthy = healthy.unwrap();
    let broken = run_directory(Options::default(), folders(), |_| panic!("as asked for")).unwrap();
    published.recv_timeout(LONG).unwrap();
    assert!(dies(&broken));
    assert!(!healthy.has_died());
}
