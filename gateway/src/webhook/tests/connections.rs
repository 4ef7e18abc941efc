//! How long a connection lasts, which one makes room for another, and how all of them end.

use std::{sync::mpsc, time::Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

#[tokio::test]
async fn each_step_has_its_time() {
    let short = Duration::from_millis(100);
    let long = Duration::from_secs(3600);
    let limits =
        Limits { handshake: long, head: long, body: long, answer: long, ..Limits::default() };
    let never: Respond = Arc::new(|_| Box::pin(std::future::pending()));

    let bench = Bench::new(Limits { handshake: short, ..limits }, echo());
    let mut silent = TcpStream::connect(bench.webhook.address()).await.unwrap();
    assert_eq!(within(silent.read(&mut [0; 1])).await.unwrap_or(0), 0);

    let bench = Bench::new(Limits { head: short, ..limits }, echo());
    let mut stream = bench.connect().await;
    within(stream.write_all(b"POST / HTTP/1.1\r\n")).await.unwrap();
    ended(&mut stream).await;

    let bench = Bench::new(Limits { body: short, ..limits }, echo());
    let mut stream = bench.connect().await;
    let begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345";
    within(stream.write_all(begun)).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.unwrap().0, 408);
    ended(&mut stream).await;

    let bench = Bench::new(Limits { answer: short, ..limits }, never);
    let (status, head, _) = post(&mut bench.connect().await, b"{}").await.unwrap();
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1"), "{head}");
}

#[tokio::test]
async fn whoever_does_not_read_the_answer_is_cut() {
    let answer_sent = Duration::from_millis(50);
    let (respond, leave, mut is_asked) = on_leave();
    leave.add_permits(1);
    let bench = Bench::new(Limits { answer_sent, connections: 1, ..Limits::default() }, respond);
    let mut deaf = bench.connect().await;
    let body = vec![b'x'; (9 << 20) - 1];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    within(deaf.write_all(head.as_bytes())).await.unwrap();
    within(deaf.write_all(&body)).await.unwrap();
    within(deaf.flush()).await.unwrap();
    within(is_asked.recv()).await.unwrap();
    let address = bench.webhook.address();
    let another = async {
        while connect(address, &bench.certificate, &[], &[&TLS13]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(another).await;
    // It was not to make room that it had to go.
    let mut answer = Vec::new();
    let _ = within(deaf.read_to_end(&mut answer)).await;
    assert!(answer.len() < body.len(), "{}", answer.len());
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    assert!(Limits::default().idle >= Duration::from_secs(120));
    let long = Duration::from_secs(3600);
    let limits =
        Limits { idle: long, head: Duration::from_millis(50), body: long, ..Limits::default() };
    let bench = Bench::new(limits, echo());
    let (mut unused, mut used) = (bench.connect().await, bench.connect().await);
    assert_eq!(post(&mut used, b"1").await.unwrap().2, b"1");
    let mut slow = bench.connect().await;
    within(slow.write_all(b"POST / HTTP/1.1\r\n")).await.unwrap();
    ended(&mut slow).await;
    for stream in [&mut unused, &mut used] {
        assert_eq!(post(stream, b"2").await.unwrap().2, b"2");
    }
}

#[tokio::test]
async fn an_idle_connection_is_not_kept_for_ever() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let bench = Bench::new(limits, echo());
    ended(&mut bench.connect().await).await;
    let mut used = bench.connect().await;
    // It may come too late on a slow machine, and then finds what it is about.
    let _ = post(&mut used, b"1").await;
    ended(&mut used).await;
}

/// Answers with what it was asked as soon as it has leave. Says that it was asked.
fn on_leave() -> (Respond, Arc<Semaphore>, UnboundedReceiver<()>) {
    let leave = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&leave);
    let (asked, is_asked) = unbounded_channel();
    let respond: Respond = Arc::new(move |body| {
        let (asked, waiting) = (asked.clone(), Arc::clone(&waiting));
        Box::pin(async move {
            let _ = asked.send(());
            waiting.acquire().await.unwrap().forget();
            Reply { status: 200, body }
        })
    });
    (respond, leave, is_asked)
}

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1";

