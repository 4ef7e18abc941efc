//! TCP and UDP services (operations §10).

mod udp;

use std::{
    io::Read,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};

use headgate_config::{
    Endpoints, ForwardedHeaders, LogTarget, ObjectRef, Settings, Snapshot, StreamProtocol,
    StreamService, StreamSettings, Streams,
};

use crate::support::{Client, Table, TestGateway, Upstream, eventually, snapshot::id};

/// A port that nobody has. Another process may get it before it is bound, which fails the test.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}

/// A service on a port with these endpoints.
fn service(protocol: StreamProtocol, port: u16, endpoints: &[SocketAddr]) -> StreamService {
    StreamService {
        protocol,
        port,
        upstream: Arc::new(headgate_config::Upstream::new(
            id("db"),
            Endpoints::Addresses(endpoints.to_vec()),
        )),
        decode_proxy: false,
        encode_proxy: false,
        origin: Arc::new(ObjectRef {
            kind: "ConfigMap".into(),
            namespace: "default".into(),
            name: "streams".into(),
        }),
    }
}

fn tcp(port: u16, endpoints: &[SocketAddr]) -> StreamService {
    service(StreamProtocol::Tcp, port, endpoints)
}

fn table(services: impl IntoIterator<Item = StreamService>) -> Snapshot {
    table_with(services, |_| {})
}

/// The same with other settings.
fn table_with(
    services: impl IntoIterator<Item = StreamService>,
    change: impl FnOnce(&mut Settings),
) -> Snapshot {
    let mut settings = Settings::default();
    change(&mut settings);
    let services = services.into_iter().map(Arc::new).collect();
    Snapshot {
        streams: Arc::new(Streams { services, ..Streams::default() }),
        settings: Arc::new(settings),
        ..Table::default().build()
    }
}

/// An upstream that says its name and then gives back what it gets.
fn named(name: &'static str) -> Upstream {
    Upstream::raw(move |mut client| {
        client.send(format!("{name}\n"));
        while let Some(line) = client.line() {
            client.send(line);
        }
    })
}

/// The next line, without its end.
fn said(client: &mut Client) -> Option<String> {
    client.line().map(|line| line.trim_end().to_owned())
}

fn connect(port: u16) -> Client {
    Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Connects as soon as the worker accepts connections, and says who has answered.
fn greeting(port: u16) -> String {
    said(&mut connect(port)).expect("a greeting")
}

/// Whether connections to a port are refused.
fn is_closed(port: u16) -> bool {
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

#[test]
fn connections_go_to_the_endpoints_in_turn() {
    let (one, two, port) = (named("one"), named("two"), free_port());
    let _gateway = TestGateway::start(table([tcp(port, &[one.address, two.address])]));
    let mut answers: Vec<_> = (0..4).map(|_| greeting(port)).collect();
    answers.sort();
    assert_eq!(answers, ["one", "one", "two", "two"]);
}

#[test]
fn each_half_ends_on_its_own() {
    let upstream = Upstream::raw(|mut client| {
        let mut all = Vec::new();
        client.stream.read_to_end(&mut all).expect("the end of the client's half");
        client.send(format!("{} bytes", all.len()));
    });
    let port = free_port();
    let _gateway = TestGateway::start(table([tcp(port, &[upstream.address])]));
    let mut client = connect(port);
    // More than any buffer on the way holds.
    let mut writing = client.stream.try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut writing, &vec![b'x'; 8 << 20]).expect("sent");
        writing.shutdown(Shutdown::Write).expect("a shutdown");
    });
    let mut answer = String::new();
    client.stream.read_to_string(&mut answer).expect("an answer");
    writer.join().expect("it has written");
    assert_eq!(answer, format!("{} bytes", 8 << 20));
}

