//! Stopping: what is under way ends, what is idle is closed, what hangs is cut, and nothing new comes in.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::support::{
    Client, Http2, Identity, Table, TestGateway, Upstream, eventually,
    http2::{END_STREAM, GOAWAY, PING},
    upstream::{ok, read_request},
};

/// More than all buffers on the way hold.
const LARGE: usize = 32 * 1024 * 1024;
/// A little more than what a machine needs to finish what can be finished.
const GRACE: Duration = Duration::from_secs(3);
/// What no machine needs, and less than all time limits.
const LONG: Duration = Duration::from_secs(30);

/// How clients reach the gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Plain,
    Tls,
}

/// A gateway before an upstream that answers `/slow` when it is released, `/large` with more than anybody takes, and
/// all else at once.
struct Scene {
    gateway: TestGateway,
    identity: Identity,
    /// How often `/slow` was asked for.
    waiting: Arc<AtomicUsize>,
    release: Sender<()>,
    over: Over,
}

impl Scene {
    fn start(over: Over, grace: Duration) -> Self {
        let (release, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&waiting);
        let upstream = Upstream::raw(move |mut connection: Client| {
            while let Some(request) = read_request(&mut connection) {
                match request.line().split(' ').nth(1) {
                    Some("/slow") => {
                        count.fetch_add(1, Ordering::Relaxed);
                        let _ = wait.lock().recv();
                        connection.send(ok("done"));
                    }
                    Some("/large") => {
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
                        connection.send(head);
                        // Refused when the gateway lets go of it.
                        connection.try_send(&vec![b'x'; LARGE]);
                    }
                    _ => connection.send(ok("ok")),
                }
            }
        });
        let identity = Identity::new();
        let table = Table::default().upstream("app", &[upstream.address]);
        let mut table = table.prefix("a.test", "/", "app").build();
        table.tls = identity.table();
        let gateway = TestGateway::with_grace(table, grace);
        Self { gateway, identity, waiting, release, over }
    }

    fn connect(&self, protocol: &str) -> Client {
        match self.over {
            Over::Plain => Client::connect(self.gateway.http),
            Over::Tls => self.identity.connect(self.gateway.https, protocol),
        }
    }

    fn client(&self) -> Client {
        self.connect("http/1.1")
    }

    fn http2(&self, window: u32) -> Http2 {
        Http2::over(self.connect("h2"), window)
    }

    /// A request that waits for its upstream.
    fn slow(&self) -> Client {
        let mut client = self.client();
        client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n");
        self.until_slow_arrives();
        client
    }

    fn until_slow_arrives(&self) {
        eventually("the request arrives", || self.waiting.load(Ordering::Relaxed) == 1);
    }

