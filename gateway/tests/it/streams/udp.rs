//! Datagrams.

use std::{sync::mpsc, thread};

use super::*;

/// An upstream that answers each datagram, `times` times.
fn answering(name: &'static str, times: usize) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = socket.local_addr().expect("bound");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            for number in 1..=times {
                let answer = format!("{name} {number}: {text}");
                let _ = socket.send_to(answer.as_bytes(), peer);
            }
        }
    });
    address
}

fn udp(port: u16, endpoints: &[SocketAddr]) -> StreamService {
    service(StreamProtocol::Udp, port, endpoints)
}

/// A port for datagrams that nobody has.
fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

/// A client of a port.
struct Asker(UdpSocket);

impl Asker {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket.connect((Ipv4Addr::LOCALHOST, port)).expect("an address");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Self(socket)
    }

    fn ask(&self, text: &str) -> String {
        self.0.send(text.as_bytes()).expect("sent");
        self.hear()
    }

    fn hear(&self) -> String {
        let mut buffer = [0; 2048];
        let length = self.0.recv(&mut buffer).expect("an answer");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

#[test]
fn each_datagram_is_answered_by_the_endpoint_whose_turn_it_is() {
    let port = free_port();
    let endpoints = [answering("one", 1), answering("two", 1)];
    let gateway = TestGateway::start(table_with([udp(port, &endpoints)], |settings| {
        settings.stream.log_format =
            Some("$protocol $status $bytes_sent $bytes_received $proxy_upstream_name".into());
    }));
    let asker = Asker::new(port);
    let mut answers: Vec<_> = (0..4).map(|_| asker.ask("hi")).collect();
    answers.sort();
    assert_eq!(answers, ["one 1: hi", "one 1: hi", "two 1: hi", "two 1: hi"]);
    // An answer ends its session, so that there is a line for each.
    eventually("the sessions are logged", || gateway.log().len() == 4);
    assert_eq!(gateway.log()[0], "UDP 200 9 2 udp-default-db-80");
}

#[test]
fn a_session_lasts_for_as_many_answers_as_are_expected() {
    let port = free_port();
    let gateway = TestGateway::start(table_with([udp(port, &[answering("a", 3)])], |settings| {
        settings.stream.responses = 3;
        settings.stream.log_format = Some("$bytes_sent".into());
    }));
    let asker = Asker::new(port);
    assert_eq!(asker.ask("x"), "a 1: x");
    assert_eq!([asker.hear(), asker.hear()], ["a 2: x", "a 3: x"]);
    assert_eq!(gateway.logged(0), "18");
}

#[test]
fn a_session_that_is_not_answered_ends_in_silence() {
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = free_port();
    let endpoint = mute.local_addr().expect("bound");
    let gateway = TestGateway::start(table_with([udp(port, &[endpoint])], |settings| {
        settings.stream.timeout = Duration::from_millis(200);
        settings.stream.log_format = Some("$status $bytes_sent $bytes_received".into());
    }));
    Asker::new(port).0.send(b"anybody?").expect("sent");
    assert_eq!(gateway.logged(0), "200 0 8");
}

#[test]
fn an_endpoint_that_nobody_listens_at_is_passed_over() {
    let port = free_port();
    // It was free a moment ago, and its number is not given out again so soon.
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let endpoints = [nobody, answering("good", 1)];
    let _gateway = TestGateway::start(table([udp(port, &endpoints)]));
    let asker = Asker::new(port);
    for _ in 0..4 {
        assert_eq!(asker.ask("hi"), "good 1: hi");
    }
}

#[test]
fn clients_do_not_hear_each_other() {
    let port = free_port();
    let _gateway = TestGateway::start(table_with([udp(port, &[answering("a", 1)])], |settings| {
        settings.stream.responses = 100;
    }));
    let (done, all) = mpsc::channel();
    for number in 0..8 {
        let done = done.clone();
        thread::spawn(move || {
            let asker = Asker::new(port);
            for round in 0..20 {
                let text = format!("{number}/{round}");
                assert_eq!(asker.ask(&text), format!("a 1: {text}"));
            }
            done.send(()).expect("somebody waits");
        });
    }
    drop(done);
    assert_eq!(all.iter().count(), 8);
}

#[test]
fn ports_come_and_go() {
    let port = free_port();
    let gateway = TestGateway::start(table([]));
    gateway.live.publish(table([udp(port, &[answering("a", 1)])]));
    assert_eq!(Asker::new(port).ask("x"), "a 1: x");
    gateway.live.publish(table([]));
    eventually("the port is free", || UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
}
