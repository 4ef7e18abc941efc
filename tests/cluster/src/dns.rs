//! The cluster's name server: Services as `NAME.NAMESPACE.svc.cluster.local`, with ClusterIP or, without one, their endpoints'
//! addresses. It knows no other names: there is no world outside. Answers over UDP (RFC 1035 §4.1).

use std::net::Ipv4Addr;

use anyhow::Result;
use tokio::net::UdpSocket;

use crate::{
    directory::Directory,
    network::{self, NAME_SERVER},
};

/// What pods get as `/etc/resolv.conf`.
pub(crate) fn resolv_conf(namespace: &str) -> String {
    format!(
        "nameserver {NAME_SERVER}\nsearch {namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    )
}

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const NAME_ERROR: u8 = 3;
const TTL_SECONDS: u32 = 5;
/// More addresses would not fit into a UDP answer.
const MOST_ADDRESSES: usize = 25;

/// Serves until it is dropped.
pub(crate) async fn run(directory: Directory) -> Result<()> {
    let socket = network::among_services(|| {
        let socket = std::net::UdpSocket::bind((NAME_SERVER, 53))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })?;
    let socket = UdpSocket::from_std(socket)?;
    let mut query = [0; 512];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut query).await else { continue };
        if let Some(answer) = answer(&query[..length], |name| lookup(&directory, name)) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

/// The addresses of a name; nothing if there is no such name.
fn lookup(directory: &Directory, name: &str) -> Option<Vec<Ipv4Addr>> {
    let mut labels = name.strip_suffix(".svc.cluster.local")?.rsplit('.');
    let (namespace, service) = (labels.next()?, labels.next()?);
    if labels.next().is_some() {
        return None;
    }
    let found = directory.service(namespace, service)?;
    match found.spec.as_ref()?.cluster_ip.as_deref() {
        Some("None") => Some(directory.addresses(namespace, service)),
        Some(ip) => Some(ip.parse().ok().into_iter().collect()),
        None => None,
    }
}

/// The answer to a query with one question; nothing to what is not a query.
fn answer(query: &[u8], lookup: impl Fn(&str) -> Option<Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    let is_answer = query.get(2)? & 0x80 != 0;
    if is_answer || query.get(4..6)? != [0, 1] {
        return None;
    }
    let mut name = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            break;
        }
        name.push(
            String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_ascii_lowercase(),
        );
        at += 1 + length;
    }
    let question = query.get(HEADER..at + 5)?;
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let found = lookup(&name.join("."));
    let mut addresses = found.clone().unwrap_or_default();
    addresses.truncate(if kind == TYPE_A { MOST_ADDRESSES } else { 0 });

    let mut answer = query[..2].to_vec();
    // An authoritative answer that repeats whether recursion was asked for.
    answer.push(0x84 | query[2] & 1);
    answer.push(if found.is_some() { 0 } else { NAME_ERROR });
    answer.extend([0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    answer.extend(question);
    for address in addresses {
        // The name is the one of the question.
        answer.extend([0xc0, HEADER as u8]);
        answer.extend(TYPE_A.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(TTL_SECONDS.to_be_bytes());
        answer.extend([0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        query
    }

    fn known(name: &str) -> Option<Vec<Ipv4Addr>> {
        (name == "posts-srv.default.svc.cluster.local").then(|| vec![Ipv4Addr::new(10, 96, 1, 2)])
    }

    #[test]
    fn a_known_name_has_its_address() {
        let answer = answer(&query("Posts-srv.default.svc.cluster.local", TYPE_A), known).unwrap();
        assert_eq!(answer[..8], [7, 9, 0x85, 0, 0, 1, 0, 1]);
        assert_eq!(answer[answer.len() - 4..], [10, 96, 1, 2]);
    }

    #[test]
    fn a_known_name_has_no_address_of_another_kind() {
        let answer = answer(&query("posts-srv.default.svc.cluster.local", 28), known).unwrap();
        assert_eq!((answer[3], answer[7]), (0, 0));
    }

    #[test]
    fn an_unknown_name_does_not_exist() {
        let answer = answer(&query("example.com", TYPE_A), known).unwrap();
        assert_eq!((answer[3], answer[7]), (NAME_ERROR, 0));
    }

    #[test]
    fn what_ends_early_is_no_query() {
        let whole = query("example.com", TYPE_A);
        assert!((0..whole.len()).all(|length| answer(&whole[..length], known).is_none()));
    }
}
