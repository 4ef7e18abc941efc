use std::{cell::Cell, convert::Infallible, future::poll_fn, time::Duration};

use http::Response;
use http_body_util::Empty;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::deadline::Deadlines;

/// Shows `check` the body of a request that arrives with these bytes.
fn with_body(request: Vec<u8>, check: impl AsyncFn(ClientBody)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let checked = Cell::new(false);
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let service = service_fn(|request: http::Request<Incoming>| async {
            let deadline = Rc::new(Deadlines::default()).set(Duration::from_secs(60));
            let limit = Duration::from_secs(60);
            check(ClientBody::new(request.into_body(), deadline, limit, Rc::default())).await;
            checked.set(true);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let sending = async {
            client.write_all(&request).await.unwrap();
            // The library takes the end of the stream for the end of the request: it comes with the answer.
            assert!(client.read(&mut [0; 64]).await.unwrap() > 0);
            drop(client);
        };
        let _ = tokio::join!(serving, sending);
    });
    assert!(checked.get(), "the request did not arrive");
}

/// A request with a chunked body of so many bytes.
fn chunked(length: usize) -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    request.extend_from_slice(format!("{length:x}\r\n").as_bytes());
    request.resize(request.len() + length, b'x');
    request.extend_from_slice(b"\r\n0\r\nX-Sum: 7\r\n\r\n");
    request
}

#[test]
fn a_body_counts_as_held_as_long_as_any_part_of_it_is() {
    with_body(chunked(1000), async |body| {
        let budget = Budget::default();
        let mut prepared = prepare(body, None, READ_AHEAD, &budget).await.unwrap();
        assert_eq!(prepared.length, Some(1000));
        let Some(RequestBody::Full(bytes)) = prepared.take() else { panic!("it is read ahead") };
        drop(prepared);
        let rest = bytes.slice(900..);
        drop(bytes);
        assert!(budget.held() >= 1000, "a connection has not sent the rest");
        drop(rest);
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn what_an_upload_was_given_counts_until_it_is_sent() {
    with_body(chunked(READ_AHEAD + 1000), async |body| {
        let budget = Budget::default();
        let mut prepared = prepare(body, None, READ_AHEAD, &budget).await.unwrap();
        assert_eq!(prepared.length, None);
        let Some(RequestBody::Streamed(mut upload)) = prepared.take() else {
            panic!("it is passed on")
        };
        drop(prepared);
        assert!(budget.held() > READ_AHEAD, "{}", budget.held());
        let first = poll_fn(|cx| upload.poll_data(cx)).await.unwrap().unwrap();
        assert!(budget.held() > READ_AHEAD, "it is being sent");
        drop(first);
        assert_eq!(budget.held(), 0);
        while let Some(more) = poll_fn(|cx| upload.poll_data(cx)).await {
            more.unwrap();
        }
        assert_eq!(budget.held(), 0);
        assert_eq!(upload.take_trailers().unwrap()["x-sum"], "7");
    });
}

#[test]
fn a_body_that_finds_no_room_is_passed_on_and_a_refused_one_leaves_its_own() {
    with_body(chunked(1000), async |body| {
        let budget = Budget::default();
        let other = Held { bytes: BytesMut::new(), budget: budget.clone(), counted: HELD_LIMIT };
        budget.0.store(HELD_LIMIT, Relaxed);
        let mut prepared = prepare(body, None, READ_AHEAD, &budget).await.unwrap();
        assert!(matches!(prepared.take(), Some(RequestBody::Streamed(_))));
        drop((prepared, other));
        assert_eq!(budget.held(), 0);
    });
    with_body(chunked(1000), async |body| {
        let budget = Budget::default();
        let refused = prepare(body, Some(999), READ_AHEAD, &budget).await;
        assert_eq!(refused.err(), Some(ProxyError::BodyTooLarge));
        assert_eq!(budget.held(), 0);
    });
}
