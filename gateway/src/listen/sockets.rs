//! Binding: one listening socket per worker on the same port.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Binds `count` sockets to one port. Port 0 lets the system choose; all get the same one. `flag` is what the port was
/// given with.
///
/// # Errors
/// The port is taken or may not be used; the message names the address.
pub fn bind(address: IpAddr, port: u16, count: usize, flag: &str) -> io::Result<Vec<TcpListener>> {
    bind_at((address, false), port, count, flag)
}

/// The same at a place: an address, and whether it stands for IPv6 addresses only.
///
/// # Errors
/// The port is taken or may not be used; the message names the address.
pub fn bind_at(
    (address, only_v6): (IpAddr, bool),
    port: u16,
    count: usize,
    flag: &str,
) -> io::Result<Vec<TcpListener>> {
    let explain = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {} ({flag}): {error}", SocketAddr::new(address, port)),
        )
    };
    let mut address = SocketAddr::new(address, port);
    // Sharing a port is for the workers of this process: a second process must not get in by accident.
    drop(exclusive(address, only_v6).map_err(explain)?);
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count.max(1) {
        let socket = shared(address, only_v6).map_err(explain)?;
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Binds `count` sockets for datagrams to one port, of which the system gives each client to one.
///
/// # Errors
/// The port is taken or may not be used; the message names the address.
pub fn bind_udp(
    (address, only_v6): (IpAddr, bool),
    port: u16,
    count: usize,
) -> io::Result<Vec<UdpSocket>> {
    let address = SocketAddr::new(address, port);
    let bind = |is_shared: bool| {
        let socket = unbound(address, only_v6, Type::DGRAM, Protocol::UDP)?;
        socket.set_reuse_port(is_shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    let explain = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot receive on {address} (UDP service): {error}"))
    };
    // As with connections, a second process must not get in by accident.
    drop::<UdpSocket>(bind(false).map_err(explain)?);
    (0..count.max(1)).map(|_| bind(true).map_err(explain)).collect()
}

fn exclusive(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = new_socket(address, only_v6)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn shared(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = new_socket(address, only_v6)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn new_socket(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = unbound(address, only_v6, Type::STREAM, Protocol::TCP)?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn unbound(
    address: SocketAddr,
    only_v6: bool,
    kind: Type,
    protocol: Protocol,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn workers_share_a_port_and_strangers_do_not() {
        let first = bind(Ipv4Addr::LOCALHOST.into(), 0, 2, "--port").expect("a free port");
        let port = first[0].local_addr().expect("bound").port();
        assert_eq!(first[1].local_addr().expect("bound").port(), port);
        let error = bind(Ipv4Addr::LOCALHOST.into(), port, 1, "--port").expect_err("taken");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    }
}
