//! Lines as datagrams (RFC 3164), the way nginx sends them with `syslog:server=`: one line in each, behind its priority, the
//! time, the name of this machine and a tag. What is lost on the way is lost.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant, SystemTime},
};

use headgate_config::Syslog as Receiver;

use super::clock;

/// How long the address of a name is used.
const RESOLVED_FOR: Duration = Duration::from_secs(60);
/// How long nothing is tried after that has failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The way to a receiver.
#[derive(Debug)]
pub(super) struct Syslog {
    receiver: Receiver,
    hostname: String,
    socket: Option<UdpSocket>,
    /// When the name is looked up again.
    next_look: Option<Instant>,
}

impl Syslog {
    /// A receiver, whose name is looked up with the first line.
    pub fn new(receiver: Receiver) -> Self {
        let hostname = if receiver.hostname { hostname() } else { String::new() };
        Self { receiver, hostname, socket: None, next_look: None }
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
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        match connect(&self.receiver) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.next_look = Some(now + RESOLVED_FOR);
            }
            Err(error) => {
                tracing::warn!(
                    receiver = %self.receiver.host, %error,
                    "syslog: lines are lost as long as their receiver is not found"
                );
                self.next_look = Some(now + PAUSE);
            }
        }
    }
}

fn connect(receiver: &Receiver) -> io::Result<UdpSocket> {
    let host = receiver.host.trim_matches(['[', ']']);
    let mut addresses = (host, receiver.port).to_socket_addrs()?;
    let address = addresses.next().ok_or_else(|| io::Error::other("the name has no address"))?;
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
    fn lines_for_nobody_are_counted_as_lost() {
        let mut syslog = Syslog::new(Receiver::new("name.invalid.", 514));
        assert_eq!(syslog.write(b"one\ntwo\n", None), 2);
    }
}
