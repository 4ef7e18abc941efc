//! One entry of a ConfigMap of stream services: `PORT: namespace/service:port[:PROXY][:PROXY]` (operations §10).

use std::sync::Arc;

use headgate_config::{ObjectRef, StreamProtocol, StreamService, UpstreamId};

use super::upstream_of;
use crate::{objects::Objects, options::Options, translate::upstream};

/// What an entry says.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The port to listen on.
    pub port: u16,
    /// The Service with its port.
    pub id: UpstreamId,
    /// Connections begin with a PROXY header.
    pub decode_proxy: bool,
    /// The upstream is sent one.
    pub encode_proxy: bool,
}

/// Reads an entry; the error names it, what is wrong and what is expected.
pub fn read(options: &Options, port: &str, value: &str) -> Result<Entry, String> {
    let number = port.parse().ok().filter(|number| *number > 0 && port.bytes().all(is_digit));
    let number: u16 = number.ok_or_else(|| {
        format!("{port:?} is not a port; the key of an entry is a number from 1 to 65535; it opens nothing")
    })?;
    if options.reserved_ports.contains(&number) {
        return Err(format!(
            "port {number} is one of headgate's own; choose another one for {value:?}, for which none is opened"
        ));
    }
    let wrong = || {
        format!(
            "port {number}: {value:?} is not NAMESPACE/SERVICE:PORT, perhaps with :PROXY or :PROXY:PROXY behind it; no port is opened for it"
        )
    };
    let fields: Vec<_> = value.split(':').collect();
    let [service, service_port, ..] = fields[..] else { return Err(wrong()) };
    let (namespace, service) = service.split_once('/').ok_or_else(wrong)?;
    if namespace.is_empty()
        || service.is_empty()
        || service.contains('/')
        || service_port.is_empty()
    {
        return Err(wrong());
    }
    let is_proxy =
        |at: usize| fields.get(at).is_some_and(|word| word.eq_ignore_ascii_case("PROXY"));
    Ok(Entry {
        port: number,
        id: UpstreamId {
            namespace: namespace.into(),
            service: service.into(),
            port: service_port.into(),
        },
        decode_proxy: is_proxy(2),
        encode_proxy: fields.len() == 4 && is_proxy(3),
    })
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

impl Entry {
    /// What it means with the Service that it names. One without ready endpoints keeps its port, and its clients are
    /// turned away.
    pub fn service(
        self,
        options: &Options,
        objects: &Objects,
        protocol: StreamProtocol,
        origin: &Arc<ObjectRef>,
    ) -> Result<StreamService, String> {
        let endpoints = upstream::resolve_stream(options, objects, &self.id, protocol)
            .map_err(|problem| format!("port {}: {problem}", self.port))?;
        let is_tcp = protocol == StreamProtocol::Tcp;
        Ok(StreamService {
            protocol,
            port: self.port,
            upstream: upstream_of(self.id, endpoints),
            decode_proxy: is_tcp && self.decode_proxy,
            encode_proxy: is_tcp && self.encode_proxy,
            origin: Arc::clone(origin),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { reserved_ports: vec![80, 10254], ..Options::default() }
    }

    #[test]
    fn the_third_field_decodes_and_the_fourth_encodes() {
        for (value, decode, encode) in [
            ("ns/svc:web", false, false),
            ("ns/svc:web:PROXY", true, false),
            ("ns/svc:web:proxy:Proxy", true, true),
            ("ns/svc:web::PROXY", false, true),
            ("ns/svc:web::PROXY:", false, false),
            ("ns/svc:web:other", false, false),
        ] {
            let entry = read(&options(), "9000", value).unwrap();
            assert_eq!((entry.decode_proxy, entry.encode_proxy), (decode, encode), "{value}");
            assert_eq!((entry.port, entry.id.to_string().as_str()), (9000, "ns-svc-web"));
        }
    }

    #[test]
    fn what_is_no_entry_is_named() {
        for (port, value, named) in [
            ("abc", "ns/svc:80", "\"abc\""),
            ("0", "ns/svc:80", "\"0\""),
            ("+1", "ns/svc:80", "\"+1\""),
            ("70000", "ns/svc:80", "\"70000\""),
            ("10254", "ns/svc:80", "headgate's own"),
            ("9000", "ns/svc", "\"ns/svc\""),
            ("9000", "svc:80", "\"svc:80\""),
            ("9000", "a/b/c:80", "\"a/b/c:80\""),
            ("9000", "ns/svc:", "\"ns/svc:\""),
        ] {
            let problem = read(&options(), port, value).unwrap_err();
            assert!(problem.contains(named), "{port}: {value}: {problem}");
        }
    }
}