#[test]
fn a_connection_outlives_its_endpoint_and_its_port() {
    let (old, new, port) = (named("old"), named("new"), free_port());
    let gateway = TestGateway::start(table([tcp(port, &[old.address])]));
    let mut client = connect(port);
    assert_eq!(said(&mut client).as_deref(), Some("old"));
    gateway.live.publish(table([tcp(port, &[new.address])]));
    eventually("the new endpoint is used", || greeting(port) == "new");
    gateway.live.publish(table([]));
    eventually("the port is closed", || is_closed(port));
    client.send("still here\n");
    assert_eq!(said(&mut client).as_deref(), Some("still here"));
    gateway.live.publish(table([tcp(port, &[new.address])]));
    eventually("the port is open again", || !is_closed(port));
    assert_eq!(greeting(port), "new");
}

#[test]
fn without_an_endpoint_clients_are_turned_away() {
    let (upstream, port) = (named("back"), free_port());
    let gateway = TestGateway::start(table([tcp(port, &[])]));
    assert_eq!(connect(port).line(), None);
    let line = gateway.logged(0);
    assert!(line.contains("] TCP 502 0 0 0.0"), "{line}");
    gateway.live.publish(table([tcp(port, &[upstream.address])]));
    eventually("there is an endpoint", || said(&mut connect(port)).as_deref() == Some("back"));
}

#[test]
fn an_endpoint_that_refuses_is_passed_over_as_often_as_is_wanted() {
    let (good, port, strict) = (named("good"), free_port(), free_port());
    let endpoints = [Upstream::refusing(), good.address];
    let gateway = TestGateway::start(table_with([tcp(port, &endpoints)], |settings| {
        settings.stream.log_format = Some("$status $upstream_addr".into());
    }));
    for _ in 0..4 {
        assert_eq!(greeting(port), "good");
    }
    eventually("sessions are logged", || gateway.log().len() == 4);
    let retried = format!("200 {}, {}", endpoints[0], endpoints[1]);
    assert_eq!(gateway.log().iter().filter(|line| **line == retried).count(), 2);
    gateway.live.publish(table_with([tcp(strict, &endpoints)], |settings| {
        settings.stream.next_upstream = false;
    }));
    eventually("the port is open", || !is_closed(strict));
    let mut answers: Vec<_> = (0..4).map(|_| said(&mut connect(strict))).collect();
    answers.sort();
    assert_eq!(answers.iter().filter(|answer| answer.is_some()).count(), 2, "{answers:?}");
}

#[test]
fn a_session_that_is_silent_ends() {
    let (upstream, port) = (named("quiet"), free_port());
    let _gateway = TestGateway::start(table_with([tcp(port, &[upstream.address])], |settings| {
        settings.stream.timeout = Duration::from_millis(300);
    }));
    let mut client = connect(port);
    assert_eq!(said(&mut client).as_deref(), Some("quiet"));
    assert_eq!(client.line(), None);
}

#[test]
fn a_proxy_header_is_decoded_and_encoded_as_the_service_says() {
    const HEADER: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n";
    let echo = Upstream::raw(|mut client| {
        while let Some(line) = client.line() {
            client.send(format!("got {line}"));
        }
    });
    let (plain, decode, encode, both) = (free_port(), free_port(), free_port(), free_port());
    let with = |port, decode_proxy, encode_proxy| StreamService {
        decode_proxy,
        encode_proxy,
        ..tcp(port, &[echo.address])
    };
    let services = [
        with(plain, false, false),
        with(decode, true, false),
        with(encode, false, true),
        with(both, true, true),
    ];
    let gateway = TestGateway::start(table_with(services, |settings| {
        settings.forwarded = ForwardedHeaders { real_ip: true, ..ForwardedHeaders::default() };
        settings.stream.log_format =
            Some("$server_port $status $remote_addr $proxy_protocol_addr".into());
    }));
    let first = |port, sent: &str| {
        let mut client = connect(port);
        client.send(sent);
        client.line().unwrap_or_default().trim_end().to_owned()
    };
    assert_eq!(first(plain, "hi\n"), "got hi");
    assert_eq!(first(decode, &format!("{HEADER}hi\n")), "got hi");
    assert_eq!(first(both, &format!("{HEADER}hi\n")), format!("got {}", HEADER.trim_end()));
    let told = first(encode, "hi\n");
    assert!(told.starts_with("got PROXY TCP4 127.0.0.1 127.0.0.1 "), "{told}");
    assert!(told.ends_with(&format!(" {encode}")), "{told}");
    assert_eq!(first(decode, "hi, this is no header of a proxy\n"), "");
    eventually("sessions are logged", || gateway.log().len() == 5);
    let log = gateway.log();
    assert!(log.contains(&format!("{decode} 200 192.0.2.1 192.0.2.1")), "{log:?}");
    assert!(log.contains(&format!("{decode} 400 127.0.0.1 -")), "{log:?}");
}

