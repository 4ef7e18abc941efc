//! A client of the HTTP/2 library against a gateway that knows no host: every answer is the page of a 404.

use std::time::Instant;

use bytes::Bytes;
use h2::{Reason, RecvStream, client};
use http::{Method, Request, Response, Version};
use tokio::{
    io::{DuplexStream, duplex},
    task::{JoinHandle, LocalSet, spawn_local},
    time::{sleep, timeout},
};

use super::*;
use crate::clock;

const LIMITS: ListenerSettings = ListenerSettings {
    http2_streams: 128,
    head_timeout: Duration::from_secs(60),
    body_timeout: Duration::from_secs(60),
    idle_timeout: Duration::from_secs(75),
    send_timeout: Duration::from_secs(60),
    linger_timeout: Duration::from_secs(5),
};

/// What no machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

type Wire = client::Connection<DuplexStream>;

/// A connection as its client and its server see it.
struct Scene {
    client: client::SendRequest<Bytes>,
    state: Arc<Connection>,
    served: JoinHandle<()>,
}

impl Scene {
    /// A client whose windows are open for `window` bytes. Nothing moves on its side until its wire is polled.
    async fn start(limits: ListenerSettings, window: u32) -> (Self, Wire) {
        let (worker, _) = crate::listen::tests::worker();
        spawn_local(housekeeping(Rc::clone(&worker)));
        let state = crate::listen::tests::connection();
        let counted = Rc::new(worker.metrics.connection());
        let (ours, theirs) = duplex(64 * 1024);
        let stop = CancellationToken::new();
        let connection = Arc::clone(&state);
        let serving = serve(worker, connection, theirs, Vec::new(), limits, stop, counted);
        let served = spawn_local(serving);
        let (client, wire) = client::Builder::new()
            .initial_window_size(window)
            .handshake(ours)
            .await
            .expect("a handshake");
        (Self { client, state, served }, wire)
    }

    async fn ask(&mut self, method: Method) -> Response<RecvStream> {
        let request = Request::builder()
            .version(Version::HTTP_2)
            .method(method)
            .uri("http://a.test/")
            .body(())
            .expect("a request");
        let (answer, _) = self.client.send_request(request, true).expect("sent");
        answer.await.expect("an answer")
    }
}

async fn housekeeping(worker: Rc<Worker>) {
    loop {
        clock::advance();
        worker.deadlines.wake_expired();
        sleep(clock::TICK / 2).await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async { timeout(PATIENCE, test).await.expect("in time") });
}

#[test]
fn a_reader_that_stops_loses_its_stream_and_no_other() {
    run(async {
        let limits = ListenerSettings { send_timeout: Duration::from_millis(500), ..LIMITS };
        let (mut scene, wire) = Scene::start(limits, 0).await;
        spawn_local(wire);
        let begin = Instant::now();
        let mut stuck = scene.ask(Method::GET).await.into_body();
        let mut stuck = spawn_local(async move { stuck.data().await });
        // Others come and go meanwhile: that the connection moves must not be taken for a sign of the stuck reader.
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut stuck => break outcome.expect("no panic"),
                () = sleep(Duration::from_millis(50)) => {}
            }
            assert_eq!(scene.ask(Method::HEAD).await.status(), 404);
        };
        let error = outcome.expect("not the end of the body").expect_err("no data");
        assert_eq!(error.reason(), Some(Reason::CANCEL));
        // The clock is coarse, and on a busy machine behind.
        assert!(begin.elapsed() >= limits.send_timeout / 2);
        assert!(scene.state.is_at_rest(), "nothing of it is left");
        assert_eq!(scene.ask(Method::HEAD).await.status(), 404);
    });
}

#[test]
fn a_reader_that_goes_on_in_time_gets_all() {
    run(async {
        let limits = ListenerSettings { send_timeout: Duration::from_secs(5), ..LIMITS };
        let (mut scene, wire) = Scene::start(limits, 10).await;
        spawn_local(wire);
        let answer = scene.ask(Method::GET).await;
        let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let (mut body, mut read) = (answer.into_body(), 0);
        while let Some(data) = body.data().await {
            let count = data.expect("data").len();
            read += count;
            body.flow_control().release_capacity(count).expect("a window");
        }
        assert_eq!(read, length);
    });
}

#[test]
fn an_answer_to_head_ends_with_its_headers() {
    run(async {
        let (mut scene, wire) = Scene::start(LIMITS, 65_535).await;
        spawn_local(wire);
        let (page, head) = (scene.ask(Method::GET).await, scene.ask(Method::HEAD).await);
        assert!(head.body().is_end_stream() && !page.body().is_end_stream());
        assert!(head.headers().contains_key("content-length"), "{:?}", head.headers());
        assert_eq!(head.headers()["content-length"], page.headers()["content-length"]);
    });
}

#[test]
fn a_peer_that_is_gone_is_noticed() {
    run(async {
        let second = Duration::from_secs(1);
        let limits = ListenerSettings { idle_timeout: second, body_timeout: second, ..LIMITS };
        let (mut scene, mut wire) = Scene::start(limits, 0).await;
        // The silence begins with the request, at some moment before the clock stands still.
        let asked = tokio::time::Instant::now();
        // With an open stream the connection is not idle: only its silence can tell.
        tokio::select! {
            _ = scene.ask(Method::GET) => {}
            _ = &mut wire => unreachable!("the wire is open"),
        }
        tokio::time::pause();
        let paused = tokio::time::Instant::now();
        scene.served.await.expect("no panic");
        assert!(asked.elapsed() >= 2 * second, "{:?}", asked.elapsed());
        assert!(paused.elapsed() < 10 * second, "{:?}", paused.elapsed());
        drop(wire);
    });
}

#[test]
fn a_peer_that_waits_and_answers_is_kept() {
    run(async {
        let second = Duration::from_secs(1);
        let limits = ListenerSettings { idle_timeout: second, body_timeout: second, ..LIMITS };
        let (mut scene, wire) = Scene::start(limits, 0).await;
        spawn_local(wire);
        let _stuck = scene.ask(Method::GET).await;
        tokio::time::pause();
        sleep(10 * second).await;
        tokio::time::resume();
        assert_eq!(scene.ask(Method::HEAD).await.status(), 404);
    });
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    run(async {
        let (mut scene, wire) = Scene::start(LIMITS, 100).await;
        let wire = spawn_local(wire);
        let most = headgate_config::Settings::default().keep_alive_requests;
        for _ in 0..most {
            assert_eq!(scene.ask(Method::HEAD).await.status(), 404);
        }
        scene.served.await.expect("no panic");
        wire.await.expect("no panic").expect("an orderly end");
        assert_eq!(scene.state.requests(), most);
    });
}
