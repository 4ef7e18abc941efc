//! Fields behind the bodies of uploads.

use std::{convert::Infallible, sync::mpsc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;
use crate::support::client::header;

/// A chunked request: its head, its body and the lines of its trailer section.
type WithTrailers = (String, Vec<u8>, Vec<String>);

/// Reads a chunked request.
fn read_with_trailers(connection: &mut Client) -> Option<WithTrailers> {
    let (head, mut body, mut trailers) = (connection.head()?, Vec::new(), Vec::new());
    loop {
        let size = usize::from_str_radix(connection.line()?.trim(), 16).ok()?;
        if size == 0 {
            break;
        }
        body.extend(connection.exactly(size)?);
        connection.line()?;
    }
    loop {
        let line = connection.line()?.trim().to_lowercase();
        if line.is_empty() {
            return Some((head, body, trailers));
        }
        trailers.push(line);
    }
}

/// An upstream that reads chunked requests, and what it reads.
fn taking_trailers() -> (Upstream, mpsc::Receiver<WithTrailers>) {
    let (sender, seen) = mpsc::channel();
    let sender = parking_lot::Mutex::new(sender);
    let upstream = Upstream::raw(move |mut connection| {
        while let Some(request) = read_with_trailers(&mut connection) {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            sender.lock().send(request).expect("the test waits");
        }
    });
    (upstream, seen)
}

#[test]
fn trailers_of_an_upload_reach_the_upstream_but_for_names_that_have_no_place_there() {
    let (upstream, seen) = taking_trailers();
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Sum, Content-Length, X-Other\r\n\r\n\
             5\r\nhello\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\nHost: evil\r\nAuthorization: Basic x\r\n\
             X-Forwarded-For: 6.6.6.6\r\nX_Odd: 1\r\nX-Other: a\r\nX-Other: b\r\n\r\n",
        );
        assert_eq!(client.answer().text(), "ok");
        let (head, body, trailers) = seen.recv().expect("a request");
        assert_eq!(body, b"hello");
        assert_eq!(trailers, ["x-sum: 7", "x-other: a", "x-other: b"]);
        assert_eq!(header(&head, "trailer"), Some("X-Sum, X-Other"));
    }
    assert_eq!(upstream.connections(), 1, "the connection can be used again");
}

#[test]
fn trailers_do_not_say_what_the_gateway_says() {
    let (upstream, seen) = taking_trailers();
    let protection = Protection { removed_headers: vec!["X-User".into()], ..Protection::default() };
    let location = snapshot::root("app", |location| {
        location.protection = Some(protection.into());
        let settings = ProxySettings { request_buffering: false, ..ProxySettings::default() };
        location.proxy = settings.into();
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let mut client = gateway.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, X-Sum\r\n\r\n\
         5\r\nhello\r\n0\r\nX-User: root\r\nX-Sum: 7\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "ok");
    let (head, _, trailers) = seen.recv().expect("a request");
    assert_eq!(trailers, ["x-sum: 7"]);
    assert_eq!(header(&head, "trailer"), Some("X-Sum"));
}

#[test]
fn trailers_of_an_http2_upload_reach_the_upstream_likewise() {
    let (upstream, seen) = taking_trailers();
    let gateway = TestGateway::streaming(&upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let status = runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.http).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        let trailers = async {
            let mut fields = HeaderMap::new();
            for (name, value) in [("x-sum", "7"), ("x-real-ip", "6.6.6.6"), ("cookie", "a=b")] {
                fields.insert(name, HeaderValue::from_static(value));
            }
            Some(Ok(fields))
        };
        // A body whose length nobody says.
        let data =
            futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from("hello")))]);
        let body = Box::pin(StreamBody::new(data).with_trailers(trailers));
        let request = http::Request::post("http://a.test/").body(body).expect("a request");
        sender.send_request(request).await.expect("an answer").status()
    });
    assert_eq!(status, 200);
    let (_, body, trailers) = seen.recv().expect("a request");
    assert_eq!((body.as_slice(), trailers), (&b"hello"[..], vec!["x-sum: 7".to_owned()]));
}

#[test]
fn trailers_have_no_place_behind_a_body_with_a_length() {
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "ok");
    assert_eq!(client.get("/").text(), "ok");
    let seen = &upstream.seen()[0];
    assert_eq!((seen.header("content-length"), seen.header("trailer")), (Some("5"), None));
    assert_eq!(seen.body, b"hello");
    assert_eq!(upstream.connections(), 1);
}
