//! Lines about TCP and UDP sessions (`log-format-stream`, configmap-and-flags §10).

use std::{fmt::Display, io::Write, net::SocketAddr, time::Duration};

use super::{
    Escape, FormatError,
    clock::Now,
    format::segments,
    number::{push_number, push_padded, push_seconds},
    variable::{is_geoip, variables},
};

/// The reference's format, called `log_stream` there.
const DEFAULT: &str =
    "[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time";

/// A compiled log format for sessions.
#[derive(Clone, Debug)]
pub struct StreamFormat(Vec<Segment>);

#[derive(Clone, Debug)]
enum Segment {
    Text(Box<[u8]>),
    Variable(Variable),
}

variables! {
    /// What is known about a session.
    Variable {
        RemoteAddr = "remote_addr",
        RemotePort = "remote_port",
        PeerAddr = "realip_remote_addr",
        PeerPort = "realip_remote_port",
        ProxiedAddr = "proxy_protocol_addr",
        ProxiedPort = "proxy_protocol_port",
        ServerAddr = "server_addr",
        ServerPort = "server_port",
        Protocol = "protocol",
        Status = "status",
        BytesSent = "bytes_sent" | "upstream_bytes_received",
        BytesReceived = "bytes_received" | "upstream_bytes_sent",
        SessionTime = "session_time" | "upstream_session_time",
        TimeLocal = "time_local",
        TimeIso = "time_iso8601",
        Milliseconds = "msec",
        UpstreamName = "proxy_upstream_name",
        UpstreamAddr = "upstream_addr",
        ConnectTime = "upstream_connect_time",
        Unset = "ssl_preread_server_name" | "ssl_preread_protocol" | "ssl_preread_alpn_protocols",
    }
}

/// One session that has ended.
#[derive(Clone, Copy, Debug)]
pub struct StreamRecord<'a> {
    /// The client, after a PROXY header was heeded.
    pub client: SocketAddr,
    /// The peer.
    pub peer: SocketAddr,
    /// The client, as a PROXY header has it.
    pub proxied: Option<SocketAddr>,
    /// Where it was accepted.
    pub server: SocketAddr,
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
    /// 200, 400 without a PROXY header, 502 without an endpoint.
    pub status: u16,
    /// Bytes to the client.
    pub sent: u64,
    /// Bytes from the client.
    pub received: u64,
    /// How long it took.
    pub time: Duration,
    /// Name of the service.
    pub upstream_name: &'a str,
    /// The endpoints.
    pub upstream: StreamUpstream<'a>,
}

/// Which endpoints a session was tried with.
#[derive(Clone, Copy, Debug)]
pub struct StreamUpstream<'a> {
    /// In order.
    pub tried: &'a [SocketAddr],
    /// Until the last was connected.
    pub connect_time: Option<Duration>,
}

impl Default for StreamFormat {
    fn default() -> Self {
        Self::compile(DEFAULT).expect("the default format has only known variables")
    }
}

impl StreamFormat {
    /// Compiles a format as the ConfigMap has it.
    ///
    /// # Errors
    /// A variable is not known, or a `$` stands alone.
    pub fn compile(format: &str) -> Result<Self, FormatError> {
        let mut compiled = Vec::new();
        for segment in segments(format) {
            let (text, name) = segment?;
            if !text.is_empty() {
                compiled.push(Segment::Text(text.as_bytes().into()));
            }
            if let Some(name) = name {
                let geoip = || is_geoip(name).then_some(Variable::Unset);
                let variable = Variable::named(name)
                    .or_else(geoip)
                    .ok_or_else(|| FormatError::UnknownVariable(name.to_owned()))?;
                compiled.push(Segment::Variable(variable));
            }
        }
        Ok(Self(compiled))
    }

    /// Appends one line, without its end.
    pub(super) fn write(&self, line: &mut Vec<u8>, record: &StreamRecord<'_>, now: &Now) {
        for segment in &self.0 {
            match segment {
                Segment::Text(text) => line.extend_from_slice(text),
                Segment::Variable(variable) => variable.write(line, record, now),
            }
        }
    }
}

