//! HTTP/2 to upstreams: calls are balanced one by one over few connections, stream both ways with their trailers, and are
//! tried again only where nothing can have happened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use headgate_config::{ProxySettings, Transport};
use http::{HeaderMap, HeaderValue, Response};
use tokio::sync::Notify;

use crate::support::{
    Table, TestGateway, Upstream,
    grpc::{Exchange, GrpcClient, GrpcServer, read, request, whole},
    snapshot::root,
};

fn gateway_with(addresses: &[std::net::SocketAddr], settings: ProxySettings) -> TestGateway {
    let location = root("app", |location| {
        location.transport = Some(Transport::Grpc(None));
        location.proxy = Arc::new(settings);
    });
    let table = Table::default().upstream("app", addresses);
    TestGateway::start(table.location("a.test", location).build())
}

fn gateway(servers: &[&GrpcServer]) -> TestGateway {
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    gateway_with(&addresses, ProxySettings::default())
}

fn ended(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(status),
    )])
}

/// Answers a call with what it was sent, and with the trailers of success.
async fn echo((request, mut answer): Exchange) {
    let (head, mut body) = request.into_parts();
    let Ok(data) = read(&mut body).await else { return };
    let mut response = Response::new(());
    for name in ["te", "x-forwarded-for", "content-type"] {
        let value = head.headers.get(name).cloned().unwrap_or(HeaderValue::from_static("none"));
        let name = format!("x-seen-{name}").parse::<http::HeaderName>().expect("a name");
        response.headers_mut().insert(name, value);
    }
    let uri = HeaderValue::from_str(&head.uri.to_string()).expect("a value");
    response.headers_mut().insert("x-seen-uri", uri);
    let mut out = answer.send_response(response, false).expect("sent");
    out.send_data(data.into(), false).expect("sent");
    out.send_trailers(ended("0")).expect("sent");
}

#[test]
fn a_call_is_passed_on_with_its_trailers() {
    let server = GrpcServer::calls(echo);
    let gateway = gateway(&[&server]);
    let client = GrpcClient::connect(gateway.http);
    for _ in 0..3 {
        let told = client.call(b"hello").expect("an answer");
        assert_eq!((told.status, &told.body[..]), (200, &b"hello"[..]));
        assert_eq!(told.trailers.expect("trailers")["grpc-status"], "0");
        assert_eq!(told.headers["x-seen-te"], "trailers");
        assert_eq!(told.headers["x-seen-x-forwarded-for"], "127.0.0.1");
        assert_eq!(told.headers["x-seen-content-type"], "application/grpc");
        assert_eq!(told.headers["x-seen-uri"], "http://a.test/greeter/hello?x=1");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_may_have_nothing_but_a_head() {
    let server = GrpcServer::calls(|(_, mut answer): Exchange| async move {
        let mut response = Response::new(());
        *response.headers_mut() = ended("12");
        answer.send_response(response, true).expect("sent");
    });
    let gateway = gateway(&[&server]);
    let told = GrpcClient::connect(gateway.http).call(b"x").expect("an answer");
    assert_eq!((told.status, told.body.len(), told.trailers), (200, 0, None));
    assert_eq!(told.headers["grpc-status"], "12");
}

#[test]
fn messages_go_both_ways_while_neither_side_has_ended() {
    let server = GrpcServer::calls(|(request, mut answer): Exchange| async move {
        let mut body = request.into_body();
        let mut out = answer.send_response(Response::new(()), false).expect("sent");
        while let Some(Ok(data)) = body.data().await {
            body.flow_control().release_capacity(data.len()).expect("released");
            out.send_data(data, false).expect("sent");
        }
        out.send_trailers(ended("0")).expect("sent");
    });
    let gateway = gateway(&[&server]);
    let client = GrpcClient::connect(gateway.http);
    client.run(async {
        let mut sender = client.sender.clone().ready().await.expect("ready");
        let (answer, mut out) = sender.send_request(request(), false).expect("sent");
        let mut body = answer.await.expect("a head before any message").into_body();
        for number in 0..20_u8 {
            out.send_data(Bytes::from(vec![number; 3]), false).expect("sent");
            let echoed = body.data().await.expect("a message").expect("whole");
            assert_eq!(echoed, vec![number; 3]);
        }
        out.send_data(Bytes::new(), true).expect("sent");
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.expect("whole").expect("some")["grpc-status"], "0");
    });
}

#[test]
fn calls_of_one_client_are_spread_over_the_endpoints() {
    let counts = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let servers = counts.each_ref().map(|count| {
        let count = Arc::clone(count);
        GrpcServer::calls(move |exchange| {
            count.fetch_add(1, Ordering::Relaxed);
            echo(exchange)
        })
    });
    let gateway = gateway(&servers.each_ref());
    let client = GrpcClient::connect(gateway.http);
    client.run(async {
        let calls = (0..30).map(|_| {
            let sender = client.sender.clone();
            tokio::spawn(async move {
                let mut sender = sender.ready().await.expect("ready");
                let (answer, mut out) = sender.send_request(request(), false).expect("sent");
                out.send_data(Bytes::from_static(b"x"), true).expect("sent");
                whole(answer.await.expect("a head")).await.expect("whole").status
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.expect("it ends"), 200);
        }
    });
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [10; 3]);
    // Although they came at the same time.
    assert!(servers.iter().all(|server| server.connections() == 1));
}

#[test]
fn a_body_arrives_at_the_pace_at_which_it_is_taken() {
    let server = GrpcServer::calls(|(request, _answer): Exchange| async move {
        // Nothing is read, and nothing answered, until the client has gone.
        let _kept = request.into_body();
        std::future::pending::<()>().await;
    });
    let location = root("app", |location| {
        location.transport = Some(Transport::Grpc(None));
        location.body_limit = None;
    });
    let table = Table::default().upstream("app", &[server.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let client = GrpcClient::connect(gateway.http);
    client.run(async {
        let mut sender = client.sender.clone().ready().await.expect("ready");
        let (_answer, mut out) = sender.send_request(request(), false).expect("sent");
        let mut sent = 0;
        loop {
            out.reserve_capacity(16 * 1024);
            let room = std::future::poll_fn(|cx| out.poll_capacity(cx));
            let Ok(room) = tokio::time::timeout(Duration::from_millis(500), room).await else {
                break;
            };
            let room = room.expect("open").expect("open");
            out.send_data(Bytes::from(vec![0; room]), false).expect("sent");
            sent += room;
            assert!(sent < 8 * 1024 * 1024, "the gateway takes what nobody wants");
        }
        assert!(sent > 0);
    });
}

#[test]
fn what_a_server_refuses_to_look_at_is_tried_again() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = GrpcServer::calls(move |(request, mut answer): Exchange| {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                answer.send_reset(Reason::REFUSED_STREAM);
            } else {
                echo((request, answer)).await;
            }
        }
    });
    let gateway = gateway(&[&server]);
    // Without a message: of one that is still on its way a part may be gone.
    let client = GrpcClient::connect(gateway.http);
    let told = client.run(async {
        let mut sender = client.sender.clone().ready().await?;
        let (answer, _) = sender.send_request(request(), true)?;
        whole(answer.await?).await
    });
    assert_eq!(told.expect("an answer").status, 200);
    assert_eq!(refused.load(Ordering::Relaxed), 2);
}

#[test]
fn what_a_server_has_begun_is_not_tried_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let server = GrpcServer::calls(move |(_, mut answer): Exchange| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { answer.send_reset(Reason::INTERNAL_ERROR) }
    });
    let gateway = gateway(&[&server]);
    let told = GrpcClient::connect(gateway.http).call(b"once").expect("an answer");
    assert_eq!(told.status, 502);
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

