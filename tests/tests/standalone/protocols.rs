//! What is said in one protocol arrives in another: trailers, events, and the messages of a WebSocket.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use headgate_tests::{
    client::tcp,
    manifests::{Ingress, documents, endpoint_slice, service},
    streaming::{
        http1::{Head, chunk_size, fields},
        http2,
    },
    tls,
    websocket::WebSocket,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::{
    io::{AsyncBufRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use crate::support::{NAMESPACE, PATIENCE, Scene};

/// Serves a host by a server at an address.
async fn serve(scene: &Scene, host: &str, address: SocketAddr, annotations: &[(&str, &str)]) {
    let name = host.replace('.', "-");
    let ingress = Ingress::new(NAMESPACE, &name).prefix(host, "/app", &name);
    let annotate = |ingress: Ingress, (key, value): &(&str, &str)| ingress.annotation(key, value);
    let ingress = annotations.iter().fold(ingress, annotate);
    let ip = address.ip().to_string();
    let slice = endpoint_slice(NAMESPACE, &name, address.port(), [ip.as_str()]);
    let objects = [service(NAMESPACE, &name), slice, ingress.text()];
    scene.folder.write(&name, &documents(&objects)).unwrap();
    // Another path of the host is answered by the gateway itself.
    scene.route(&format!("{name}-other"), host);
    scene.until_status(host, 200).await;
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A chunk; none is the last.
async fn chunk<R: AsyncBufRead + Unpin>(reader: &mut R) -> Option<String> {
    let size = chunk_size(reader).await.unwrap();
    let mut data = vec![0; usize::try_from(size).unwrap()];
    reader.read_exact(&mut data).await.unwrap();
    if size > 0 {
        assert_eq!(fields(reader).await.unwrap(), [], "the end of a line");
    }
    (size > 0).then(|| String::from_utf8(data).unwrap())
}

/// A chunked body and its trailers.
async fn chunked<R: AsyncBufRead + Unpin>(reader: &mut R) -> (String, Vec<(String, String)>) {
    let mut body = String::new();
    while let Some(data) = chunk(reader).await {
        body.push_str(&data);
    }
    (body, fields(reader).await.unwrap())
}

async fn data(body: &mut h2::RecvStream) -> Option<Bytes> {
    let data = body.data().await?.unwrap();
    body.flow_control().release_capacity(data.len()).unwrap();
    Some(data)
}

/// A body of HTTP/2 and its trailers.
async fn whole(mut body: h2::RecvStream) -> (String, HeaderMap) {
    let mut read = Vec::new();
    while let Some(data) = data(&mut body).await {
        read.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    (String::from_utf8(read).unwrap(), trailers)
}

fn sum(value: &str) -> HeaderMap {
    let field = (HeaderName::from_static("x-sum"), HeaderValue::from_str(value).unwrap());
    HeaderMap::from_iter([field])
}

#[tokio::test]
async fn an_http1_client_and_an_http2_server_understand_each_other() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = http2::serve(stream).await.unwrap();
        while let Some(accepted) = connection.accept().await {
            let (request, mut answer) = accepted.unwrap();
            tokio::spawn(async move {
                let (body, trailers) = whole(request.into_body()).await;
                let head = Response::builder().header("trailer", "x-sum").body(()).unwrap();
                let mut out = answer.send_response(head, false).unwrap();
                out.send_data(Bytes::from(body.to_uppercase()), false).unwrap();
                out.send_trailers(trailers).unwrap();
            });
        }
    });
    let scene = Scene::start().await;
    serve(&scene, "h2.example", address, &[("backend-protocol", "GRPC")]).await;
    let mut client = BufReader::new(tcp(scene.gateway.http).await.unwrap());
    for _ in 0..2 {
        let request =
            b"POST /app HTTP/1.1\r\nHost: h2.example\r\nTE: trailers\r\nTrailer: X-Sum\r\n\
            Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";
        client.write_all(request).await.unwrap();
        let head = Head::read(&mut client).await.unwrap().unwrap();
        head.is_ok().unwrap();
        assert_eq!(head.header("trailer"), Some("x-sum"));
        let answer = timeout(PATIENCE, chunked(&mut client)).await.unwrap();
        assert_eq!(answer, ("HELLO".to_owned(), vec![("x-sum".to_owned(), "7".to_owned())]));
    }
    server.abort();
}

#[tokio::test]
async fn an_http2_client_and_an_http1_server_understand_each_other() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        while let Some(head) = Head::read(&mut stream).await.unwrap() {
            assert_eq!(head.start, "POST /app HTTP/1.1");
            let (body, trailers) = chunked(&mut stream).await;
            let trailers = trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
            let answer = format!(
                "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                 5\r\n{}\r\n0\r\n{}\r\n",
                body.to_uppercase(),
                trailers.collect::<String>()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let scene = Scene::start().await;
    // What is read ahead is sent with its length, which leaves trailers no place.
    serve(&scene, "h1.example", address, &[("proxy-request-buffering", "off")]).await;
    let client = http2::connect(scene.gateway.http).await.unwrap();
    for _ in 0..2 {
        let mut client = client.clone().ready().await.unwrap();
        let request = Request::post("http://h1.example/app").body(()).unwrap();
        let (answer, mut out) = client.send_request(request, false).unwrap();
        out.send_data(Bytes::from_static(b"hello"), false).unwrap();
        out.send_trailers(sum("7")).unwrap();
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        let answer = timeout(PATIENCE, whole(answer.into_body())).await.unwrap();
        assert_eq!(answer, ("HELLO".to_owned(), sum("7")));
    }
    server.abort();
}

/// A server that answers with the events it is told to send; an empty one ends the answer.
async fn events(header: &'static str) -> (SocketAddr, mpsc::UnboundedSender<&'static str>) {
    let (listener, address) = listen().await;
    let (sender, mut told) = mpsc::unbounded_channel::<&str>();
    tokio::spawn(async move {
        loop {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            if Head::read(&mut stream).await.unwrap().is_none() {
                continue;
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{header}Transfer-Encoding: chunked\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            while let Some(event) = told.recv().await {
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                stream.write_all(chunk.as_bytes()).await.unwrap();
                if event.is_empty() {
                    break;
                }
            }
        }
    });
    (address, sender)
}

const EVENTS: [&str; 3] = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];

async fn events_arrive_over_http1(
    gateway: SocketAddr,
    host: &str,
    sender: &mpsc::UnboundedSender<&'static str>,
) {
    let mut client = BufReader::new(tcp(gateway).await.unwrap());
    let request = format!("GET /app HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let head = timeout(PATIENCE, Head::read(&mut client)).await;
    head.expect("a head before any event").unwrap().unwrap().is_ok().unwrap();
    for event in EVENTS {
        sender.send(event).unwrap();
        let arrived = timeout(PATIENCE, chunk(&mut client)).await.expect("an event at once");
        assert_eq!(arrived.as_deref(), Some(event));
    }
    sender.send("").unwrap();
    assert_eq!(timeout(PATIENCE, chunk(&mut client)).await.expect("the end"), None);
}

async fn events_arrive_over_http2(
    gateway: SocketAddr,
    host: &str,
    sender: &mpsc::UnboundedSender<&'static str>,
) {
    let mut client = http2::connect(gateway).await.unwrap();
    let request = Request::get(format!("http://{host}/app")).body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = timeout(PATIENCE, answer).await.expect("a head before any event").unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    for event in EVENTS {
        sender.send(event).unwrap();
        let arrived = timeout(PATIENCE, data(&mut body)).await.expect("an event at once");
        assert_eq!(arrived.as_deref(), Some(event.as_bytes()));
    }
    sender.send("").unwrap();
    let rest = timeout(PATIENCE, whole(body)).await.expect("the end");
    assert_eq!(rest, (String::new(), HeaderMap::new()));
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let scene = Scene::start().await;
    for (host, header, annotations) in [
        ("events.example", "", &[][..]),
        // Otherwise it holds small answers back, as it did.
        ("buffered.example", "X-Accel-Buffering: no\r\n", &[("proxy-buffering", "on")]),
    ] {
        let (address, sender) = events(header).await;
        serve(&scene, host, address, annotations).await;
        events_arrive_over_http1(scene.gateway.http, host, &sender).await;
        events_arrive_over_http2(scene.gateway.http, host, &sender).await;
    }
}

#[tokio::test]
async fn websockets_talk_with_and_without_tls() {
    async fn talk<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: S) {
        let mut socket = WebSocket::connect(stream, "ws.example", "/chat").await.unwrap();
        for number in 0..20 {
            let text = "x".repeat(number * 5000);
            timeout(PATIENCE, socket.exchange(&text)).await.expect("an echo").unwrap();
        }
        socket.close().await.unwrap();
    }
    let scene = Scene::start().await;
    scene.route("ws", "ws.example");
    scene.until_status("ws.example", 200).await;
    let plain: TcpStream = tcp(scene.gateway.http).await.unwrap();
    talk(plain).await;
    let client = tls::Client::new().unwrap();
    talk(client.connect(scene.gateway.https, "ws.example").await.unwrap().0).await;
}