#[tokio::test]
async fn one_connection_too_many_ends_the_one_that_is_idle_for_longest() {
    let bench = Bench::new(Limits { connections: 3, ..Limits::default() }, echo());
    let mut oldest = bench.connect().await;
    let mut idle = bench.connect().await;
    let mut younger = bench.connect().await;
    assert_eq!(post(&mut idle, b"1").await.unwrap().2, b"1");
    assert_eq!(post(&mut younger, b"2").await.unwrap().2, b"2");
    assert_eq!(post(&mut oldest, b"3").await.unwrap().2, b"3");
    let mut newest = bench.connect().await;
    ended(&mut idle).await;
    for stream in [&mut oldest, &mut younger, &mut newest] {
        assert_eq!(post(stream, b"4").await.unwrap().2, b"4");
    }
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_out() {
    let bench = Bench::new(Limits { connections: 3, ..Limits::default() }, echo());
    let address = bench.webhook.address();
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(post(&mut bench.connect().await, b"1").await.unwrap().2, b"1");
    // The oldest had to go.
    assert_eq!(within(silent[0].read(&mut [0; 1])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn who_has_sent_the_least_makes_room_and_who_waits_for_an_answer_never() {
    let (respond, leave, mut is_asked) = on_leave();
    let bench = Bench::new(Limits { connections: 5, ..Limits::default() }, respond);
    let address = bench.webhook.address();
    let mut in_head = bench.connect().await;
    within(in_head.write_all(&POST[..10])).await.unwrap();
    let mut in_body = bench.connect().await;
    let expecting =
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    within(in_body.write_all(expecting)).await.unwrap();
    // That it is told to go on shows that its head has been read, and that of the one before it begun.
    let mut goes_on = [0; 25];
    within(in_body.read_exact(&mut goes_on)).await.unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut idle = bench.connect().await;
    let mut awaited = Vec::new();
    for makes_room in 0..5 {
        let mut stream = bench.connect().await;
        within(stream.write_all(POST)).await.unwrap();
        within(is_asked.recv()).await.unwrap();
        awaited.push(stream);
        match makes_room {
            0 => {}
            1 => ended(&mut idle).await,
            2 => assert_eq!(within(silent.read(&mut [0; 1])).await.unwrap_or(0), 0),
            3 => ended(&mut in_head).await,
            _ => ended(&mut in_body).await,
        }
    }

    let refused = connect(address, &bench.certificate, &[b"http/1.1"], &[&TLS13]).await;
    assert!(refused.is_err());
    leave.add_permits(6);
    for stream in &mut awaited {
        assert_eq!(read_answer(stream).await.unwrap().2, b"1");
    }
    // Now that they are idle, there is room.
    assert_eq!(post(&mut bench.connect().await, b"2").await.unwrap().2, b"2");
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_it_ends() {
    let (respond, leave, mut is_asked) = on_leave();
    let bench = Bench::new(Limits::default(), respond);
    let address = bench.webhook.address();
    let mut idle = bench.connect().await;
    let mut in_body = bench.connect().await;
    within(in_body.write_all(&POST[..POST.len() - 1])).await.unwrap();
    let mut awaited = bench.connect().await;
    within(awaited.write_all(POST)).await.unwrap();
    within(is_asked.recv()).await.unwrap();
    let shut_down = tokio::spawn(bench.webhook.shut_down());
    ended(&mut idle).await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    leave.add_permits(2);
    within(in_body.write_all(b"1")).await.unwrap();
    for mut stream in [in_body, awaited] {
        let (status, head, body) = read_answer(&mut stream).await.unwrap();
        assert_eq!((status, body.as_slice()), (200, &b"1"[..]));
        assert!(head.contains("connection: close"), "{head}");
        ended(&mut stream).await;
    }
    within(shut_down).await.unwrap();
}

#[tokio::test]
async fn half_a_head_does_not_hold_up_its_end() {
    let long = Duration::from_secs(3600);
    let bench = Bench::new(Limits { farewell: long, head: long, ..Limits::default() }, echo());
    let mut in_head = bench.connect().await;
    within(in_head.write_all(&POST[..10])).await.unwrap();
    // Whoever comes later and is answered shows that it has been read.
    assert_eq!(post(&mut bench.connect().await, b"1").await.unwrap().2, b"1");
    within(bench.webhook.shut_down()).await;
    ended(&mut in_head).await;
}

#[tokio::test]
async fn what_is_not_answered_does_not_hold_up_its_end() {
    assert_eq!(Limits::default().farewell, Duration::from_secs(5));
    let (respond, _leave, mut is_asked) = on_leave();
    let long = Duration::from_secs(3600);
    let farewell = Duration::from_millis(50);
    let bench = Bench::new(Limits { farewell, answer: long, ..Limits::default() }, respond);
    let mut awaited = bench.connect().await;
    within(awaited.write_all(POST)).await.unwrap();
    within(is_asked.recv()).await.unwrap();
    within(bench.webhook.shut_down()).await;
    ended(&mut awaited).await;
}

#[tokio::test]
async fn dropped_it_ends_at_once() {
    let (asked, is_asked) = mpsc::channel();
    let respond: Respond = Arc::new(move |_| {
        asked.send(()).unwrap();
        Box::pin(std::future::pending())
    });
    let bench = Bench::new(Limits::default(), respond);
    let address = bench.webhook.address();
    let mut idle = bench.connect().await;
    let mut awaited = bench.connect().await;
    within(awaited.write_all(POST)).await.unwrap();
    within(tokio::task::spawn_blocking(move || is_asked.recv())).await.unwrap().unwrap();
    let started = Instant::now();
    drop(bench);
    assert!(started.elapsed() < Limits::default().answer, "{:?}", started.elapsed());
    ended(&mut idle).await;
    ended(&mut awaited).await;
    assert!(TcpStream::connect(address).await.is_err());
}
