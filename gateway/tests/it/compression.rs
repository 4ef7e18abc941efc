//! Compressed answers, as clients read them; answers that are passed on in pieces.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use compression_core::util::{PartialBuffer, WriteBuffer};
use headgate_config::{Coding, Compression, ProxySettings, Settings};
use parking_lot::Mutex;

use crate::support::{
    Client, Table, TestGateway, Upstream,
    snapshot::root,
    upstream::{Reply, read_request},
};

/// What can be read of a coded text so far.
fn decoded(coding: &str, bytes: &[u8]) -> String {
    let mut decoder: Box<dyn DecodeV2> = match coding {
        "br" => Box::new(BrotliDecoder::new()),
        "zstd" => Box::new(ZstdDecoder::new()),
        "gzip" => Box::new(GzipDecoder::new()),
        other => panic!("{other} is no coding"),
    };
    let (mut input, mut all, mut room) = (PartialBuffer::new(bytes), Vec::new(), vec![0; 4096]);
    loop {
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).expect("it can be read");
        all.extend_from_slice(output.written());
        if ended || (input.unwritten().is_empty() && output.written_len() < 4096) {
            return String::from_utf8(all).expect("a text");
        }
    }
}

fn gateway(upstream: &Upstream, proxy: ProxySettings) -> TestGateway {
    let on = |coding: Coding| Coding { enabled: true, types: vec!["*".into()], ..coding };
    let Compression { brotli, zstd, gzip, .. } = Compression::default();
    let compression = Compression {
        brotli: on(brotli),
        zstd: on(zstd),
        gzip: on(gzip),
        gzip_disable: String::new(),
    };
    let table = Table::default().upstream("app", &[upstream.address]);
    let location = root("app", |location| location.proxy = Arc::new(proxy));
    let mut table = table.location("a.test", location).build();
    table.settings = Arc::new(Settings { compression, ..Settings::default() });
    TestGateway::start(table)
}

fn ask(client: &mut Client, method: &str, coding: &str) {
    client
        .send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: {coding}\r\n\r\n"));
}

#[test]
fn large_answers_come_back_whole_in_every_coding_over_one_connection() {
    let text: String = (0..40_000).map(|number| format!("line {number}\n")).collect();
    let body = text.clone();
    let upstream = Upstream::scripted(move |_, _| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        Reply::Bytes((head + &body).into_bytes())
    });
    let gateway = gateway(&upstream, ProxySettings::default());
    let mut client = gateway.client();
    for coding in ["br", "zstd", "gzip"] {
        ask(&mut client, "GET", coding);
        let answer = client.answer();
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!(answer.header("content-length"), None);
        assert!(answer.body.len() < text.len() / 2, "{coding}: {}", answer.body.len());
        assert!(decoded(coding, &answer.body) == text, "{coding}");
    }
    assert_eq!(upstream.connections(), 1, "the connection to the upstream is used again");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let plain = client.answer();
    assert_eq!(
        (plain.header("content-encoding"), plain.header("vary")),
        (None, Some("Accept-Encoding"))
    );
    assert!(plain.text() == text);
}

#[test]
fn heads_without_bodies_stay_as_they_are() {
    let upstream = Upstream::scripted(|_, seen| {
        let head = "Content-Type: text/plain\r\nETag: \"a\"\r\n";
        Reply::Bytes(match seen.line().split(' ').next() {
            Some("HEAD") => format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 5000\r\n\r\n").into(),
            _ => format!("HTTP/1.1 304 Not Modified\r\n{head}\r\n").into(),
        })
    });
    let gateway = gateway(&upstream, ProxySettings::default());
    let mut client = gateway.client();
    ask(&mut client, "HEAD", "gzip");
    let head = client.head().expect("an answer");
    assert!(head.contains("content-length: 5000") && !head.contains("content-encoding"), "{head}");
    ask(&mut client, "GET", "gzip");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("content-encoding")), (304, None));
    assert_eq!(answer.header("etag"), Some("\"a\""));
}

/// An upstream that sends what it is told to, as events.
fn events() -> (Upstream, mpsc::Sender<&'static str>) {
    let (sender, receiver) = mpsc::channel::<&'static str>();
    let receiver = Mutex::new(receiver);
    let upstream = Upstream::raw(move |mut connection| {
        if read_request(&mut connection).is_none() {
            return;
        }
        connection.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        while let Ok(event) = receiver.lock().recv() {
            connection.send(format!("{:x}\r\n{event}\r\n", event.len()));
        }
        connection.send("0\r\n\r\n");
    });
    (upstream, sender)
}

/// The next chunk.
fn chunk(client: &mut Client) -> Vec<u8> {
    let line = client.line().expect("a size");
    let size = usize::from_str_radix(line.trim(), 16).expect("a size");
    let bytes = client.exactly(size).expect("a chunk");
    client.line();
    bytes
}

#[test]
fn events_are_not_stuck_in_the_encoder() {
    for coding in ["br", "zstd", "gzip"] {
        let (upstream, sender) = events();
        let gateway = gateway(&upstream, ProxySettings::default());
        let mut client = gateway.client();
        ask(&mut client, "GET", coding);
        assert!(client.head().expect("a head").contains(&format!("content-encoding: {coding}")));
        let (mut bytes, mut sent) = (Vec::new(), String::new());
        for event in ["data: one\n\n", "data: two\n\n"] {
            sender.send(event).expect("it listens");
            sent.push_str(event);
            // The next is not sent before this one could be read.
            while decoded(coding, &bytes) != sent {
                bytes.extend(chunk(&mut client));
            }
        }
        drop(sender);
        loop {
            let last = chunk(&mut client);
            if last.is_empty() {
                break;
            }
            bytes.extend(last);
        }
        assert_eq!(decoded(coding, &bytes), sent);
    }
}

#[test]
fn buffered_answers_come_in_pieces_unless_their_upstream_objects() {
    let proxy = ProxySettings { buffering: true, head_limit: 1024, ..ProxySettings::default() };
    let (upstream, sender) = events();
    let gateway = gateway(&upstream, proxy.clone());
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.head().expect("a head");
    sender.send("data: one\n\n").expect("it listens");
    assert!(client.stays_silent(Duration::from_millis(300)), "it is held back");
    sender.send("data: two\n\n").expect("it listens");
    drop(sender);
    assert_eq!(chunk(&mut client), b"data: one\n\ndata: two\n\n");
    assert_eq!(chunk(&mut client), b"");

    let upstream = Upstream::raw(|mut connection| {
        read_request(&mut connection);
        connection.send("HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nContent-Length: 6\r\n\r\nabc");
        // Until the client has gone: it has what was sent.
        connection.line();
    });
    let gateway = self::gateway(&upstream, proxy);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = client.head().expect("a head");
    assert!(!head.contains("x-accel-buffering"), "{head}");
    assert_eq!(client.exactly(3).expect("it comes at once"), b"abc");
}