#[test]
fn a_port_that_is_taken_is_told_and_opened_when_it_is_free() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (port, other) = (taken.local_addr().expect("bound").port(), free_port());
    let upstream = named("here");
    let services = [tcp(port, &[upstream.address]), tcp(other, &[upstream.address])];
    let gateway = TestGateway::start(table(services));
    assert_eq!(greeting(other), "here", "others go on");
    let found = || {
        let live = gateway.live.load();
        live.snapshot.verdicts.iter().map(|verdict| verdict.message.clone()).collect::<Vec<_>>()
    };
    let told = found();
    assert!(told.len() == 1 && told[0].contains(&port.to_string()), "{told:?}");
    drop(taken);
    eventually("the port is opened", || {
        gateway.live.collect();
        found().is_empty()
    });
    assert_eq!(greeting(port), "here");
}

#[test]
fn the_log_may_have_a_file_of_its_own_or_be_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("streams.log");
    let (upstream, port) = (named("logged"), free_port());
    let with = |change: fn(&mut StreamSettings), path: &std::path::Path| {
        let path = path.to_str().map(str::to_owned);
        table_with([tcp(port, &[upstream.address])], move |settings| {
            settings.stream.log_format = Some("$protocol $proxy_upstream_name".into());
            settings.stream.log_target = path.map(LogTarget::File).unwrap_or_default();
            change(&mut settings.stream);
        })
    };
    let gateway = TestGateway::start(with(|_| {}, &path));
    greeting(port);
    let written = || std::fs::read_to_string(&path).unwrap_or_default();
    eventually("the session is logged", || written() == "TCP tcp-default-db-80\n");
    // What holds when a session begins decides; the next table is there for those after it.
    gateway.live.publish(with(|stream| stream.access_log = false, &path));
    greeting(port);
    gateway.live.publish(with(|stream| stream.log_format = Some("again".into()), &path));
    greeting(port);
    eventually("the next one is logged", || written().contains("again"));
    assert_eq!(written().lines().count(), 2);
    assert_eq!(gateway.log(), [""; 0]);
}

#[test]
fn shutdown_waits_for_open_connections() {
    let (upstream, port) = (named("last"), free_port());
    let gateway = TestGateway::start(table([tcp(port, &[upstream.address])]));
    let mut client = connect(port);
    assert_eq!(said(&mut client).as_deref(), Some("last"));
    let stopping = std::thread::spawn(move || gateway.stop());
    eventually("the port is closed", || is_closed(port));
    client.send("almost done\n");
    assert_eq!(said(&mut client).as_deref(), Some("almost done"));
    drop(client);
    stopping.join().expect("it has stopped");
}

#[test]
fn a_service_is_bound_where_clients_are_served_and_nowhere_else() {
    let (upstream, port) = (named("here"), free_port());
    let at = |address: [u8; 4]| {
        table_with([tcp(port, &[upstream.address])], move |settings| {
            settings.entrances.only = Some(vec![address.into()]);
        })
    };
    let gateway = TestGateway::start(at([127, 0, 0, 9]));
    assert!(is_closed(port));
    gateway.live.publish(at([127, 0, 0, 1]));
    assert_eq!(greeting(port), "here");
    gateway.live.publish(at([127, 0, 0, 9]));
    eventually("the port is closed", || is_closed(port));
}
