//! A real redis-server on loopback, with nothing on disk. It ends with the test.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server; its port stays the same when it is started again.
pub struct Redis {
    /// Where it listens.
    pub port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// One without a password.
    pub fn start() -> Self {
        Self::with(["--port", "{port}"])
    }

    /// One with these arguments, in which `{port}` is its port.
    pub fn with<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let named = |text: S| text.as_ref().replace("{port}", &port.to_string());
        let arguments = arguments.into_iter().map(named).collect();
        let mut server = Self { port, arguments, child: None };
        server.run();
        server
    }

    /// Starts it, with nothing in it; returns when it listens.
    pub fn run(&mut self) {
        let rest = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"];
        let child = Command::new("redis-server")
            .args(&self.arguments)
            .args(rest)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (scripts/deps build installs it)");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address()).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "redis-server ended: {ended:?}");
            assert!(Instant::now() < deadline, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It keeps its connections, and does nothing.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Sends a command in one line; the first line of the answer.
    pub fn say(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("a connection");
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
            answer.push(byte[0]);
        }
        String::from_utf8_lossy(&answer).trim_end().to_owned()
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn signal(&self, name: impl AsRef<OsStr>) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").arg(name).arg(id).status().expect("kill").success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