#[test]
fn an_answer_that_is_cut_off_is_cut_off_for_the_client() {
    let arrived = Arc::new(Notify::new());
    let seen = Arc::clone(&arrived);
    let server = GrpcServer::calls(move |(_, mut answer): Exchange| {
        let seen = Arc::clone(&seen);
        async move {
            let mut out = answer.send_response(Response::new(()), false).expect("sent");
            out.send_data(Bytes::from_static(b"beginning"), false).expect("sent");
            seen.notified().await;
            out.send_reset(Reason::INTERNAL_ERROR);
        }
    });
    let gateway = gateway(&[&server]);
    let client = GrpcClient::connect(gateway.http);
    client.run(async {
        let mut sender = client.sender.clone().ready().await.expect("ready");
        let (answer, _) = sender.send_request(request(), true).expect("sent");
        let mut body = answer.await.expect("a head").into_body();
        assert_eq!(body.data().await.expect("some").expect("whole"), "beginning");
        arrived.notify_one();
        assert!(read(&mut body).await.is_err());
    });
}

#[test]
fn a_connection_that_goes_away_takes_no_more_calls() {
    let server = GrpcServer::raw(|_, mut connection| async move {
        let mut served = 0;
        while let Some(Ok(exchange)) = connection.accept().await {
            tokio::spawn(echo(exchange));
            served += 1;
            if served == 2 {
                connection.graceful_shutdown();
            }
        }
    });
    let gateway = gateway(&[&server]);
    let client = GrpcClient::connect(gateway.http);
    for number in 0..10 {
        assert_eq!(client.call(b"x").expect("an answer").status, 200, "call {number}");
    }
    assert!((2..=5).contains(&server.connections()), "{}", server.connections());
}

#[test]
fn failures_are_statuses_of_http() {
    let settings =
        ProxySettings { read_timeout: Duration::from_millis(300), ..ProxySettings::default() };
    let nobody = gateway_with(&[Upstream::refusing()], settings.clone());
    let status = |gateway: &TestGateway| {
        GrpcClient::connect(gateway.http).call(b"x").expect("an answer").status
    };
    assert_eq!(status(&nobody), 502);
    let silent = GrpcServer::calls(|exchange: Exchange| async move {
        let _kept = exchange;
        std::future::pending::<()>().await;
    });
    assert_eq!(status(&gateway_with(&[silent.address], settings.clone())), 504);
    assert_eq!(status(&gateway_with(&[], settings.clone())), 503);
    let other = Upstream::echo("HTTP/1");
    assert_eq!(status(&gateway_with(&[other.address], settings)), 502);
}

#[test]
fn a_stream_that_sends_more_than_is_allowed_is_ended() {
    let server = GrpcServer::calls(echo);
    let location = root("app", |location| {
        location.transport = Some(Transport::Grpc(None));
        location.body_limit = Some(1000);
    });
    let table = Table::default().upstream("app", &[server.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let client = GrpcClient::connect(gateway.http);
    assert_eq!(client.call(&[0; 1000]).expect("an answer").status, 200);
    assert_eq!(client.call(&[0; 1001]).expect("an answer").status, 413);
}