impl Variable {
    fn write(self, line: &mut Vec<u8>, record: &StreamRecord<'_>, now: &Now) {
        let proxied = record.proxied;
        match self {
            Self::RemoteAddr => push(line, Some(record.client.ip())),
            Self::RemotePort => push_number(line, record.client.port().into()),
            Self::PeerAddr => push(line, Some(record.peer.ip())),
            Self::PeerPort => push_number(line, record.peer.port().into()),
            Self::ProxiedAddr => push(line, proxied.map(|client| client.ip())),
            Self::ProxiedPort => push(line, proxied.map(|client| client.port())),
            Self::ServerAddr => push(line, Some(record.server.ip().to_canonical())),
            Self::ServerPort => push_number(line, record.server.port().into()),
            Self::Protocol => line.extend_from_slice(record.protocol.as_bytes()),
            Self::Status => push_padded(line, record.status.into(), 3),
            Self::BytesSent => push_number(line, record.sent),
            Self::BytesReceived => push_number(line, record.received),
            Self::SessionTime => push_seconds(line, record.time),
            Self::TimeLocal => line.extend_from_slice(now.local.as_bytes()),
            Self::TimeIso => line.extend_from_slice(now.iso.as_bytes()),
            Self::Milliseconds => push_seconds(line, now.since_epoch),
            // Names of objects, which are checked to be plain, do not need it but for mistakes in a ConfigMap.
            Self::UpstreamName => Escape::Default.write(line, record.upstream_name.as_bytes()),
            Self::UpstreamAddr => push_all(line, record.upstream.tried),
            Self::ConnectTime => match record.upstream.connect_time {
                Some(time) => push_seconds(line, time),
                None => line.push(b'-'),
            },
            Self::Unset => line.push(b'-'),
        }
    }
}

fn push(line: &mut Vec<u8>, value: Option<impl Display>) {
    match value {
        // Writing to memory does not fail.
        Some(value) => drop(write!(line, "{value}")),
        None => line.push(b'-'),
    }
}

fn push_all(line: &mut Vec<u8>, tried: &[SocketAddr]) {
    if tried.is_empty() {
        line.push(b'-');
    }
    for (number, address) in tried.iter().enumerate() {
        if number > 0 {
            line.extend_from_slice(b", ");
        }
        push(line, Some(address));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{super::clock::Clock, *};

    fn line(format: &StreamFormat, record: &StreamRecord<'_>) -> String {
        let mut line = Vec::new();
        format.write(&mut line, record, Clock::default().at(SystemTime::UNIX_EPOCH));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_are_as_in_the_reference() {
        let tried = ["10.0.0.1:80".parse().unwrap(), "10.0.0.2:80".parse().unwrap()];
        let record = StreamRecord {
            client: "192.0.2.1:5000".parse().unwrap(),
            peer: "192.0.2.9:6000".parse().unwrap(),
            proxied: Some("192.0.2.1:5000".parse().unwrap()),
            server: "[::ffff:192.0.2.2]:9000".parse().unwrap(),
            protocol: "TCP",
            status: 200,
            sent: 7,
            received: 3,
            time: Duration::from_millis(1234),
            upstream_name: "tcp-ns-db-5432",
            upstream: StreamUpstream {
                tried: &tried,
                connect_time: Some(Duration::from_millis(2)),
            },
        };
        assert_eq!(
            line(&StreamFormat::default(), &record),
            "[192.0.2.1] [01/Jan/1970:00:00:00 +0000] TCP 200 7 3 1.234"
        );
        let format = "$proxy_upstream_name ${upstream_addr} $upstream_connect_time $server_addr:$server_port $proxy_protocol_port $realip_remote_addr";
        assert_eq!(
            line(&StreamFormat::compile(format).unwrap(), &record),
            "tcp-ns-db-5432 10.0.0.1:80, 10.0.0.2:80 0.002 192.0.2.2:9000 5000 192.0.2.9"
        );
    }

    #[test]
    fn variables_of_requests_are_unknown() {
        let error = StreamFormat::compile("$request").unwrap_err();
        assert_eq!(error, FormatError::UnknownVariable("request".into()));
    }
}