    /// A reader that stops in the middle of its answer.
    fn stuck(&self) -> Client {
        let mut client = self.client();
        client.send("GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert!(client.head().expect("a head").starts_with("HTTP/1.1 200"));
        client
    }

    /// Stops the gateway on a thread that gives how long it took.
    fn stop(self) -> (thread::JoinHandle<Duration>, Sender<()>) {
        let gateway = self.gateway;
        let stopping = thread::spawn(move || {
            let begin = Instant::now();
            gateway.stop();
            begin.elapsed()
        });
        (stopping, self.release)
    }
}

fn open_requests_end(over: Over) {
    let scene = Scene::start(over, LONG);
    let addresses = [scene.gateway.http, scene.gateway.https];
    let (mut busy, mut idle) = (scene.slow(), scene.client());
    assert_eq!(idle.get("/").text(), "ok");

    let (stopping, release) = scene.stop();
    assert!(idle.is_closed());
    for address in addresses {
        eventually("no new connections", || TcpStream::connect(address).is_err());
    }
    assert!(!stopping.is_finished(), "a request is open");
    release.send(()).expect("the upstream waits");
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
    assert!(stopping.join().expect("stopped") < LONG);
}

#[test]
fn open_requests_end_and_idle_connections_are_closed() {
    open_requests_end(Over::Plain);
}

#[test]
fn open_requests_end_and_idle_connections_are_closed_over_tls() {
    open_requests_end(Over::Tls);
}

fn a_reader_that_stopped(over: Over) {
    let scene = Scene::start(over, GRACE);
    let (mut busy, mut stuck, mut idle) = (scene.slow(), scene.stuck(), scene.client());
    assert_eq!(idle.get("/").text(), "ok");

    let (stopping, release) = scene.stop();
    assert!(idle.is_closed());
    release.send(()).expect("the upstream waits");
    assert_eq!(busy.answer().text(), "done");
    let took = stopping.join().expect("stopped");
    assert!((GRACE..LONG).contains(&took), "{took:?}");
    assert!(stuck.exactly(LARGE).is_none(), "it was cut");
}

#[test]
fn a_reader_that_stopped_is_cut_at_the_end_of_the_grace_period() {
    a_reader_that_stopped(Over::Plain);
}

#[test]
fn a_reader_that_stopped_is_cut_at_the_end_of_the_grace_period_over_tls() {
    a_reader_that_stopped(Over::Tls);
}

#[test]
fn a_reader_that_goes_on_gets_all_of_its_answer() {
    for over in [Over::Plain, Over::Tls] {
        let scene = Scene::start(over, LONG);
        let mut reader = scene.stuck();
        let address = scene.gateway.http;
        let (stopping, _release) = scene.stop();
        eventually("it stops", || TcpStream::connect(address).is_err());
        assert!(reader.exactly(LARGE).is_some(), "{over:?}");
        assert!(reader.is_closed(), "{over:?}");
        assert!(stopping.join().expect("stopped") < LONG, "{over:?}");
    }
}

#[test]
fn streams_end_and_their_connections_say_goodbye() {
    for over in [Over::Plain, Over::Tls] {
        let scene = Scene::start(over, LONG);
        let (mut busy, mut idle) = (scene.http2(65_535), scene.http2(65_535));
        idle.request(1, "GET", "/", END_STREAM);
        assert!(idle.stream(1)[0].is_ok());
        busy.request(1, "GET", "/slow", END_STREAM);
        scene.until_slow_arrives();

        let (stopping, release) = scene.stop();
        idle.until(|frame| frame.kind == GOAWAY).expect("a goodbye");
        while idle.frame().is_some() {}
        busy.until(|frame| frame.kind == GOAWAY).expect("a goodbye");
        release.send(()).expect("the upstream waits");
        assert!(busy.stream(1)[0].is_ok());
        while busy.frame().is_some() {}
        assert!(stopping.join().expect("stopped") < LONG, "{over:?}");
    }
}

#[test]
fn a_stream_whose_reader_stopped_is_cut_at_the_end_of_the_grace_period() {
    let scene = Scene::start(Over::Tls, GRACE);
    let mut stuck = scene.http2(1000);
    stuck.request(1, "GET", "/large", END_STREAM);
    assert!(stuck.until(|frame| frame.stream == 1 && frame.kind == 1).expect("a head").is_ok());
    let (stopping, _release) = scene.stop();
    let took = stopping.join().expect("stopped");
    assert!((GRACE..LONG).contains(&took), "{took:?}");
    while let Some(frame) = stuck.frame() {
        assert!(!(frame.stream == 1 && frame.is_last()), "an end out of nothing");
    }
}

#[test]
fn an_idle_peer_that_does_not_hear_a_goodbye_does_not_hold_it_up() {
    let scene = Scene::start(Over::Plain, LONG);
    let mut deaf = scene.http2(65_535);
    deaf.request(1, "GET", "/", END_STREAM);
    assert!(deaf.stream(1)[0].is_ok());
    deaf.fall_silent();
    let (stopping, _release) = scene.stop();
    deaf.until(|frame| frame.kind == PING).expect("a question whether it heard");
    while deaf.frame().is_some() {}
    assert!(stopping.join().expect("stopped") < LONG);
}
