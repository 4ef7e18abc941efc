//! Facts about writing the log.

use std::sync::{Condvar, Mutex};

use super::*;

/// A sink that tests read, and that can be held up.
#[derive(Clone, Default)]
struct Sink(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    written: Vec<u8>,
    stuck: bool,
}

impl Sink {
    fn set_stuck(&self, stuck: bool) {
        self.0.0.lock().unwrap().stuck = stuck;
        self.0.1.notify_all();
    }

    fn lines(&self) -> usize {
        let state = self.0.0.lock().unwrap();
        state.written.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = self.0.0.lock().unwrap();
        let mut state = self.0.1.wait_while(state, |state| state.stuck).unwrap();
        state.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn flushed_lines_of_all_workers_are_written_before_close_returns() {
    let sink = Sink::default();
    let log = AccessLog::start(sink.clone()).unwrap();
    let workers = [log.worker(), log.worker()];
    for worker in &workers {
        worker.write(None, &LogFormat::default(), &AccessRecord::default());
    }
    workers[0].flush();
    drop(workers);
    assert!(log.close(LIMIT));
    assert_eq!(sink.lines(), 2);
}

#[test]
fn a_full_buffer_is_handed_over_without_a_flush() {
    let sink = Sink::default();
    let log = AccessLog::start(sink.clone()).unwrap();
    let worker = log.worker();
    let format = LogFormat::compile("$status", Escape::Default).unwrap();
    for _ in 0..BUFFER {
        worker.write(None, &format, &AccessRecord::default());
    }
    assert!(log.close(LIMIT));
    assert!(sink.lines() >= BUFFER - BUFFER / 4);
}

#[test]
fn a_stuck_sink_neither_blocks_a_worker_nor_close_and_losses_are_counted() {
    let sink = Sink::default();
    sink.set_stuck(true);
    let log = AccessLog::start(sink.clone()).unwrap();
    let dropped = log.dropped_lines();
    let worker = log.worker();
    for _ in 0..WAITING_BUFFERS + 10 {
        worker.write(None, &LogFormat::default(), &AccessRecord::default());
        worker.flush();
    }
    // One buffer may be in the hands of the writer already.
    let lost = dropped.load(Relaxed) as usize;
    assert!((9..=10).contains(&lost), "{lost}");
    assert!(!log.close(Duration::from_millis(20)));
    sink.set_stuck(false);
}

#[test]
fn lines_that_the_sink_refuses_are_counted() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = AccessLog::start(Broken).unwrap();
    let dropped = log.dropped_lines();
    let worker = log.worker();
    worker.write(None, &LogFormat::default(), &AccessRecord::default());
    worker.write(None, &LogFormat::default(), &AccessRecord::default());
    worker.flush();
    assert!(log.close(LIMIT));
    assert_eq!(dropped.load(Relaxed), 2);
}

#[test]
fn a_destination_that_hangs_holds_up_no_other_and_its_lines_are_written_before_close_returns() {
    let sink = Sink::default();
    let log = AccessLog::start(sink.clone()).unwrap();
    let (release, held) = std::sync::mpsc::channel();
    let (worker, hanging) = (log.worker(), Destination::held(held));
    for to in [Some(&hanging), None] {
        worker.write(to, &LogFormat::default(), &AccessRecord::default());
        worker.flush();
    }
    let deadline = Instant::now() + LIMIT;
    while sink.lines() == 0 && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(sink.lines(), 1);
    let dropped = log.dropped_lines();
    let closing = thread::spawn(move || log.close(LIMIT));
    release.send(()).unwrap();
    assert!(closing.join().unwrap());
    assert_eq!(dropped.load(Relaxed), 0);
}
