//! Lines as datagrams (RFC 3164), the way nginx sends them with `syslog:server=`: one line in each, behind its priority, the
//! time, the name of this machine and a tag. What is lost on the way is lost. Names are looked up beside the writer: other
//! logs are its business, too, and a resolver that does not answer must not hold them up.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    sync::mpsc::{Receiver as Answers, RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

use headgate_config::Syslog as Receiver;

use super::clock;

/// How long the address of a name is used.
const RESOLVED_FOR: Duration = Duration::from_secs(60);
/// How long nothing is tried after that has failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the first lines wait for an address. Later ones go to the last one that is known meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds the address of a receiver; it may take long.
type LookUp = fn(&str, u16) -> io::Result<SocketAddr>;

/// The way to a receiver.
#[derive(Debug)]
pub(super) struct Syslog {
    receiver: Receiver,
    hostname: String,
    socket: Option<UdpSocket>,
    /// When the name is looked up again.
    next_look: Option<Instant>,
    look_up: LookUp,
    /// What the lookup that goes on will say.
    looking: Option<Answers<io::Result<SocketAddr>>>,
}

impl Syslog {
    /// A receiver, whose name is looked up with the first line.
    pub fn new(receiver: Receiver) -> Self {
        let hostname = if receiver.hostname { hostname() } else { String::new() };
        Self { receiver, hostname, socket: None, next_look: None, look_up, looking: None }
    }

    /// Sends lines; says how many were not.
    pub fn write(&mut self, text: &[u8], severity: Option<u8>) -> u64 {
        self.connect();
        let severity = severity.unwrap_or(self.receiver.severity);
        let mut packet = self.header(severity, SystemTime::now()).into_bytes();
        let length = packet.len();
        let mut lost = 0;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            packet.truncate(length);
            packet.extend_from_slice(line);
            lost += u64::from(!self.send(&packet));
        }
        lost
    }

    fn send(&self, packet: &[u8]) -> bool {
        let Some(socket) = &self.socket else { return false };
        match socket.send(packet) {
            Ok(_) => true,
            // That tells about a line before this one, and this one was not sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                socket.send(packet).is_ok()
            }
            Err(_) => false,
        }
    }

    /// What is in front of each line.
    fn header(&self, severity: u8, now: SystemTime) -> String {
        let Receiver { facility, tag, .. } = &self.receiver;
        let priority = u16::from(*facility) * 8 + u16::from(severity);
        let blank = if self.hostname.is_empty() { "" } else { " " };
        format!("<{priority}>{}{blank}{} {tag}: ", clock::stamp(now), self.hostname)
    }

    /// Finds out where to send, if that is not known, or was found out long ago.
    fn connect(&mut self) {
        if self.looking.is_none() {
            if self.next_look.is_some_and(|next| Instant::now() < next) {
                return;
            }
            match self.start_looking() {
                Ok(looking) => self.looking = Some(looking),
                Err(error) => return self.settle(Err(error)),
            }
        }
        let Some(looking) = &self.looking else { return };
        // Only once: whatever comes while nothing is known would wait again.
        let is_first = self.next_look.is_none();
        self.next_look.get_or_insert_with(Instant::now);
        let patience = if is_first { PATIENCE } else { Duration::ZERO };
        match looking.recv_timeout(patience) {
            Ok(found) => self.settle(found.and_then(open)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.settle(Err(io::Error::other("the lookup has failed")));
            }
        }
    }

    fn start_looking(&self) -> io::Result<Answers<io::Result<SocketAddr>>> {
        let (found, looking) = sync_channel(1);
        let host = self.receiver.host.trim_matches(['[', ']']).to_owned();
        let (port, look_up) = (self.receiver.port, self.look_up);
        if let Ok(address) = host.parse::<IpAddr>() {
            // There is room for it.
            let _ = found.send(Ok(SocketAddr::new(address, port)));
            return Ok(looking);
        }
        let look_up = move || drop(found.send(look_up(&host, port)));
        thread::Builder::new().name("syslog-name".into()).spawn(look_up)?;
        Ok(looking)
    }

    /// Takes over what has come of looking.
    fn settle(&mut self, found: io::Result<UdpSocket>) {
        self.looking = None;
        let pause = match found {
            Ok(socket) => {
                self.socket = Some(socket);
                RESOLVED_FOR
            }
            Err(error) => {
                tracing::warn!(
                    receiver = %self.receiver.host, %error,
                    "syslog: the receiver is not found: lines go to its last address, or are lost where there is none"
                );
                PAUSE
            }
        };
        self.next_look = Some(Instant::now() + pause);
    }
}

fn look_up(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::Error::other("the name has no address"))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket)
}

/// The name of this machine, in lower case as nginx has it.
fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() { "localhost".into() } else { name }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn received(socket: &UdpSocket) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn every_line_is_a_datagram() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = receiver.local_addr().unwrap().port();
        let mut syslog = Syslog::new(Receiver::new("127.0.0.1", port));
        assert_eq!(syslog.write(b"one\ntwo\n", None), 0);
        let first = received(&receiver);
        assert!(first.starts_with("<190>") && first.ends_with(" nginx: one"), "{first}");
        assert!(received(&receiver).ends_with(" nginx: two"));
        assert_eq!(syslog.write(b"three\n", Some(3)), 0);
        assert!(received(&receiver).starts_with("<187>"));
    }

    #[test]
    fn lines_begin_as_those_of_nginx() {
        let mut syslog = Syslog::new(Receiver::new("127.0.0.1", 514));
        syslog.hostname = "web".into();
        let ninth = UNIX_EPOCH + Duration::from_secs(1_794_182_405);
        assert_eq!(syslog.header(6, ninth), "<190>Nov  9 00:00:05 web nginx: ");
        let receiver = Receiver { hostname: false, ..syslog.receiver };
        assert_eq!(Syslog::new(receiver).header(3, ninth), "<187>Nov  9 00:00:05 nginx: ");
    }

    #[test]
    fn a_name_that_takes_long_holds_up_nobody_and_its_last_address_is_used_meanwhile() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = receiver.local_addr().unwrap().port();
        let mut syslog = Syslog::new(Receiver::new("logs.test", port));
        syslog.look_up = |_, port| Ok((Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(syslog.write(b"one\n", None), 0);
        // From now on the resolver does not answer any more.
        syslog.look_up = |_, _| loop {
            thread::park();
        };
        syslog.next_look = Some(Instant::now());
        let begun = Instant::now();
        assert_eq!(syslog.write(b"two\n", None) + syslog.write(b"three\n", None), 0);
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        assert!(syslog.looking.is_some());
        for line in ["one", "two", "three"] {
            assert!(received(&receiver).ends_with(line));
        }
    }

    #[test]
    fn only_the_first_lines_wait_for_a_name() {
        let mut syslog = Syslog::new(Receiver::new("logs.test", 514));
        syslog.look_up = |_, _| loop {
            thread::park();
        };
        assert_eq!(syslog.write(b"one\n", None), 1);
        let begun = Instant::now();
        assert_eq!(syslog.write(b"two\nthree\n", None), 2);
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }

    #[test]
    fn lines_for_nobody_are_counted_as_lost() {
        let mut syslog = Syslog::new(Receiver::new("name.invalid.", 514));
        assert_eq!(syslog.write(b"one\ntwo\n", None), 2);
    }
}
